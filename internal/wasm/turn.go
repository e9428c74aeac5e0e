package wasm

import (
	"context"
	"sync"
	"sync/atomic"
)

// turn is the right to use a module. It is a lock for which the waiting can be given up; who
// waits gets it in the order of coming. A free turn costs one compare-and-swap each to take and
// to pass.
type turn struct {
	state atomic.Int32 // free, taken, or taken with somebody in the queue
	mu    sync.Mutex
	queue []chan struct{} // of who waits, each closed when it has the turn
}

const (
	turnFree = iota
	turnTaken
	turnWanted
)

func (t *turn) try() bool { return t.state.CompareAndSwap(turnFree, turnTaken) }

// take waits for the turn until ctx ends.
func (t *turn) take(ctx context.Context) error {
	if t.try() {
		return nil
	}
	t.mu.Lock()
	for { // who passes the turn takes mu where somebody is in the queue
		if t.try() {
			t.mu.Unlock()
			return nil
		}
		if t.state.Load() == turnWanted || t.state.CompareAndSwap(turnTaken, turnWanted) {
			break
		}
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
			if len(t.queue) == 0 {
				t.state.Store(turnTaken)
			}
			t.mu.Unlock()
			return context.Cause(ctx)
		}
	}
	t.mu.Unlock()
	t.pass() // it came meanwhile
	return context.Cause(ctx)
}

func (t *turn) pass() {
	if t.state.CompareAndSwap(turnTaken, turnFree) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) == 0 { // who waited has left
		t.state.Store(turnFree)
		return
	}
	next := t.queue[0]
	t.queue = t.queue[1:]
	if len(t.queue) == 0 {
		t.state.Store(turnTaken)
	}
	close(next)
}
