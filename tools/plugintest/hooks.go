package plugintest

import (
	"bytes"
	"context"
	"errors"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/isolate/probe"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// This file and life.go are all that the tester uses of the hooks for testers. Their types are
// named here once; the other files use these names.
type (
	layout       = wire.Layout
	damage       = wire.Damage
	processState = probe.Changes
	batch        = probe.Batch
	batchCall    = probe.BatchCall
	faulted      = probe.Faulted
	faultMode    = probe.FaultMode
	guard        = wire.Guard
)

const (
	faultError       = probe.FaultError
	faultInterrupted = probe.FaultInterrupted
	faultPart        = probe.FaultPart
	faultForGood     = probe.FaultForGood
	faultLate        = probe.FaultLate
	noFault          = probe.NoFault

	layoutNullArgs   = wire.NullArgs
	layoutNullResult = wire.NullResult
	layoutSlack      = wire.Slack
	layoutKeep       = wire.Keep
	layoutThread     = wire.OtherThread
	layoutOneThread  = wire.OneThread
	layoutWatch      = wire.Watch
	layoutAtStart    = wire.AtStart
	layoutBlobs      = wire.OwnBlobs

	damageArgs         = wire.ArgsWritten
	damageBeforeResult = wire.BeforeResult
	damageBehindResult = wire.BehindResult
	damageLeft         = wire.Left

	// filler is what result buffers hold before a call, behind their first four
	// bytes, which are 0.
	filler = wire.Filler
	// unwritten is the code of a call of a batch that was not made.
	unwritten = probe.Unwritten
)

// invoke makes a call in memory that is laid out so that faults show, or with
// options.plain in ordinary memory, which is faster. It is safe for concurrent use.
func (w *worker) invoke(s *step) (*answer, error) {
	w.doing.Store(s)
	a := &answer{buf: make([]byte, s.resultSize)}
	p := &probe.Call{Probe: wire.Probe{Layout: s.layout}}
	if len(s.lent) > 0 {
		p.Layout |= layoutBlobs
	}
	p.TypeID, p.Method, p.Instance = s.typeID, s.method, s.instance
	p.SetArgs(s.args)
	p.SetResultBuffer(a.buf)
	ctx := w.callCtx
	asking := w.host.enter(ctx, s)
	if asking != nil {
		ctx = asking
	}
	call := w.life.probe
	if w.options.plain {
		a.fill()
		call = func(ctx context.Context, c *probe.Call) error { return w.life.Invoke(ctx, &c.Call) }
	}
	if err := w.life.abandon(call(ctx, p)); err != nil {
		w.host.leave(asking, nil)
		return nil, &exitError{s, err}
	}
	a.code, a.length, a.damage = p.Code, uint64(p.ResultLength), p.Damage
	w.host.leave(asking, a)
	return a, nil
}

// invokeNested makes a call, in ordinary memory, that the library itself waits for.
func (w *worker) invokeNested(in *asking, s *step) (*answer, error) {
	a := &answer{buf: make([]byte, s.resultSize)}
	c := abi.Call{TypeID: s.typeID, Method: s.method, Instance: s.instance}
	c.SetArgs(s.args)
	c.SetResultBuffer(a.buf)
	a.fill()
	if err := w.life.abandon(w.life.Invoke(in, &c)); err != nil {
		return nil, err
	}
	a.code, a.length = c.Code, uint64(c.ResultLength)
	return a, nil
}

// fill fills the result buffer as a probe does.
func (a *answer) fill() {
	for i := 4; i < len(a.buf); i++ {
		a.buf[i] = filler
	}
}

// invokeBatch makes the calls of a batch. s is what is reported if the worker
// exits.
func (w *worker) invokeBatch(b *batch, s step) error {
	w.doing.Store(&s)
	ctx := context.Background()
	asking := w.host.enterBatch(&s, w.shared.hostCalls[s.m])
	if asking != nil {
		ctx = asking
	}
	err := w.life.batch(ctx, b)
	w.host.leaveBatch(asking, b)
	if err != nil {
		return &exitError{&s, err}
	}
	return nil
}

// processState compares the worker's process with what it was before the library
// was loaded. The error is errNoState where that is not known. Looking at the
// threads takes some milliseconds.
func (w *worker) processState(m *method, threads bool) (processState, error) {
	state, err := w.life.survey(threads)
	if err != nil && !errors.Is(err, errNoState) {
		err = &exitError{&step{m: m}, err}
	}
	return state, err
}

var errNoState = transport.ErrUnsupported

// shutdown calls the plugin's shutdown; the worker goes on. Only the first time does something.
func (w *worker) shutdown() error {
	if w.ended {
		return nil
	}
	w.ended = true
	before := w.reportLeft()
	w.doing.Store(&step{m: libraryFunc("shutdown")})
	err := w.host.within("shutdown", func(ctx context.Context) error { return w.life.shutdown(ctx) })
	if err == nil {
		w.reportLeftByShutdown(before)
	}
	return exitAt("shutdown", err)
}

// reload calls shutdown and loads the library again.
func (w *worker) reload() error {
	w.doing.Store(&step{m: libraryFunc("reload")})
	err := w.host.within(loading, func(ctx context.Context) error { return w.life.reload(ctx) })
	return exitAt("reload", err)
}

// unanswered is how often the library has called its host after shutdown.
func (w *worker) unanswered() uint64 {
	n, err := w.life.unanswered()
	if err != nil {
		return 0 // the worker has exited
	}
	return n
}

func exitAt(function string, err error) error {
	if err == nil {
		return nil
	}
	return &exitError{&step{m: libraryFunc(function)}, err}
}

// lendBlob puts data into the worker's memory, as a host lends a blob.
func (w *worker) lendBlob(data []byte) (addr uint64, err error) {
	if addr, err = w.life.Lend(w.callCtx, data); err == nil {
		w.lending.add(addr, data)
	}
	return addr, err
}

// adopt takes a returned blob over, as a host does, and frees it. Its bytes are there with
// options.blobs alone: copying them takes time.
func (w *worker) adopt(addr, length uint64) ([]byte, error) {
	data, release, err := w.life.Adopt(w.callCtx, addr, length)
	if err != nil {
		return nil, err
	}
	defer release()
	if !w.options.blobs {
		return nil, nil
	}
	return bytes.Clone(data), nil
}

// configNow tells what has become of the library's text on itself.
func (w *worker) configNow() (probe.Config, error) {
	now, err := w.life.lookAtConfig()
	return now, exitAt(abi.SymbolConfig, err)
}

func (w *worker) description() abi.Description { return w.life.Description() }

// hostMemory counts what the plugin does with host->alloc and host->free.
func (w *worker) hostMemory() (hostvtable.Memory, bool) { return w.life.memory() }
