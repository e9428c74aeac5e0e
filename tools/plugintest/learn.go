package plugintest

import (
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

// Samples that encode replaces, as their values are not known before.
var (
	selfSample = tlv.HandleValue(tlv.Handle{})      // the instance itself
	blobSample = tlv.Blob(0, uint64(len(blobText))) // a blob of the host with blobText
)

const blobText = "abc"

// sampleValues are the values that arguments are tried with. The first are an
// ordinary one of each type.
var sampleValues = []tlv.Value{
	tlv.Int64(1), tlv.String("a"), tlv.Int32(1), tlv.Bytes([]byte("abc")), tlv.Float64(1.5), tlv.Bool(true), selfSample, tlv.Float32(1.5),
	tlv.String("w"), tlv.String("r"), tlv.String("w+"),
}

// typeSamples are one value of each type.
var typeSamples = sampleValues[:8]

const (
	maxUndeclared = 2   // arguments that are tried where none are declared
	maxTries      = 400 // argument lists that are tried for a method
	maxSamples    = 3   // argument lists that are kept for a method
)

// learn finds samples for all methods: of the types that are declared, or
// by trying what they do not answer with "invalid arguments". It is done once.
func (e *env) learn() error {
	if e.shared.learned {
		return nil
	}
	e.shared.learned = true
	for _, b := range e.plugin.boxes {
		for _, m := range b.methods {
			if err := e.learnMethod(m, nil); err != nil {
				return err
			}
		}
		if err := e.learnSetups(b); err != nil {
			return err
		}
	}
	return nil
}

// learnSetups tries methods that failed on a new instance again, after each method
// that works.
func (e *env) learnSetups(b *box) error {
	for _, first := range b.methods {
		for _, sample := range e.shared.samples[first] {
			if !sample.works || len(sample.setup) > 0 || e.allWork(b) {
				continue
			}
			for _, m := range b.methods {
				if m == first || e.shared.hasWorkingSample(m) || !e.shared.callable(m) {
					continue
				}
				if err := e.learnMethod(m, []setupCall{{first, sample.values}}); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (e *env) allWork(b *box) bool {
	return !slices.ContainsFunc(b.methods, func(m *method) bool { return !e.shared.hasWorkingSample(m) })
}

func (s *shared) hasWorkingSample(m *method) bool {
	return slices.ContainsFunc(s.samples[m], func(sample argSample) bool { return sample.works })
}

// learnMethod tries argument lists, on an instance that setup prepared.
func (e *env) learnMethod(m *method, setup []setupCall) error {
	e.at(m)
	return e.withWorker(workerOptions{}, func(w *worker) error {
		id, _, err := w.prepare(m, argSample{setup: setup})
		if err != nil {
			return err
		}
		var failing *argSample
		tries := 0
		for values := range m.candidates() {
			if tries++; tries > maxTries || len(e.shared.samples[m]) >= maxSamples {
				break
			}
			a, err := w.call(m, id, w.encode(values, m.box, id))
			if err != nil {
				e.shared.broken[m] = true
				return err
			}
			if tries == 1 && a.code == abi.ErrInvalidMethod {
				e.unknownMethod(m, a)
				break
			}
			switch {
			case a.code == abi.OK && !e.shared.similar(m, values):
				e.shared.addWorking(m, argSample{values, true, setup})
			case a.code != abi.OK && a.code != abi.ErrInvalidArgs && failing == nil:
				failing = &argSample{values, false, setup}
			}
		}
		if len(e.shared.samples[m]) == 0 && failing != nil {
			e.shared.samples[m] = []argSample{*failing}
		}
		return w.finiAll()
	})
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

// candidates are the argument lists to try, the likely ones first.
func (m *method) candidates() func(yield func([]tlv.Value) bool) {
	if m.declared != nil && m.declared.ArgsDeclared {
		return product(declaredChoices(m.declared.Args))
	}
	return func(yield func([]tlv.Value) bool) {
		for n := range maxUndeclared + 1 {
			choices := make([][]tlv.Value, n)
			for i := range choices {
				choices[i] = sampleValues
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
func declaredChoices(args []registry.Arg) [][]tlv.Value {
	choices := make([][]tlv.Value, len(args))
	for i, a := range args {
		for _, v := range append(slices.Clone(sampleValues), blobSample) {
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
