//go:build !nyash_portable && (amd64 || arm64) && (darwin || freebsd || linux || netbsd)

package native

import (
	"runtime"
	"unsafe"

	// purego sets the runtime up for calls into C where cgo is off.
	_ "github.com/ebitengine/purego"

	"github.com/nyash-plugins/nyash-go/abi"
)

// crossing is what a trampoline is given: the function, and its arguments.
type crossing struct {
	fn    uintptr
	call  *call   // the one, or the first of a batch
	count uintptr // of a batch
}

// call gives the assembly the layout of its namesake.
type call abi.Call

// cgocall is the runtime's own way into C: it switches to the system stack and
// lets other goroutines run on the processor if the call takes long. It is what
// cgo's generated code and purego call.
//
//go:linkname cgocall runtime.cgocall
//go:noescape
func cgocall(fn, arg unsafe.Pointer) int32

// The addresses of the assembly; set there.
var trampoline, tableTrampoline, batchTrampoline unsafe.Pointer

// invoke makes the call through a trampoline for this one signature, with no
// allocation.
//
// What may move and what may die: c and all that the plugin is given the address
// of (what c.Args and c.Result point at, c.ResultLength) are on the heap, which
// does not move; c belongs to a frame of the loader's, is kept alive until after
// the call, and its pointers keep the buffers alive. Only the words of crossing
// are on this goroutine's stack, which can move while C runs, if C calls back
// into Go and that needs more stack. So the trampoline reads them before the
// call and never after: the C function's result comes back in a register, as
// cgocall's result. That is also why cgocall can be declared noescape.
func invoke(fn uintptr, c *abi.Call) {
	x := crossing{fn: fn, call: (*call)(c)}
	c.Code = abi.Code(cgocall(trampoline, unsafe.Pointer(&x)))
	runtime.KeepAlive(c)
}

// invokeTable is invoke for the invoke_id of a TypeBox table.
func invokeTable(fn uintptr, c *abi.Call) {
	x := crossing{fn: fn, call: (*call)(c)}
	c.Code = abi.Code(cgocall(tableTrampoline, unsafe.Pointer(&x)))
	runtime.KeepAlive(c)
}

// invokeBatch makes the calls as invoke does and returns how many the plugin
// says it made.
func invokeBatch(fn uintptr, calls []abi.Call) uintptr {
	x := crossing{fn: fn, call: (*call)(unsafe.SliceData(calls)), count: uintptr(len(calls))}
	n := cgocall(batchTrampoline, unsafe.Pointer(&x))
	runtime.KeepAlive(calls)
	return uintptr(uint32(n))
}
