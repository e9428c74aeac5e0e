package plugintest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/probe"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// exited reports a crash, or a hang, where the same shows in another worker.
func (f *faulting) exited(c faultCase, t *fault, run faultRun) {
	again := f.startFaulting(true)
	if again == nil {
		return
	}
	defer f.end(again)
	if base := f.play(again, c, &theFault, true); !base.made {
		return // it does so anyway
	}
	run = f.play(again, c, t, true)
	if run.exit == nil || run.where == nil {
		return
	}
	out, ok := again.faultFinding(run.where, t, run.exit)
	if !ok {
		return
	}
	if probe.Memory(t.name) && !isHang(run.exit.err) {
		f.crashes = append(f.crashes, out)
		return
	}
	f.add(out)
}

// faultFinding is the crash or hang of a call in which something fails, or of one after it; ok is false
// where it ends its process on purpose.
func (w *worker) faultFinding(where *step, t *fault, exit *exitError) (out Finding, ok bool) {
	var crash *transport.CrashError
	if !isHang(exit.err) && (!errors.As(exit.err, &crash) || !corrupts(w, crash)) {
		return out, false
	}
	found := w.exitFinding(exit.at, exit.err)
	out = where.finding(codeFaultCrash, "%s: %v, where %v", pick(isHang(exit.err), "it hangs", "it crashes"), found.Message, t)
	if exit.at.m != where.m {
		out.Message = fmt.Sprintf("afterwards %v %s: %s, where %v", exit.at.m, pick(isHang(exit.err), "hangs", "crashes"), found.Message, t)
	}
	out.Backtrace, out.Log, out.File, out.Line, out.Function = found.Backtrace, found.Log, found.File, found.Line, found.Function
	return out, true
}

// corrupts tells whether a signal is of a fault of memory, and not of an abort that is meant.
func corrupts(w *worker, crash *transport.CrashError) bool {
	if crash.Signal == syscall.SIGABRT {
		return slices.ContainsFunc(w.output.printedLines(), func(line string) bool {
			return strings.Contains(line, "free()") || strings.Contains(line, "corrupt") || strings.Contains(line, "munmap_chunk()") || strings.Contains(line, "malloc()")
		})
	}
	return slices.Contains([]syscall.Signal{syscall.SIGSEGV, syscall.SIGBUS, syscall.SIGFPE, syscall.SIGILL}, crash.Signal)
}

// judge compares a run with the one in which nothing failed, and with the one without the call.
func (f *faulting) judge(c faultCase, t *fault, base, run, without faultRun) {
	at, lost := -1, -1
	switch {
	case c.m == f.box.birth:
		return
	case run.a.code == abi.OK && run.key != base.key:
		if !f.wrongResult(c, t, &base, &run) {
			return
		}
	case run.a.code == abi.OK:
		if at = lostAfter(&base, &run, &without); at < 0 {
			return
		}
	case failed(run.a.code) && probe.Memory(t.name):
		if at = refusedAfter(base.later, without.later, run.later); at >= 0 {
			break
		}
		if lost = fewerAfter(c, &base, &without, &run); lost < 0 {
			return
		}
	default:
		return
	}
	if !f.repeats(c, t, base, run) {
		return
	}
	if lost >= 0 {
		f.reportLost(c, t, &base, &without, &run, lost)
		return
	}
	code, what := codeFaultIgnored, fmt.Sprintf("it answered %v, and %v where %v", base.key, run.key, t)
	switch {
	case failed(run.a.code):
		code, what = codeFaultUnusable, fmt.Sprintf("it was refused with %v, as %v, and then %v answered %v", run.key, t, run.after[at].m, run.later[at])
	case at >= 0:
		what = fmt.Sprintf("it answered %v, although %v: %v then answered %v, and otherwise %v", run.key, t, run.after[at].m, run.later[at], base.later[at])
	}
	g := run.where.finding(code, "%s", what)
	g.Steps = f.steps(&g, c, t, &run, at+1)
	f.add(g)
}

