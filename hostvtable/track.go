package hostvtable

import (
	"fmt"
	"sync"

	"github.com/nyash-plugins/nyash-go/abi"
)

// Memory counts what went through the alloc and free of one tracking table.
type Memory struct {
	Blocks       int // live blocks
	Bytes        int // bytes in live blocks, as requested
	Allocs       int // successful calls of alloc
	DoubleFrees  int // calls of free with a block that was already freed
	ForeignFrees int // calls of free with an address that is not the plugin's to free
}

// rememberedFrees bounds how many freed blocks are remembered to tell a double
// free from a foreign one.
const rememberedFrees = 1 << 16

// block is what alloc returned.
type block struct {
	size    uintptr
	adopted bool // it belongs to the host
}

// tracker keeps the blocks of one table. A free that is not a block's first is
// counted and reported but not carried out: it would damage the heap.
type tracker struct {
	mu    sync.Mutex
	live  map[uintptr]block // by address
	freed map[uintptr]struct{}
	Memory
}

// Memory reports the counts of a tracking table; ok is false for others.
func (t *Table) Memory() (m Memory, ok bool) {
	if t.tracker == nil {
		return Memory{}, false
	}
	t.tracker.mu.Lock()
	defer t.tracker.mu.Unlock()
	return t.tracker.Memory, true
}

func (t *tracker) alloc(size uintptr) uintptr {
	p := malloc(size)
	if p == 0 {
		return 0
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.live == nil {
		t.live = make(map[uintptr]block)
	}
	t.live[p] = block{size: size}
	delete(t.freed, p)
	t.Allocs++
	t.Blocks++
	t.Bytes += int(size)
	return p
}

func (t *tracker) free(table *Table, p uintptr) {
	if p == 0 {
		return
	}
	if problem := t.remove(p); problem != "" {
		table.say(abi.LogError, fmt.Sprintf("host table: free(%#x): %s", p, problem))
		return
	}
	free(p)
}

// remove takes p off the live blocks, or says what is wrong with freeing it.
func (t *tracker) remove(p uintptr) (problem string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	b, ok := t.live[p]
	if b.adopted {
		t.ForeignFrees++
		return "foreign free: the block belongs to the host, to which it was handed as a blob"
	}
	if ok {
		t.forget(p, b)
		return ""
	}
	if _, ok := t.freed[p]; ok {
		t.DoubleFrees++
		return "double free: the block was already given back"
	}
	t.ForeignFrees++
	return "foreign free: alloc never returned this address"
}

// forget takes p off the live blocks, with mu held.
func (t *tracker) forget(p uintptr, b block) {
	delete(t.live, p)
	t.Blocks--
	t.Bytes -= int(b.size)
	if t.freed == nil || len(t.freed) == rememberedFrees {
		t.freed = make(map[uintptr]struct{})
	}
	t.freed[p] = struct{}{}
}
