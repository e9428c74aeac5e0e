package process

import (
	"context"
	"encoding/binary"
	"math"
	"time"

	"github.com/nyash-plugins/nyash-go/loader/process/channel"
)

// The links' answers to the watch of limits.

func (l *memoryLink) busyCalls(to []busyCall) []busyCall { return l.times.busy(to) }

// look runs f while the memory is mapped; it is not once it has been given back.
func (l *memoryLink) look(f func()) {
	l.lines.Lock()
	defer l.lines.Unlock()
	if !l.unmapped {
		f()
	}
}

func (l *memoryLink) serving(i int) (thread int, before time.Duration) {
	l.look(func() {
		slot := l.mem.Slot(i)
		if slot.State.Load() != channel.Running {
			return
		}
		if thread = int(slot.Thread.Load()); thread != 0 {
			before = nanoseconds(slot.ThreadCPU)
		}
	})
	return thread, before
}

func (l *memoryLink) sharedBytes() (own, all uint64) {
	l.look(func() {
		all, _ = l.mem.Allocated() // 0 is nothing to object to
		own = l.arena.Held()
	})
	return own, all
}

func (l *memoryLink) spun() (t time.Duration) {
	l.look(func() { t = nanoseconds(l.mem.Spun().Load()) })
	return t
}

// nanoseconds is a number that a worker has written.
func nanoseconds(n uint64) time.Duration { return time.Duration(min(n, math.MaxInt64)) }

func (l *pipeLink) busyCalls(to []busyCall) []busyCall { return l.times.busy(to) }

// serving asks the worker, by a request that no call has.
func (l *pipeLink) serving(id int) (thread int, before time.Duration) {
	c := &l.callers[channel.Slots]
	c.most = servingSize
	f := channel.Frame{Op: channel.OpServing, ID: c.id, A: uint64(id)}
	err := l.exchange(context.Background(), c, &f, nil, l.s.patience(), ErrNoAnswer, nil)
	if err != nil || len(c.data) != servingSize {
		return 0, 0
	}
	return int(binary.LittleEndian.Uint32(c.data)), nanoseconds(binary.LittleEndian.Uint64(c.data[4:]))
}

// servingSize is that of an answer to OpServing, in bytes.
const servingSize = 12

func (l *pipeLink) sharedBytes() (own, all uint64) { return 0, 0 }

// spun is 0: who reads a pipe sleeps.
func (l *pipeLink) spun() time.Duration { return 0 }
