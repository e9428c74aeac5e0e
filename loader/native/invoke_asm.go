//go:build !nyash_portable && (amd64 || arm64) && (darwin || freebsd || linux || netbsd)

package native

import (
	"runtime"
	"unsafe"

	// purego sets the runtime up for calls into C where cgo is off.
	_ "github.com/ebitengine/purego"

	"github.com/nyash-plugins/nyash-go/abi"
)

// call is what the trampoline is given: the function, and its arguments.
type call struct {
	fn  uintptr
	inv *invocation
}

// invocation gives the assembly the layout of its namesake.
type invocation abi.Invocation

// cgocall is the runtime's own way into C: it switches to the system stack and
// lets other goroutines run on the processor if the call takes long. It is what
// cgo's generated code and purego call.
//
//go:linkname cgocall runtime.cgocall
//go:noescape
func cgocall(fn, arg unsafe.Pointer) int32

// trampoline is the address of the assembly; set there.
var trampoline unsafe.Pointer

// invoke makes the call through a trampoline for this one signature, with no
// allocation.
//
// What may move and what may die: inv and all that the plugin is given the
// address of (inv.Args, inv.Result, inv.Length) are on the heap, which does not
// move; inv belongs to a frame of the loader's, is kept alive until after the
// call, and keeps the buffers alive. Only the two words of call are on this
// goroutine's stack, which can move while C runs, if C calls back into Go and
// that needs more stack. So the trampoline reads them before the call and never
// after: the C function's result comes back in a register, as cgocall's result.
// That is also why cgocall can be declared noescape.
func invoke(fn uintptr, inv *abi.Invocation) {
	c := call{fn, (*invocation)(inv)}
	inv.Code = abi.Code(cgocall(trampoline, unsafe.Pointer(&c)))
	runtime.KeepAlive(inv)
}
