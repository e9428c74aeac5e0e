package wasm

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/modules"
	"github.com/nyash-plugins/nyash-go/internal/restart"
)

// Plugin is a library with its modules; see [modules.Plugin].
type Plugin struct {
	config  *settings // replaced by Reconfigure, while no module is there
	history restart.History
	alive   context.Context // until Close or Kill
	stop    context.CancelCauseFunc

	places     []place
	next       atomic.Uint32 // the place of the next instance
	lastNumber atomic.Uint64
	starting   singleflight.Group // of a module in a place

	mu          sync.Mutex
	program     *program // nil before the first start
	description *abi.Description
	state       isolate.State
	restarts    int
	closed      bool
}

// place is one of the modules that there are at most.
type place struct {
	module atomic.Pointer[Module] // nil where there is none
	life   sync.Mutex             // held while one is started or ended
}

// settings are the configuration, with its functions made callable.
type settings struct {
	modules.Config
	callLate error // of a call that takes longer than CallTimeout
}

func newSettings(c modules.Config) *settings {
	return &settings{c, fmt.Errorf("%w: it took longer than call_timeout, and its module was ended after %v", transport.ErrTimeout, c.CallTimeout)}
}

// around runs connect and init, or shutdown, which are over when ctx ends.
func (s *settings) around(ctx context.Context, run func(context.Context)) {
	if s.Around == nil {
		run(ctx)
		return
	}
	s.Around(ctx, run)
}

func (s *settings) end(m *Module) {
	if s.OnEnd != nil {
		s.OnEnd(m)
	}
}

// New makes a plugin; see [modules.New].
func New(c modules.Config) modules.Plugin {
	p := &Plugin{config: newSettings(c), places: make([]place, max(c.Instances, 1))}
	p.alive, p.stop = context.WithCancelCause(context.Background())
	return p
}

// Reconfigure implements [modules.Plugin].
func (p *Plugin) Reconfigure(c modules.Config) {
	p.config = newSettings(c)
	p.forget()
}

// forget has the file be read again, and described anew.
func (p *Plugin) forget() {
	p.mu.Lock()
	p.description = nil
	old := p.program
	p.program = nil
	p.mu.Unlock()
	if old != nil {
		old.release()
	}
}

// Session implements [modules.Plugin].
func (p *Plugin) Session(ctx context.Context, singleton bool) (modules.Module, error) {
	i := 0
	if !singleton && len(p.places) > 1 {
		i = int((p.next.Add(1) - 1) % uint32(len(p.places)))
	}
	if m := p.places[i].module.Load(); m != nil && !m.ends() {
		return m, nil
	}
	select {
	case r := <-p.starting.DoChan(fmt.Sprint(i), func() (any, error) { return p.startOnce(i) }):
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*Module), nil
	case <-ctx.Done():
		return nil, fmt.Errorf("load %s: %w", p.config.File, context.Cause(ctx))
	}
}

// ends reports whether a module has ended, or is about to.
func (m *Module) ends() bool { return m.dead.Load() || m.ending.Load() != nil }

// startOnce starts a module in a place, unless there is one.
func (p *Plugin) startOnce(i int) (*Module, error) {
	at := &p.places[i]
	at.life.Lock()
	defer at.life.Unlock()
	if p.alive.Err() != nil {
		return nil, modules.ErrLost
	}
	if m := at.module.Load(); m != nil && !m.ends() {
		return m, nil
	}
	again, err := p.history.Wait(p.alive, p.config.Restart)
	if err != nil {
		return nil, err
	}
	p.enter(isolate.Loading, nil)
	m, err := p.startIn(i)
	if err != nil {
		var crash *transport.CrashError
		if errors.As(err, &crash) || errors.Is(err, transport.ErrNoAnswer) {
			p.history.Failed()
		}
		p.enter(isolate.Failed, err)
		return nil, err
	}
	at.module.Store(m)
	if p.alive.Err() != nil { // Kill has not seen it
		m.kill(context.Cause(p.alive))
		return nil, modules.ErrLost
	}
	if again {
		p.mu.Lock()
		p.restarts++
		p.mu.Unlock()
	}
	p.enter(isolate.Ready, nil)
	return m, nil
}

func (p *Plugin) startIn(i int) (*Module, error) {
	ctx, deadline := p.alive, time.Time{}
	if limit := p.config.LoadTimeout; limit > 0 {
		deadline = time.Now().Add(limit)
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, deadline, p.errLate())
		defer cancel()
	}
	program, err := p.compile(ctx)
	if err != nil {
		return nil, err
	}
	m, err := p.start(program, i, deadline)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	changed := p.description != nil && !reflect.DeepEqual(*p.description, m.description)
	if p.description == nil {
		p.description = &m.description
	}
	p.mu.Unlock()
	if changed {
		m.kill(errChanged)
		return nil, fmt.Errorf("load %s: %w", p.config.File, errChanged)
	}
	return m, nil
}

var errChanged = errors.New("the module describes itself otherwise than it did before; open a new host")

func (p *Plugin) errLate() error {
	return fmt.Errorf("%w within load_timeout (%v)", modules.ErrNoAnswer, p.config.LoadTimeout)
}

