package wasm

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/nyash-plugins/nyash-go/internal/modules"
)

// turn is the right to use a module. It is a lock for which the waiting can be given up; who
// waits gets it in the order of coming. A free turn costs one compare-and-swap to take and one
// store to pass.
type turn struct {
	shared *atomic.Uint64 // the word of a [modules.Slot], or nil
	own    atomic.Uint64  // the word without one
	wanted atomic.Int32   // how many are in the queue, or about to be; changed with mu held
	mu     sync.Mutex
	queue  []chan struct{} // of who waits, each closed when it has the turn
}

// word is 0 while the turn is free.
func (t *turn) word() *atomic.Uint64 {
	if t.shared != nil {
		return t.shared
	}
	return &t.own
}

func (t *turn) try() bool { return t.word().CompareAndSwap(0, modules.Taken) }

// take waits for the turn until ctx ends.
func (t *turn) take(ctx context.Context) error {
	if t.try() {
		return nil
	}
	t.mu.Lock()
	// Who passes the turn frees it first and looks at wanted second: so either the turn is
	// free here, or it is handed over.
	t.wanted.Add(1)
	if t.try() {
		t.wanted.Add(-1)
		t.mu.Unlock()
		return nil
	}
	mine := make(chan struct{})
	t.queue = append(t.queue, mine)
	t.mu.Unlock()
	select {
	case <-mine:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	for i, c := range t.queue {
		if c == mine {
			t.queue = append(t.queue[:i:i], t.queue[i+1:]...)
			t.wanted.Add(-1)
			t.mu.Unlock()
			return context.Cause(ctx)
		}
	}
	t.mu.Unlock()
	t.pass() // it came meanwhile
	return context.Cause(ctx)
}

func (t *turn) pass() {
	if t.wanted.Load() == 0 {
		t.word().Store(0)
		if t.wanted.Load() == 0 || !t.try() { // or who has it passes it on
			return
		}
	}
	t.handOver()
}

// handOver passes the turn to who has waited longest. It is never free meanwhile: one that takes
// it again and again would always be first.
func (t *turn) handOver() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) == 0 { // who waited has left; who comes finds mu, and then a free turn
		t.word().Store(0)
		return
	}
	t.word().Store(modules.Taken) // and no longer that of a slot's call
	next := t.queue[0]
	t.queue = t.queue[1:]
	t.wanted.Add(-1)
	close(next)
}
