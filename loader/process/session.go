package process

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
	"github.com/nyash-plugins/nyash-go/loader/process/channel"
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

	dead      atomic.Bool
	ended     chan struct{} // closed when dead
	crash     atomic.Pointer[CrashError]
	killedFor atomic.Pointer[error]
	ready     atomic.Bool // the library is loaded
	expected  atomic.Bool // it was asked to end

	mu      sync.Mutex
	printed string // the last line
}

// Description is what the plugin said of itself in init.
func (s *Session) Description() abi.Description { return s.description }

// PID is the worker's process id.
func (s *Session) PID() int { return s.process.pid() }

// Lost reports whether the worker has died.
func (s *Session) Lost() bool { return s.dead.Load() }

// Invoke calls nyash_plugin_invoke in the worker. When ctx is done, or the call
// takes longer than the plugin's call timeout, the worker is killed. The error is
// [ErrLost] where no call was made, and matches [ErrCrashed], [ErrTimeout] or
// ctx's error where it was lost.
func (s *Session) Invoke(ctx context.Context, c *abi.Call) error { return s.link.invoke(ctx, c) }

// InvokeBatch makes none: a call through shared memory is no crossing that many
// could share.
func (s *Session) InvokeBatch(context.Context, []abi.Call) (made int, err error) { return 0, nil }

// Lend copies data to where the worker sees it and returns its address there.
func (s *Session) Lend(data []byte) (addr uint64, err error) {
	if len(data) == 0 {
		return 0, nil
	}
	return s.link.lend(data)
}

// TakeBack ends the use of what Lend lent.
func (s *Session) TakeBack(addr uint64, length int) {
	if length != 0 {
		s.link.takeBack(addr, length)
	}
}

// Adopt takes over a blob that a call returned, as [hostvtable.Table.Adopt] does.
// Where the worker shares memory with the host it could change the bytes, but not
// take them away.
func (s *Session) Adopt(addr, length uint64) (data []byte, release func(), err error) {
	if addr == 0 && length == 0 {
		return nil, func() {}, nil
	}
	return s.link.adopt(addr, length)
}

// Memory counts what the plugin took from the host table, if the plugin was
// opened to track it.
func (s *Session) Memory() (m hostvtable.Memory, ok bool) {
	if !s.plugin.config.Track {
		return m, false
	}
	answer, err := s.link.operate(channel.OpMemory, 0, 0)
	if err != nil || json.Unmarshal(answer, &m) != nil {
		return hostvtable.Memory{}, false
	}
	return m, true
}

// grace is how long a worker may take for what is not a call, the plugin's
// shutdown among it. Then it is killed: nobody waits for ever for one that was
// stopped.
const grace = 5 * time.Second

// patience is grace, or more where calls may take more.
func (s *Session) patience() time.Duration { return max(grace, s.plugin.config.CallTimeout) }

var (
	errSocket = errors.New("it closed its control socket")
	errOver   = errors.New("the plugin was shut down")
)

// end shuts the plugin down and ends the worker. No call is under way.
func (s *Session) end() error {
	s.expected.Store(true)
	_, err := s.link.operate(channel.OpShutdown, 0, 0)
	if errors.Is(err, ErrLost) {
		err = nil // it has ended already
	}
	if s.plugin.config.Wrapper != nil {
		// What runs the worker has a report to write when that exits.
		s.link.hangUp()
		select {
		case <-s.ended:
		case <-time.After(s.patience()):
		}
	}
	s.kill(errOver) // it has nothing left to do
	<-s.ended
	return err
}

// kill ends the process, for a reason that its callers are told.
func (s *Session) kill(cause error) {
	s.killedFor.CompareAndSwap(nil, &cause)
	s.process.kill()
}

// die ends the session: its crash is known by now.
func (s *Session) die() {
	s.dead.Store(true)
	close(s.ended)
	s.plugin.died(s)
	s.link.die()
}

// watchdog kills the worker when a call takes too long.
type watchdog struct {
	over  atomic.Bool
	late  error
	limit time.Duration
	timer *time.Timer
	stop  func() bool
}

// guard kills the worker when ctx is done, and after limit if that is not 0, with
// the error late; with progress, when that has stood still for so long. It returns
// nil where neither can be.
func (s *Session) guard(ctx context.Context, limit time.Duration, late error, progress *atomic.Uint64) *watchdog {
	if ctx.Done() == nil && limit == 0 {
		return nil
	}
	w := &watchdog{late: late, limit: limit}
	if ctx.Done() != nil {
		w.stop = context.AfterFunc(ctx, func() { s.kill(context.Cause(ctx)) })
	}
	if limit > 0 {
		seen := uint64(0)
		w.timer = time.AfterFunc(time.Hour, func() {
			if progress != nil && progress.Load() != seen {
				seen = progress.Load()
				w.timer.Reset(limit)
				return
			}
			w.over.Store(true)
			s.kill(late)
		})
		w.timer.Reset(limit) // now that it is known to the function
	}
	return w
}

// end ends the watch.
func (w *watchdog) end() {
	if w == nil {
		return
	}
	if w.stop != nil {
		w.stop()
	}
	if w.timer != nil {
		w.timer.Stop()
	}
}

// lostCall is the error of a call whose worker has died.
func (s *Session) lostCall(ctx context.Context, w *watchdog) error {
	// Its own limit is the reason only where it was killed for that.
	crash := s.crash.Load()
	switch {
	case w != nil && w.over.Load() && errors.Is(crash.Cause, w.late):
		return fmt.Errorf("%w after %v", w.late, w.limit)
	case ctx.Err() != nil && errors.Is(crash.Cause, context.Cause(ctx)):
		return context.Cause(ctx)
	}
	return crash
}
