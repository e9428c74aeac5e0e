package wasm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tetratelabs/wazero/api"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/modules"
)

// Module is one life of one module of a library.
type Module struct {
	plugin      *Plugin
	place       int // of the plugin's modules
	description abi.Description
	number      uint64
	ctx         *moduleContext

	turn turn

	// Who has the turn has these.
	instance api.Module
	memory   api.Memory
	functions
	stack   [8]uint64 // of arguments and results, for the functions
	word    [1]uint64 // the same, for those of the allocator, which may run within another
	scratch scratch
	direct  direct
	call    underWay
	closers []func()
	// Of the call to the host that is under way.
	hostCall abi.Call
	hostRoom []byte

	dead   atomic.Bool
	ending atomic.Pointer[error] // what the calls are to end with; nil while it lives
	end    sync.Once
	life   context.Context // until it is to end, of which what it calls at its host learns
	over   context.CancelCauseFunc

	// attention is true where a call has more to do than to call: the module is to end, or
	// memory is to be freed. Who sets the reason sets it afterwards.
	attention atomic.Bool

	pending struct { // what is to be freed at the next turn
		sync.Mutex
		addrs []uint32
		spare []uint32 // for the next ones
	}
}

// functions are those that a module exports; nil where one that may be missing is.
type functions struct {
	abi, init, invoke, shutdown, hostTable, alloc, free api.Function
	batch, config, connect, hostCalls, begin            api.Function
}

func (f *functions) all() []*api.Function {
	return []*api.Function{ // as in exports
		&f.abi, &f.init, &f.invoke, &f.shutdown, &f.hostTable, &f.alloc, &f.free,
		&f.batch, &f.config, &f.connect, &f.hostCalls, &f.begin,
	}
}

// moduleContext is the context that a module is called with: its functions of the host find it
// there. It never ends, and is made once, so that a call makes nothing.
type moduleContext struct {
	context.Context
	module *Module
}

// Value has nothing: the engine asks in each call.
func (*moduleContext) Value(any) any { return nil }

// underWay is what is known of the call that is under way. Each call sets it up, and so it is
// little.
type underWay struct {
	ctx       context.Context // of what is asked of the host; nil without a call
	limit     time.Duration   // of its time; 0 for none
	late      error           // of limit
	began     time.Duration   // of its time, see now; 0 before the first look
	cancelled time.Duration   // when it was seen that ctx has ended
	allocates bool            // in nyash_alloc or nyash_free, which may not call the host
}

// now is a time that is never 0.
func now() time.Duration { return time.Since(origin) }

var origin = time.Now().Add(-time.Second)

// Description is what the plugin said of itself.
func (m *Module) Description() abi.Description { return m.description }

// Lost reports whether the module has ended, and all its instances with it.
func (m *Module) Lost() bool { return m.dead.Load() }

// Invoke calls nyash_plugin_invoke. ctx bounds the waiting for the module's turn. When it ends
// within the call, that may go on for the plugin's CancelGrace; then the module is ended, as it
// is where a call takes longer than CallTimeout. The time in which the plugin waits for its host
// does not count. The error is [transport.ErrLost] where no call was made; where it was lost, it
// is a [*transport.CrashError], or matches [transport.ErrTimeout], or is ctx's.
//
// With the call of the module's slot, whose owner the caller is, there is no waiting.
func (m *Module) Invoke(ctx context.Context, c *abi.Call) error {
	if c == m.direct.parts.Call {
		return m.invokeDirect(ctx, c)
	}
	if err := m.enter(ctx); err != nil {
		return err
	}
	done := false
	defer m.leave(&done)
	transport.Began(ctx)
	err := m.invokeMethod(c)
	done = true
	return err
}

// enter takes the turn for a call.
func (m *Module) enter(ctx context.Context) error {
	if !m.turn.try() {
		if err := m.turn.take(ctx); err != nil {
			return err
		}
	}
	err := m.begins(ctx)
	if err != nil {
		m.pass()
	}
	return err
}

// begins sets up what is known of a call; the caller has the turn.
func (m *Module) begins(ctx context.Context) error {
	m.call.ctx, m.call.began, m.call.cancelled = ctx, 0, 0
	if m.attention.Load() {
		return m.attend()
	}
	return nil
}

// attend does, at the beginning of a call, what is not done in each.
func (m *Module) attend() error {
	if m.ends() {
		m.call.ctx = nil
		m.finish()
		return modules.ErrLost
	}
	m.attention.Store(false)
	if m.ends() { // since it was looked at
		m.attention.Store(true)
	}
	m.freePending()
	return nil
}

// ordinary is a call that has the time that nyash.toml gives it.
func (m *Module) ordinary() underWay {
	return underWay{limit: m.plugin.config.CallTimeout, late: m.plugin.config.callLate}
}

// leave gives the turn up. done is false where the goroutine ends in the middle of a call,
// because a function of the host's has ended it.
func (m *Module) leave(done *bool) {
	if !*done {
		m.fail(errors.New("a function of the host's has ended the goroutine of its caller"))
	}
	m.call.ctx = nil
	if m.attention.Load() {
		m.finish()
	}
	m.pass()
}

// pass passes the turn.
func (m *Module) pass() {
	m.settle()
	m.turn.pass()
}

