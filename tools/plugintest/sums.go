package plugintest

import (
	"math"
	"math/big"
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
)

// A number that grows by as much as others that were given (a sum, a way, a total) does so of large ones, too, or
// these are refused: where it is what the right one is in 32 bits or fewer, it has wrapped. That a sum has no room in
// 64 bits is nothing that most plugins look for.

// smallSums are numbers of which it is learned how an answer grows, and largeSums those of which it may wrap.
var (
	smallSums = []int64{2, 5, 23}
	largeSums = []int64{30_000, 60_000, 1 << 30, math.MaxInt32, 3 << 30, 1 << 50}
)

const (
	sumStates = 3  // in which the numbers of calls are replaced
	maxPairs  = 12 // of names, that a method is asked with
)

// sums looks at what answers become where methods are given large numbers.
func (x *exploration) sums(b *box, until time.Time) {
	_, states := x.filledStates(b)
	for _, s := range states[:min(len(states), sumStates)] {
		asked := x.askedOfAll(b, s)
		tried := make(map[*method]bool)
		for i := range s {
			m := s[i].m
			if tried[m] || !slices.ContainsFunc(s[i].args, func(a argument) bool { return isInteger(a.value) }) {
				continue
			}
			tried[m] = true
			x.sumsOf(m, s, asked, until)
		}
	}
}

// askedOfAll are the calls that tell something, with each name, and each two of them, that the calls of a sequence have.
func (x *exploration) askedOfAll(b *box, s sequence) []op {
	var names []string
	for _, o := range s {
		for _, a := range o.args {
			if isText(a.value) && !slices.Contains(names, a.value.Data()) {
				names = append(names, a.value.Data())
			}
		}
	}
	all := x.answering(b)
	for _, r := range slices.Clone(all) {
		n := 0
		for _, one := range names {
			for _, other := range names {
				values, ok := withNames(r.values(), [2]string{one, other})
				if !ok || n >= maxPairs || one == other {
					continue
				}
				n++
				all = append(all, op{m: r.m, on: r.on, args: literals(values)})
			}
			if slices.ContainsFunc(r.args, func(a argument) bool { return isText(a.value) }) {
				all = append(all, op{m: r.m, on: r.on, args: literals(withName(r.values(), one))})
			}
		}
	}
	return distinctCalls(all)
}

// withNumber is a sequence whose calls of a method have another number, where they have one.
func (s sequence) withNumber(m *method, n int64) (changed sequence, ok bool) {
	changed = slices.Clone(s)
	for i := range changed {
		if changed[i].m != m {
			continue
		}
		changed[i].args = slices.Clone(changed[i].args)
		for k, a := range changed[i].args {
			if !isInteger(a.value) {
				continue
			}
			other := numbersOf(a.value.Tag(), []int64{n}, nil)
			if len(other) == 0 {
				return nil, false // its type has no such number
			}
			changed[i].args[k].value, ok = other[0], true
		}
	}
	return changed, ok
}

// sumsOf replaces the numbers of one method's calls.
func (x *exploration) sumsOf(m *method, s sequence, asked []op, until time.Time) {
	var small [][]observed
	for _, n := range smallSums {
		answers, ok := x.withNumbers(s, m, n, asked)
		if !ok {
			return
		}
		small = append(small, answers)
	}
	for _, n := range largeSums {
		if x.ctx.Err() != nil || time.Now().After(until) {
			return
		}
		answers, ok := x.withNumbers(s, m, n, asked)
		if !ok {
			continue // such a one is refused
		}
		for i := range asked {
			grows, ok := growthOf(small[0][i], small[1][i], small[2][i])
			if ok && grows.wraps(n, &answers[i]) {
				x.reportSum(m, append(slices.Clone(s), asked[i]), n)
			}
		}
	}
}

// withNumbers are the answers of calls after a sequence with other numbers. ok is false where calls of it fail.
func (x *exploration) withNumbers(s sequence, m *method, n int64, asked []op) (answers []observed, ok bool) {
	changed, ok := s.withNumber(m, n)
	if !ok {
		return nil, false
	}
	out := x.onPlain(slices.Concat(changed, asked))
	if out.exit != nil || len(out.answers) != len(s)+len(asked) {
		return nil, false
	}
	for i := range s {
		if s[i].m == m && out.answers[i].code != abi.OK {
			return nil, false
		}
	}
	return out.answers[len(s):], true
}

// linear is how an answer grows: by so much for each one that a number is larger.
type linear struct{ from, by *big.Int }

// growthOf is how three answers have grown for smallSums; ok is false where that is not by the same for each.
func growthOf(all ...observed) (l linear, ok bool) {
	var n [3]int64
	for i := range all {
		v, err := all[i].value.Int()
		if err != nil || !all[i].made || all[i].code != abi.OK || v < 0 {
			return l, false
		}
		n[i] = v
	}
	by := (n[1] - n[0]) / (smallSums[1] - smallSums[0])
	from := n[0] - by*smallSums[0]
	if by <= 0 || by*smallSums[1]+from != n[1] || by*smallSums[2]+from != n[2] {
		return l, false
	}
	return linear{big.NewInt(from), big.NewInt(by)}, true
}

// at is what the answer should be for a number.
func (l linear) at(n int64) *big.Int {
	right := new(big.Int).Mul(l.by, big.NewInt(n))
	return right.Add(right, l.from)
}

// wraps tells whether an answer is what remains of the right one in fewer bits. That of the number itself is a round trip.
func (l linear) wraps(n int64, a *observed) bool {
	have, err := a.value.Int()
	if err != nil || !a.made || a.code != abi.OK || l.by.Int64() == 1 && l.from.Sign() == 0 {
		return false
	}
	right := l.at(n)
	if !right.IsInt64() || right.Int64() == have {
		return false
	}
	return slices.ContainsFunc(narrowings, func(c narrowing) bool { return c.bits != 53 && c.bits != 24 && c.cut(right.Int64()) == have })
}

// reportSum makes sure of it, and reports the sequence with the fewest calls. Its last call is the one that is answered
// wrong, with a number as that of all calls of m.
func (x *exploration) reportSum(m *method, s sequence, n int64) {
	r := s[len(s)-1].m
	key := findingKey{codeWraps, r.String(), ""}
	if x.done[key] || means(meantNumber, m, r) || meantNumber.MatchString(r.name) {
		return
	}
	var right *big.Int
	shows := func(s sequence) bool {
		last := len(s) - 1
		if last < 2 || s[last].m != r {
			return false
		}
		var all []observed
		for _, n := range append(slices.Clone(smallSums), n) {
			answers, ok := x.withNumbers(s[:last], m, n, s[last:])
			if !ok {
				return false
			}
			all = append(all, answers[0])
		}
		grows, ok := growthOf(all[:3]...)
		if !ok || !grows.wraps(n, &all[3]) {
			return false
		}
		right = grows.at(n)
		return true
	}
	short := x.confirmed(key, s, shows)
	if short == nil {
		return
	}
	ops, ok := short.withNumber(m, n)
	if !ok {
		return
	}
	answers := x.env.play(ops, ordinary).answers
	if len(answers) != len(ops) {
		return
	}
	last := len(ops) - 1
	step := x.shown(ops, last)
	f := step.finding(codeWraps, "it answered %v where %v was given %d; by how it grows with smaller numbers it would be %v", &answers[last], m, n, right)
	f.Expected = "a sum that fits, or numbers that are refused"
	f.Fix = "add up in int64_t, and compare with what fits before" + howToMean
	x.report(f, ops, ordinary, answers)
}
