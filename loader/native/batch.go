package native

import (
	"context"
	"runtime"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"

	"github.com/nyash-plugins/nyash-go/abi"
)

// batches are the C arrays of batches under way.
var batches = sync.Pool{New: func() any { return new([]abi.Call) }}

// InvokeBatch makes the calls in order, as Invoke would, in one crossing
// through nyash_plugin_invoke_batch. It returns how many were made: all, or
// those up to and with one that answered [abi.ErrShortBuffer], or none where the
// library has no such symbol. ctx is as for Invoke. An error means that none was
// made.
func (l *Library) InvokeBatch(ctx context.Context, invs []abi.Invocation) (made int, err error) {
	if l.batch == 0 {
		return 0, nil
	}
	if l.turn == nil {
		return invokeBatch(l.batch, invs), nil
	}
	err = l.turn.do(ctx, func() { made = invokeBatch(l.batch, invs) })
	return made, err
}

// invokeBatch lends C an array on the heap; invs, which the caller keeps on the
// heap too, holds the buffers that it points at.
func invokeBatch(fn uintptr, invs []abi.Invocation) (made int) {
	pooled := batches.Get().(*[]abi.Call)
	calls := (*pooled)[:0]
	for i := range invs {
		inv := &invs[i]
		calls = append(calls, abi.Call{
			TypeID:       inv.TypeID,
			Method:       inv.Method,
			Instance:     inv.Instance,
			Args:         unsafe.Pointer(unsafe.SliceData(inv.Args)),
			ArgsLength:   uintptr(len(inv.Args)),
			Result:       unsafe.Pointer(unsafe.SliceData(inv.Result)),
			ResultLength: uintptr(len(inv.Result)),
		})
	}
	n, _, _ := purego.SyscallN(fn, uintptr(unsafe.Pointer(unsafe.SliceData(calls))), uintptr(len(calls)))
	runtime.KeepAlive(invs)
	// A plugin that counts wrongly must not make calls appear.
	made = int(min(n, uintptr(len(calls))))
	for i := range made {
		invs[i].Code, invs[i].Length = calls[i].Code, calls[i].ResultLength
	}
	clear(calls) // the pool keeps no caller's memory alive
	*pooled = calls
	batches.Put(pooled)
	return made
}
