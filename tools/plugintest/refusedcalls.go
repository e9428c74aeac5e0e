package plugintest

import (
	"regexp"
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
)

// A call that is refused should be as one that was not made: what follows answers the same without it. Random
// sequences are full of such calls, in states that nobody would think of.

// goesOnRefused are names of methods that do something where they are refused: what is at its end begins again.
var goesOnRefused = regexp.MustCompile(`(?i)next|read|fetch|take|pop|poll|advance|seek|parse|rand|roll|draw|shuffle`)

// isAttempt are names of methods of which those that are refused count.
var isAttempt = regexp.MustCompile(`(?i)log_?(in|on)|auth|unlock|verify|attempt|\btry|tries|guess|password|commit`)

// maxUnclear is how often a method's answers are looked at closely that differ without the refused calls.
const maxUnclear = 3

// observers is how many calls are made, one after the other, after those that are refused, and manyRefused how many of these.
const (
	observers   = 3
	manyRefused = 40
)

// refusedCalls makes calls that are refused in states in which one call more was made than those that answer the most, and
// looks whether some that follow answer otherwise than without the refused ones. So it does with random sequences for
// what is left of the time.
func (x *exploration) refusedCalls(b *box, until time.Time) {
	calls, states := x.filledStates(b)
	calls = slices.Concat(calls, x.back(b))
	unclear := make(map[*method]int)
	for _, s := range states[:min(len(states), refusalStates)] {
		refused := x.refusedIn(b, s, states)
		for _, i := range x.random.Perm(len(calls)) {
			order := x.random.Perm(len(calls))
			for len(order) > 0 && len(refused) > 0 {
				if x.ctx.Err() != nil || time.Now().After(until) {
					return
				}
				n := min(len(order), observers)
				ops := slices.Concat(s, calls[i:i+1], refused)
				for _, at := range order[:n] {
					ops = append(ops, calls[at])
				}
				order = order[n:]
				x.lookRefused(ops, unclear)
			}
		}
	}
	for x.ctx.Err() == nil && time.Now().Before(until) {
		x.lookRefused(x.gen.new(nil, b, false), unclear)
	}
}

// lookRefused plays a sequence with and without the calls that are refused, and reports one of them if others answer otherwise.
func (x *exploration) lookRefused(ops sequence, unclear map[*method]int) {
	base := x.onPlain(ops)
	if base.exit != nil || len(base.answers) != len(ops) {
		return
	}
	out := x.onPlain(x.lessRefused(ops, base))
	if out.exit != nil || len(out.answers) != len(ops) {
		return
	}
	for i := range ops {
		if m := ops[i].m; x.observes(&ops[i]) && unclear[m] < maxUnclear && hasLost(&base.answers[i], &out.answers[i]) {
			unclear[m]++
			x.tryRefused(ops[:i+1])
			return
		}
	}
}

// back are plain calls with a number below zero: one step back, say.
func (x *exploration) back(b *box) (all []op) {
	for _, c := range x.plainCalls(b) {
		for i, a := range c.args {
			if numbers := numbersOf(a.value.Tag(), []int64{-1}, nil); len(numbers) > 0 {
				c.args = slices.Clone(c.args)
				c.args[i].value = numbers[0]
				all = append(all, c)
				break
			}
		}
	}
	return distinctCalls(all)
}

// refusedIn are calls that are refused in a state, one after the other.
func (x *exploration) refusedIn(b *box, s sequence, states []sequence) (refused sequence) {
	for _, m := range x.gen.callable(b) {
		for _, types := range x.gen.typesOf(m) {
			if slices.ContainsFunc(types, isHandle) {
				continue
			}
			for _, r := range x.refusable(m, types, s, states) {
				refused = append(refused, r[len(s):]...)
			}
		}
	}
	x.random.Shuffle(len(refused), func(i, k int) { refused[i], refused[k] = refused[k], refused[i] })
	for range 2 { // those that succeed may be why others are refused
		out := x.onPlain(slices.Concat(s, refused))
		if out.exit != nil || len(out.answers) != len(s)+len(refused) {
			return nil
		}
		var left sequence
		for i := range refused {
			if x.isRefused(&refused[i], &out.answers[len(s)+i]) {
				left = append(left, refused[i])
			}
		}
		refused = left
	}
	return refused[:min(len(refused), manyRefused)]
}

