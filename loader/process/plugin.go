package process

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
)

// Plugin is a library with its worker. It is made by [Open].
type Plugin struct {
	config Config

	session atomic.Pointer[Session] // nil without a worker

	mu          sync.Mutex // held while a worker is started or ended
	description *abi.Description
	closed      bool

	state struct {
		sync.Mutex
		now      State
		err      error
		restarts int
		deaths   []time.Time // within the time that the restart policy looks at
		calls    uint64      // of sessions that are over
		errors   uint64
	}
	idle *time.Timer
}

// Open starts a worker and has it load the library.
//
// ctx bounds the starting. On an error nothing is left behind.
func Open(ctx context.Context, config Config) (*Plugin, error) {
	p := &Plugin{config: config}
	if _, err := p.Session(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// Session returns the present life of the worker, and starts one if there is
// none. After a death it waits for as long as the restart policy says, or until
// ctx is done. The error is [ErrBroken] where the policy allows no other worker.
func (p *Plugin) Session(ctx context.Context) (*Session, error) {
	if s := p.session.Load(); s != nil && !s.Lost() {
		return s, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrLost
	}
	if s := p.session.Load(); s != nil && !s.Lost() {
		return s, nil
	}
	again, err := p.permitted(ctx)
	if err != nil {
		return nil, err
	}
	p.enter(Loading, nil)
	s, err := start(ctx, p)
	if err == nil && p.description != nil && !reflect.DeepEqual(*p.description, s.description) {
		s.kill(errChanged)
		err = fmt.Errorf("load %s: %w", p.config.File, errChanged)
	}
	if err != nil {
		p.enter(Failed, err)
		return nil, err
	}
	if p.description == nil {
		p.description = &s.description
	}
	p.session.Store(s)
	if again {
		p.state.Lock()
		p.state.restarts++
		p.state.Unlock()
	}
	p.enter(Ready, nil)
	p.watchIdle(s)
	return s, nil
}

var errChanged = errors.New("the library has changed since it was loaded: it describes itself in another way; open a new host")

// permitted waits until another worker may be started. again tells that it takes
// the place of one that died.
func (p *Plugin) permitted(ctx context.Context) (again bool, err error) {
	r := p.config.Restart
	p.state.Lock()
	recent := p.state.deaths[:0]
	for _, t := range p.state.deaths {
		if time.Since(t) < r.Within {
			recent = append(recent, t)
		}
	}
	p.state.deaths = recent
	last := p.state.err
	p.state.Unlock()
	if len(recent) == 0 {
		return false, nil
	}
	if len(recent) > r.Max {
		return false, fmt.Errorf("%w: %d times within %v, more than restart.max = %d allows; Host.Reset lets it start again, and so does time (last: %w)",
			ErrBroken, len(recent), r.Within, r.Max, last)
	}
	wait := time.Until(recent[len(recent)-1].Add(r.Backoff << min(len(recent)-1, 16)))
	if wait <= 0 {
		return true, nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}

// died is called by a session at its end.
func (p *Plugin) died(s *Session) {
	calls, failed := s.link.counts()
	p.state.Lock()
	p.state.calls += calls
	p.state.errors += failed
	unasked := s.ready.Load() && !s.expected.Load()
	if unasked {
		p.state.deaths = append(p.state.deaths, time.Now())
	}
	p.state.Unlock()
	if unasked {
		p.enter(Failed, s.crash.Load())
	}
}

// Reset forgets the deaths of workers, so that another one may start at once.
func (p *Plugin) Reset() {
	p.state.Lock()
	defer p.state.Unlock()
	p.state.deaths = nil
}

func (p *Plugin) enter(state State, err error) {
	p.state.Lock()
	defer p.state.Unlock()
	p.state.now = state
	if err != nil {
		p.state.err = err
	}
	if p.config.OnState != nil {
		p.config.OnState(state, err)
	}
}

// watchIdle ends a worker that has had nothing to do for the idle timeout.
func (p *Plugin) watchIdle(s *Session) {
	limit := p.config.IdleTimeout
	if limit == 0 {
		return
	}
	before, _ := s.link.counts()
	var look func()
	look = func() {
		now, _ := s.link.counts()
		if now != before || s.link.active() > 0 || p.config.InUse() {
			before = now
			p.again(s, look)
			return
		}
		p.endIdle(s)
	}
	p.idle = time.AfterFunc(limit, look)
}

func (p *Plugin) again(s *Session, look func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed && p.session.Load() == s && !s.Lost() {
		p.idle = time.AfterFunc(p.config.IdleTimeout, look)
	}
}

func (p *Plugin) endIdle(s *Session) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || p.session.Load() != s || s.link.active() > 0 {
		return
	}
	p.session.Store(nil)
	_ = s.end()
	p.enter(Unloaded, nil)
}

// Memory counts what the plugin took from the host table, if it was opened to
// track that and has a worker.
func (p *Plugin) Memory() (m hostvtable.Memory, ok bool) {
	s := p.session.Load()
	if s == nil {
		return m, false
	}
	return s.Memory()
}

// Status tells how the worker is.
func (p *Plugin) Status() Status {
	p.state.Lock()
	status := Status{State: p.state.now, Restarts: p.state.restarts, Calls: p.state.calls, Errors: p.state.errors, Err: p.state.err}
	p.state.Unlock()
	s := p.session.Load()
	if s == nil || s.Lost() {
		return status
	}
	calls, failed := s.link.counts()
	status.Calls += calls
	status.Errors += failed
	status.PID = s.PID()
	status.RSS, status.CPU = usage(status.PID)
	return status
}

// Close shuts the plugin down and ends the worker. No call may be under way.
// Closing again does nothing.
func (p *Plugin) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	if p.idle != nil {
		p.idle.Stop()
	}
	var err error
	if s := p.session.Load(); s != nil && !s.Lost() {
		err = s.end()
	}
	p.enter(Closed, nil)
	return err
}
