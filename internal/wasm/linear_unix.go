//go:build unix

package wasm

import (
	"context"

	"github.com/tetratelabs/wazero/experimental"
	"golang.org/x/sys/unix"
)

// withLinearMemory has the modules that are made in a context take their memory from the system:
// room for all that a module may have is reserved, and what it has grown to is made usable. The
// engine's own way copies the memory when it grows, and leaves the copies to the collector.
//
// Nobody may use a memory after its module was closed: the addresses are not the process's then.
// All that does has the module's turn, and close displaces the slot's buffers.
func withLinearMemory(ctx context.Context) context.Context {
	return experimental.WithMemoryAllocator(ctx, experimental.MemoryAllocatorFunc(reserve))
}

// linear is memory that does not move.
type linear struct {
	room []byte // reserved, not all of it usable; nil where that failed
	used uint64 // bytes that are usable
}

func reserve(_, most uint64) experimental.LinearMemory {
	room, err := unix.Mmap(-1, 0, int(max(most, 1)), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return &slice{} // which copies, but needs no more addresses than bytes
	}
	return &linear{room: room}
}

// Reallocate implements [experimental.LinearMemory]. Nil is an error of the module's: it has no
// more memory.
func (l *linear) Reallocate(size uint64) []byte {
	if size > uint64(len(l.room)) {
		return nil
	}
	if size > l.used {
		if unix.Mprotect(l.room[:size], unix.PROT_READ|unix.PROT_WRITE) != nil {
			if l.used > 0 {
				return nil
			}
			l.Free()
			return make([]byte, size) // which a module must have; it cannot grow
		}
		l.used = size
	}
	return l.room[:size:size]
}

// Free implements [experimental.LinearMemory].
func (l *linear) Free() {
	if l.room != nil {
		_ = unix.Munmap(l.room) // it was mapped so
		l.room = nil
	}
}

// slice is memory from the heap.
type slice struct{ bytes []byte }

// Reallocate implements [experimental.LinearMemory].
func (s *slice) Reallocate(size uint64) []byte {
	if more := int(size) - len(s.bytes); more > 0 {
		s.bytes = append(s.bytes, make([]byte, more)...)
	}
	return s.bytes[:size:size]
}

// Free implements [experimental.LinearMemory].
func (s *slice) Free() { s.bytes = nil }