// compile compiles the module, once for all that the plugin starts.
func (p *Plugin) compile(ctx context.Context) (*program, error) {
	p.mu.Lock()
	known := p.program
	p.mu.Unlock()
	if known != nil {
		return known, nil
	}
	if err := unusable(p.config.CacheDir); err != nil && p.config.Sink != nil {
		p.config.Sink.PluginLog(abi.LogDebug, contract.Excerpt("compiled code is not kept: "+err.Error()), true)
	}
	opened, err := open(ctx, p.config.File, p.config.Memory, p.config.CacheDir)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.program != nil || p.closed { // another place has come first
		defer opened.release()
	}
	if p.closed {
		return nil, modules.ErrLost
	}
	if p.program == nil {
		p.program = opened
	}
	return p.program, nil
}

// ended is called by a module at its end, once.
func (p *Plugin) ended(m *Module) {
	p.places[m.place].module.CompareAndSwap(m, nil)
	p.config.end(m)
	cause := *m.ending.Load()
	if errors.Is(cause, errOver) || errors.Is(cause, errRefused) || errors.Is(cause, errChanged) || p.alive.Err() != nil {
		return
	}
	if !errors.Is(cause, transport.ErrCancelled) {
		p.history.Failed()
	}
	if errors.Is(cause, transport.ErrTimeout) { // which says that the module was ended
		p.enter(isolate.Failed, cause)
		return
	}
	p.enter(isolate.Failed, m.crash(cause))
}

func (p *Plugin) enter(state isolate.State, err error) {
	p.mu.Lock()
	p.state = state
	p.mu.Unlock()
	if err != nil {
		p.history.Note(err)
	}
	if p.config.OnState != nil {
		p.config.OnState(state, err)
	}
}

var (
	errOver    = errors.New("the plugin was shut down")
	errRefused = errors.New("the library is not fit")
)

// Refuse implements [modules.Plugin].
func (p *Plugin) Refuse(reason error) error {
	err := p.endAll(errRefused, true)
	p.forget()
	p.enter(isolate.Failed, reason)
	return err
}

// endAll ends the modules, with the plugin's shutdown where that is wanted.
func (p *Plugin) endAll(cause error, shutdown bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	var errs []error
	for i := range p.places {
		at := &p.places[i]
		at.life.Lock()
		if m := at.module.Load(); m != nil {
			errs = append(errs, m.shutDown(ctx, cause, shutdown))
		}
		at.life.Unlock()
	}
	return errors.Join(errs...)
}

// closeLimit is how long the shutdowns of all modules may take, and calls that must not be there.
const closeLimit = 5 * time.Second

// endLimit is how long a call may take to see that its module is to end.
const endLimit = time.Second

var (
	errShutdownLate = fmt.Errorf("%w to shutdown within %v", modules.ErrNoAnswer, closeLimit)
	errCallGoesOn   = fmt.Errorf("%w: a call of it does not end, and its module goes on", modules.ErrNoAnswer)
)

// shutDown runs the plugin's shutdown, and ends the module. No call is under way but one that
// was not waited for.
func (m *Module) shutDown(ctx context.Context, cause error, shutdown bool) (err error) {
	if m.ending.Load() != nil || m.turn.take(ctx) != nil {
		m.fail(cause)
		short, cancel := context.WithTimeout(context.Background(), endLimit)
		defer cancel()
		if m.turn.take(short) != nil { // it ends with its call
			return fmt.Errorf("shut down %s: %w", m.plugin.config.File, errCallGoesOn)
		}
	}
	defer m.pass()
	switch {
	case !shutdown || m.ending.Load() != nil:
	case ctx.Err() != nil:
		err = fmt.Errorf("shut down %s: %w", m.plugin.config.File, errShutdownLate)
	default:
		err = m.runShutdown(ctx)
	}
	m.fail(cause)
	m.finish()
	return err
}

// runShutdown runs the plugin's shutdown until ctx, which has a deadline, ends; the caller has the
// turn.
func (m *Module) runShutdown(ctx context.Context) (err error) {
	deadline, _ := ctx.Deadline()
	m.plugin.config.around(ctx, func(ctx context.Context) {
		m.call = underWay{ctx: ctx, limit: max(time.Until(deadline), time.Nanosecond), began: now(), late: errShutdownLate}
		if trap := m.run(m.shutdown); trap != nil {
			m.fail(trapped(trap))
			err = fmt.Errorf("shut down %s: %w", m.plugin.config.File, m.crash(*m.ending.Load()))
		}
	})
	m.call = underWay{}
	return err
}

// Status implements [modules.Plugin].
func (p *Plugin) Status() isolate.Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	return isolate.Status{State: p.state, Restarts: p.restarts, Err: p.history.Last()}
}

// Reset implements [modules.Plugin].
func (p *Plugin) Reset() { p.history.Reset() }

// Kill implements [modules.Plugin].
func (p *Plugin) Kill(cause error) {
	p.stop(cause)
	for i := range p.places {
		if m := p.places[i].module.Load(); m != nil {
			m.kill(cause)
		}
	}
}

// Close implements [modules.Plugin].
func (p *Plugin) Close() error {
	p.stop(errOver) // a load or a back-off ends
	p.mu.Lock()
	closed := p.closed
	p.closed = true
	old := p.program
	p.program = nil
	p.mu.Unlock()
	if closed {
		return nil
	}
	err := p.endAll(errOver, true)
	if old != nil {
		old.release()
	}
	p.enter(isolate.Closed, nil)
	return err
}
