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
	"github.com/nyash-plugins/nyash-go/internal/isolate/channel"
)

// Session is one life of a plugin's worker.
type Session struct {
	plugin      *Plugin
	link        link
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
	abandoned atomic.Int32 // calls that nobody waits for any more

	dead      atomic.Bool
	ended     chan struct{} // closed when dead; the crash is known by then
	crash     atomic.Pointer[CrashError]
	killedFor atomic.Pointer[error]
	ready     atomic.Bool // the library is loaded
	expected  atomic.Bool // it was asked to end

	logs    *logRate
	mu      sync.Mutex
	printed string // the last line
}

// Description is what the plugin said of itself in init.
func (s *Session) Description() abi.Description { return s.description }

// PID is the worker's process id.
func (s *Session) PID() int { return s.process.pid() }

// Lost reports whether the worker has died.
func (s *Session) Lost() bool { return s.dead.Load() }

// Invoke calls nyash_plugin_invoke in the worker. When ctx ends, the call goes on
// and the error is an [*AbandonedError], or ctx's error where no call was made. A
// call that takes longer than the plugin's call timeout has the worker killed. The
// error is [ErrLost] where no call was made, and matches [ErrCrashed] or
// [ErrTimeout] where it was lost.
func (s *Session) Invoke(ctx context.Context, c *abi.Call) error { return s.inTurn(ctx, c, nil) }

func (s *Session) inTurn(ctx context.Context, c *abi.Call, p *Probe) error {
	if s.turn == nil {
		return s.link.call(ctx, c, p)
	}
	if err := s.takeTurn(ctx); err != nil {
		return err
	}
	err := s.link.call(ctx, c, p)
	var late *AbandonedError
	if errors.As(err, &late) {
		late.finally = s.passTurn
		return err
	}
	s.passTurn()
	return err
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
	case <-s.ended:
		return ErrLost
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *Session) passTurn() { <-s.turn }

// othersWait reports whether calls wait for what a call under way has: the turn,
// or a slot.
func (s *Session) othersWait() bool { return s.turnQueue.Load() > 0 || s.link.queue() > 0 }

// InvokeBatch makes none: a call through shared memory is no crossing that many
// could share.
func (s *Session) InvokeBatch(context.Context, []abi.Call) (made int, err error) { return 0, nil }

// Lend copies data to where the worker sees it and returns its address there. When
// it returns, data is the caller's again.
func (s *Session) Lend(ctx context.Context, data []byte) (addr uint64, err error) {
	if len(data) == 0 {
		return 0, nil
	}
	return s.link.lend(ctx, data)
}

// TakeBack ends the use of what Lend lent. It does not wait.
func (s *Session) TakeBack(addr uint64, length int) {
	if length != 0 {
		s.link.takeBack(addr, length)
	}
}

// Adopt takes over a blob that a call returned, as [hostvtable.Table.Adopt] does.
// Where the worker shares memory with the host it could change the bytes, but not
// take them away. When ctx ends the blob is freed. release does not wait.
func (s *Session) Adopt(ctx context.Context, addr, length uint64) (data []byte, release func(), err error) {
	if addr == 0 && length == 0 {
		return nil, func() {}, nil
	}
	return s.link.adopt(ctx, addr, length)
}

// Discard frees a blob that a call returned and that nobody wants. It does not
// wait.
func (s *Session) Discard(addr, length uint64) {
	if addr != 0 || length != 0 {
		s.link.discard(addr, length)
	}
}

// Memory counts what the plugin took from the host table, if the plugin was
// opened to track it.
func (s *Session) Memory() (m hostvtable.Memory, ok bool) {
	if !s.plugin.config.Track {
		return m, false
	}
	answer, err := s.link.operate(context.Background(), channel.OpMemory, 0, 0)
	if err != nil || json.Unmarshal(answer, &m) != nil {
		return hostvtable.Memory{}, false
	}
	return m, true
}

// controlTimeout is how long a worker may take for what is not a call, the
// plugin's shutdown among it. Then it is killed: nobody waits for ever for one
// that was stopped.
const controlTimeout = 5 * time.Second

// controlLimit is controlTimeout, or more where calls may take more.
func (s *Session) controlLimit() time.Duration {
	return max(controlTimeout, s.plugin.config.CallTimeout)
}

var (
	errSocket = errors.New("it closed its control socket")
	errOver   = errors.New("the plugin was shut down")
)

// end shuts the plugin down and ends the worker. No call is under way but those
// that were abandoned.
func (s *Session) end() error {
	s.expected.Store(true)
	_, err := s.link.operate(context.Background(), channel.OpShutdown, 0, 0)
	if errors.Is(err, ErrLost) {
		err = nil // it has ended already
	}
	if s.plugin.config.Wrapper != nil {
		// What runs the worker has a report to write when that exits.
		s.link.hangUp()
		select {
		case <-s.ended:
		case <-time.After(s.controlLimit()):
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
	case <-s.ended:
		return true
	case <-time.After(killWait):
		return false
	}
}

// die ends the session: its crash is known by now.
func (s *Session) die() {
	s.dead.Store(true)
	s.plugin.died(s) // whoever is woken by what follows finds it counted
	close(s.ended)
	s.link.die()
}

// lostCall is the error of a call whose worker has died.
func (s *Session) lostCall(d *deadline) error {
	<-s.ended // dead is set shortly before
	crash := s.crash.Load()
	if d.over && errors.Is(crash.Cause, d.late) {
		return fmt.Errorf("%w after %v", d.late, d.limit)
	}
	return crash
}
