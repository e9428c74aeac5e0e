//go:build !nyash_portable && !nyash_noleaf

package native

import "unsafe"

// Where a signal handler's third argument, a ucontext_t, has the registers, and its second, a
// siginfo_t, what else is told.
const (
	contextRegisters = 48 // a pointer to them
	registerSP       = 264
	registerPC       = 272
	infoSender       = 12
	raisedCode       = 0 // not told
	infoAddress      = 24
)

//go:nosplit
//go:norace
func registers(context unsafe.Pointer) (pc, sp *uintptr) {
	context = *(*unsafe.Pointer)(unsafe.Add(context, contextRegisters))
	return (*uintptr)(unsafe.Add(context, registerPC)), (*uintptr)(unsafe.Add(context, registerSP))
}
