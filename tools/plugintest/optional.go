package plugintest

import (
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/plan"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// filled is what a host sends where a caller gives these arguments and leaves out the
// others: the defaults of those follow, up to the first that has none.
func filled(s registry.Signature, given []tlv.Value) []tlv.Value {
	n := len(given)
	msg, count, err := plan.New("", "", 0, s).AppendDefaults(slices.Clone(emptyMessage), n)
	if err == nil {
		err = tlv.PatchArgc(msg, count-n)
	}
	if err != nil {
		return given // the host refuses the call
	}
	defaults, err := tlv.Decode(msg)
	if err != nil {
		return given
	}
	return slices.Concat(given, defaults)
}

// maxLeftOut is how many argument lists are tried for each number of arguments.
const maxLeftOut = 100

// learnOptional calls a method with each smaller number of arguments that is allowed, and
// with one more where more may follow. Such calls are samples, too.
func (e *env) learnOptional(m *method) error {
	if m.declared == nil || !m.declared.ArgsDeclared || e.shared.broken[m] {
		return nil
	}
	s := m.declared.Signature
	if s.Required() == len(s.Args) && !s.Variadic {
		return nil
	}
	e.at(m)
	accepted := len(e.shared.samples[m]) > 0
	first := e.shared.sample(m)
	return e.withWorker(workerOptions{}, func(w *worker) error {
		id, _, err := w.prepare(m, argSample{setup: first.setup})
		if err != nil {
			return err
		}
		for n := len(s.Args) - 1; n >= s.Required(); n-- {
			refused, err := w.leaveOut(m, id, n, first.setup)
			if err != nil {
				return err
			}
			if refused != nil && accepted {
				e.refusesFewer(m, n, refused)
			}
		}
		if s.Variadic && accepted {
			if err := w.addMore(m, id, first); err != nil {
				return err
			}
		}
		return w.finiAll()
	})
}

// leaveOut calls a method as a host does for a caller that gives n arguments. refused is such
// a message, where it took none.
func (w *worker) leaveOut(m *method, id uint32, n int, setup []setupCall) (refused []byte, err error) {
	tries := 0
	for given := range w.leading(m, n) {
		if tries++; tries > maxLeftOut {
			break
		}
		values := filled(m.declared.Signature, given)
		a, err := w.try(m, id, values)
		if err != nil {
			return nil, err
		}
		switch {
		case a == nil:
			continue
		case a.code == abi.OK:
			w.shared.addWorking(m, argSample{values, true, setup})
			return nil, nil
		case !refuses(a, values):
			return nil, nil
		}
		if refused == nil {
			if refused, err = w.encode(values, m.box, id); err != nil {
				return nil, err
			}
		}
	}
	return refused, nil
}

// leading are lists of the first n arguments of a method: those of a sample, then others.
func (e *env) leading(m *method, n int) func(yield func([]tlv.Value) bool) {
	return func(yield func([]tlv.Value) bool) {
		if values := e.shared.sample(m).values; len(values) >= n && !yield(values[:n]) {
			return
		}
		product(e.plugin.declaredChoices(m.declared.Args[:n]))(yield)
	}
}

// addMore calls a method with one argument more than a sample has.
func (w *worker) addMore(m *method, id uint32, sample argSample) error {
	for _, more := range typeSamples {
		values := append(slices.Clone(sample.values), more)
		a, err := w.try(m, id, values)
		if err != nil {
			return err
		}
		if a != nil && a.code == abi.OK {
			w.shared.addWorking(m, argSample{values, true, sample.setup})
			return nil
		}
	}
	return nil
}

// refusesFewer reports a method that wants arguments which may be left out.
func (e *env) refusesFewer(m *method, given int, message []byte) {
	f := m.finding(codeArgs, "it refuses (%s), which is what it gets where a caller gives %s, as %s allows", showArgs(message), plural(given, "argument"), e.argsSource(m).name)
	f.Input = hexText(message)
	e.add(e.declared(m, f))
}

// learnBirths makes an instance with each smaller number of arguments that is allowed.
func (e *env) learnBirths(b *box) error {
	if b.birth.declared == nil || b.singleton || b.birth.declared.Required() == len(b.birth.declared.Args) {
		return nil
	}
	e.at(b.birth)
	return e.withWorker(workerOptions{}, func(w *worker) error {
		if _, err := w.birth(b); err != nil {
			return err
		}
		all := e.shared.births[b]
		for n := len(all) - 1; n >= b.birth.declared.Required(); n-- {
			if err := w.shorterBirth(b, all[:n]); err != nil {
				return err
			}
		}
		return w.finiAll()
	})
}

// shorterBirth makes an instance as a host does for a caller that gives these arguments.
func (w *worker) shorterBirth(b *box, given []tlv.Value) error {
	values := filled(b.birth.declared.Signature, given)
	s, err := w.birthWith(b, values)
	if err != nil {
		return err
	}
	a, err := w.do(s)
	if err != nil {
		return err
	}
	switch {
	case refuses(a, values):
		w.refusesFewer(b.birth, len(given), s.args)
		return nil
	case a.code != abi.OK: // with other arguments it works
		f := s.finding(codeBirth, "it answered %v", a)
		f.Log = w.output.lastLines()
		w.add(f)
		return nil
	}
	w.noteBirth(b, a)
	return nil
}

// noteBirth notes the instance that a birth has answered.
func (w *worker) noteBirth(b *box, a *answer) {
	if id, ok := w.checkBirth(b, a); ok {
		w.instances = append(w.instances, instance{b, id})
	}
}
