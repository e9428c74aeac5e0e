package plugintest

import (
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// A number of which a method makes another one, as an index becomes an offset, must not be taken for a smaller one because
// the product goes over: a large number is answered as no small one is, or refused.

const (
	wrappedStates = 3         // in which numbers are tried
	mostTold      = 6         // small numbers
	farNumber     = 1_000_003 // is answered otherwise, where a method does not answer the same to all large numbers
)

// periods are by how much a number is larger that a method may take for the same on purpose, as a ring does, and one that
// takes the low bits alone.
var periods = []int64{1, 2, 3, 4, 5, 8, 16, 64, 1 << 8, 1 << 16, farNumber, 1 << 24, 1 << 32, 1 << 40, 1 << 48, 1 << 52}

// wrapped asks methods with numbers that are larger by a power of two than those to which they answer something.
func (x *exploration) wrapped(b *box, until time.Time) {
	_, states := x.filledStates(b)
	for _, s := range states[:min(len(states), wrappedStates)] {
		for _, m := range x.gen.callable(b) {
			for _, types := range x.gen.typesOf(m) {
				if slices.ContainsFunc(types, isHandle) || slices.ContainsFunc(types, isBlob) {
					continue
				}
				for at, v := range types {
					if x.ctx.Err() != nil || time.Now().After(until) {
						return
					}
					if isInteger(v) {
						x.tryWrapped(s, op{m: m, on: 0, args: literals(types)}, at)
					}
				}
			}
		}
	}
}

// powersOf are the exponents that a type's numbers are tried with.
func powersOf(tag tlv.Tag) (all []int) {
	if tag == tlv.TagInt32 {
		return []int{26, 27, 28, 29, 30}
	}
	return []int{55, 56, 57, 58, 59, 60, 61, 62}
}

// tryWrapped reports a call if a number that is larger by a power of two is answered the same.
func (x *exploration) tryWrapped(s sequence, r op, at int) {
	key := findingKey{codeWraps, r.m.String(), ""}
	if x.done[key] || means(meantNumber, r.m) || meantNumber.MatchString(r.m.name) {
		return
	}
	n, ok := x.told(s, r, at)
	if !ok {
		return
	}
	for _, power := range powersOf(r.args[at].value.Tag()) {
		large := n + 1<<power
		shows := func(s sequence) bool { return x.takesFor(s, r, at, n, large) }
		if !shows(s) {
			continue
		}
		short := x.confirmed(key, s, func(s sequence) bool { return len(s) > 0 && s[0].isBirth() && s[0].m.box == r.m.box && shows(s) })
		if short == nil {
			continue
		}
		ops := append(slices.Clone(short), r.withNumberAt(at, n), r.withNumberAt(at, large))
		answers := x.env.play(ops, ordinary).answers
		if len(answers) != len(ops) {
			return
		}
		step := x.shown(ops, len(ops)-1)
		f := step.finding(codeWraps, "it answered to %d what it answers to %d, and something else to the numbers near it: what it computes of the number goes over", large, n)
		f.Expected = "another answer, or a number that is refused"
		f.Fix = "compare the number with what there is before anything is computed of it" + howToMean
		x.report(f, ops, ordinary, answers)
		return
	}
}

// told is the first small number to which a call after others answers something, and something else to the next.
func (x *exploration) told(s sequence, r op, at int) (n int64, ok bool) {
	ops := slices.Clone(s)
	for n := range int64(mostTold) {
		ops = append(ops, r.withNumberAt(at, n))
	}
	out := x.onPlain(ops)
	if out.exit != nil || len(out.answers) != len(ops) {
		return 0, false
	}
	all := out.answers[len(s):]
	for n := range len(all) - 1 {
		if all[n].code == abi.OK && tells(&all[n]) && !all[n].same(&all[n+1]) {
			return int64(n), true
		}
	}
	return 0, false
}

// takesFor tells whether a call after others answers the same to a large number as to a small one, and otherwise to those near it.
func (x *exploration) takesFor(s sequence, r op, at int, n, large int64) bool {
	ops := append(slices.Clone(s), r.withNumberAt(at, n))
	for _, p := range periods {
		if near := numbersOf(r.args[at].value.Tag(), []int64{n + p}, nil); len(near) > 0 {
			ops = append(ops, r.withNumberAt(at, n+p))
		}
	}
	ops = append(ops, r.withNumberAt(at, large), r.withNumberAt(at, n))
	out := x.onPlain(ops)
	if out.exit != nil || len(out.answers) != len(ops) {
		return false
	}
	all := out.answers[len(s):]
	last := len(all) - 1
	first, again, taken := &all[0], &all[last], &all[last-1]
	if first.code != abi.OK || !tells(first) || !first.same(again) || !first.same(taken) {
		return false
	}
	return !slices.ContainsFunc(all[1:last-1], first.sameAs)
}

// sameAs is same for [slices.ContainsFunc].
func (o *observed) sameAs(other observed) bool { return o.same(&other) }

// withNumberAt is a call with another number for one argument.
func (o op) withNumberAt(at int, n int64) op {
	o.args = slices.Clone(o.args)
	o.args[at].value = numbersOf(o.args[at].value.Tag(), []int64{n}, nil)[0]
	return o
}