// lostAfter is the first later answer that shows that a call which succeeds has not done what it does
// where nothing fails; -1 for none.
func lostAfter(base, run, without *faultRun) int {
	for i := range min(len(base.later), len(run.later)) {
		if base.later[i] == run.later[i] {
			continue
		}
		// A number or "no" may be of how it was done, or say that something has failed. It shows that
		// nothing was done where it is as without the call, which has told nothing of that itself.
		asWithout := i < len(without.later) && without.later[i] == run.later[i]
		was, is := base.values[i], run.values[i]
		lost := asWithout && tellsNothing(run.a)
		switch {
		case base.later[i].code != abi.OK || run.later[i].code != abi.OK:
			lost = true
		case ofContent(was):
			lost = asWithout || otherContent(run.after[i], was, is)
		}
		if lost {
			return i
		}
	}
	return -1
}

// tellsNothing tells whether an answer is one that says no more than that the call has succeeded.
func tellsNothing(a *answer) bool {
	v, ok := a.value()
	yes, err := v.Bool()
	return !ok || v.IsVoid() || err == nil && yes || isHandle(v)
}

// otherContent tells whether a call answers other content than it does otherwise. What takes no arguments
// may be for telling how things are: its content is one of which something is missing.
func otherContent(c faultCall, was, is tlv.Value) bool {
	if len(c.sample.values) > 0 && ofContent(is) {
		return true
	}
	_, before, err := was.Blob()
	if _, after, err2 := is.Blob(); err == nil && err2 == nil {
		return after < before
	}
	return is.IsVoid() || was.Tag() == is.Tag() && is.Len() < was.Len() && strings.HasPrefix(was.Data(), is.Data())
}

// refusedAfter is the first call that fails after a call that was refused, and would not whether that
// had an effect or none; -1 for none.
func refusedAfter(with, without, have []answerKey) int {
	for i := range min(len(with), len(without), len(have)) {
		if failed(have[i].code) && with[i].code == abi.OK && without[i].code == abi.OK {
			return i
		}
	}
	return -1
}

// fewerAfter is the first call that answers less after a call that was refused, and the same as ever whether that
// had an effect or none, or that answers a part of the effect, or all of it, or less than either; -1 for none. What tells of calls that have failed, or of what it may do without, does so.
func fewerAfter(c faultCase, with, without, have *faultRun) int {
	if meansHalf(c.m) {
		return -1
	}
	for i, r := range have.after {
		if i >= len(with.later) || i >= len(without.later) || failed(with.later[i].code) {
			continue
		}
		if with.later[i] != without.later[i] {
			part := isPart(without.values[i], have.values[i], with.values[i])
			there := failed(without.later[i].code) && have.later[i] == with.later[i] // what the call is to bring about
			counted := isMore(without.values[i], with.values[i]) && have.later[i] == with.later[i] && !countsCalls.MatchString(r.m.name) && !means(countsCalls, r.m)
			lost := isLess(without.values[i], have.values[i]) && isLess(with.values[i], have.values[i]) // less than there is, whether it is made or not
			if (part || there || counted || lost) && !byPart.MatchString(c.m.name) && !tellsOfFailed.MatchString(r.m.name) && !mayGo.MatchString(r.m.name) {
				return i
			}
			continue
		}
		if !tellsOfFailed.MatchString(r.m.name) && !mayGo.MatchString(r.m.name) && !meansHalf(r.m) && isLess(with.values[i], have.values[i]) {
			return i
		}
	}
	return -1
}

// countsCalls are names, and words of the documentation, of methods that answer how often something was tried, or a number that each
// call raises.
var countsCalls = regexp.MustCompile(`(?i)call|operation|access|use|tried|times|sequence|version|generation|revision|serial|\bids?\b|next|counter|ticks?\b|changes|edits|events|total`)

// isMore tells whether of two numbers the second is the larger one.
func isMore(few, is tlv.Value) bool {
	a, err1 := few.Int()
	b, err2 := is.Int()
	return err1 == nil && err2 == nil && a >= 0 && b > a
}

