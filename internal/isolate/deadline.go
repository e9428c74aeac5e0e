package isolate

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// deadline is until when a call, or another request, may take before the worker
// is killed. The goroutine that waits for the answer looks at it.
type deadline struct {
	s     *Session
	at    time.Time // zero for never
	limit time.Duration
	late  error // what the worker is killed for
	over  bool  // and it was

	// Of a transfer, which is given more time while it moves: how many bytes it has,
	// until when at most, and how much had moved when it was looked at last.
	transfer bool
	bytes    uint64
	last     time.Time
	moved    uint64

	// Of an abandoned call without a call timeout: when its grace ends, how many calls
	// the worker had answered when it was looked at last, and since when there are no
	// more. at is when to look next.
	grace   time.Time
	answers uint64
	since   time.Time
}

// within is a deadline that ends at a fixed time.
func (s *Session) within(limit time.Duration, late error) deadline {
	d := deadline{s: s, limit: limit, late: late}
	d.start(0)
	return d
}

// slowest is how many bytes a second a transfer must come to in the end, however
// steadily it goes on.
const slowest = 4 << 20

// ofTransfer is the deadline of a request that is not a call and whose answer has
// so many bytes. It begins with [deadline.start].
func (s *Session) ofTransfer(bytes uint64) deadline {
	return deadline{s: s, limit: s.controlLimit(), late: ErrNoAnswer, transfer: true, bytes: bytes}
}

// start has the time begin, of a request with so many bytes.
func (d *deadline) start(bytes uint64) {
	if d.limit == 0 {
		return
	}
	d.at = time.Now().Add(d.limit)
	if d.transfer {
		d.last = d.at.Add(time.Duration((d.bytes+bytes)/slowest) * time.Second)
	}
}

// ofCall is the deadline of a call that begins now.
func (s *Session) ofCall() deadline { return s.within(s.plugin.config.CallTimeout, ErrTimeout) }

// ofPipedCall is ofCall for a call that begins with [deadline.start].
func (s *Session) ofPipedCall() deadline {
	return deadline{s: s, limit: s.plugin.config.CallTimeout, late: ErrTimeout}
}

// errCancelled is why a worker is killed for a call that was abandoned. It is the
// one death that is nobody's fault, and does not count towards restart.
var errCancelled = errors.New("a call did not end after its context had ended")

// ofAbandoned is the deadline of a call from the moment on when nobody waits for
// it. A call timeout holds as it did before.
func (d *deadline) ofAbandoned() deadline {
	grace := d.s.plugin.config.CancelGrace
	if d.limit > 0 {
		return *d
	}
	now := time.Now()
	return deadline{
		s: d.s, limit: grace, late: fmt.Errorf("%w: cancel_grace is %v", errCancelled, grace),
		at: now, grace: now.Add(grace), answers: d.s.link.answers(), since: now,
	}
}

// passed kills the worker if the time is over. It is called again and again by
// the goroutine that waits.
func (d *deadline) passed() {
	if d.at.IsZero() {
		return
	}
	now := time.Now()
	if now.Before(d.at) {
		return
	}
	if !d.grace.IsZero() && !d.graceOver(now) {
		return
	}
	d.at = time.Time{}
	d.over = true
	d.s.kill(d.late)
}

// graceOver tells whether an abandoned call must end: it has had its grace, and
// holds others up, or the worker has answered nothing for so long.
func (d *deadline) graceOver(now time.Time) bool {
	if n := d.s.link.answers(); n != d.answers {
		d.answers, d.since = n, now
	}
	if !now.Before(d.grace) && (d.limit == 0 || now.Sub(d.since) >= d.limit || d.s.othersWait() || d.s.plugin.closing()) {
		return true
	}
	d.at = now.Add(min(max(d.limit/16, time.Millisecond), time.Second))
	return false
}

// putOff gives a transfer another while if something has moved in the last one.
func (d *deadline) putOff(moved uint64) bool {
	now := time.Now()
	if !d.transfer || moved == d.moved || !now.Before(d.last) {
		return false
	}
	d.moved = moved
	d.at = now.Add(d.limit)
	if d.at.After(d.last) {
		d.at = d.last
	}
	return true
}

// left is how long until the deadline must be looked at; negative for never.
func (d *deadline) left() time.Duration {
	if d.at.IsZero() {
		return -1
	}
	return max(0, time.Until(d.at))
}

// AbandonedError is a call whose context ended while the plugin worked on it. It
// goes on in the worker: the call's memory, and what was lent to it, belong to the
// plugin until Wait returns.
type AbandonedError struct {
	Err     error // the context's
	wait    func() error
	finally func() // when the call has ended; nil for nothing
}

// Error is the context's.
func (e *AbandonedError) Error() string { return e.Err.Error() }

// Unwrap returns the context's error.
func (e *AbandonedError) Unwrap() error { return e.Err }

// Wait waits for the end of the call, fills it in and returns its error, as
// [Session.Invoke] would have. Whoever made the call must call it, once.
func (e *AbandonedError) Wait() error {
	err := e.wait()
	if e.finally != nil {
		e.finally()
	}
	return err
}

// maxAbandoned is with how many abandoned calls a worker is given no new ones.
const maxAbandoned = 16

// abandon makes the error of a call whose context has ended. wait waits for its
// end; d is its deadline so far.
func (s *Session) abandon(ctx context.Context, d *deadline, wait func(*deadline) error) error {
	s.abandoned.Add(1)
	next := d.ofAbandoned()
	next.passed() // without grace, now
	return &AbandonedError{Err: context.Cause(ctx), wait: func() error {
		err := wait(&next)
		if s.abandoned.Add(-1) == maxAbandoned-1 {
			s.link.admit()
		}
		return err
	}}
}
