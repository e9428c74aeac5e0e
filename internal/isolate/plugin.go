package isolate

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
	"github.com/nyash-plugins/nyash-go/internal/restart"
)

// Plugin is a library with its worker. It is made by [New] or [Open].
type Plugin struct {
	config atomic.Pointer[Config] // replaced by Reconfigure; sessions keep theirs

	session atomic.Pointer[Session] // nil without a worker

	starting singleflight.Group  // of a worker, for all who wait for one
	life     *semaphore.Weighted // held while a worker is started or ended
	alive    context.Context     // until Close or Kill
	stop     context.CancelCauseFunc

	// Guarded by life.
	description *abi.Description
	routes      []route
	closed      bool
	idle        *time.Timer

	history *restart.History // with the error of the last failure

	lostCalls atomic.Uint64 // calls that ended with their worker

	state struct {
		sync.Mutex
		now      State
		restarts int
		calls    uint64 // of sessions that are over
		errors   uint64
	}
}

// New makes a plugin. Its worker is started by the first use.
func New(config Config) *Plugin {
	p := &Plugin{life: semaphore.NewWeighted(1), history: new(restart.History)}
	p.config.Store(&config)
	p.alive, p.stop = context.WithCancelCause(context.Background())
	return p
}

// Reconfigure has the next worker follow another configuration. It is for a library that
// could not be loaded, between a [Plugin.Refuse] or failed [Plugin.Session] and the next
// Session.
func (p *Plugin) Reconfigure(config Config) { p.config.Store(&config) }

// Sibling makes a plugin of the same library, with a worker of its own, which is to describe
// the library as this one has. Their deaths count together. It comes after the first Session.
func (p *Plugin) Sibling() *Plugin {
	q := New(*p.config.Load())
	q.alive, q.stop = context.WithCancelCause(p.alive) // no worker starts when this one is closed
	_ = p.life.Acquire(context.Background(), 1)
	defer p.life.Release(1)
	q.history, q.description = p.history, p.description
	return q
}

