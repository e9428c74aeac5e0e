package isolate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// Session is one life of a plugin's worker.
type Session struct {
	plugin      *Plugin
	config      *Config        // that it was started with
	peer        transport.Peer // what its transport knows of it
	link        transport.Transport
	description abi.Description
	process     *workerProcess
	cell        *cell
	output      *os.File // what it prints
	outputDone  chan struct{}

	// turn is held by the call that is under way, where only one may be; nil
	// elsewhere. The worker has a turn too: this one keeps the waiting for it out of
	// the call's time.
	turn      chan struct{}
	turnQueue atomic.Int32 // calls that wait for the turn

	killedFor atomic.Pointer[error]
	ready     atomic.Bool // the library is loaded
	leaving   atomic.Bool // it may be ended for being idle: nobody is given it any more
	exhausted atomic.Bool // the worker's own runtime has printed that there is no memory

	logs    *logRate
	lines   *lineQueue
	mu      sync.Mutex
	printed string // the last line
}

func newSession(p *Plugin) *Session {
	config := p.config.Load()
	s := &Session{plugin: p, config: config, outputDone: make(chan struct{}), lines: newLineQueue(config.Sink)}
	s.logs = newLogRate(config, s.lines)
	s.peer.CallTimeout, s.peer.CancelGrace = config.CallTimeout, config.CancelGrace
	s.peer.Lost = &p.lostCalls
	s.peer.Kill, s.peer.Line, s.peer.Flush = s.kill, s.line, s.lines.flush
	s.peer.Complain = func(text string) { s.log(abi.LogWarn, text, false) }
	s.peer.Calls, s.peer.Nested, s.peer.MaxBlob, s.peer.Session = config.Calls, config.Nested, config.MaxBlob, s
	s.peer.Contended = s.contended
	s.peer.Closing = p.closing
	s.peer.Init()
	return s
}

// Description is what the plugin said of itself.
func (s *Session) Description() abi.Description { return s.description }

// PID is the worker's process id.
func (s *Session) PID() int { return s.process.pid() }

// Lost reports whether the worker has died.
func (s *Session) Lost() bool { return s.peer.Dead.Load() }

// Invoke calls nyash_plugin_invoke in the worker. When ctx ends, the call goes on
// and the error is an [*transport.AbandonedError], or ctx's error where no call was made. A
// call that takes longer than the plugin's call timeout has the worker killed; the time
// in which the plugin waits for its host does not count. The error is [ErrLost] where no
// call was made, and matches [ErrCrashed] or [ErrTimeout] where it was lost; a nested call
// ends with [transport.ErrNoSlot] where it would have to wait for a place in the worker. It
// waits for the turn as any call does.
func (s *Session) Invoke(ctx context.Context, c *abi.Call) error { return s.Call(ctx, c, nil) }

// Call is Invoke. With probe, a tester's hook in the worker makes the call, with its
// memory laid out as probe says; see package probe.
func (s *Session) Call(ctx context.Context, c *abi.Call, probe *wire.Probe) error {
	if s.turn == nil {
		return s.link.Call(ctx, c, probe)
	}
	if err := s.takeTurn(ctx); err != nil {
		return err
	}
	return s.endTurn(s.link.Call(ctx, c, probe))
}

