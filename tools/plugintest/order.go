package plugintest

import (
	"math"
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// Where two calls of a method have the same effect in either order, as those that add to a set or a sum, they have it for the ends of
// a range of numbers, too: otherwise a difference has no room that is compared, or the number after the last one.

const (
	orderStates = 2
	// leastPairs is how many pairs of small numbers have to be taken, and to be the same in either order.
	leastPairs = 8
)

// smallNumbers are those of which the pairs are tried, for the first argument and each after it: ranges that overlap, touch, hold another
// one, and are apart.
var smallNumbers = [][]int64{{10, 15, 3}, {12, 40, 1}, {5, 50, 7}, {30, 31, 2}, {16, 20, 5}, {70, 71, 4}}

var endsOf = map[tlv.Tag][]tlv.Value{
	tlv.TagInt32:   {tlv.Int32(math.MaxInt32), tlv.Int32(math.MinInt32), tlv.Int32(math.MaxInt32 - 1), tlv.Int32(math.MinInt32 + 1), tlv.Int32(0)},
	tlv.TagInt64:   {tlv.Int64(math.MaxInt64), tlv.Int64(math.MinInt64), tlv.Int64(math.MaxInt64 - 1), tlv.Int64(math.MinInt64 + 1), tlv.Int64(0), tlv.Int64(math.MaxInt32), tlv.Int64(1 << 32), tlv.Int64(1<<32 + 10)},
	tlv.TagFloat32: {tlv.Float32(float32(math.Inf(1))), tlv.Float32(float32(math.Inf(-1))), tlv.Float32(float32(math.NaN()))},
	tlv.TagFloat64: {tlv.Float64(math.Inf(1)), tlv.Float64(math.Inf(-1)), tlv.Float64(math.NaN())},
}

// orders looks at the methods of a box that take numbers.
func (x *exploration) orders(b *box, until time.Time) {
	_, states := x.filledStates(b)
	states = append([]sequence{{x.firstBirth(b)}}, states[:min(len(states), orderStates)]...)
	asked := x.answering(b)
	for _, m := range x.gen.callable(b) {
		if !x.gen.changes[m] || means(meantEnds, m) || b.means(meantEnds) {
			continue
		}
		for _, types := range x.gen.typesOf(m) {
			if !slices.ContainsFunc(types, isNumberTag) || slices.ContainsFunc(types, isHandle) || slices.ContainsFunc(types, isBlob) {
				continue
			}
			for _, s := range states {
				if x.ctx.Err() != nil || time.Now().After(until) {
					return
				}
				x.tryOrder(slices.Concat(s, x.setupOf(m)), m, types, asked)
			}
		}
	}
}

// tryOrder looks at a method after other calls.
func (x *exploration) tryOrder(s sequence, m *method, types shape, asked []op) {
	var near []op
	for _, all := range smallNumbers {
		values, k := slices.Clone(types), 0
		for i, v := range types {
			if n := all[min(k, len(all)-1)]; isNumberTag(v) {
				values[i], k = withMagnitude(v, float64(n)), k+1
			}
		}
		near = append(near, op{m: m, on: 0, args: literals(values)})
	}
	taken, changes := 0, false
	for i, one := range near {
		for _, other := range near[:i] {
			same, ok := x.inEitherOrder(s, one, other, asked, &changes)
			if ok && same >= 0 {
				return
			}
			if ok {
				taken++
			}
		}
	}
	if taken < leastPairs || !changes {
		return
	}
	for i, v := range types {
		for _, end := range endsOf[v.Tag()] {
			for k, one := range near {
				far := one.withValueAt(i, end)
				for _, other := range slices.Delete(slices.Clone(near), k, k+1) { // the same once more may be of the same thing, which it replaces
					if r, ok := x.inEitherOrder(s, far, other, asked, nil); ok && r >= 0 {
						x.reportOrder(s, far, other, asked[r])
						return
					}
				}
			}
		}
	}
}

// inEitherOrder is the first call that answers otherwise where two others were made in the other order; -1 for none. ok is false where
// one of the two is refused. It notes in changes whether they have changed what is answered.
func (x *exploration) inEitherOrder(s sequence, one, other op, asked []op, changes *bool) (r int, ok bool) {
	n := len(s) + 2
	first, second := x.onPlain(slices.Concat(s, sequence{one, other}, asked)), x.onPlain(slices.Concat(s, sequence{other, one}, asked))
	for _, out := range []*played{first, second} {
		if out.exit != nil || len(out.answers) != n+len(asked) || out.answers[n-2].code != abi.OK || out.answers[n-1].code != abi.OK {
			return -1, false
		}
	}
	if changes != nil && !*changes {
		out := x.onPlain(slices.Concat(s, asked))
		for i := range asked {
			*changes = *changes || len(out.answers) == len(s)+len(asked) && !out.answers[len(s)+i].same(&first.answers[n+i])
		}
	}
	for i := range asked {
		a, b := &first.answers[n+i], &second.answers[n+i]
		if given := slices.Concat(one.values(), other.values()); !a.same(b) && !staysAt(a.value, b.value, given) && !staysAt(b.value, a.value, given) {
			return i, true
		}
	}
	return -1, true
}

// staysAt tells whether a value is the end of a range, at which a number that is computed may stay: the other one is none that was given.
func staysAt(v, other tlv.Value, given []tlv.Value) bool {
	return magnitude(v) != 0 && slices.Contains(endsOf[v.Tag()], v) && !slices.Contains(given, other)
}

// reportOrder makes sure of it, and reports the shortest sequence: the last call answers otherwise where the two before it are made in the
// other order.
func (x *exploration) reportOrder(s sequence, one, other, r op) {
	key := findingKey{codeOrder, one.m.String(), ""}
	differs := func(s sequence) bool {
		last := len(s) - 1
		if last < 3 || s[last].m != r.m || s[last-1].m != one.m || s[last-2].m != one.m {
			return false
		}
		at, ok := x.inEitherOrder(s[:last-2], s[last-2], s[last-1], s[last:], nil)
		return ok && at >= 0
	}
	short := x.confirmed(key, append(slices.Clone(s), one, other, r), differs)
	if short == nil {
		return
	}
	last := len(short) - 1
	turned := slices.Clone(short)
	turned[last-1], turned[last-2] = short[last-2], short[last-1]
	first, second := x.env.play(short, ordinary).answers, x.env.play(turned, ordinary).answers
	if len(first) != len(short) || len(second) != len(short) {
		return
	}
	step := x.shown(short, last-1)
	is, was := unlike(&first[last], &second[last])
	f := step.finding(codeOrder, "it was called twice, and %v answers %s then, and %s after the same two calls in the other order; with small numbers the order makes no difference", r.m, is, was)
	rule, _ := RuleOf(codeOrder)
	f.Fix = rule.Fix + `; where numbers are meant to stay at an end, have the method's doc say so ("saturates")`
	x.report(f, short, ordinary, first)
}
