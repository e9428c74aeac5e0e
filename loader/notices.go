package loader

import (
	"sync"
	"time"
)

// notices hands what a host tells its program about its plugins (events, and the log
// lines that go with them) to the program's own functions, in order, by a goroutine that
// runs while there is any: those functions may be slow, or stuck, and nothing waits for
// them.
type notices struct {
	mu      sync.Mutex
	queue   []func()
	running chan struct{} // closed when the goroutine ends; nil where there is none
}

// flushTime is how long a host that closes waits for its notices at most.
const flushTime = time.Second

func (n *notices) put(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.queue = append(n.queue, f)
	if n.running == nil {
		n.running = make(chan struct{})
		go n.deliver(n.running)
	}
}

func (n *notices) deliver(done chan struct{}) {
	for {
		n.mu.Lock()
		if len(n.queue) == 0 {
			n.queue, n.running = nil, nil
			close(done)
			n.mu.Unlock()
			return
		}
		f := n.queue[0]
		n.queue = n.queue[1:]
		n.mu.Unlock()
		f()
	}
}

// flush waits until there are none, no longer than flushTime nor until over is closed.
func (n *notices) flush(over <-chan struct{}) {
	n.mu.Lock()
	done := n.running
	n.mu.Unlock()
	if done == nil {
		return
	}
	timer := time.NewTimer(flushTime)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
	case <-over:
	}
}