// mayGo are names of what is dropped where memory is short.
var mayGo = regexp.MustCompile(`(?i)cache|room|capacity|reserve|free|memory|bytes|pool`)

// byPart are names of methods whose caller knows that a part of what it gives may be done.
var byPart = regexp.MustCompile(`(?i)write|send|stream|print|run|eval|exec|script|process|step`)

// isPart tells whether a value is of more than one and of no more than another: numbers, of which the other may be one of all calls that
// were made, or contents.
func isPart(few, is, all tlv.Value) bool {
	a, err1 := few.Int()
	b, err2 := is.Int()
	c, err3 := all.Int()
	if err1 == nil && err2 == nil && err3 == nil {
		return a < b && b < c
	}
	if few.Tag() == tlv.TagBlob && is.Tag() == tlv.TagBlob && all.Tag() == tlv.TagBlob {
		_, few, err1 := few.Blob()
		_, is, err2 := is.Blob()
		_, all, err3 := all.Blob()
		return err1 == nil && err2 == nil && err3 == nil && few < is && is < all
	}
	if !isText(few) || !isText(is) || !isText(all) {
		return false
	}
	return is == all && is.Len() > 0 || few.Len() < is.Len() && is.Len() <= all.Len()
}

// isLess tells whether a value is of less than another one: a smaller number, or a shorter content.
func isLess(was, is tlv.Value) bool {
	if n, err := was.Int(); err == nil {
		less, err := is.Int()
		return err == nil && n > 0 && less >= 0 && less < n
	}
	return isText(was) && isText(is) && is.Len() < was.Len()
}

// reportLost reports that something is gone since a call was refused.
func (f *faulting) reportLost(c faultCase, t *fault, base, without, run *faultRun, at int) {
	otherwise := fmt.Sprintf("%v where the call succeeds or is not made", base.later[at])
	if without.later[at] != base.later[at] {
		otherwise = fmt.Sprintf("%v where the call succeeds, %v where it is not made", base.later[at], without.later[at])
	}
	g := run.where.finding(codeHalf, "it was refused with %v, as %v, and %v answers %v since then, and %s: it has done a part of its work", run.key, t, run.after[at].m, run.later[at], otherwise)
	if len(c.before) > 0 {
		g.Message += fmt.Sprintf(" (on an instance after %s)", plural(len(c.before), "other call"))
	}
	g.Fix = halfFix()
	g.Steps = f.steps(&g, c, t, run, at+1)
	f.add(g)
}

// wrongResult tells whether a result differs in a way that is no answer to what has failed: a number or
// "no" may say that it did, and what cannot be opened may not be there.
func (f *faulting) wrongResult(c faultCase, t *fault, base, run *faultRun) bool {
	was, ok1 := base.a.value()
	is, ok2 := run.a.value()
	if ok1 && !ok2 && ofContent(was) && probe.Memory(t.name) {
		return true // nothing, where there is something
	}
	if !ok1 || !ok2 || probe.Opens(t.name) || c.m.declared != nil && c.m.declared.ReturnsResult {
		return false
	}
	if n, err := was.Int(); err == nil && n >= 0 {
		more, err := is.Int()
		return err == nil && more > n // nothing that fails does more
	}
	return ofContent(was) && ofContent(is) && otherContent(c.faultCall, was, is)
}

func ofContent(v tlv.Value) bool { return isText(v) || v.Tag() == tlv.TagBlob }

// repeats tells whether other workers answer the same with and without the fault: each a new one, as what the fault has left behind may
// change what is called next.
func (f *faulting) repeats(c faultCase, t *fault, base, run faultRun) bool {
	again := func() bool {
		w := f.startFaulting(false)
		if w == nil {
			return false
		}
		defer f.end(w)
		for range c.played - 1 {
			f.play(w, c, &theFault, true)
		}
		first, second := f.play(w, c, &theFault, true), f.play(w, c, t, true)
		return first.made && second.made && first.key == base.key && second.key == run.key && slices.Equal(first.later, base.later) && slices.Equal(second.later, run.later)
	}
	for range agreeing - 1 {
		if !again() {
			return false
		}
	}
	return true
}
