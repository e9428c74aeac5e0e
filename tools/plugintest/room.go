package plugintest

import (
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// A number that a birth is given is often how much there is room for: with the first that works there is room for
// one thing, or for no history. Little goes wrong in such an instance.

// roomy is a number that is tried for it: more than arrays have first, and fewer than calls fill.
const roomy = 12

// learnRoom gives a birth larger numbers, one after the other, where no fewer calls succeed then.
func (e *env) learnRoom(b *box) error {
	own := func(i Invocation) bool { return i.Box == "" || i.Box == b.name }
	if b.singleton || e.shared.birthBroken[b] || slices.ContainsFunc(e.config.Births, own) {
		return nil
	}
	if len(e.shared.births[b]) == 0 {
		return e.learnSpare(b)
	}
	if !slices.ContainsFunc(e.shared.births[b], isInteger) {
		return nil
	}
	return e.withWorker(workerOptions{}, func(w *worker) error {
		best, err := w.successes(b)
		if err != nil {
			return err
		}
		for i, v := range e.shared.births[b] {
			if !isInteger(v) {
				continue
			}
			before := e.shared.births[b]
			values := slices.Clone(before)
			values[i] = withMagnitude(v, roomy)
			if ok, err := w.takesBirth(b, values); !ok || err != nil {
				if err != nil {
					return err
				}
				continue
			}
			e.shared.births[b] = values
			n, err := w.successes(b)
			if err != nil || n < best {
				e.shared.births[b] = before
			}
			if err != nil {
				return err
			}
			best = max(best, n)
		}
		return w.finiAll()
	})
}

// rooms are numbers of which a birth is given the first that it takes, for a state that is to be large.
var rooms = []float64{100_000, 5_000}

// roomyBirth are the arguments with which an instance has as much room as there can be.
func (x *exploration) roomyBirth(b *box) []tlv.Value {
	return once(x.roomiest, b, func(*box) []tlv.Value {
		values := slices.Clone(x.shared.births[b])
		for i, v := range values {
			if !isInteger(v) {
				continue
			}
			for _, n := range rooms {
				values[i] = withMagnitude(v, n)
				out := x.onPlain(sequence{{m: b.birth, on: -1, made: b, args: literals(values)}})
				if len(out.answers) == 1 && out.answers[0].code == abi.OK && out.answers[0].took < slowCall {
					break
				}
				values[i] = v
			}
		}
		return values
	})
}

// largeBirth is a birth with them.
func (x *exploration) largeBirth(b *box) op {
	return op{m: b.birth, on: -1, made: b, args: literals(x.roomyBirth(b))}
}

// hasRoom tells whether there are others than those that births have first.
func (x *exploration) hasRoom(b *box) bool {
	return !slices.Equal(x.roomyBirth(b), x.shared.births[b])
}

// spares are arguments that a birth which needs none may take: a limit, or a name.
var spares = [][]tlv.Value{
	{tlv.Int64(roomy)}, {tlv.Int32(roomy)}, {tlv.String("a"), tlv.Int64(roomy)}, {tlv.Int64(roomy), tlv.Int64(roomy)}, {tlv.String("a")},
}

// learnSpare finds out what a birth takes that needs no arguments, where nothing says that it takes none.
func (e *env) learnSpare(b *box) error {
	if d := b.birth.declared; d != nil && d.ArgsDeclared {
		return nil
	}
	return e.withWorker(workerOptions{}, func(w *worker) error {
		for _, values := range spares {
			if ok, err := w.takesBirth(b, values); err != nil || ok {
				if ok {
					e.shared.spare[b] = values
				}
				return err
			}
		}
		return nil
	})
}

// takesBirth tells whether an instance is made of these arguments.
func (w *worker) takesBirth(b *box, values []tlv.Value) (bool, error) {
	s, err := w.birthWith(b, values)
	if err != nil {
		return false, err
	}
	a, err := w.do(s)
	if err != nil || a.code != abi.OK {
		return false, err
	}
	w.noteBirth(b, a)
	return true, nil
}

// successes is how many calls succeed of those that are made of each method, with other texts each time.
func (w *worker) successes(b *box) (n int, err error) {
	for _, m := range b.methods {
		sample := w.shared.sample(m)
		if w.shared.broken[m] || w.shared.slow[m] || !sample.works {
			continue
		}
		id, err := w.another(m, sample.setup)
		if err != nil {
			return 0, err
		}
		for _, c := range (faultCall{m, sample}).numbered(roomy) {
			a, err := w.try(m, id, c.sample.values)
			if err != nil {
				return 0, err
			}
			if a != nil && a.code == abi.OK {
				n++
			}
		}
	}
	return n, nil
}
