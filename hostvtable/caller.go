package hostvtable

import (
	"context"
	"fmt"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/cmem"
)

// A Table is the [Caller] of what its library asks.
var _ Caller = (*Table)(nil)

// Thread is the number that the system gives the calling thread.
func (t *Table) Thread() uint64 { return thread() }

// Place copies data to a block that the library frees with its table's free.
func (t *Table) Place(data []byte) (addr uint64, err error) {
	if len(data) == 0 {
		return 0, nil
	}
	var p uintptr
	if t.tracker != nil {
		p = t.tracker.alloc(uintptr(len(data)))
	} else {
		p = libcMalloc(uintptr(len(data)))
	}
	if p == 0 {
		return 0, fmt.Errorf("%d bytes for the plugin: %w", len(data), abi.ErrOutOfMemory)
	}
	copy(cmem.Memory(p, len(data)), data)
	return uint64(p), nil
}

// Session is nil: a library has one life in this process at a time.
func (t *Table) Session() any { return nil }

// Life implements [Caller].
func (t *Table) Life() context.Context { return nil }
