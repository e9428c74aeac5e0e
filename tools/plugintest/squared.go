package plugintest

import (
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
)

// A number of which a method makes a square, or a product of two such, as distances and areas are, must not go over: what is beyond the
// root of the largest number is then negative, and so less than every limit.

// squareRoot is where squares go over: numbers on this side of it, and on the other.
type squareRoot struct {
	bits         int
	near, beyond []int64
}

var squareRoots = []squareRoot{
	{32, []int64{20_000, 40_000, 46_000}, []int64{46_700, 50_000, 60_000}},
	{64, []int64{2_000_000_000, 2_900_000_000, 3_036_000_000}, []int64{3_038_000_000, 3_500_000_000, 4_000_000_000}},
}

// squared asks methods with numbers whose squares have room, and have none.
func (x *exploration) squared(b *box, until time.Time) {
	_, states := x.filledStates(b)
	for _, s := range states[:min(len(states), wrappedStates)] {
		for _, m := range x.gen.callable(b) {
			for _, types := range x.gen.typesOf(m) {
				var whole []int
				for at, v := range types {
					if isInteger(v) {
						whole = append(whole, at)
					}
				}
				if len(whole) == 0 || slices.ContainsFunc(types, isHandle) || slices.ContainsFunc(types, isBlob) {
					continue
				}
				for _, places := range append(each(whole), whole) {
					if x.ctx.Err() != nil || time.Now().After(until) {
						return
					}
					x.trySquared(s, op{m: m, on: 0, args: literals(types)}, places)
				}
			}
		}
	}
}

func each(places []int) (all [][]int) {
	for _, at := range places {
		all = append(all, []int{at})
	}
	return all
}

// trySquared reports a call whose answers turn where a square goes over.
func (x *exploration) trySquared(s sequence, r op, places []int) {
	key := findingKey{codeWraps, r.m.String(), ""}
	if x.done[key] || means(meantNumber, r.m) || meantNumber.MatchString(r.m.name) {
		return
	}
	for _, root := range squareRoots {
		with, ok := root.calls(r, places)
		shows := func(s sequence) bool {
			out := x.onPlain(slices.Concat(s, with))
			return out.exit == nil && len(out.answers) == len(s)+len(with) && root.turns(out.answers[len(s):])
		}
		if !ok || !shows(s) {
			continue
		}
		short := x.confirmed(key, s, func(s sequence) bool { return len(s) > 0 && s[0].isBirth() && s[0].m.box == r.m.box && shows(s) })
		if short == nil {
			continue
		}
		last := len(root.near)
		ops := append(slices.Clone(short), with[last-1], with[last])
		answers := x.env.play(ops, ordinary).answers
		if len(answers) != len(ops) {
			return
		}
		step := x.shown(ops, len(ops)-1)
		f := step.finding(codeWraps, "it answered %v to %d, and %v to %d, as to all numbers on that side of the root of the largest one of %d bits: a square, or a product, goes over",
			&answers[len(ops)-2], root.near[last-1], &answers[len(ops)-1], root.beyond[0], root.bits)
		f.Expected = "an answer to the number itself, or a number that is refused"
		f.Fix = "compute with more bits, or refuse numbers whose product does not fit" + howToMean
		x.report(f, ops, ordinary, answers)
		return
	}
}

// calls are those with the numbers on this side and then on the other; ok is false where a type does not have them.
func (q *squareRoot) calls(r op, places []int) (all sequence, ok bool) {
	for _, n := range slices.Concat(q.near, q.beyond) {
		o := r
		for _, at := range places {
			if len(numbersOf(r.args[at].value.Tag(), []int64{n}, nil)) == 0 {
				return nil, false
			}
			o = o.withNumberAt(at, n)
		}
		all = append(all, o)
	}
	return all, true
}

// turns tells whether answers are all the same yes or no on one side and the other on that side, or numbers above zero that grow, and below.
func (q *squareRoot) turns(all []observed) bool {
	before := int64(0)
	for i := range all {
		a, beyond := &all[i], i >= len(q.near)
		if a.code != abi.OK {
			return false
		}
		if yes, err := a.value.Bool(); err == nil {
			if first, err := all[0].value.Bool(); err != nil || (yes != first) != beyond {
				return false
			}
			continue
		}
		n, err := a.value.Int()
		if err != nil || beyond != (n < 0) || !beyond && n <= before {
			return false
		}
		before = n
	}
	return true
}
