package plugintest

import (
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
)

// What a method keeps of its last answers, to be faster, it must keep of one instance: two on which the same was
// called, but for one number or text, are of one size and one age, and differ in that alone.

// twins makes the same calls on two instances, but for one argument of one method, and looks whether what the first is asked shows
// in what the second answers.
func (x *exploration) twins(b *box, until time.Time) {
	asked := x.answering(b)
	_, states := x.filledStates(b)
	if b.singleton || len(asked) == 0 {
		return
	}
	for _, s := range states[:min(len(states), pairStates)] {
		for at, o := range s {
			if slices.ContainsFunc(s[:at], func(before op) bool { return before.m == o.m }) {
				continue
			}
			for k := range o.args {
				if x.ctx.Err() != nil || time.Now().After(until) {
					return
				}
				x.tryTwin(&twin{s, o.m, k, asked})
			}
		}
	}
}

// otherLetter is the last of a text that differs.
const otherLetter = "z"

// withOther is a sequence whose calls of a method have another number, or another text of the same size, for one of their arguments.
func (s sequence) withOther(m *method, k int) (changed sequence, ok bool) {
	changed = slices.Clone(s)
	for i, o := range changed {
		if o.m != m || k >= len(o.args) || o.args[k].ref > 0 {
			continue
		}
		changed[i].args = slices.Clone(o.args)
		v := &changed[i].args[k].value
		switch {
		case isNumeric(*v) && magnitude(*v) != otherNumber:
			*v, ok = withMagnitude(*v, otherNumber), true
		case isText(*v) && v.Len() > 0 && v.Data()[v.Len()-1] < otherLetter[0]:
			*v, ok = textOf(v.Tag(), v.Data()[:v.Len()-1]+otherLetter), true
		}
	}
	return changed, ok
}

// twin is a state, the argument in which the other one differs, and what both are asked.
type twin struct {
	s    sequence
	m    *method // whose argument k is another one
	k    int
	asks []op
}

// alone are the calls of the second instance alone; nil where there is no other state.
func (t *twin) alone() sequence {
	other, ok := t.s.withOther(t.m, t.k)
	if !ok {
		return nil
	}
	return slices.Concat(other, t.asks)
}

// both are those of two, which are asked the same in turns, or of which only the second is.
func (t *twin) both(asksFirst bool) sequence {
	other, ok := t.s.withOther(t.m, t.k)
	if !ok {
		return nil
	}
	ops := t.s.and(other)
	for _, r := range t.asks {
		if r.on = 0; asksFirst {
			ops = append(ops, r)
		}
		r.on = len(t.s)
		ops = append(ops, r)
	}
	return ops
}

// lastAnswers plays a sequence, and answers the last of every so many calls; nil where it cannot be played.
func (x *exploration) lastAnswers(ops sequence, n, every int) (all []observed) {
	out := x.env.play(ops, ordinary)
	x.played++
	if len(ops) == 0 || out.exit != nil || len(out.answers) != len(ops) {
		return nil
	}
	for i := len(ops) - 1 - every*(n-1); i < len(ops); i += every {
		all = append(all, out.answers[i])
	}
	return all
}

// tryTwin plays a twin, and reports each method that answers otherwise.
func (x *exploration) tryTwin(t *twin) {
	n := len(t.asks)
	both, alone := x.lastAnswers(t.both(true), n, 2), x.lastAnswers(t.alone(), n, 1)
	for i := range min(len(both), len(alone)) {
		if both[i].code == abi.OK && alone[i].code == abi.OK && !both[i].same(&alone[i]) && !meansShared(t.asks[i].m) {
			x.reportTwin(twin{t.s, t.m, t.k, t.asks[i : i+1]})
		}
	}
}

// reportTwin reports the method that is asked, if the second instance answers otherwise because the first was asked.
func (x *exploration) reportTwin(t twin) {
	m := t.asks[0].m
	var is, was observed
	shows := func(s sequence) bool {
		if len(s) == 0 || !s[0].isBirth() || s[0].m.box != m.box {
			return false
		}
		t.s = s
		both, unasked, alone := x.lastAnswers(t.both(true), 1, 1), x.lastAnswers(t.both(false), 1, 1), x.lastAnswers(t.alone(), 1, 1)
		if len(both)+len(unasked)+len(alone) < 3 || both[0].code != abi.OK || alone[0].code != abi.OK {
			return false
		}
		is, was = both[0], alone[0]
		return unasked[0].same(&was) && !is.same(&was)
	}
	short := x.confirmed(findingKey{codeMixed, m.String(), ""}, t.s, shows)
	if short == nil || !shows(short) {
		return
	}
	ops := t.both(true)
	answers := x.env.play(ops, ordinary).answers
	step := x.shown(ops, len(ops)-1)
	one, other := unlike(&is, &was)
	f := step.finding(codeMixed, "it answered %s, and %s where the other instance was not asked", one, other)
	f.Fix = "keep past answers in the instance that they are of, and compare all that they depend on" + howToShare
	x.report(f, ops, ordinary, answers)
}