// lessRefused is a sequence in which nothing is called where a call was refused that should change nothing.
func (x *exploration) lessRefused(ops sequence, out *played) sequence {
	less := slices.Clone(ops)
	for i := range less {
		if x.isRefused(&ops[i], &out.answers[i]) {
			less[i].idle = time.Nanosecond
		}
	}
	return less
}

// isRefused tells whether an op was a call that was refused, of a method that does nothing then.
func (x *exploration) isRefused(o *op, a *observed) bool {
	return a.made && a.code != abi.OK && a.code != abi.ErrShortBuffer && !o.isBirth() && !o.isFini() && !meansHalf(o.m) &&
		!doneByPart.MatchString(o.m.name) && !isAttempt.MatchString(o.m.name) && !goesOnRefused.MatchString(o.m.name) && !x.done[findingKey{codeHalf, o.m.String(), ""}]
}

// observes tells whether an op is a call that should answer the same whatever was refused before.
func (x *exploration) observes(o *op) bool {
	return o.m != nil && !o.isBirth() && !o.isFini() && o.made == nil && !tellsOfFailed.MatchString(o.m.name) && !meansHalf(o.m)
}

// hasLost tells whether a call answers less than where those that were refused had not been made. More is
// none: numbers are given to what is refused, too, and calls are counted.
func hasLost(with, without *observed) bool {
	switch {
	case !with.made || !without.made || with.same(without) || isHandle(with.value) || isHandle(without.value):
		return false
	case with.code == abi.OK && without.code == abi.OK:
		return (tells(with) || tells(without)) && (isText(without.value) || magnitude(with.value) < magnitude(without.value))
	}
	return with.code == abi.OK && tells(with) || without.code == abi.OK && tells(without)
}

// tryRefused makes sure that the last call of a sequence answers otherwise after one that was refused, and reports that one.
// Where it takes several of them, they are attempts that the plugin counts, and no fault.
func (x *exploration) tryRefused(s sequence) {
	shows := func(s sequence) bool { _, _, _, ok := x.showsRefused(s, x.onPlain); return ok }
	short := x.shrink(s, -1, shows)
	if short == nil {
		return
	}
	var out, without *played
	var refused []int
	for range agreeing { // each in a worker of its own
		var ok bool
		if out, without, refused, ok = x.showsRefused(short, func(s sequence) *played { return x.env.play(s, ordinary) }); !ok || len(refused) != 1 {
			return
		}
	}
	at, last := refused[0], len(short)-1
	m := short[at].m
	if key := (findingKey{codeHalf, m.String(), ""}); !x.done[key] {
		x.done[key] = true
		step := x.shown(short, at)
		since, otherwise := unlike(&out.answers[last], &without.answers[last])
		f := step.finding(codeHalf, "it answered %v, and %v answers %s later, and %s where it was not called: it has done a part of its work", &out.answers[at], short[last].m, since, otherwise)
		f.Fix = halfFix()
		x.report(f, short, ordinary, out.answers)
	}
}

// showsRefused plays a sequence with the calls that are refused and without them.
func (x *exploration) showsRefused(s sequence, play func(sequence) *played) (out, without *played, refused []int, ok bool) {
	last := len(s) - 1
	if last < 2 {
		return nil, nil, nil, false
	}
	out = play(s)
	if out.exit != nil || len(out.answers) != len(s) || !x.observes(&s[last]) || x.isRefused(&s[last], &out.answers[last]) {
		return nil, nil, nil, false
	}
	for i := range s {
		if x.isRefused(&s[i], &out.answers[i]) {
			refused = append(refused, i)
		}
	}
	without = play(x.lessRefused(s, out))
	ok = without.exit == nil && len(without.answers) == len(s) && len(refused) > 0 && hasLost(&out.answers[last], &without.answers[last])
	return out, without, refused, ok
}
