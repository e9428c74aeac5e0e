package isolate

import (
	"context"
	"encoding/binary"
	"math"
	"time"

	"github.com/nyash-plugins/nyash-go/internal/isolate/channel"
)

// The links' answers to the watch of limits.

func (l *memoryLink) busyCalls(to []busyCall) []busyCall {
	for i := controlSlots; i < channel.Slots; i++ {
		to = appendBusy(to, i, l.callers[i].began.Load())
	}
	return to
}

// appendBusy appends a call that began at a Unix time in nanoseconds; 0 is none.
func appendBusy(to []busyCall, id int, began int64) []busyCall {
	if began == 0 {
		return to
	}
	return append(to, busyCall{id, time.Unix(0, began)})
}

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

func (l *pipeLink) busyCalls(to []busyCall) []busyCall {
	for i := range l.callers {
		to = appendBusy(to, i, l.callers[i].began.Load())
	}
	return to
}

// serving asks the worker.
func (l *pipeLink) serving(id int) (thread int, before time.Duration) {
	answer, err := l.operate(context.Background(), channel.OpServing, uint64(id), 0)
	if err != nil || len(answer) != servingSize {
		return 0, 0
	}
	return int(binary.LittleEndian.Uint32(answer)), nanoseconds(binary.LittleEndian.Uint64(answer[4:]))
}

// servingSize is that of an answer to OpServing, in bytes.
const servingSize = 12

func (l *pipeLink) sharedBytes() (own, all uint64) { return 0, 0 }

// spun is 0: who reads a pipe sleeps.
func (l *pipeLink) spun() time.Duration { return 0 }
