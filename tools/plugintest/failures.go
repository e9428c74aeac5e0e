package plugintest

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/probe"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// failuresCheck has memory run out and system calls fail, one after another, in calls that work.
var failuresCheck = check{name: "failures", summary: "calls in which memory runs out or a system call fails", needs: needsBoxes | needsFaults, timed: true, run: failures}

const (
	maxFaults    = 40 // calls of the system that fail in one call of a method
	maxReaders   = 16 // calls that are made afterwards
	faultSamples = 2  // argument lists of a method
	// leastFailures and mostFailures are what the check takes for a box, at most.
	leastFailures, mostFailures = 5 * time.Second, 8 * time.Second
)

// cannotFail is why nothing can be made to fail in a library; empty where it can be.
func (p *plugin) cannotFail(c *Config, runtime *goRuntime) string {
	switch {
	case !probe.Faults || p.module || runtime != nil || !writtenInC(c.File):
		return "they are brought about in libraries of C and C++ alone, on Linux and amd64"
	case p.own.init.Connects:
		return "what a library does that calls its host depends on that, too"
	}
	return ""
}

func failures(e *env) error {
	if why := e.plugin.cannotFail(e.config, e.runtime); why != "" {
		e.skip("failures: %s", why)
		return nil
	}
	if e.shared.keepsMemory {
		e.skip("failures: the plugin uses memory of past calls")
		return nil
	}
	if err := e.learn(); err != nil {
		return err
	}
	for _, b := range e.plugin.boxes {
		if e.shared.birthBroken[b] {
			continue
		}
		f := &faulting{env: e.quick(), box: b, until: time.Now().Add(min(max(e.whole()/4, leastFailures), time.Duration(e.stretch)*mostFailures))}
		f.run()
	}
	return nil
}

// faulting tries the methods of a box.
type faulting struct {
	*env
	box     *box
	until   time.Time
	readers map[*box][]faultCall // that are made after the call in which something fails
	crashes []Finding            // where memory is out
	handled bool                 // some method has refused a call for which there was no memory
	refused []failedCase
	hurried bool // there was no time for a measurement
}

// callsOf are calls of a box's methods that work, with so many argument lists of each at most.
func (f *faulting) callsOf(b *box, most int) (calls []faultCall) {
	for _, m := range b.methods {
		if f.shared.broken[m] || f.shared.slow[m] {
			continue
		}
		samples := 0
		for _, s := range f.shared.samples[m] {
			if s.works && samples < most {
				calls = append(calls, faultCall{m, s})
				samples++
			}
		}
	}
	return calls
}

// failedCase is a call with the faults that it has survived.
type failedCase struct {
	faultCase
	faults []fault
}

// faultCall is a call with a sample.
type faultCall struct {
	m      *method
	sample argSample
}

// stores is 1 for a method that changes something, by its name or as it answers nothing, and else 0.
func stores(m *method) int {
	void := m.declared != nil && m.declared.Returns.Tag == tlv.TagVoid
	if void || storesByName.MatchString(m.name) || takesByName.MatchString(m.name) {
		return 1
	}
	return 0
}

// takesByName are names of methods that take something away.
var takesByName = regexp.MustCompile(`(?i)^(remove|delete|erase|drop|clear|reset|pop|take|retract|cancel|close|finish|end|stop|forget|release|undo|redo|restore|rename|move|swap)`)

func (f *faulting) run() {
	calls := f.callsOf(f.box, faultSamples)
	f.readers = make(map[*box][]faultCall)
	for _, b := range f.plugin.boxes {
		all := f.callsOf(b, 1)
		slices.SortStableFunc(all, func(a, b faultCall) int { // those that read first, mostly
			return cmp.Or(cmp.Compare(stores(a.m), stores(b.m)), cmp.Compare(len(a.sample.values), len(b.sample.values)))
		})
		f.readers[b] = all[:min(len(all), maxReaders)]
	}
	if !f.box.singleton {
		calls = append([]faultCall{{m: f.box.birth}}, calls...)
	}
	for _, c := range append(calls, ofSeveral(calls)...) {
		if f.ctx.Err() != nil || time.Now().After(f.until) {
			break
		}
		f.at(c.m)
		for _, before := range f.befores(c, calls) {
			f.try(faultCase{faultCall: c, before: before})
		}
	}
	for _, c := range f.refused { // it takes the most time
		f.at(c.m)
		f.leaks(c.faultCase, c.faults)
	}
	if f.handled {
		for i := range f.crashes {
			f.add(f.crashes[i])
		}
	} else if len(f.crashes) > 0 {
		f.line("%s: no method looks whether there is memory: %s", f.box.name, f.crashes[0].Message)
	}
}

