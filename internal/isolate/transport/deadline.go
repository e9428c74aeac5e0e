package transport

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// Deadline is until when a call, or another request, may take before the worker
// is killed. The goroutine that waits for the answer looks at it; it belongs to that
// goroutine alone.
type Deadline struct {
	peer  *Peer
	at    time.Time // when to look next; zero for never
	limit time.Duration
	late  error // what the worker is killed for
	own   error // what the request that is late gets
	over  bool  // it was late

	// Of a transfer, which is given more time while it moves: how many bytes it has,
	// until when at most, and how much had moved when it was looked at last.
	transfer bool
	bytes    uint64
	last     time.Time
	moved    uint64
	calls    int // of a batch, of which each has the limit; it is a transfer of them

	// Of an abandoned call without a call timeout: when its grace ends, how many calls
	// the worker had answered when it was looked at last, and since when there are no
	// more.
	grace   time.Time
	answers uint64
	since   time.Time
}

// CallDeadline is that of a call. It begins with [Deadline.Start].
func (p *Peer) CallDeadline() Deadline {
	return Deadline{peer: p, limit: p.CallTimeout, late: p.callLate, own: p.ownLate}
}

// BatchDeadline is that of so many calls in one request, made one after the other. It is put
// off while they are answered: see [Deadline.CheckMoved]. It begins with [Deadline.Start].
func (p *Peer) BatchDeadline(calls int) Deadline {
	d := p.CallDeadline()
	d.transfer, d.calls = true, calls
	return d
}

// ControlDeadline is that of a request that is not a call. It begins with
// [Deadline.Start].
func (p *Peer) ControlDeadline(op wire.Op) Deadline {
	return Deadline{peer: p, limit: p.ControlLimit(op), late: ErrNoAnswer, own: ErrNoAnswer}
}

// TransferDeadline is that of a request that is not a call and whose answer has so
// many bytes: it is put off while they move. It begins with [Deadline.Start].
func (p *Peer) TransferDeadline(op wire.Op, bytes uint64) Deadline {
	d := p.ControlDeadline(op)
	d.transfer, d.bytes = true, bytes
	return d
}

// NoDeadline never passes.
func (p *Peer) NoDeadline() Deadline { return Deadline{peer: p} }

// slowest is how many bytes a second a transfer must come to in the end, however
// steadily it goes on.
const slowest = 4 << 20

// Start has the time begin, of a request with so many bytes.
func (d *Deadline) Start(bytes uint64) {
	if d.limit == 0 {
		return
	}
	d.at = time.Now().Add(d.limit)
	switch {
	case d.calls > 0:
		d.last = d.at.Add(time.Duration(d.calls-1) * d.limit)
	case d.transfer:
		d.last = d.at.Add(time.Duration((d.bytes+bytes)/slowest) * time.Second)
	}
}

// Limited reports whether the deadline can pass.
func (d *Deadline) Limited() bool { return d.limit > 0 }

// ofAbandoned is the deadline of a call from the moment on when no caller waits for
// it. A call timeout holds as it did before.
func (d *Deadline) ofAbandoned() Deadline {
	if d.limit > 0 {
		return *d
	}
	now, grace := time.Now(), d.peer.CancelGrace
	return Deadline{
		peer: d.peer, limit: grace, late: fmt.Errorf("%w: cancel_grace is %v", ErrCancelled, grace),
		at: now, grace: now.Add(grace), answers: d.peer.Transport.Answers(), since: now,
	}
}

// Check kills the worker if the time is over. The goroutine that waits calls it
// whenever it wakes.
func (d *Deadline) Check() {
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
	d.peer.Kill(d.late)
}

// CheckMoved is Check for a request that may be put off, with how much has moved of it.
func (d *Deadline) CheckMoved(moved uint64) {
	if d.at.IsZero() || time.Now().Before(d.at) || d.PutOff(moved) {
		return
	}
	d.Check()
}

