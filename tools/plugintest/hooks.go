package plugintest

import (
	"errors"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/isolate/probe"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// This file is all that the tester uses of internal/isolate's hooks for testers.
// Their types are named here once; the other files use these names.
type (
	layout       = wire.Layout
	damage       = wire.Damage
	processState = probe.Changes
	batch        = probe.Batch
	batchCall    = probe.BatchCall
)

const (
	layoutNullArgs   = wire.NullArgs
	layoutNullResult = wire.NullResult
	layoutSlack      = wire.Slack
	layoutKeep       = wire.Keep

	damageArgs         = wire.ArgsWritten
	damageBeforeResult = wire.BeforeResult
	damageBehindResult = wire.BehindResult

	// filler is what result buffers hold before a call, behind their first four
	// bytes, which are 0.
	filler = wire.Filler
	// unwritten is the code of a call of a batch that was not made.
	unwritten = probe.Unwritten
)

// invoke makes a call in memory that is laid out so that faults show, or with
// options.plain in ordinary memory, which is faster. It is safe for concurrent use.
func (w *worker) invoke(s *step) (*answer, error) {
	a := &answer{buf: make([]byte, s.resultSize)}
	p := &probe.Call{Probe: wire.Probe{Layout: s.layout}}
	p.TypeID, p.Method, p.Instance = s.typeID, s.method, s.instance
	p.SetArgs(s.args)
	p.SetResultBuffer(a.buf)
	call := func() error { return probe.Invoke(w.callCtx, w.session, p) }
	if w.options.plain {
		for i := 4; i < len(a.buf); i++ {
			a.buf[i] = filler // as a probe does
		}
		call = func() error { return w.session.Invoke(w.callCtx, &p.Call) }
	}
	if err := w.killIfAbandoned(call()); err != nil {
		return nil, &exitError{s, err}
	}
	a.code, a.length, a.damage = p.Code, uint64(p.ResultLength), p.Damage
	return a, nil
}

// killIfAbandoned ends the worker when the tester has given up a call in it.
func (w *worker) killIfAbandoned(err error) error {
	var abandoned *transport.AbandonedError
	if errors.As(err, &abandoned) {
		w.session.Kill(abandoned.Err)
		return abandoned.Wait()
	}
	return err
}

// invokeBatch makes the calls of a batch. s is what is reported if the worker
// exits.
func (w *worker) invokeBatch(b *batch, s step) error {
	if err := probe.RunBatch(w.session, b); err != nil {
		return &exitError{&s, err}
	}
	return nil
}

// processState compares the worker's process with what it was before the library
// was loaded. The error is errNoState where that is not known. Looking at the
// threads takes some milliseconds.
func (w *worker) processState(m *method, threads bool) (processState, error) {
	state, err := probe.Survey(w.session, threads)
	if err != nil && !errors.Is(err, errNoState) {
		err = &exitError{&step{m: m}, err}
	}
	return state, err
}

var errNoState = transport.ErrUnsupported

// shutdown calls the plugin's shutdown; the worker goes on.
func (w *worker) shutdown() error {
	return exitAt("shutdown", probe.Shutdown(w.session))
}

// reload calls shutdown and loads the library again.
func (w *worker) reload() error {
	return exitAt("reload", probe.Reload(w.session))
}

func exitAt(function string, err error) error {
	if err == nil {
		return nil
	}
	return &exitError{&step{m: libraryFunc(function)}, err}
}

// lendBlob puts data into the worker's memory, as a host lends a blob.
func (w *worker) lendBlob(data []byte) (addr uint64, err error) {
	return w.session.Lend(w.callCtx, data)
}

// adopt takes a returned blob over, as a host does, and frees it.
func (w *worker) adopt(addr, length uint64) error {
	_, release, err := w.session.Adopt(w.callCtx, addr, length)
	if err == nil {
		release()
	}
	return err
}

// configNow tells what has become of the library's text on itself.
func (w *worker) configNow() (probe.Config, error) {
	now, err := probe.LookAtConfig(w.session)
	return now, exitAt(abi.SymbolConfig, err)
}

func (w *worker) description() abi.Description { return w.session.Description() }

// hostMemory counts what the plugin does with host->alloc and host->free.
func (w *worker) hostMemory() (hostvtable.Memory, bool) { return w.session.Memory() }