// severalForms are texts of several words and lines: what takes one after the other may find no memory in the middle.
var severalForms = []string{" ", "\n"}

// ofSeveral are the calls that take a text, each method's first, with texts of several words, and those that take whole numbers
// with others: what is as large as before takes no memory.
func ofSeveral(calls []faultCall) (all []faultCall) {
	const larger = 3
	seen := make(map[*method]bool)
	for _, c := range calls {
		if seen[c.m] || c.m.isBirth() {
			continue
		}
		seen[c.m] = true
		if slices.ContainsFunc(c.sample.values, isInteger) {
			more := c
			more.sample.values = slices.Clone(c.sample.values)
			for i, v := range more.sample.values {
				if isInteger(v) {
					more.sample.values[i] = withMagnitude(v, larger)
				}
			}
			all = append(all, more)
		}
		at := slices.IndexFunc(c.sample.values, isText)
		if at < 0 {
			continue
		}
		for _, between := range severalForms {
			more := c
			more.sample.values = slices.Clone(c.sample.values)
			more.sample.values[at] = textOf(c.sample.values[at].Tag(), alikeWords(between)(64))
			all = append(all, more)
		}
	}
	return all
}

// faultCase is a call in which something fails, and those that are made on the instance before.
type faultCase struct {
	faultCall
	before []faultCall
	played int // how often it was played until it answered as the time before
}

// maxPlayed is how often it is played for that.
const maxPlayed = 4

// maxBefores is after what a method is tried, at most: after nothing, after calls that fill the instance, after
// itself, once and often, and after a method that is given something to keep.
const maxBefores = 7

// manyBefore is how often a method is called before itself, with other texts each time: arrays grow after so many, and
// after fullBefore it may be full.
var manyBefore = []int{1, 2, 4, 8, 10, 16, fullBefore, 32, 64}

const fullBefore = 20

// prepared are the calls that a call needs before it, and itself.
func (c faultCall) prepared() (all []faultCall) {
	for _, s := range c.sample.setup {
		all = append(all, faultCall{s.m, argSample{values: s.args, works: true}})
	}
	return append(all, c)
}

// more are calls with another name, or other numbers: what is done to the second of several may fail.
func (c faultCall) more() (all []faultCall) {
	for n := range 2 {
		next := argSample{values: withKey(c.sample.values, fmt.Sprintf("%s%d", markFirst, n)), works: true}
		for i, v := range next.values {
			if is, err := v.Int(); err == nil && !slices.ContainsFunc(next.values, isText) {
				next.values[i] = withMagnitude(v, float64(is+int64(n)+1))
			}
		}
		all = append(all, faultCall{c.m, next})
	}
	return all
}

// befores are calls after which a method makes other calls of the system than after any before, or answers
// something else.
func (f *faulting) befores(c faultCall, calls []faultCall) (all [][]faultCall) {
	w := f.startFaulting(false)
	if w == nil {
		return nil
	}
	defer func() { f.end(w) }()
	var known [][]string
	some := [][]faultCall{nil}
	if c.m != f.box.birth {
		if full := f.filled(); len(full) > 0 {
			some = append(some, full)
		}
		some = append(some, []faultCall{c})
		for _, n := range manyBefore {
			some = append(some, c.numbered(n))
		}
		for _, other := range calls {
			if other.m != c.m && other.m != f.box.birth && len(other.sample.values) > 0 {
				some = append(some, append(other.prepared(), other.more()...))
			}
		}
	}
	for _, before := range some {
		run := f.play(w, faultCase{faultCall: c, before: before}, &theFault, true)
		if run.exit != nil {
			return all
		}
		if !run.made || run.a.code != abi.OK || len(run.seen.Calls) == 0 {
			continue
		}
		does := append(slices.Clone(run.seen.Calls), run.key.text)
		for i, copied := range run.copied {
			if copied || len(before) == fullBefore { // what an instance is made of, or that it is full, shows in it alone
				does = append(does, run.later[i].text)
			}
		}
		if slices.ContainsFunc(known, func(have []string) bool { return slices.Equal(have, does) }) {
			continue
		}
		known = append(known, does)
		if all = append(all, before); len(all) == maxBefores {
			break
		}
	}
	return all
}

