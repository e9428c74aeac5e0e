package plugintest

import (
	"errors"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// faultRun is what came of one run: an instance, calls that prepare it, the call in which something
// fails, and what is called afterwards.
type faultRun struct {
	made  bool // all calls were made
	a     *answer
	key   answerKey
	seen  faulted
	exit  *exitError
	where *step // that had the fault
	// What is called afterwards: the calls, whether they are made on an instance that the call has
	// answered, their answers, and the values of those.
	after  []faultCall
	copied []bool
	later  []answerKey
	values []tlv.Value
}

// play makes the calls of a run; without call the one in which something fails is left out.
func (f *faulting) play(w *worker, c faultCase, t *fault, call bool) (run faultRun) {
	err := f.calls(w, c, t, call, &run)
	if err == nil {
		err = w.finiAll()
	}
	if !errors.As(err, &run.exit) && err == nil {
		run.made = w.emptyDir() == nil
	}
	w.trace = nil
	return run
}

func (f *faulting) calls(w *worker, c faultCase, t *fault, call bool, run *faultRun) error {
	if c.m == f.box.birth {
		return f.birth(w, t, run)
	}
	id, args, err := w.prepare(c.m, c.sample)
	if err != nil {
		return err
	}
	if err := f.prepareFurther(w, id, c.before); err != nil {
		return err
	}
	if call {
		if run.a, err = w.withFault(t, w.step(c.m, id, args), run); err != nil {
			return err
		}
		run.key = run.a.key()
		w.takeOver(c.m, run.a, args)
	}
	if err := f.callAfter(w, run, instance{f.box, id}, append(slices.Clone(f.readers[f.box]), c.faultCall), false); err != nil || !call {
		return err
	}
	if made := instanceOf(w, run.a); made.box != nil && made.id != id {
		return f.callAfter(w, run, made, f.readers[made.box], true)
	}
	return nil
}

// instanceOf is the instance that an answer gives to the host; that of no box where there is none.
func instanceOf(w *worker, a *answer) (made instance) {
	v, _ := a.value()
	h, err := v.Handle()
	if err != nil {
		return made
	}
	if i := slices.IndexFunc(w.instances, func(have instance) bool { return have.id == h.Instance && have.box.typeID == h.Type }); i >= 0 {
		return w.instances[i]
	}
	return made
}

// callAfter makes calls on an instance, and notes their answers.
func (f *faulting) callAfter(w *worker, run *faultRun, on instance, calls []faultCall, copied bool) error {
	for _, r := range calls {
		args, err := w.encode(r.sample.values, on.box, on.id)
		if err != nil {
			return err
		}
		a, err := w.call(r.m, on.id, args)
		if err != nil {
			return err
		}
		value, ok := a.value()
		if !ok {
			value = tlv.Void()
		}
		run.after, run.copied = append(run.after, r), append(run.copied, copied)
		run.later, run.values = append(run.later, a.key()), append(run.values, value)
	}
	return nil
}

// prepareFurther makes calls on an instance.
func (f *faulting) prepareFurther(w *worker, id uint32, calls []faultCall) error {
	for _, c := range calls {
		args, err := w.encode(c.sample.values, f.box, id)
		if err != nil {
			return err
		}
		if _, err := w.call(c.m, id, args); err != nil {
			return err
		}
	}
	return nil
}

// birth is calls for a birth.
func (f *faulting) birth(w *worker, t *fault, run *faultRun) error {
	s, err := w.birthStep(f.box)
	if err != nil {
		return err
	}
	if run.a, err = w.withFault(t, s, run); err != nil {
		return err
	}
	run.key.code = run.a.code
	if run.a.code == abi.OK {
		w.noteBirth(f.box, run.a)
	}
	_, err = w.birth(f.box)
	return err
}

// withFault makes one call in which something fails.
func (w *worker) withFault(t *fault, s step, run *faultRun) (*answer, error) {
	if _, err := w.life.fault(t.number, t.mode); err != nil {
		return nil, exitAt("fault", err)
	}
	run.where = &s
	a, err := w.do(s)
	if err != nil {
		return nil, err
	}
	run.seen, err = w.life.fault(noFault, faultError)
	return a, exitAt("fault", err)
}