// graceOver tells whether an abandoned call must end: it has had its grace, and
// holds others up, or the worker has answered nothing for so long.
func (d *Deadline) graceOver(now time.Time) bool {
	p := d.peer
	if n := p.Transport.Answers(); n != d.answers {
		d.answers, d.since = n, now
	}
	if !now.Before(d.grace) && (d.limit == 0 || now.Sub(d.since) >= d.limit || p.othersWait() || p.Closing()) {
		return true
	}
	d.at = now.Add(min(max(d.limit/16, time.Millisecond), time.Second))
	return false
}

// PutOff gives a transfer another while if something has moved in the last one.
func (d *Deadline) PutOff(moved uint64) bool {
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

// Exclude takes a while that has passed out of the time: the plugin waited for its host.
func (d *Deadline) Exclude(while time.Duration) {
	for _, t := range []*time.Time{&d.at, &d.last, &d.grace, &d.since} {
		if !t.IsZero() {
			*t = t.Add(while)
		}
	}
}

// Left is how long until the deadline must be looked at; negative for never.
func (d *Deadline) Left() time.Duration {
	if d.at.IsZero() {
		return -1
	}
	return max(0, time.Until(d.at))
}

// patient is a context whose time begins when the call that it is for does.
type patient struct {
	context.Context
	nested bool
	began  sync.Once
	limit  time.Duration
	end    context.CancelCauseFunc
	cause  error
}

// Patient returns a context for one call. It ends, with a cause, so long after the call
// was sent: the waiting for the turn and for a place does not count. Whoever asks for
// it cancels it when the call has returned.
func Patient(parent context.Context, limit time.Duration, cause error) (ctx context.Context, cancel func()) {
	p := &patient{limit: limit, cause: cause, nested: Nested(parent)}
	p.Context, p.end = context.WithCancelCause(parent)
	return p, func() { p.end(nil) }
}

// Nested is what the parent says; see [Nested].
func (p *patient) Nested() bool { return p.nested }

// Began tells the context of a call that the call is sent now.
func Began(ctx context.Context) {
	if outer, ok := ctx.(interface{ Unwrap() context.Context }); ok {
		ctx = outer.Unwrap()
	}
	if p, ok := ctx.(*patient); ok {
		p.began.Do(func() {
			timer := time.AfterFunc(p.limit, func() { p.end(p.cause) })
			context.AfterFunc(p, func() { timer.Stop() })
		})
	}
}

// AbandonedError is a call whose context ended while the plugin worked on it. It
// goes on in the worker: the call's memory, and what was lent to it, belong to the
// plugin until Wait returns.
type AbandonedError struct {
	Err error // the context's
	// Finally is called when the call has ended; nil for nothing.
	Finally func()
	// Made is, of a batch, how many of its calls have been answered behind those that had
	// been before; Wait sets it.
	Made int
	wait func() error
}

// NewAbandoned makes the error of a call that goes on elsewhere than in a worker; wait waits
// for its end, as for [AbandonedError.Wait].
func NewAbandoned(cause error, wait func() error) *AbandonedError {
	return &AbandonedError{Err: cause, wait: wait}
}

// Error is the context's.
func (e *AbandonedError) Error() string { return e.Err.Error() }

// Unwrap returns the context's error.
func (e *AbandonedError) Unwrap() error { return e.Err }

// Wait waits for the end of the call, fills it in and returns its error, as
// [Transport.Call] would have. Whoever made the call must call it, once.
func (e *AbandonedError) Wait() error {
	err := e.wait()
	if e.Finally != nil {
		e.Finally()
	}
	return err
}

// Abandon makes the error of a call whose context has ended. wait waits for its
// end; d is its deadline so far.
func (p *Peer) Abandon(ctx context.Context, d *Deadline, wait func(*Deadline) error) *AbandonedError {
	p.Abandoned.Add(1)
	next := d.ofAbandoned()
	next.Check() // without grace, now
	return &AbandonedError{Err: context.Cause(ctx), wait: func() error {
		err := wait(&next)
		if p.Abandoned.Add(-1) == MaxAbandoned-1 {
			p.Transport.Admit()
		}
		return err
	}}
}
