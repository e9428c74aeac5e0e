package shm

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
	free []span // by offset; of two that touch, one is kept and one is not
	kept uint64 // bytes of the kept spans
	used uint64 // bytes that are handed out
}

// span is a free part. Kept is one whose pages the system may still have; the others
// are not there.
type span struct {
	offset, length uint64
	kept           bool
}

func (s span) end() uint64 { return s.offset + s.length }

// NewArena makes an arena of a range, at most ArenaSize long. drop is called for
// pages that go back to the system.
func NewArena(offset, length uint64, drop func(offset, length uint64)) *Arena {
	return &Arena{drop: drop, free: []span{{offset: offset, length: min(length, ArenaSize)}}}
}

// Pages is n bytes in whole pages; at least one.
func Pages(n uint64) uint64 { return max(n+PageSize-1, PageSize) &^ (PageSize - 1) }

// Held is the most that blocks of this arena have of the system's memory, in bytes:
// those that are handed out, and those that are kept for the next.
func (a *Arena) Held() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.used + a.kept
}

// Alloc returns the offset of a block of at least n bytes; ok is false where
// there is no room.
func (a *Arena) Alloc(n uint64) (offset uint64, ok bool) {
	if n > ArenaSize {
		return 0, false
	}
	n = Pages(n)
	a.mu.Lock()
	defer a.mu.Unlock()
	first, length := 0, uint64(0) // of a row of spans that touch
	for i, s := range a.free {
		if i > first && a.free[i-1].end() != s.offset {
			first, length = i, 0
		}
		if length += s.length; length >= n {
			return a.take(first, n), true
		}
	}
	return 0, false
}

// take hands out n bytes from where free span i begins; it and those that follow
// have them.
func (a *Arena) take(i int, n uint64) (offset uint64) {
	offset = a.free[i].offset
	a.used += n
	gone := i
	for n > 0 {
		s := &a.free[gone]
		part := min(n, s.length)
		s.offset += part
		s.length -= part
		n -= part
		if s.kept {
			a.kept -= part
		}
		if s.length == 0 {
			gone++
		}
	}
	a.free = slices.Delete(a.free, i, gone)
	return offset
}

// Free takes back a block of n bytes that Alloc returned.
func (a *Arena) Free(offset, n uint64) {
	back := span{offset: offset, length: Pages(n)}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.used -= back.length
	if back.kept = a.kept+back.length <= keptPages; back.kept {
		a.kept += back.length
	} else {
		a.drop(back.offset, back.length)
	}
	i, _ := slices.BinarySearchFunc(a.free, offset, func(s span, at uint64) int {
		if s.offset < at {
			return -1
		}
		return 1
	})
	a.free = slices.Insert(a.free, i, back)
	a.join(i)
	if i > 0 {
		a.join(i - 1)
	}
}

// join makes one of free span i and the next, if they touch and are of one kind.
func (a *Arena) join(i int) {
	if i+1 == len(a.free) || a.free[i].end() != a.free[i+1].offset || a.free[i].kept != a.free[i+1].kept {
		return
	}
	a.free[i].length += a.free[i+1].length
	a.free = slices.Delete(a.free, i+1, i+2)
}