// invokeMethod makes a call; the caller has the turn.
func (m *Module) invokeMethod(c *abi.Call) error {
	message, room := c.Message(), c.ResultBuffer()
	view, err := m.layOut(len(message), len(room))
	if err != nil {
		c.Code, c.ResultLength = abi.ErrOutOfMemory, 0
		if m.ending.Load() != nil {
			return m.lostCall(err)
		}
		return nil
	}
	s := &m.scratch
	copy(view[s.args:], message)
	binary.LittleEndian.PutUint32(view, uint32(len(room)))
	if len(room) >= 4 { // as the host's own buffer is: see package loader
		binary.LittleEndian.PutUint32(view[s.result:], 0)
	}
	// Word by word: an array that is copied as a whole is read while its words are still being
	// written, which takes 4 ns more.
	m.stack[0], m.stack[1], m.stack[2] = uint64(c.TypeID), uint64(c.Method), uint64(c.Instance)
	m.stack[3], m.stack[4] = uint64(s.at+s.args), uint64(len(message))
	m.stack[5], m.stack[6] = uint64(s.at+s.result), uint64(s.at)
	if err := m.invoke.CallWithStack(m.ctx, m.stack[:]); err != nil {
		return m.lostCall(err)
	}
	c.Code = abi.Code(api.DecodeI32(m.stack[0]))
	view, ok := m.memory.Read(s.at, s.size) // it may have moved
	if !ok {
		return m.lostCall(errShrunk)
	}
	length := binary.LittleEndian.Uint32(view)
	c.ResultLength = uintptr(length)
	if length > uint32(len(room)) || c.Code == abi.ErrShortBuffer {
		return nil
	}
	answer := view[s.result:][:length]
	if int(length) == len(room) && length >= 4 && binary.LittleEndian.Uint32(answer) == 0 {
		return nil // a buffer that was left alone
	}
	copy(room, answer)
	return nil
}

var errShrunk = errors.New("its memory has become smaller")

// InvokeBatch makes none: a call of a module costs too little for a crossing to be shared.
func (m *Module) InvokeBatch(context.Context, []abi.Call) (made int, err error) { return 0, nil }

// lostCall ends the module for an error of the engine's, and returns that of the call.
func (m *Module) lostCall(err error) error {
	ctx := m.call.ctx
	m.fail(trapped(err))
	cause := *m.ending.Load()
	switch {
	case errors.Is(cause, transport.ErrTimeout):
		return cause
	case errors.Is(cause, transport.ErrCancelled) && ctx != nil && ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return m.crash(cause)
}

func (m *Module) crash(cause error) *transport.CrashError {
	return &transport.CrashError{Module: true, Cause: cause}
}

// fail has the module end, for a reason. The first one counts.
func (m *Module) fail(cause error) {
	if m.ending.CompareAndSwap(nil, &cause) {
		m.logStack(cause)
	}
	m.attention.Store(true)
	m.over(cause)
}

// kill has the module end: its call at the next look, if there is one, and else at once.
func (m *Module) kill(cause error) {
	m.fail(cause)
	if m.turn.try() {
		m.finish()
		m.pass()
	}
}

// finish ends a module that is to end; the caller has the turn.
func (m *Module) finish() {
	if m.ending.Load() == nil {
		return
	}
	m.end.Do(func() {
		m.dead.Store(true)
		m.plugin.ended(m)
		m.close()
	})
}

// close frees what a module has; the caller has the turn. Whatever lies in the module's memory
// cannot be used from then on.
func (m *Module) close() {
	m.displace()
	if m.instance != nil {
		_ = m.instance.Close(context.Background())
	}
	for _, f := range m.closers {
		f()
	}
	m.instance, m.memory, m.functions, m.closers = nil, nil, functions{}, nil
}

// stop is the panic by which a function of the host's ends a call of the module.
type stop struct{ cause error }

func (s *stop) Error() string { return s.cause.Error() }

// look is called from within the module, about each millisecond while it runs: it ends the call
// where that is to end.
func (m *Module) look() {
	if m.ending.Load() != nil {
		panic(&stop{*m.ending.Load()})
	}
	call := &m.call
	if call.ctx == nil {
		return
	}
	if call.limit > 0 {
		if call.began == 0 {
			call.began = now()
		} else if now()-call.began >= call.limit {
			m.stop(call.late)
		}
	}
	if call.ctx.Err() == nil {
		return
	}
	if call.cancelled == 0 {
		call.cancelled = now()
	}
	if now()-call.cancelled >= m.plugin.config.CancelGrace {
		m.stop(transport.ErrCancelled)
	}
}

// stop ends the call that is under way, and the module.
func (m *Module) stop(cause error) {
	m.fail(cause)
	panic(&stop{*m.ending.Load()})
}

// sleep is a sleep of the module's, which ends with the call's time.
func (m *Module) sleep(nanoseconds int64) {
	m.look()
	if nanoseconds <= 0 {
		return
	}
	deadline := time.Now().Add(time.Duration(nanoseconds))
	for left := time.Until(deadline); left > 0; left = time.Until(deadline) {
		timer := time.NewTimer(min(left, sleepSlice))
		var done <-chan struct{}
		if m.call.ctx != nil {
			done = m.call.ctx.Done()
		}
		select {
		case <-timer.C:
		case <-done:
			timer.Stop()
			m.look()
			return // what is left of the call has its grace
		}
		m.look()
	}
}

// sleepSlice is how long a module sleeps at most before it is looked at again.
const sleepSlice = 20 * time.Millisecond

// pointer checks that so many bytes at an address are in the module's memory.
func (m *Module) pointer(at uint64, size uint64) (uint32, error) {
	if at > math.MaxUint32 || size > math.MaxUint32 || at+size > uint64(m.memory.Size()) {
		return 0, fmt.Errorf("%d bytes at %#x are not in its memory of %d bytes", size, at, m.memory.Size())
	}
	return uint32(at), nil
}
