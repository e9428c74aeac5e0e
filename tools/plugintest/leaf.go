package plugintest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/isolate/probe"
)

// leafCheck holds leaf methods to what they promise. That they call nothing of their host is
// seen in the calls of all checks (hostfound.go).
var leafCheck = check{name: "leaf", summary: "leaf methods: their time, what they wait for, their stack", needs: needsLeaf, run: leaf}

const (
	// leafTime is the processor time that a leaf method may take, as the median of its calls.
	leafTime = 20 * time.Microsecond
	// leafStack is half of the stack that a leaf method has, in bytes.
	leafStack = 128 << 10
	// leafRounds is how often a method is watched that seems slow: the fastest counts, because
	// a busy machine makes processors slower.
	leafRounds = 3
	// rareWaits is how many calls may make a system call that the others do not: what is
	// done once in a while.
	rareWaits = 1
)

// isLeaf tells whether a method is declared to be a leaf method.
func (m *method) isLeaf() bool { return m.declared != nil && m.declared.Leaf }

func leaf(e *env) error {
	if e.plugin.module {
		return nil
	}
	found := false
	defer func() {
		if !found {
			e.skip("no method is declared with leaf = true")
		}
	}()
	return e.each(func(m *method, sample argSample) error {
		found = found || m.isLeaf()
		if !m.isLeaf() || e.has(codeLeafCalls, m) {
			return nil
		}
		var fastest *watch
		for round := range leafRounds {
			w, err := e.watch(m, sample)
			if err != nil || w == nil {
				return err
			}
			if round == 0 {
				e.checkStack(w)
				if e.checkWaits(w) {
					return nil // to wait and to be woken takes processor time, too
				}
			}
			if fastest == nil || w.median() < fastest.median() {
				fastest = w
			}
			if fastest.median() <= leafTime {
				return nil
			}
		}
		e.add(e.leafFinding(fastest, codeLeafSlow, "its calls take %v of processor time, as the median of %d", fastest.median().Round(time.Microsecond), len(fastest.Times)))
		return nil
	})
}

// watch is what the calls of a leaf method have shown.
type watch struct {
	probe.Watch
	step step
}

// watch has the calls made; nil where they cannot be, or the worker has exited.
func (e *env) watch(m *method, sample argSample) (watched *watch, err error) {
	err = e.withWorker(workerOptions{plain: true}, func(w *worker) error {
		id, args, err := w.prepare(m, sample)
		if err != nil {
			return err
		}
		first, err := w.call(m, id, args) // which tells how much room there must be
		if err != nil {
			return err
		}
		s := w.step(m, id, args).withResultSize(max(plainResultSize, 2*len(first.buf)))
		have := &watch{step: s}
		have.Call = batchCall{TypeID: s.typeID, Method: s.method, Instance: s.instance, Args: s.args, Room: s.resultSize}
		switch err := w.watchCalls(have); {
		case errors.Is(err, errNoState):
			e.skip("%v: what a leaf method takes is told on Linux only", m)
			return w.finiAll()
		case err != nil:
			return err
		}
		w.counted(len(have.Times) + have.Traced + 1)
		watched = have
		return w.finiAll()
	})
	return watched, err
}

// watchCalls makes the calls, and takes over what they give.
func (w *worker) watchCalls(x *watch) error {
	ctx := context.Background()
	asking := w.host.enter(ctx, &x.step)
	if asking != nil {
		ctx = asking
	}
	err := w.life.watch(ctx, &x.Watch)
	w.host.leaveBatch(asking, &batch{Calls: x.Results})
	if errors.Is(err, errNoState) {
		return err
	}
	if err != nil {
		return &exitError{&x.step, err}
	}
	for i := range x.Results {
		w.takeOver(x.step.m, batchAnswer(&x.Results[i]), x.step.args)
	}
	return nil
}

func (x *watch) median() time.Duration {
	times := slices.Sorted(slices.Values(x.Times))
	return times[len(times)/2]
}

// checkWaits reports a method that can wait, and whether it does.
func (e *env) checkWaits(x *watch) bool {
	if x.Traced == 0 { // the kernel tells only that it slept
		if 2*x.Sleeps > len(x.Times) {
			e.add(e.leafFinding(x, codeLeafBlocks, "it gives up the processor and waits, in %d of %d calls", x.Sleeps, len(x.Times)))
			return true
		}
		return false
	}
	for _, wait := range x.Waits {
		if wait.Calls > rareWaits || x.Traced <= rareWaits {
			e.add(e.leafFinding(x, codeLeafBlocks, "it makes the system call %s, which can wait, in %d of %d calls", wait.Name, wait.Calls, x.Traced))
			return true
		}
	}
	return false
}

func (e *env) checkStack(x *watch) {
	if x.Stack <= leafStack {
		return
	}
	size := fmt.Sprintf("%d KiB", x.Stack>>10)
	if x.StackEnd {
		size = fmt.Sprintf("at least %d KiB", x.Stack>>10)
	}
	e.add(e.leafFinding(x, codeLeafStack, "its calls take %s of stack, and a leaf method has 256 KiB", size))
}

// leafFinding is a finding at the method, with the place where it is declared to be a leaf
// method.
func (e *env) leafFinding(x *watch, code, format string, args ...any) Finding {
	return e.declaredLeaf(x.step.m, x.step.finding(code, format, args...))
}

func (e *env) declaredLeaf(m *method, f Finding) Finding {
	at := e.leafSource(m)
	f.File, f.Line = at.file, at.line
	f.Message += "; leaf = true is in " + at.name
	return f
}

// leafSource is where a method is declared to be a leaf method; it is.
func (e *env) leafSource(m *method) source {
	if m.conf != nil && (m.conf.Leaf || m.own == nil) {
		return e.sourceAt(m.conf.Pos, true)
	}
	return e.sourceAt(m.own.Pos, false)
}

// calledBack notes that a leaf method asks its host for something, or calls it. The caller
// holds mu.
func (h *host) calledBack(in *asking, does, what string) {
	if in.in.isLeaf() {
		h.note(h.worker.declaredLeaf(in.in, in.finding(codeLeafCalls, "it %s %s", does, contract.Excerpt(what))))
	}
}
