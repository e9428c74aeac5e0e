//go:build nyash_portable || !(amd64 || arm64) || !(darwin || freebsd || linux || netbsd)

package native

import (
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/nyash-plugins/nyash-go/abi"
)

// invoke makes the call through purego. What the plugin is given the address of
// is on the heap, so it stays in place; c keeps it alive.
func invoke(fn uintptr, c *abi.Call) {
	r, _, _ := purego.SyscallN(fn,
		uintptr(c.TypeID), uintptr(c.Method), uintptr(c.Instance),
		uintptr(c.Args), c.ArgsLength, uintptr(c.Result), uintptr(unsafe.Pointer(&c.ResultLength)))
	runtime.KeepAlive(c)
	c.Code = abi.Code(int32(uint32(r)))
}

// invokeTable is invoke for the invoke_id of a TypeBox table.
func invokeTable(fn uintptr, c *abi.Call) {
	r, _, _ := purego.SyscallN(fn, uintptr(c.Instance), uintptr(c.Method),
		uintptr(c.Args), c.ArgsLength, uintptr(c.Result), uintptr(unsafe.Pointer(&c.ResultLength)))
	runtime.KeepAlive(c)
	c.Code = abi.Code(int32(uint32(r)))
}

// invokeBatch makes the calls as invoke does and returns how many the plugin
// says it made.
func invokeBatch(fn uintptr, calls []abi.Call) uintptr {
	n, _, _ := purego.SyscallN(fn, uintptr(unsafe.Pointer(unsafe.SliceData(calls))), uintptr(len(calls)))
	runtime.KeepAlive(calls)
	return n
}
