package hostvtable

import (
	"fmt"
	"math"

	"github.com/nyash-plugins/nyash-go/internal/cmem"
)

// Adopt takes over a block that the library got from alloc and handed to the
// host (docs/abi.md, section 2, "Blobs"). The returned function frees it and must be called
// once. A table that tracks memory knows the block, and refuses one that alloc
// did not return, that is too small or that was handed over before; another can
// only try whether the memory is there.
func (t *Table) Adopt(addr, length uint64) (data []byte, release func(), err error) {
	switch {
	case addr == 0 && length == 0:
		return nil, func() {}, nil
	case addr == 0:
		return nil, nil, fmt.Errorf("its address is NULL and its length %d", length)
	case length > math.MaxInt || addr > math.MaxUint64-length:
		return nil, nil, fmt.Errorf("its length of %d bytes at address %#x is impossible", length, addr)
	}
	p := uintptr(addr)
	if t.tracker != nil {
		if err := t.tracker.adopt(p, uintptr(length)); err != nil {
			return nil, nil, err
		}
		return cmem.Memory(p, int(length)), func() { t.tracker.release(p) }, nil
	}
	if err := cmem.Probe(p, int(length)); err != nil {
		return nil, nil, err
	}
	return cmem.Memory(p, int(length)), func() { free(p) }, nil
}

// released overwrites the blocks that are given back, so that who still reads
// them sees it.
const released = 0xdd

func overwrite(data []byte) {
	if len(data) == 0 {
		return
	}
	data[0] = released
	for done := 1; done < len(data); done *= 2 {
		copy(data[done:], data[:done])
	}
}

func (t *tracker) adopt(p, length uintptr) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	b, ok := t.live[p]
	switch _, freed := t.freed[p]; {
	case freed && !ok:
		return fmt.Errorf("the plugin freed the block at %#x already", p)
	case !ok:
		return fmt.Errorf("alloc never returned the address %#x", p)
	case b.adopted:
		return fmt.Errorf("the block at %#x was handed to the host before", p)
	case length > b.size:
		return fmt.Errorf("its length is %d, and the block at %#x has %d bytes", length, p, b.size)
	}
	b.adopted = true
	t.live[p] = b
	return nil
}

func (t *tracker) release(p uintptr) {
	t.mu.Lock()
	b := t.live[p]
	t.forget(p, b)
	t.mu.Unlock()
	if !heap.spare {
		overwrite(cmem.Memory(p, int(b.size)))
	}
	free(p)
}
