package shm

import (
	"math/bits"
	"sync"
)

// heap is what the plugin's alloc takes from: memory that the host sees too, so
// that a blob is handed over by its address.
type heap struct {
	base  uint64
	arena *Arena

	mu    sync.Mutex
	lists [smallest + classes][]uint64 // free blocks, by the power of two that they have
	sizes map[uint64]uint64            // of the blocks in use
}

// Blocks of 2^smallest to 2^(smallest+classes-1) bytes are cut from larger ones;
// others are pages of their own.
const (
	smallest  = 5
	classes   = 11
	chunkSize = 64 << 10
)

// newHeap is a heap of at most as much as limits.memory says, beside what RLIMIT_DATA
// allows.
func newHeap(mem *Memory, limit *uint64) *heap {
	size := uint64(ArenaSize)
	if limit != nil {
		size = Pages(min(*limit, size))
	}
	return &heap{
		base:  mem.Base(),
		arena: NewArena(WorkerArena, size, mem.Drop),
		sizes: make(map[uint64]uint64),
	}
}

// alloc returns an address, or 0.
func (h *heap) alloc(size uintptr) uintptr {
	h.mu.Lock()
	defer h.mu.Unlock()
	class := max(bits.Len64(uint64(size)-1), smallest)
	if size == 0 {
		class = smallest
	}
	if class >= smallest+classes {
		return h.large(uint64(size))
	}
	list := &h.lists[class]
	if len(*list) == 0 && !h.refill(class) {
		return 0
	}
	offset := (*list)[len(*list)-1]
	*list = (*list)[:len(*list)-1]
	h.sizes[offset] = 1 << class
	return uintptr(h.base + offset)
}

func (h *heap) large(size uint64) uintptr {
	offset, ok := h.arena.Alloc(size)
	if !ok {
		return 0
	}
	h.sizes[offset] = Pages(size)
	return uintptr(h.base + offset)
}

func (h *heap) refill(class int) bool {
	offset, ok := h.arena.Alloc(chunkSize)
	if !ok {
		return false
	}
	for at := uint64(0); at < chunkSize; at += 1 << class {
		h.lists[class] = append(h.lists[class], offset+at)
	}
	return true
}

// free takes back what alloc returned; the host table has seen to it that it is
// that.
func (h *heap) free(p uintptr) {
	offset := uint64(p) - h.base
	h.mu.Lock()
	defer h.mu.Unlock()
	size := h.sizes[offset]
	delete(h.sizes, offset)
	class := bits.Len64(size - 1)
	if class < smallest+classes && size == 1<<class {
		h.lists[class] = append(h.lists[class], offset)
		return
	}
	h.arena.Free(offset, size)
}
