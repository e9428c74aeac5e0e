package plugintest

import (
	"github.com/nyash-plugins/nyash-go/internal/isolate/probe"
)

// guards tells whether the library's blocks of malloc can be guarded while sequences are played,
// so that its use of freed memory, and of memory beyond a block, ends the process there.
func (e *env) guards() bool {
	return probe.Guards && stopsWork && e.shared.heap.own && e.runtime == nil && !e.plugin.module
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
	if !ok || !w.options.guarded {
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