// Open makes a plugin, starts its worker and has it load the library.
//
// ctx bounds the starting. On an error nothing is left behind.
func Open(ctx context.Context, config Config) (*Plugin, error) {
	p := New(config)
	if _, err := p.Session(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Session returns the present life of the worker, and starts one if there is
// none. After a death it waits for as long as the restart policy says. When ctx
// ends, only the waiting does: a worker that is being started is there for the
// next who asks. The error is [ErrBroken] where the policy allows no other worker.
// Where there is an idle timeout, [Config.InUse] is true from before the call on, for
// as long as the session is needed.
func (p *Plugin) Session(ctx context.Context) (*Session, error) {
	if s := p.session.Load(); s != nil && !s.Lost() && !s.leaving.Load() {
		return s, nil
	}
	select {
	case r := <-p.starting.DoChan("", p.startOnce):
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*Session), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("load %s: %w", p.config.Load().File, context.Cause(ctx))
	}
}

// startOnce starts a worker, unless there is one.
func (p *Plugin) startOnce() (any, error) {
	_ = p.life.Acquire(context.Background(), 1) // held for bounded times only
	defer p.life.Release(1)
	if p.closed {
		return nil, transport.ErrLost
	}
	if s := p.session.Load(); s != nil && !s.Lost() {
		return s, nil
	}
	again, err := p.history.Wait(p.alive, p.config.Load().Restart)
	if err != nil {
		return nil, err
	}
	p.enter(Loading, nil)
	s, err := p.start()
	if err != nil {
		p.enter(Failed, err)
		return nil, err
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

// around runs a start of a worker, or its end, which is over when ctx ends.
func (p *Plugin) around(ctx context.Context, run func(context.Context)) {
	if around := p.config.Load().Around; around != nil {
		around(ctx, run)
		return
	}
	run(ctx)
}

func (p *Plugin) start() (s *Session, err error) {
	ctx := p.alive
	if limit := p.config.Load().LoadTimeout; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w within load_timeout (%v)", transport.ErrNoAnswer, limit))
		defer cancel()
	}
	p.around(ctx, func(asking context.Context) { s, err = p.startWith(ctx, asking) })
	return s, err
}

// startWith starts a worker, until ctx ends; asking is the context of what connect and init
// ask.
func (p *Plugin) startWith(ctx, asking context.Context) (*Session, error) {
	s, err := start(ctx, asking, p)
	if err != nil {
		return nil, err
	}
	if p.description != nil && !reflect.DeepEqual(*p.description, s.description) {
		s.kill(errChanged)
		return nil, fmt.Errorf("load %s: %w", p.config.Load().File, errChanged)
	}
	if p.description == nil {
		p.description = &s.description
	}
	for _, r := range p.routes {
		if err := s.route(r); err != nil {
			s.kill(err)
			return nil, fmt.Errorf("load %s: %w", p.config.Load().File, err)
		}
	}
	return s, nil
}

// route is a type id whose calls go through a table.
type route struct {
	typeID uint32
	table  int
}

// Route has the calls of a type id go through table number i of the description, in all
// lives. It comes after the first Session and before the first call.
func (p *Plugin) Route(typeID uint32, i int) error {
	_ = p.life.Acquire(context.Background(), 1)
	defer p.life.Release(1)
	r := route{typeID, i}
	if s := p.session.Load(); s != nil && !s.Lost() {
		if err := s.route(r); err != nil && !s.Lost() {
			return err
		}
	}
	p.routes = append(p.routes, r)
	return nil
}

func (s *Session) route(r route) error {
	_, err := s.Operate(context.Background(), wire.OpRoute, uint64(r.typeID), uint64(r.table))
	return err
}

// closing reports whether the plugin is being closed.
func (p *Plugin) closing() bool { return p.alive.Err() != nil }

var errChanged = errors.New("the library has changed since it was loaded: it describes itself in another way; open a new host")

// died is called by a session at its end. Whatever it was, it counts towards
// restart, unless the worker was asked to end, or was killed for a call that its
// caller had given up.
func (p *Plugin) died(s *Session) {
	calls, failed := s.link.Counts()
	crash := s.peer.Crash.Load()
	p.state.Lock()
	p.state.calls += calls
	p.state.errors += failed
	p.state.Unlock()
	if s.peer.Expected.Load() || p.closing() {
		return
	}
	if !errors.Is(crash.Cause, transport.ErrCancelled) {
		p.history.Failed()
	}
	if s.ready.Load() {
		p.enter(Failed, crash)
	}
}

// Reset forgets the deaths of workers, so that another one may start at once.
func (p *Plugin) Reset() { p.history.Reset() }

// Refuse ends a worker whose library turned out to be unfit, for a reason that Status tells.
// It does not count towards restart, because nothing of the library has failed; the next
// worker may describe the library in another way.
func (p *Plugin) Refuse(reason error) error {
	_ = p.life.Acquire(context.Background(), 1)
	defer p.life.Release(1)
	p.description, p.routes = nil, nil
	s := p.session.Swap(nil)
	if s == nil {
		return nil
	}
	err := s.end()
	p.enter(Failed, reason)
	return err
}

func (p *Plugin) enter(state State, err error) {
	p.state.Lock()
	defer p.state.Unlock()
	p.state.now = state
	if err != nil {
		p.history.Note(err)
	}
	if onState := p.config.Load().OnState; onState != nil {
		onState(state, err)
	}
}

// watchIdle looks, after the idle timeout, whether the worker has had nothing to do.
// The caller holds life.
func (p *Plugin) watchIdle(s *Session) {
	if timeout := p.config.Load().IdleTimeout; timeout > 0 {
		calls := s.allCalls()
		p.idle = time.AfterFunc(timeout, func() { p.lookIdle(s, calls) })
	}
}

// lookIdle ends a worker that had made so many calls at the last look, and since then
// had nothing to do; or it looks again later.
func (p *Plugin) lookIdle(s *Session, calls uint64) {
	busy := p.busy(s, calls) // without life: it may take a while, in which others want a session
	_ = p.life.Acquire(context.Background(), 1)
	defer p.life.Release(1)
	if p.closed || p.session.Load() != s || s.Lost() {
		return
	}
	// From leaving on, nobody is given this session: they wait for life. Those who were
	// given it before show in busy.
	s.leaving.Store(!busy)
	if busy || p.busy(s, calls) {
		s.leaving.Store(false)
		p.watchIdle(s)
		return
	}
	p.session.Store(nil)
	_ = s.end()
	p.enter(Unloaded, nil)
}

// busy reports whether a worker is in use, or was since it had made so many calls.
func (p *Plugin) busy(s *Session, calls uint64) bool {
	return s.allCalls() != calls || s.link.Active() > 0 || p.config.Load().InUse()
}

// allCalls is how many calls there were, in either direction.
func (s *Session) allCalls() uint64 {
	calls, _ := s.link.Counts()
	return calls + s.link.HostCalls()
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
	status := Status{State: p.state.now, Restarts: p.state.restarts, Calls: p.state.calls, Errors: p.state.errors + p.lostCalls.Load(), Err: p.history.Last()}
	p.state.Unlock()
	s := p.session.Load()
	if s == nil || s.Lost() {
		return status
	}
	calls, failed := s.link.Counts()
	status.Calls += calls
	status.Errors += failed
	status.PID = s.PID()
	status.RSS, status.CPU = usage(status.PID)
	return status
}

// Kill ends the worker without the plugin's shutdown, for a reason that those who
// call it are told, and lets no other one start. Close is still to follow.
func (p *Plugin) Kill(cause error) {
	p.stop(cause)
	if s := p.session.Load(); s != nil {
		s.kill(cause)
	}
}

// Close shuts the plugin down and ends the worker. No call may be under way but
// those that were abandoned. It takes bounded time. Closing again does nothing.
func (p *Plugin) Close() error {
	p.stop(errOver) // a load or a back-off ends
	_ = p.life.Acquire(context.Background(), 1)
	defer p.life.Release(1)
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