func (s *Session) takeTurn(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
		return nil
	default:
	}
	s.turnQueue.Add(1)
	defer s.turnQueue.Add(-1)
	select {
	case s.turn <- struct{}{}:
		return nil
	case <-s.peer.Ended:
		return transport.ErrLost
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// contended reports whether others wait for what each call under way has, but for the
// worker's own slots: the turn, or a place among all calls of the host.
func (s *Session) contended() bool {
	return s.turnQueue.Load() > 0 || s.config.Contended != nil && s.config.Contended()
}

func (s *Session) passTurn() { <-s.turn }

// InvokeBatch makes calls in order, as many at once as the way to the worker has room for,
// and returns how many were made: all, or those up to and with one that answered
// [abi.ErrShortBuffer], or fewer where the next one has to be made by itself. The errors are
// those of Invoke; the first made calls were answered all the same. With an
// [*transport.AbandonedError] the calls, and their memory, belong to the plugin until its
// Wait has returned, which says how many more were made. call_timeout is that of each call;
// where it passes, up to twice as long may have passed.
func (s *Session) InvokeBatch(ctx context.Context, calls []abi.Call) (made int, err error) {
	if s.config.Limits.CPUTime != nil { // that of one call, which is looked at by its thread
		return 0, nil
	}
	for made < len(calls) {
		if ctx.Err() != nil {
			return made, context.Cause(ctx)
		}
		n, err := s.crossBatch(ctx, calls[made:])
		made += n
		if err != nil || n == 0 || calls[made-1].Code == abi.ErrShortBuffer {
			return made, err
		}
	}
	return made, nil
}

// crossBatch is the transport's Batch, in the library's turn.
func (s *Session) crossBatch(ctx context.Context, calls []abi.Call) (made int, err error) {
	if s.turn == nil {
		return s.link.Batch(ctx, calls)
	}
	if err := s.takeTurn(ctx); err != nil {
		return 0, err
	}
	made, err = s.link.Batch(ctx, calls)
	return made, s.endTurn(err)
}

// endTurn passes the turn on when a call has ended with err: now, or when an abandoned one
// ends.
func (s *Session) endTurn(err error) error {
	if err == nil { // without what follows, which allocates
		s.passTurn()
		return nil
	}
	var late *transport.AbandonedError
	if errors.As(err, &late) {
		late.Finally = s.passTurn
		return err
	}
	s.passTurn()
	return err
}

// Lend copies data to where the worker sees it and returns its address there. When
// it returns, data is the caller's again.
func (s *Session) Lend(ctx context.Context, data []byte) (addr uint64, err error) {
	if len(data) == 0 {
		return 0, nil
	}
	return s.link.Lend(ctx, data)
}

// TakeBack ends the use of what Lend lent. It does not wait.
func (s *Session) TakeBack(addr uint64, length int) {
	if length != 0 {
		s.link.TakeBack(addr, length)
	}
}

// Adopt takes over a blob that a call returned, as [hostvtable.Table.Adopt] does.
// Where the worker shares memory with the host it could change the bytes, but not
// take them away. When ctx ends the blob is freed. release does not wait.
func (s *Session) Adopt(ctx context.Context, addr, length uint64) (data []byte, release func(), err error) {
	if addr == 0 && length == 0 {
		return nil, func() {}, nil
	}
	return s.link.Adopt(ctx, addr, length)
}

// Discard frees a blob that a call returned and that nobody wants. It does not
// wait.
func (s *Session) Discard(addr, length uint64) {
	if addr != 0 || length != 0 {
		s.link.Discard(addr, length)
	}
}

// Memory counts what the plugin took from the host table, if the plugin was
// opened to track it.
func (s *Session) Memory() (m hostvtable.Memory, ok bool) {
	if !s.config.Track {
		return m, false
	}
	answer, err := s.link.Operate(context.Background(), wire.OpMemory, 0, 0)
	if err != nil || json.Unmarshal(answer, &m) != nil {
		return hostvtable.Memory{}, false
	}
	return m, true
}

// Operate asks the worker for something that is not a call, one of wire's operations.
// It takes bounded time. An error may be the worker's. ctx is that of what the library
// asks of its host meanwhile; when it ends, nobody learns what came of the operation.
func (s *Session) Operate(ctx context.Context, op wire.Op, a, b uint64) (answer []byte, err error) {
	return s.link.Operate(ctx, op, a, b)
}

// Kill ends the worker, for a reason that its callers are told.
func (s *Session) Kill(cause error) { s.kill(cause) }

var errOver = errors.New("the plugin was shut down")

// end shuts the plugin down and ends the worker. No call is under way but those
// that were abandoned.
func (s *Session) end() error {
	s.peer.Expected.Store(true)
	var err error
	limit := s.peer.ControlLimit(wire.OpShutdown)
	limited, cancel := context.WithTimeoutCause(context.Background(), limit, fmt.Errorf("%w after %v", transport.ErrNoAnswer, limit))
	defer cancel()
	s.plugin.around(limited, func(ctx context.Context) { _, err = s.link.Operate(ctx, wire.OpShutdown, 0, 0) })
	if errors.Is(err, transport.ErrLost) {
		err = nil // it has ended already
	}
	if s.config.Wrapper != nil {
		// What runs the worker has a report to write when that exits.
		s.link.HangUp()
		select {
		case <-s.peer.Ended:
		case <-time.After(s.peer.ControlLimit(wire.OpShutdown)):
		}
	}
	s.kill(errOver) // it has nothing left to do
	s.waitEnded()
	return err
}

// kill ends the process, for a reason that its callers are told.
func (s *Session) kill(cause error) {
	s.killedFor.CompareAndSwap(nil, &cause)
	s.process.kill()
}

// killWait is how long the end of a process that was killed is waited for: the
// system may take long for one that it is doing something for.
const killWait = 5 * time.Second

// waitEnded waits for the end of a worker that was killed, and reports whether it
// came.
func (s *Session) waitEnded() bool {
	select {
	case <-s.peer.Ended:
		return true
	case <-time.After(killWait):
		return false
	}
}

// died ends the session: its crash is known by now.
func (s *Session) died() {
	s.peer.Dead.Store(true)
	s.peer.EndLife()
	if onEnd := s.config.OnEnd; onEnd != nil {
		onEnd(s)
	}
	s.plugin.died(s) // callers that are woken by what follows find it counted
	close(s.peer.Ended)
	s.link.Close()
}
