//go:build nyash_portable || !(amd64 || arm64) || !(darwin || freebsd || linux || netbsd)

package native

import (
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/nyash-plugins/nyash-go/abi"
)

// invoke makes the call through purego. What the plugin is given the address of
// is on the heap, so it stays in place; inv keeps it alive.
func invoke(fn uintptr, inv *abi.Invocation) {
	r, _, _ := purego.SyscallN(fn,
		uintptr(inv.TypeID), uintptr(inv.Method), uintptr(inv.Instance),
		uintptr(unsafe.Pointer(unsafe.SliceData(inv.Args))), uintptr(len(inv.Args)),
		uintptr(unsafe.Pointer(unsafe.SliceData(inv.Result))), uintptr(unsafe.Pointer(&inv.Length)))
	runtime.KeepAlive(inv)
	inv.Code = abi.Code(int32(uint32(r)))
}
