package plugintest

import (
	"regexp"
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// A product of a large number that has no room goes over, and is negative, perhaps, though no number was that it is of. One large
// number among small ones has room in a sum.

// nearNumbers are those for which nothing must be negative, and farNumbers those that others are multiplied with.
var (
	nearNumbers = map[tlv.Tag][]int64{tlv.TagInt32: {1, 2, 5, 23, 1000, 50_000}, tlv.TagInt64: {1, 2, 5, 23, 1000, 1 << 20, 1 << 40}}
	farNumbers  = map[tlv.Tag][]int64{tlv.TagInt32: {1 << 30, 1<<30 + 1<<29}, tlv.TagInt64: {1 << 62, 1<<62 + 1<<61, 1 << 61}}
)

// aboutTime are names and documentation of what is computed from the time of day, which is a large number, too.
var aboutTime = regexp.MustCompile(`(?i)\btime|\bage\b|since|until|remain|elapsed|deadline|expir|\bago\b|\bdue\b|\blate|\bclock|\bstamp|\bidle`)

var negativeNumber = regexp.MustCompile(`(^|[^0-9A-Za-z_.-])-[0-9]*[1-9]`)

// saysNegative tells whether an answer is a negative number, or a text with one.
func saysNegative(a *observed) bool {
	if n, err := a.value.Int(); err == nil {
		return n < 0
	}
	return a.value.Tag() == tlv.TagString && negativeNumber.MatchString(a.value.Data())
}

// signs replaces one number of a state by a large one, and looks whether something is negative then.
func (x *exploration) signs(b *box, until time.Time) {
	_, states := x.filledStates(b)
	for _, s := range states[:min(len(states), sumStates)] {
		asked := withCounts(x.askedOfAll(b, s))
		for i := range s {
			for k, a := range s[i].args {
				if x.ctx.Err() != nil || time.Now().After(until) {
					return
				}
				if isInteger(a.value) && !s[i].isBirth() && s.nearButFor(i, k) {
					x.signsOf(s, i, k, asked)
				}
			}
		}
	}
}

// nearButFor tells whether all numbers of a sequence but one are near: the sum of two large ones goes over, which few look for.
func (s sequence) nearButFor(i, k int) bool {
	for at, o := range s {
		for n, a := range o.args {
			if !isInteger(a.value) || at == i && n == k {
				continue
			}
			near := slices.Max(nearNumbers[a.value.Tag()])
			if v, err := a.value.Int(); err != nil || v > near || v < -near {
				return false
			}
		}
	}
	return true
}

// withCounts are calls, and those of them that take whole numbers with others, too.
func withCounts(asked []op) (all []op) {
	for _, r := range asked {
		all = append(all, r)
		for k, a := range r.args {
			if isInteger(a.value) {
				all = append(all, r.withNumberAt(k, 2), r.withNumberAt(k, 3))
			}
		}
	}
	return distinctCalls(all)
}

// signsOf replaces one argument of a call.
func (x *exploration) signsOf(s sequence, i, k int, asked []op) {
	tag := s[i].args[k].value.Tag()
	never := make([]int, len(asked)) // how often it was answered, and not negative, for near numbers
	for _, n := range nearNumbers[tag] {
		answers, ok := x.withNumberIn(s, i, k, n, asked)
		if !ok {
			continue // such a one is refused
		}
		for r := range asked {
			if never[r]++; answers[r].code != abi.OK || saysNegative(&answers[r]) {
				never[r] = -len(nearNumbers[tag])
			}
		}
	}
	for _, n := range farNumbers[tag] {
		answers, ok := x.withNumberIn(s, i, k, n, asked)
		if !ok {
			continue
		}
		for r := range asked {
			if never[r] > 0 && answers[r].made && answers[r].code == abi.OK && saysNegative(&answers[r]) {
				x.reportSign(s, i, k, asked[r], n)
			}
		}
	}
}

// withNumberIn are the answers of calls after a sequence in which one number is another; ok is false where its call fails then.
func (x *exploration) withNumberIn(s sequence, i, k int, n int64, asked []op) (answers []observed, ok bool) {
	changed := slices.Clone(s)
	changed[i] = s[i].withNumberAt(k, n)
	out := x.onPlain(slices.Concat(changed, asked))
	if out.exit != nil || len(out.answers) != len(s)+len(asked) || out.answers[i].code != abi.OK {
		return nil, false
	}
	return out.answers[len(s):], true
}

// reportSign makes sure of it, and reports the shortest sequence, whose last call answers what is negative.
func (x *exploration) reportSign(s sequence, i, k int, r op, n int64) {
	m := s[i].m
	key := findingKey{codeWraps, r.m.String(), ""}
	if x.done[key] || means(meantNumber, m, r.m) || meantNumber.MatchString(r.m.name) || means(aboutTime, m, r.m) || aboutTime.MatchString(r.m.name) {
		return
	}
	far := slices.Clone(s)
	far[i] = s[i].withNumberAt(k, n)
	shows := func(s sequence) bool {
		last := len(s) - 1
		if last < 1 || s[last].m != r.m {
			return false
		}
		at := slices.IndexFunc(s[:last], func(o op) bool {
			return o.m == m && k < len(o.args) && isNumber(o.args[k].value, n)
		})
		if at < 0 || !x.negativeAt(s[:last], at, k, n, s[last]) {
			return false
		}
		for _, near := range nearNumbers[s[at].args[k].value.Tag()] {
			if x.negativeAt(s[:last], at, k, near, s[last]) {
				return false
			}
		}
		return true
	}
	short := x.confirmed(key, append(far, r), shows)
	if short == nil {
		return
	}
	answers := x.env.play(short, ordinary).answers
	if len(answers) != len(short) {
		return
	}
	step := x.shown(short, len(short)-1)
	f := step.finding(codeWraps, "it answered %v after %v was given %d, and nothing negative after smaller numbers, up to %d: what it computes of the number goes over", &answers[len(short)-1], m, n, slices.Max(nearNumbers[s[i].args[k].value.Tag()]))
	f.Expected = "the right number, or one that is refused"
	f.Fix = "compute in a wider type, divide before you multiply, or refuse numbers that are too large" + howToMean
	x.report(f, short, ordinary, answers)
}

func (x *exploration) negativeAt(s sequence, at, k int, n int64, r op) bool {
	answers, ok := x.withNumberIn(s, at, k, n, []op{r})
	return ok && answers[0].made && answers[0].code == abi.OK && saysNegative(&answers[0])
}
