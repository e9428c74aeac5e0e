package channel

import (
	"slices"
	"sync"
)

// keptPages is how much memory of blocks that were given back an arena keeps for
// the next, in bytes. The rest goes back to the system.
const keptPages = 128 << 20

// Arena hands out blocks of whole pages from a range of the shared memory.
type Arena struct {
	drop func(offset, length uint64)

	mu   sync.Mutex
	free []span // by offset; no two touch
	kept uint64
}

type span struct{ offset, length uint64 }

// NewArena makes an arena of a range. drop is called for pages that go back to
// the system.
func NewArena(offset, length uint64, drop func(offset, length uint64)) *Arena {
	return &Arena{drop: drop, free: []span{{offset, length}}}
}

// Pages is n bytes in whole pages; at least one.
func Pages(n uint64) uint64 { return max(n+PageSize-1, PageSize) &^ (PageSize - 1) }

// Alloc returns the offset of a block of at least n bytes; ok is false where
// there is no room.
func (a *Arena) Alloc(n uint64) (offset uint64, ok bool) {
	if n > ArenaSize {
		return 0, false
	}
	n = Pages(n)
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := range a.free {
		s := &a.free[i]
		if s.length < n {
			continue
		}
		offset = s.offset
		s.offset += n
		s.length -= n
		if s.length == 0 {
			a.free = slices.Delete(a.free, i, i+1)
		}
		a.kept -= min(a.kept, n)
		return offset, true
	}
	return 0, false
}

// Free takes back a block of n bytes that Alloc returned.
func (a *Arena) Free(offset, n uint64) {
	n = Pages(n)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kept+n > keptPages {
		a.drop(offset, n)
	} else {
		a.kept += n
	}
	i, _ := slices.BinarySearchFunc(a.free, offset, func(s span, at uint64) int {
		if s.offset < at {
			return -1
		}
		return 1
	})
	a.free = slices.Insert(a.free, i, span{offset, n})
	if i+1 < len(a.free) && a.free[i].offset+n == a.free[i+1].offset {
		a.free[i].length += a.free[i+1].length
		a.free = slices.Delete(a.free, i+1, i+2)
	}
	if i > 0 && a.free[i-1].offset+a.free[i-1].length == offset {
		a.free[i-1].length += a.free[i].length
		a.free = slices.Delete(a.free, i, i+1)
	}
}
