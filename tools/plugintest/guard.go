package plugintest

import (
	"github.com/nyash-plugins/nyash-go/internal/isolate/probe"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// guards tells whether the library's blocks of malloc can be guarded while sequences are played,
// so that its use of freed memory, and of memory beyond a block, ends the process there.
func (e *env) guards() bool {
	return probe.Guards && stopsWork && e.shared.heap.own && e.runtime == nil && !e.plugin.module
}

// guardOf is the guard in a world.
func (e *env) guardOf(in world) guard {
	if !e.guards() {
		return wire.GuardNone
	}
	return in.guard
}

// misuses are what the kinds of misuse are reported as.
var misuses = map[probe.Misuse]struct{ code, text string }{
	probe.DoubleFree:     {codeDoubleFree, "it freed a block of malloc that it had freed before"},
	probe.FreedInside:    {codeDoubleFree, "it freed an address in the middle of a block of malloc"},
	probe.WrittenBehind:  {codeInvalidWrite, "it freed a block of malloc behind which it had written: the few bytes up to the next boundary have changed"},
	probe.WrittenInFront: {codeInvalidWrite, "it freed a block of malloc in front of which it had written"},
	probe.UsedAfterFree:  {codeAfterFree, "it used a block of malloc that it had freed"},
	probe.UsedBehind:     {codeInvalidRead, "it read behind the end of a block of malloc"},
}

// misused tells of a crash in memory that was guarded.
func (w *worker) misused(f *Finding) bool {
	fault, ok := w.stacks.fault()
	if !ok || w.options.guard == wire.GuardNone {
		return false
	}
	m, ok := probe.MisuseAt(fault.Address)
	if !ok {
		return false
	}
	as := misuses[m]
	if m == probe.UsedBehind && fault.Write {
		as.code, as.text = codeInvalidWrite, "it wrote behind the end of a block of malloc"
	}
	f.Code, f.Message = as.code, as.text
	if m < probe.UsedAfterFree {
		return true // the worker's own code has found it: the stack shows no line of the library
	}
	if f.setStacks(w.stacks.taken()); len(f.Backtrace) == 0 {
		w.stacks.describeFault(f)
	}
	return true
}

// ending is how a sequence ends its worker.
type ending struct {
	findings []Finding
	answers  []observed
	misuse   bool // of guarded memory
}

// endOf plays a sequence that ends its worker in a method, and looks at how. What is no misuse of
// guarded memory has to show without a guard, too: on a very small stack, say, and where calls of
// malloc must take no time, there is no place for one.
func (x *exploration) endOf(ops sequence, m *method) ending {
	end := x.endWith(ops, x.guardOf(ordinary))
	switch {
	case !x.guards():
		return end
	case !end.misuse:
		if out := x.quick().play(ops, unguarded); out.exit != nil && out.exit.at.m == m {
			return x.endWith(ops, wire.GuardNone)
		}
		x.shared.heap.own = false // from here on without
		return ending{}
	case len(end.findings) > 0 && end.findings[0].Line == 0:
		// It was found when the block was freed. With the other guard it may be found where it is done.
		if exact := x.endWith(ops, wire.GuardExact); exact.misuse && len(exact.findings) > 0 && exact.findings[0].Line > 0 {
			return exact
		}
	}
	return end
}

// endWith plays a sequence that ends its worker with a guard, and has a debugger look at it.
func (x *exploration) endWith(ops sequence, g guard) (end ending) {
	own, report := x.env.alone()
	own.shared.lookedAt = &counts{}
	w, err := own.start(workerOptions{guard: g})
	if w == nil || err != nil {
		return end
	}
	p := newPlayer(w, nil, ops, ordinary)
	if p.run(); p.out.exit != nil {
		w.reportExit(p.out.exit.at, p.out.exit.err)
		if fault, ok := w.stacks.fault(); ok && g != wire.GuardNone {
			_, end.misuse = probe.MisuseAt(fault.Address)
		}
	}
	w.close()
	end.findings, end.answers = report.Findings, p.out.answers
	return end
}
