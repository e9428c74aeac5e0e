//go:build !nyash_portable && !nyash_noleaf

package native

import "unsafe"

// Where a signal handler's third argument, a ucontext_t, has the registers, and its second, a
// siginfo_t, what else is told.
const (
	registerSP  = 200
	registerPC  = 176
	infoSender  = 12
	raisedCode  = 0x10007 // SI_LWP
	infoAddress = 24
)

//go:nosplit
//go:norace
func registers(context unsafe.Pointer) (pc, sp *uintptr) {
	return (*uintptr)(unsafe.Add(context, registerPC)), (*uintptr)(unsafe.Add(context, registerSP))
}
