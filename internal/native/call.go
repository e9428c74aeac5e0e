package native

import (
	"context"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/nyash-plugins/nyash-go/abi"
)

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

func callInit(fn, table uintptr, info *abi.PluginInfo) abi.Code {
	r, _, _ := purego.SyscallN(fn, table, uintptr(unsafe.Pointer(info)))
	return abi.Code(int32(uint32(r)))
}

func callConfig(fn uintptr) (text uintptr) {
	text, _, _ = purego.SyscallN(fn)
	return text
}

func callShutdown(fn uintptr) { purego.SyscallN(fn) }
