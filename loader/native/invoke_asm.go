//go:build !nyash_portable && (amd64 || arm64) && (darwin || freebsd || linux || netbsd)

package native

import (
	"runtime"
	"unsafe"

	// purego sets the runtime up for calls into C where cgo is off.
	_ "github.com/ebitengine/purego"

	"github.com/nyash-plugins/nyash-go/abi"
)

// frame is what the trampoline reads: the function and its seven arguments.
// invoke_$GOARCH.s knows its layout.
type frame struct {
	fn       uintptr
	typeID   uint64
	method   uint64
	instance uint64
	args     unsafe.Pointer
	argsLen  uintptr
	result   unsafe.Pointer
	length   *uintptr
}

// cgocall is the runtime's own way into C: it switches to the system stack and
// lets other goroutines run on the processor if the call takes long. It is what
// cgo's generated code and purego call.
//
//go:linkname cgocall runtime.cgocall
//go:noescape
func cgocall(fn unsafe.Pointer, frame unsafe.Pointer) int32

// trampoline is the address of the assembly; set there.
var trampoline unsafe.Pointer

// invoke makes the call through a trampoline for this one signature, with no
// allocation.
//
// What may move and what may die: the plugin is given three addresses, of
// inv.Args, inv.Result and inv.Length. All are on the heap (inv belongs to a
// frame of the loader's), and the heap does not move; inv is kept alive until
// after the call, and keeps them alive. The trampoline's own frame is on this
// goroutine's stack, which can move while C runs, if C calls back into Go and
// that needs more stack. So the trampoline reads the frame before the call and
// never after: the C function's result comes back in a register, as cgocall's
// result. That is also why cgocall can be declared noescape.
func invoke(fn uintptr, inv *abi.Invocation) {
	f := frame{
		fn:       fn,
		typeID:   uint64(inv.TypeID),
		method:   uint64(inv.Method),
		instance: uint64(inv.Instance),
		args:     unsafe.Pointer(unsafe.SliceData(inv.Args)),
		argsLen:  uintptr(len(inv.Args)),
		result:   unsafe.Pointer(unsafe.SliceData(inv.Result)),
		length:   &inv.Length,
	}
	inv.Code = abi.Code(cgocall(trampoline, unsafe.Pointer(&f)))
	runtime.KeepAlive(inv)
}
