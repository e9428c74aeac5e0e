package plugintest

import (
	"fmt"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// argSample is an argument list that a method takes.
type argSample struct {
	values []tlv.Value
	works  bool        // the call succeeds, on an instance that setup prepared
	setup  []setupCall // calls on a new instance, to be made first
}

// setupCall is a call that prepares an instance.
type setupCall struct {
	m    *method
	args []tlv.Value
}

// Samples that encode replaces, as their values are not known before; boxSample and hostSample are, too.
var (
	selfSample = tlv.HandleValue(tlv.Handle{})      // the instance itself
	blobSample = tlv.Blob(0, uint64(len(blobText))) // a blob of the host with blobText
)

const blobText = "abc"

// givenBlob is a sample that stands for a blob of the host with these bytes.
func (p *plugin) givenBlob(data []byte) tlv.Value {
	p.blobs = append(p.blobs, data)
	return tlv.Blob(uint64(len(p.blobs)), uint64(len(data)))
}

// blobData are the bytes of the blob that a sample stands for; ok is false where it stands for none.
func (p *plugin) blobData(v tlv.Value) (data []byte, ok bool) {
	addr, length, err := v.Blob()
	switch {
	case err != nil:
		return nil, false
	case v == blobSample:
		return []byte(blobText), true
	case addr == 0 || addr > uint64(len(p.blobs)) || length != uint64(len(p.blobs[addr-1])):
		return nil, false
	}
	return p.blobs[addr-1], true
}

func isBlob(v tlv.Value) bool { return v.Tag() == tlv.TagBlob }

// boxSampleType is the type id, far from ordinary ones, of the first boxSample.
const boxSampleType = 0xffff_0000

// boxSample stands for another instance than the one that is called, of the box of this
// number.
func boxSample(i int) tlv.Value { return tlv.HandleValue(tlv.Handle{Type: boxSampleType + uint32(i)}) }

// boxSamples are those of all boxes, of some of them where there are more than most.
func (p *plugin) boxSamples(most int) []tlv.Value {
	all := make([]tlv.Value, min(len(p.boxes), most))
	for i := range all {
		all[i] = boxSample(i)
	}
	return all
}

// sampled is the box of which a sample stands for an instance; nil where it stands for
// none. self is that of the instance that is called.
func (p *plugin) sampled(v tlv.Value, self *box) *box {
	h, err := v.Handle()
	switch {
	case err != nil || h.Instance != 0:
		return nil
	case v == selfSample:
		return self
	case h.Type >= boxSampleType && h.Type-boxSampleType < uint32(len(p.boxes)):
		return p.boxes[h.Type-boxSampleType]
	}
	return nil
}

// sampleValues are the values that arguments are tried with. The first are an
// ordinary one of each type.
var sampleValues = []tlv.Value{
	tlv.Int64(1), tlv.String("a"), tlv.Int32(1), tlv.Bytes([]byte("abc")), tlv.Float64(1.5), tlv.Bool(true), selfSample, tlv.Float32(1.5),
	tlv.String("w"), tlv.String("r"), tlv.String("w+"), tlv.Int64(0), tlv.Int32(0), // the first of what was added
	tlv.Bytes(nil), // what holds nothing, of a form that is not known
}

// typeSamples are one value of each type.
var typeSamples = sampleValues[:8]

const (
	maxUndeclared = 2   // arguments that are tried where none are declared
	maxTries      = 400 // argument lists that are tried for a method
	maxSamples    = 3   // argument lists that are kept for a method
	maxSuccesses  = 40  // calls of a method that succeed, of those
	maxBoxes      = 32  // boxes whose instances are tried for a handle
	maxAnyBoxes   = 6   // the same where no type is declared
	maxSetup      = 3   // calls that prepare an instance
)

// learn finds samples for all methods: of the types that are declared, or
// by trying what they do not answer with "invalid arguments". It is done once.
func (e *env) learn() error {
	if e.shared.learned {
		return nil
	}
	e.shared.learned = true
	for _, b := range e.plugin.boxes {
		if err := e.learnBirths(b); err != nil {
			return err
		}
		for _, m := range b.methods {
			if err := e.learnMethod(m, nil); err != nil {
				return err
			}
		}
		for depth := range maxSetup {
			if err := e.learnSetups(b, depth); err != nil {
				return err
			}
		}
		if err := e.learnAfterSeveral(b); err != nil {
			return err
		}
		if err := e.refine(b); err != nil {
			return err
		}
		if err := e.learnWalks(b); err != nil {
			return err
		}
		if err := e.learnRoom(b); err != nil {
			return err
		}
		if err := e.learnTelling(b); err != nil {
			return err
		}
		for _, m := range b.methods {
			if err := e.learnOptional(m); err != nil {
				return err
			}
		}
		e.unlearned(b)
	}
	return nil
}

// learnSetups tries methods that failed on a new instance again, after each method
// that works, which itself needs so many calls before it.
func (e *env) learnSetups(b *box, depth int) error {
	for _, first := range b.methods {
		for _, sample := range e.shared.samples[first] {
			if !sample.works || len(sample.setup) != depth || e.allWork(b) {
				continue
			}
			for _, m := range b.methods {
				if m == first || e.shared.hasWorkingSample(m) || e.shared.broken[m] {
					continue
				}
				if err := e.learnMethod(m, append(slices.Clone(sample.setup), setupCall{first, sample.values})); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// learnAfterSeveral tries methods that still fail after several calls of one that works, with other
// arguments each: what takes two names needs both.
func (e *env) learnAfterSeveral(b *box) error {
	for _, first := range b.methods {
		var setup []setupCall
		for _, sample := range e.shared.samples[first] {
			if sample.works && len(sample.setup) == 0 && len(sample.values) > 0 {
				setup = append(setup, setupCall{first, sample.values})
			}
		}
		if len(setup) > 0 && !slices.ContainsFunc(setup, func(c setupCall) bool { return !c.namedAs(setup[0]) }) {
			setup = append(setup, setup[0].named(nameTwo)...)
		}
		if len(setup) < 2 || e.allWork(b) {
			continue
		}
		for _, m := range b.methods {
			if m == first || e.shared.hasWorkingSample(m) || e.shared.broken[m] {
				continue
			}
			for _, then := range append([][]setupCall{nil}, e.after(first, m)...) {
				if e.shared.hasWorkingSample(m) {
					break
				}
				if err := e.learnMethod(m, slices.Concat(setup, then)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// maxAfter is how many methods are called after several calls of one, to prepare an instance for another.
const maxAfter = 4

// after are calls of other methods than m that a call of first prepares for.
func (e *env) after(first, m *method) (all [][]setupCall) {
	for _, k := range m.box.methods {
		i := slices.IndexFunc(e.shared.samples[k], func(s argSample) bool {
			return s.works && len(s.values) > 0 && slices.ContainsFunc(s.setup, func(c setupCall) bool { return c.m == first })
		})
		if k != first && k != m && i >= 0 && len(all) < maxAfter {
			all = append(all, []setupCall{{k, e.shared.samples[k][i].values}})
		}
	}
	return all
}

// nameTwo is another of the texts that are tried.
const nameTwo = "w"

// namedAs tells whether the first texts of two calls are the same one.
func (c setupCall) namedAs(d setupCall) bool {
	i, k := slices.IndexFunc(c.args, isText), slices.IndexFunc(d.args, isText)
	return i >= 0 && k >= 0 && c.args[i] == d.args[k]
}

// named is a call with another text first; none where it has that, or none.
func (c setupCall) named(text string) []setupCall {
	at := slices.IndexFunc(c.args, isText)
	if at < 0 || c.args[at].Data() == text {
		return nil
	}
	args := slices.Clone(c.args)
	args[at] = textOf(args[at].Tag(), text)
	return []setupCall{{c.m, args}}
}

func (e *env) allWork(b *box) bool {
	return !slices.ContainsFunc(b.methods, func(m *method) bool { return !e.shared.hasWorkingSample(m) })
}

// setup are the calls that some methods need before theirs: the most that one of them does. They have
// no instances and blobs among their arguments.
func (s *shared) setup(methods ...*method) (longest []setupCall) {
	for _, m := range methods {
		i := slices.IndexFunc(s.samples[m], func(sample argSample) bool { return sample.works })
		if i < 0 || len(s.samples[m][i].setup) <= len(longest) {
			continue
		}
		setup := s.samples[m][i].setup
		if !slices.ContainsFunc(setup, func(c setupCall) bool {
			return slices.ContainsFunc(c.args, func(v tlv.Value) bool { return isHandle(v) || isBlob(v) })
		}) {
			longest = setup
		}
	}
	return longest
}

func (s *shared) hasWorkingSample(m *method) bool {
	return slices.ContainsFunc(s.samples[m], func(sample argSample) bool { return sample.works })
}

// learnMethod tries argument lists, on an instance that setup prepared.
func (e *env) learnMethod(m *method, setup []setupCall) error {
	e.at(m)
	return e.withWorker(workerOptions{blobs: true}, func(w *worker) error {
		id, _, err := w.prepare(m, argSample{setup: setup})
		if err != nil {
			return err
		}
		var failing *argSample
		tries, successes := 0, 0
		for values := range e.withSetup(m, setup) {
			if tries++; tries > maxTries || len(e.shared.samples[m]) >= maxSamples {
				break
			}
			a, err := w.try(m, id, values)
			if err != nil {
				return err
			}
			if a == nil {
				continue
			}
			if tries == 1 && a.code == abi.ErrInvalidMethod {
				e.unknownMethod(m, a)
				break
			}
			switch {
			case a.code == abi.OK:
				if !e.shared.similar(m, values) {
					e.shared.addWorking(m, argSample{values, true, setup})
					e.shared.remember(a)
					e.rememberBlob(a)
				}
				if successes++; successes > maxSuccesses {
					return w.finiAll()
				}
				// What comes next is not to depend on it: a file that is open, say, cannot be opened.
				if id, err = w.another(m, setup); err != nil {
					return err
				}
			case a.code != abi.OK && !refuses(a, values) && failing == nil:
				failing = &argSample{values, false, setup}
				e.shared.noteFailure(m, a)
			}
		}
		if len(e.shared.samples[m]) == 0 && failing != nil {
			e.shared.samples[m] = []argSample{*failing}
		}
		return w.finiAll()
	})
}

// another ends the instances, and prepares one.
func (w *worker) another(m *method, setup []setupCall) (id uint32, err error) {
	if err := w.finiAll(); err != nil {
		return 0, err
	}
	if err := w.emptyDir(); err != nil {
		return 0, err
	}
	id, _, err = w.prepare(m, argSample{setup: setup})
	return id, err
}

// try calls a method while its samples are looked for. The answer is nil where one of the
// values cannot be made: a box has no instances.
func (w *worker) try(m *method, id uint32, values []tlv.Value) (*answer, error) {
	args, err := w.encode(values, m.box, id)
	if err != nil {
		return nil, ignoreBirth(err)
	}
	a, err := w.call(m, id, args)
	if err != nil {
		w.shared.broken[m] = true
		return nil, err
	}
	w.shared.tried[m] = true
	if a.code == abi.ErrInvalidHandle && slices.ContainsFunc(values, isHandle) {
		w.shared.refusesHandles[m] = true
	}
	return a, nil
}

func isHandle(v tlv.Value) bool { return v.Tag() == tlv.TagHandle }

// refuses tells whether an answer says that the method does not take these arguments.
func refuses(a *answer, values []tlv.Value) bool {
	return a.code == abi.ErrInvalidArgs || a.code == abi.ErrInvalidHandle && slices.ContainsFunc(values, isHandle)
}

// unlearned notes the methods that refused everything.
func (e *env) unlearned(b *box) {
	for _, m := range b.methods {
		if !e.shared.broken[m] && e.shared.tried[m] && len(e.shared.samples[m]) == 0 {
			e.shared.unexercised = append(e.shared.unexercised, m)
		}
		if e.shared.failsAlways(m) {
			e.shared.failing = append(e.shared.failing, m)
		}
	}
}

// noteFailure notes how a method has failed; that there is no memory for it says more than what is
// missing on a new instance.
func (s *shared) noteFailure(m *method, a *answer) {
	if _, known := s.failures[m]; !known || a.code == abi.ErrOutOfMemory {
		s.failures[m] = a.key()
	}
}

// failsAlways tells whether a method that takes arguments has failed with all that were tried. One that
// takes none may be for failing, but not for lack of memory.
func (s *shared) failsAlways(m *method) bool {
	if s.broken[m] || len(s.samples[m]) == 0 || s.hasWorkingSample(m) {
		return false
	}
	return len(s.samples[m][0].values) > 0 || s.failures[m].code == abi.ErrOutOfMemory
}

// reportFailing reports the methods that fail whatever they are given, in sequences of calls, too.
func (e *env) reportFailing() {
	for _, m := range e.shared.failing {
		if e.shared.failsAlways(m) && !e.recorder.hasErrorAt(m) {
			f := m.finding(codeNotExercised, "it fails with all arguments that were tried, with %v", e.shared.failures[m])
			f.Fix = howToCall(m)
			e.add(f)
		}
	}
	e.shared.failing = nil
}

// reportUnexercised reports the methods of which no call has succeeded, or failed for another
// reason than its arguments.
func (e *env) reportUnexercised() {
	for _, m := range e.shared.unexercised {
		if e.recorder.hasErrorAt(m) {
			continue // which says why
		}
		how := ""
		if e.shared.refusesHandles[m] {
			how = ", instances of each box with code -8"
		}
		f := m.finding(codeNotExercised, "it refuses all arguments that were tried%s", how)
		f.Fix = howToCall(m)
		e.add(f)
	}
	e.shared.unexercised = nil
}

func howToCall(m *method) string {
	return fmt.Sprintf("give a valid call: --call '%v=ARG,ARG', or [plugins.%s.tester] calls = { %s = [[ARG, ARG]] } in nyash.toml", m, m.box.name, m.name)
}

// addWorking adds a sample; those that do not work are then of no use.
func (s *shared) addWorking(m *method, sample argSample) {
	working := slices.DeleteFunc(s.samples[m], func(s argSample) bool { return !s.works })
	s.samples[m] = append(working, sample)
}

// similar reports whether a working sample ends with the same value. Samples that
// end differently (a mode, say) are worth more.
func (s *shared) similar(m *method, values []tlv.Value) bool {
	if len(values) == 0 {
		return false
	}
	return slices.ContainsFunc(s.samples[m], func(sample argSample) bool {
		return sample.works && len(sample.values) == len(values) && sample.values[len(values)-1] == values[len(values)-1]
	})
}

// candidates are the argument lists to try, the likely ones first: those that the user gives,
// then others.
func (e *env) candidates(m *method) func(yield func([]tlv.Value) bool) {
	return func(yield func([]tlv.Value) bool) {
		for _, call := range e.config.Calls {
			if values, err := e.plugin.argsOf(&call); err == nil && e.plugin.find(call.Box, call.Method) == m && !yield(values) {
				return
			}
		}
		for values := range e.plugin.candidates(m) {
			if !yield(values) {
				return
			}
		}
	}
}

// candidates are argument lists of the types that are declared, or of all.
func (p *plugin) candidates(m *method) func(yield func([]tlv.Value) bool) {
	if m.declared != nil && m.declared.ArgsDeclared {
		return product(p.declaredChoices(m.declared.Args))
	}
	values := slices.Concat(p.hostSamples, sampleValues, p.boxSamples(maxAnyBoxes), []tlv.Value{blobSample})
	return func(yield func([]tlv.Value) bool) {
		for n := range maxUndeclared + 1 {
			choices := make([][]tlv.Value, n)
			for i := range choices {
				choices[i] = values
			}
			for values := range product(choices) {
				if !yield(values) {
					return
				}
			}
		}
	}
}

// declaredChoices are the samples of each argument's declared type.
func (p *plugin) declaredChoices(args []registry.Arg) [][]tlv.Value {
	choices := make([][]tlv.Value, len(args))
	// Boxes of the host first: what takes a box may take it from anywhere.
	values := slices.Concat(p.hostSamples, sampleValues, p.boxSamples(maxBoxes), []tlv.Value{blobSample})
	for i, a := range args {
		for _, v := range values {
			if a.To == v.Tag() || a.To == 0 && v.Tag() != tlv.TagBlob {
				choices[i] = append(choices[i], v)
			}
		}
	}
	return choices
}

// product is every list with one value of each choice.
func product(choices [][]tlv.Value) func(yield func([]tlv.Value) bool) {
	return func(yield func([]tlv.Value) bool) {
		at := make([]int, len(choices))
		for {
			values := make([]tlv.Value, len(choices))
			for i, c := range choices {
				if len(c) == 0 {
					return
				}
				values[i] = c[at[i]]
			}
			if !yield(values) {
				return
			}
			i := 0
			for i < len(at) {
				if at[i]++; at[i] < len(choices[i]) {
					break
				}
				at[i] = 0
				i++
			}
			if i == len(at) {
				return
			}
		}
	}
}
