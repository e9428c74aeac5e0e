package native

import (
	"context"
	"runtime"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/nyash-plugins/nyash-go/abi"
)

// invokeTableInTurn is [invokeInTurn] for a TypeBox table.
func invokeTableInTurn(ctx context.Context, t turn, fn uintptr, c *abi.Call) error {
	return t.do(ctx, func() { invokeTable(fn, c) })
}

// callResolve asks a table for the id of a method.
func callResolve(fn uintptr, method string) uint32 {
	name := cstring(method)
	r, _, _ := purego.SyscallN(fn, uintptr(unsafe.Pointer(name)))
	runtime.KeepAlive(name)
	return uint32(r)
}

// invokeInTurn is apart from Library.Invoke so that only calls which wait for
// their turn pay for the closure.
func invokeInTurn(ctx context.Context, t turn, fn uintptr, c *abi.Call) error {
	return t.do(ctx, func() { invoke(fn, c) })
}

func invokeBatchInTurn(ctx context.Context, t turn, fn uintptr, calls []abi.Call) (made uintptr, err error) {
	err = t.do(ctx, func() { made = invokeBatch(fn, calls) })
	return made, err
}

func callABI(fn uintptr) uint32 {
	r, _, _ := purego.SyscallN(fn)
	return uint32(r)
}

func callConnect(fn, calls uintptr) abi.Code {
	r, _, _ := purego.SyscallN(fn, calls)
	return abi.Code(int32(uint32(r)))
}

func callInit(fn, table uintptr, info *abi.PluginInfo) abi.Code {
	r, _, _ := purego.SyscallN(fn, table, uintptr(unsafe.Pointer(info)))
	return abi.Code(int32(uint32(r)))
}

func callConfig(fn uintptr) (text uintptr) {
	text, _, _ = purego.SyscallN(fn)
	return text
}

func callShutdown(fn uintptr) { purego.SyscallN(fn) }

// cstring is text for C, which must be on the heap, where nothing moves: a
// constructor of the library may call back. Inlined, it could be on the stack.
//
//go:noinline
func cstring(text string) *byte {
	b := append([]byte(text), 0)
	return &b[0]
}