// numbered is a call several times, with other texts each time.
func (c faultCall) numbered(n int) (all []faultCall) {
	for i := range n {
		other := c
		other.sample.values = withName(c.sample.values, fmt.Sprintf("n%d", i))
		all = append(all, other)
	}
	return all
}

// filled are the calls after which most methods of the box answer something.
func (f *faulting) filled() (all []faultCall) {
	for _, c := range f.shared.telling[f.box] {
		all = append(all, faultCall{c.m, argSample{values: c.args, works: true}})
	}
	return all
}

// fault is one call of the system that fails.
type fault struct {
	number uint64
	mode   faultMode
	name   string
	file   string   // the library's
	at     []uint64 // where in it; see [probe.Faulted]
}

// place is where the author's code calls what fails, with a space before it; empty where that is not known.
func (t *fault) place() string {
	for _, offset := range t.at {
		p := codePlace{module: t.file, offset: offset}
		if p.lookUp(); p.line > 0 && !notOfAuthor(p.file) {
			return fmt.Sprintf(" at %s:%d", p.file, p.line)
		}
	}
	return ""
}

func (t *fault) String() string {
	how := "failed"
	switch {
	case t.mode == faultInterrupted:
		how = "was interrupted (EINTR)"
	case t.mode == faultPart:
		how = "wrote a part only"
	case t.mode == faultLate:
		how = "did its work and failed then"
	case t.mode == faultForGood:
		how = "failed, and all after it"
	case probe.Memory(t.name):
		how = "found no memory"
	}
	return fmt.Sprintf("its call %d of another library, %s%s, %s", t.number+1, t.name, t.place(), how)
}

var theFault = fault{number: noFault}

// try has each call of the system fail that a call makes.
func (f *faulting) try(c faultCase) {
	w := f.startFaulting(false)
	if w == nil {
		return
	}
	defer func() { f.end(w) }()
	var base faultRun
	stable := false
	for c.played = 0; !stable && c.played < maxPlayed; c.played++ { // what is of all instances may be otherwise the first time
		before := base
		base = f.play(w, c, &theFault, true)
		if !base.made || !base.seen.Known || base.a.code != abi.OK {
			return
		}
		stable = before.made && before.key == base.key && slices.Equal(before.later, base.later) && slices.Equal(before.seen.Calls, base.seen.Calls)
	}
	without := f.play(w, c, &theFault, false)
	var left []fault
	for _, t := range faultsOf(base.seen.Calls) {
		if probe.Closes(t.name) {
			continue // what a method makes of that is for io: most need not tell
		}
		if f.ctx.Err() != nil || time.Now().After(f.until) {
			break
		}
		run := f.play(w, c, &t, true)
		if run.exit != nil {
			f.exited(c, &t, run)
			f.end(w)
			if w = f.startFaulting(false); w == nil {
				return
			}
			continue
		}
		if !run.made || run.seen.Fired == "" {
			continue
		}
		if probe.Memory(t.name) && failed(run.a.code) {
			f.handled = true
		}
		t.file, t.at = f.config.File, run.seen.At
		left = append(left, t)
		if stable {
			f.judge(c, &t, base, run, without)
		}
	}
	f.refused = append(f.refused, failedCase{c, left})
}

// end ends a worker, and counts its calls.
func (f *faulting) end(w *worker) {
	if w != nil {
		w.close()
		f.counted(w.check.Calls)
	}
}

// startFaulting starts a worker; nil where it cannot. With seen a debugger looks at how it ends.
func (f *faulting) startFaulting(seen bool) *worker {
	own, _ := f.alone()
	own.shared.lookedAt = &counts{}
	w, err := own.start(workerOptions{plain: true, brief: true, quiet: !seen})
	if err != nil {
		return nil
	}
	return w
}

// faultsOf are those that can be brought about in these calls of the system.
func faultsOf(calls []string) (all []fault) {
	for i, name := range calls[:min(len(calls), maxFaults)] {
		for _, mode := range probe.FaultModes(name) {
			all = append(all, fault{number: uint64(i), mode: mode, name: name})
		}
	}
	return all
}
