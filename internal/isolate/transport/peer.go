package transport

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// Peer is the worker process that a transport reaches, as the session that owns it
// shows it. The fields of the first group are set before the transport is made.
type Peer struct {
	CallTimeout time.Duration // 0 for none
	CancelGrace time.Duration // 0 to kill at once
	// Kill ends the process, for a reason that callers are told.
	Kill func(cause error)
	// Line gets a log line or a wake; see wire.LineWake. The worker may have sent
	// anything. It does not wait, and reports whether there was room for it. Flush
	// waits until the lines so far are delivered, for a bounded time and until ctx ends.
	Line  func(kind uint32, text []byte) (ok bool)
	Flush func(ctx context.Context)
	// Complain logs what is wrong with the worker itself.
	Complain func(text string)
	// Calls answers what the plugin asks of its host; nil refuses all of it. Session is that
	// of [hostvtable.Caller], MaxBlob how many bytes the blobs of one such call may have, or 0.
	// Nested is set where calls can come that another call of a plugin waits for, see
	// [Nested]: some slots are kept for them.
	Calls   hostvtable.Calls
	Session any
	MaxBlob uint64
	Nested  bool
	// Contended reports whether calls wait for the library's turn, or for a place among
	// all calls of the host, and Closing whether the plugin is being closed.
	Contended, Closing func() bool

	// What the worker is killed for when a call is late, and what that call gets.
	callLate, ownLate error

	Transport Transport // set by the session when it is made

	// Abandoned is the number of calls that go on although their contexts have
	// ended; Lost counts calls that ended with their worker.
	Abandoned atomic.Int32
	Lost      *atomic.Uint64

	hostMessages atomic.Int64 // bytes that large messages to the host have
	mute         atomic.Bool  // the library does not connect

	// Life ends with the process, by [Peer.EndLife]; its cause is that a call gets.
	Life    context.Context
	endLife context.CancelCauseFunc

	// Dead is set, and then Ended closed, when the process has ended. Crash is known
	// by the time that Ended is closed.
	Dead     atomic.Bool
	Ended    chan struct{}
	Crash    atomic.Pointer[CrashError]
	Expected atomic.Bool // it was asked to end
}

// Init makes the peer ready, when its first fields are set.
func (p *Peer) Init() {
	p.Ended = make(chan struct{})
	p.Life, p.endLife = context.WithCancelCause(context.Background())
	// Calls that die with the late one are not late.
	p.callLate = fmt.Errorf("a call took longer than call_timeout (%v)", p.CallTimeout)
	p.ownLate = fmt.Errorf("%w: it took longer than call_timeout, and its process was killed", ErrTimeout)
}

// EndLife ends what the plugin has asked of its host. Crash is set.
func (p *Peer) EndLife() { p.endLife(p.Crash.Load()) }

// Mute refuses what the plugin asks of its host from here on: its library does not connect,
// and who calls it does not expect that.
func (p *Peer) Mute() { p.mute.Store(true) }

// RunsLibrary reports whether an operation runs code of the library, which may call its host
// meanwhile. The others are the worker's own, and may be carried out within a call of the
// host: one that called the host again would nest without end.
func RunsLibrary(op wire.Op) bool {
	switch op {
	case wire.OpInvoke, wire.OpInvokeBatch, wire.OpProbe, wire.OpBatch, wire.OpLoad, wire.OpReload, wire.OpShutdown:
		return true
	}
	return false
}

var errUninvited = errors.New("it called the host from where no code of its library runs")

// Uninvited is the outcome of an operation that runs no code of the library, and within which
// the worker called the host: it is killed, and its end waited for until ctx ends.
func (p *Peer) Uninvited(ctx context.Context) Outcome {
	p.Kill(errUninvited)
	select {
	case <-p.Ended:
		return Died
	case <-ctx.Done():
		return Ended
	}
}

// controlTimeout is how long a worker may take for what is not a call. Then it is
// killed: no caller waits for ever for one that was stopped.
const controlTimeout = 5 * time.Second

// ControlLimit is how long a worker may take for an operation that is not a call:
// 5 s, and more for those that run the plugin's code, where calls may take more.
func (p *Peer) ControlLimit(op wire.Op) time.Duration {
	switch op {
	case wire.OpShutdown, wire.OpBatch, wire.OpReload, wire.OpSurroundings:
		return max(controlTimeout, p.CallTimeout)
	}
	if op >= wire.OpTesters {
		return max(controlTimeout, p.CallTimeout)
	}
	return controlTimeout
}

// MaxAbandoned is with how many abandoned calls a worker is given no new ones.
const MaxAbandoned = 16

// Full reports whether too many calls were abandoned for a new one to be sent.
func (p *Peer) Full() bool { return p.Abandoned.Load() >= MaxAbandoned }

// othersWait reports whether calls wait for what a call under way has: the turn, a
// place in the host, or a slot.
func (p *Peer) othersWait() bool { return p.Contended() || p.Transport.Queue() > 0 }

// FlushFor is Flush for a call of the plugin to its host, whose context may be nil.
func (p *Peer) FlushFor(ctx context.Context) {
	if ctx == nil {
		ctx = context.Background()
	}
	p.Flush(ctx)
}

// LostCall is the error of a call, or another request, whose worker has died.
func (p *Peer) LostCall(d *Deadline) error {
	<-p.Ended // Dead is set shortly before
	crash := p.Crash.Load()
	if d.over && errors.Is(crash.Cause, d.late) {
		return fmt.Errorf("%w after %v", d.own, d.limit)
	}
	return crash
}

// CloseWait is how long a worker whose socket or pipe is closed may take to end.
const CloseWait = 100 * time.Millisecond

// DrainWait is how long the output of a dead worker is waited for: a process that has
// left its group could hold it open for ever.
const DrainWait = time.Second

// ErrHungUp: the worker has closed its end of the socket or pipe, and goes on.
var ErrHungUp = errors.New("it closed its control socket")

// HungUp is called when the worker's end is closed: it is ending, or it lives and is
// of no use any more.
func (p *Peer) HungUp() {
	select {
	case <-p.Ended:
	case <-time.After(CloseWait):
		if !p.Expected.Load() {
			p.Kill(ErrHungUp)
		}
	}
}

// Refusal is the error of a worker that cannot do what it was asked; the text is
// the worker's.
func Refusal(text []byte) error { return errors.New(contract.Excerpt(string(text))) }
