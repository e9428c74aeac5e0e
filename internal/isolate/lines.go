package isolate

import (
	"context"
	"sync"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
)

// line is a log line or a wake of a worker.
type line struct {
	wake   bool
	handle uint64
	level  abi.LogLevel
	text   string
	own    bool
}

const (
	// maxQueued is how many bytes of lines wait for the host program's handlers, with
	// lineCost for each line: what is more is left out.
	maxQueued = 8 << 20
	lineCost  = 64
	// flushTime is how long a call that has returned waits for its lines at most.
	flushTime = time.Second
)

// lineQueue delivers lines to a sink, in order, by a goroutine that runs while there
// are any: the host program's handlers may be slow, or stuck, and nothing but the
// lines waits for them.
type lineQueue struct {
	sink hostvtable.Sink

	mu        sync.Mutex
	queue     []line
	bytes     int
	running   bool
	came      uint64 // lines that ever did
	delivered uint64
	changed   chan struct{} // closed and renewed when a line was delivered and somebody waits
	waiters   int
}

func newLineQueue(sink hostvtable.Sink) *lineQueue {
	return &lineQueue{sink: sink, changed: make(chan struct{})}
}

// put queues a line, unless there are too many.
func (q *lineQueue) put(l line) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.bytes+lineCost+len(l.text) > maxQueued {
		return false
	}
	q.queue = append(q.queue, l)
	q.bytes += lineCost + len(l.text)
	q.came++
	if !q.running {
		q.running = true
		go q.deliver()
	}
	return true
}

func (q *lineQueue) deliver() {
	for {
		q.mu.Lock()
		if len(q.queue) == 0 {
			q.running = false
			q.queue = nil
			q.mu.Unlock()
			return
		}
		l := q.queue[0]
		q.queue = q.queue[1:]
		q.bytes -= lineCost + len(l.text)
		q.mu.Unlock()
		if l.wake {
			q.sink.PluginWake(l.handle, l.own)
		} else {
			q.sink.PluginLog(l.level, l.text, l.own)
		}
		q.mu.Lock()
		q.delivered++
		if q.waiters > 0 {
			close(q.changed)
			q.changed = make(chan struct{})
		}
		q.mu.Unlock()
	}
}

// flush waits until the lines that came so far are delivered: until ctx ends, and no
// longer than flushTime.
func (q *lineQueue) flush(ctx context.Context) {
	q.mu.Lock()
	defer q.mu.Unlock()
	until := q.came
	if q.delivered >= until {
		return
	}
	q.waiters++
	defer func() { q.waiters-- }()
	timer := time.NewTimer(flushTime)
	defer timer.Stop()
	for q.delivered < until {
		changed := q.changed
		q.mu.Unlock()
		over := false
		select {
		case <-changed:
		case <-ctx.Done():
			over = true
		case <-timer.C:
			over = true
		}
		q.mu.Lock()
		if over {
			return
		}
	}
}
