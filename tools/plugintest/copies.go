package plugintest

import (
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
)

// A copy of an instance, and one that takes what another has answered (a dump), answer as the first one
// does. Which answers that holds for is not known: some tell what no copy is meant to have. So it is learned:
// an answer that is the same in most states, and otherwise in some, is wrong in those. So is one that some copies
// have, and others have not.

const (
	maxCopyStates = 400 // that are looked at
	copyLength    = 40  // calls of a state at most
	// leastAlike is in how many states, with different answers, a call must be answered by both alike.
	leastAlike = 6
	// meetingsAlike is in how many times as many states it must be so for a call that is given the other instance.
	meetingsAlike = 5
	// mostOther is in which part of all states it may be answered otherwise, one in so many, and mostRefused in
	// which part a dump may be refused: that is seldom meant.
	mostOther, mostRefused = 3, 2
)

// copier makes an instance from one: m answers it, or a dump that into takes as its only argument.
type copier struct {
	m, into *method // into is nil for one that answers the instance
	types   shape   // of into
}

// copied is how a call was answered by instances and by their copies.
type copied struct {
	alike map[uint64]bool // the answers
	times int
	other []sequence // the states in which the copy answered otherwise
	lost  int        // in how many of these it had nothing to answer
}

// copies looks at copies of the instances of a box.
func (x *exploration) copies(b *box, until time.Time) {
	_, states := x.filledStates(b)
	all := x.copiers(b, states)
	if len(all) == 0 || b.singleton {
		return
	}
	asked := x.answering(b)
	for i := range all {
		end := time.Now().Add(time.Until(until) / time.Duration(len(all)-i))
		x.partings(b, &all[i], asked, time.Now().Add(time.Until(end)/2))
		x.learnCopies(b, &all[i], asked, end)
	}
}

// copiers are those of a box. A dump of one state may be refused for the fault that is looked for.
func (x *exploration) copiers(b *box, states []sequence) (all []copier) {
	for _, s := range states[:min(len(states), 2*pairStates)] {
		for _, c := range x.copiersIn(b, s) {
			if !slices.ContainsFunc(all, func(have copier) bool { return have.m == c.m && have.into == c.into }) {
				all = append(all, c)
			}
		}
	}
	return all
}

func (x *exploration) copiersIn(b *box, state sequence) (all []copier) {
	none := func(m *method) bool {
		return slices.ContainsFunc(x.gen.shapes[m], func(s shape) bool { return len(s) == 0 })
	}
	methods := x.gen.callable(b)
	for _, m := range methods {
		if !none(m) {
			continue
		}
		out := x.onPlain(append(slices.Clone(state), op{m: m, on: 0}))
		if out.exit != nil || len(out.answers) != len(state)+1 || out.answers[len(state)].code != abi.OK {
			continue
		}
		a := &out.answers[len(state)]
		switch {
		case a.makes == b:
			all = append(all, copier{m: m})
		case isText(a.value) && a.value.Len() > 3:
			for _, into := range methods {
				for _, types := range x.gen.typesOf(into) {
					if len(types) == 1 && !isUnsound(types[0], a.value.Data()) && (isText(types[0]) || isBlob(types[0])) && !x.takesAny(b, into, types, 0) && x.takes(b, into, types, 0, a.value.Data()) {
						all = append(all, copier{m, into, types})
					}
				}
			}
		}
	}
	return all
}

// upTo are the calls of a copier behind those of a state, which make the copy, and where that is made.
func (x *exploration) upTo(c *copier, b *box, s sequence) (ops sequence, made int, ok bool) {
	if c.into == nil {
		return append(slices.Clone(s), op{m: c.m, on: 0, made: b}), len(s), true
	}
	out := x.onPlain(append(slices.Clone(s), op{m: c.m, on: 0}))
	if out.exit != nil || len(out.answers) != len(s)+1 || out.answers[len(s)].code != abi.OK || !isText(out.answers[len(s)].value) {
		return nil, 0, false
	}
	dump := out.answers[len(s)].value.Data()
	if isUnsound(c.types[0], dump) {
		return nil, 0, false
	}
	// Of the same arguments: what fits into one may not fit into another.
	return append(slices.Clone(s), s[0], op{m: c.into, on: len(s), args: argumentsWith(c.types, 0, dump)}), len(s), true
}

// learnCopies compares copies with what they are of in many states.
func (x *exploration) learnCopies(b *box, c *copier, asked []op, until time.Time) {
	_, states := x.filledStates(b)
	asked = slices.DeleteFunc(slices.Clone(asked), func(r op) bool { return r.m == c.m || r.m == c.into })
	asked = append(asked, x.meetings(b, states, asked)...)
	answers := make([]copied, len(asked))
	for i := range answers {
		answers[i].alike = make(map[uint64]bool)
	}
	var refused []sequence
	given, shifted := x.givenAway(b, states), x.shiftedStates(states)
	taken := 0
	for n := 0; n < maxCopyStates && x.ctx.Err() == nil && time.Now().Before(until); n++ {
		s := x.copyState(b, states, n)
		if len(given) > 0 && n%5 == 4 {
			s = given[x.random.IntN(len(given))]
		}
		if n%4 == 2 && n/4 < len(shifted) {
			s = shifted[n/4]
		}
		if s == nil {
			continue
		}
		own, other, ok := x.askCopy(b, c, s, asked)
		switch {
		case !ok:
			continue
		case other == nil:
			refused = append(refused, s)
			continue
		}
		taken++
		for i := range asked {
			a := &answers[i]
			if !tells(&own[i]) && !asked[i].meets() {
				continue
			}
			if a.times++; own[i].same(&other[i]) {
				a.alike[own[i].sum] = true
			} else {
				a.other = append(a.other, s)
				if !asked[i].meets() && !tells(&other[i]) {
					a.lost++
				}
			}
		}
	}
	if c.into != nil && isFew(len(refused), taken, mostRefused) && taken >= leastAlike {
		x.reportCopy(b, c, refused[0], nil)
	}
	for i := range answers {
		a := &answers[i]
		alike := len(a.alike)
		if asked[i].meets() { // "equal" is one answer for all
			alike = (a.times - len(a.other)) / meetingsAlike
		}
		// What no copy is meant to have none has: where some have it, it was lost by the others.
		if alike >= leastAlike && (isFew(len(a.other), a.times, mostOther) || a.lost > 0 && a.lost == len(a.other)) && x.ctx.Err() == nil {
			x.reportCopy(b, c, a.other[0], &asked[i])
		}
	}
}

// onCopy is a call on a copy, or with it where it is given an instance.
func (o op) onCopy(at int) op {
	if !o.meets() {
		o.on = at
		return o
	}
	o.args = slices.Clone(o.args)
	for i := range o.args {
		if o.args[i].ref > 0 {
			o.args[i].ref = at + 1
		}
	}
	return o
}

// meets tells whether a call is given an instance.
func (o op) meets() bool {
	return slices.ContainsFunc(o.args, func(a argument) bool { return a.ref > 0 })
}

// meetings are calls that are given the instance that they are on, and change nothing: what compares two of them, say.
func (x *exploration) meetings(b *box, states []sequence, asked []op) (all []op) {
	for _, m := range x.gen.callable(b) {
		for _, types := range x.gen.typesOf(m) {
			if !x.takesOwn(b, types) || x.gen.makes[m] != nil {
				continue
			}
			call := op{m: m, on: 0, args: withInstance(types, 0)}
			out := x.onPlain(slices.Concat(states[0], asked, sequence{call}, asked))
			from, n := len(states[0]), len(asked)
			if out.exit != nil || len(out.answers) != from+2*n+1 || out.answers[from+n].code != abi.OK {
				continue
			}
			if slices.EqualFunc(out.answers[from:from+n], out.answers[from+n+1:], func(a, b observed) bool { return a.same(&b) }) {
				all = append(all, call)
			}
		}
	}
	return all
}

// shifts are by how much the numbers of a call are larger in some states: all of them, so that a beginning stays in front of an end.
var shifts = []int64{-100, -7, 1 << 8, 1 << 16, 1 << 31, 1 << 33, -1 << 40}

// shiftedStates are states in which the numbers of the calls of one method are larger by the same.
func (x *exploration) shiftedStates(states []sequence) (all []sequence) {
	for _, s := range states[:min(len(states), pairStates)] {
		tried := make(map[*method]bool)
		for _, o := range s {
			if o.isBirth() || tried[o.m] || !slices.ContainsFunc(o.args, func(a argument) bool { return isInteger(a.value) }) {
				continue
			}
			tried[o.m] = true
			for _, by := range shifts {
				all = append(all, s.shifted(o.m, by))
			}
		}
	}
	x.random.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
	return all
}

// shifted is a sequence in which the numbers of the calls of a method are larger, as far as their types have such.
func (s sequence) shifted(m *method, by int64) sequence {
	changed := slices.Clone(s)
	for i := range changed {
		if changed[i].m != m {
			continue
		}
		changed[i].args = slices.Clone(changed[i].args)
		for k, a := range changed[i].args {
			n, err := a.value.Int()
			if err != nil || !isInteger(a.value) {
				continue
			}
			if other := numbersOf(a.value.Tag(), []int64{n + by}, nil); len(other) > 0 {
				changed[i].args[k].value = other[0]
			}
		}
	}
	return changed
}

// givenAway are states of an instance that was given to a method of another one.
func (x *exploration) givenAway(b *box, states []sequence) (all []sequence) {
	for _, m := range x.gen.callable(b) {
		for _, types := range x.gen.typesOf(m) {
			if !x.takesOwn(b, types) {
				continue
			}
			args := withInstance(types, 0)
			for _, s := range states[:min(len(states), pairStates)] {
				all = append(all, append(slices.Clone(s), s[0], op{m: m, on: len(s), args: args}))
			}
		}
	}
	return all
}

// isFew tells whether something is so in some of the cases, and in one of so many at most.
func isFew(n, of, most int) bool { return n > 0 && n*most <= of }

// copyState is a state: those that are filled first, and then those after a few calls more.
func (x *exploration) copyState(b *box, states []sequence, n int) sequence {
	if n < len(states) {
		return states[n]
	}
	if len(x.corpus) > 0 && n%4 == 0 {
		if s := x.upToCall(b, x.corpus[x.random.IntN(len(x.corpus))]); len(s) <= copyLength {
			return s
		}
		return nil
	}
	from := states[0] // the fullest
	if x.random.IntN(2) == 0 {
		from = states[x.random.IntN(min(len(states), pairStates))]
	}
	return x.gen.grow(from, b, 1+x.random.IntN(8))
}

// askCopy makes a copy after the calls of a state, and asks both. ok is false where that cannot be said, and
// other is nil where the dump is refused.
func (x *exploration) askCopy(b *box, c *copier, s sequence, asked []op) (own, other []observed, ok bool) {
	made, at, ok := x.upTo(c, b, s)
	if !ok {
		return nil, nil, false
	}
	all := slices.Concat(s, asked, made[len(s):])
	from := len(s) + len(asked) // where the copy is made
	for i := from; i < len(all); i++ {
		if all[i].on == at {
			all[i].on = from
		}
	}
	last := len(all) - 1
	for _, r := range asked {
		all = append(all, r.onCopy(from))
	}
	out := x.onPlain(all)
	if out.exit != nil || len(out.answers) != len(all) || !out.answers[last].made {
		return nil, nil, false
	}
	own = out.answers[len(s):from]
	if out.answers[last].code != abi.OK {
		return own, nil, c.into != nil
	}
	return own, out.answers[last+1:], true
}

// reportCopy makes sure that a call is answered otherwise by a copy, or that a dump is refused where there is no call, and
// reports it with the fewest calls.
func (x *exploration) reportCopy(b *box, c *copier, s sequence, r *op) {
	key := findingKey{codeCopy, c.m.String(), ""}
	if x.done[key] || r != nil && (means(meantCopy, c.m) || c.into != nil && means(meantCopy, c.into)) {
		return
	}
	var asked []op
	if r != nil {
		asked = []op{*r}
	}
	shows := func(s sequence) bool {
		if len(s) == 0 || !s[0].isBirth() || s[0].m.box != b || r != nil && !x.answersTwice(s, *r) {
			return false
		}
		own, other, ok := x.askCopy(b, c, s, asked)
		return ok && (r == nil && other == nil || r != nil && other != nil && (tells(&own[0]) || r.meets()) && !own[0].same(&other[0]))
	}
	short := x.confirmed(key, s, shows)
	if short == nil {
		return
	}
	if x.reportCause(short, c, shows) {
		return
	}
	ops, at, ok := x.upTo(c, b, short)
	if !ok {
		return
	}
	if c.into != nil { // with the dump as it is when the calls are made again
		into := ops[len(ops)-1]
		into.on, into.args[0].from = at+1, at+1
		ops = slices.Concat(short, sequence{{m: c.m, on: 0}, short[0], into})
		at++
	}
	if r == nil {
		answers := x.env.play(ops, ordinary).answers
		if last := len(ops) - 1; len(answers) == len(ops) {
			step := x.shown(ops, last)
			x.reportOf(step.finding(codeCopy, "it answered %v to what %v has answered; it takes that of other states", &answers[last], c.m), ops, answers)
		}
		return
	}
	ops = append(ops, *r, r.onCopy(at))
	answers := x.env.play(ops, ordinary).answers
	if last := len(ops) - 1; len(answers) == len(ops) {
		step := x.shown(ops, last)
		how := "the copy that " + c.m.String() + " has answered"
		if c.into != nil {
			how = "an instance that has taken what " + c.m.String() + " answered"
		}
		one, other := unlike(&answers[last-1], &answers[last])
		preposition := "on"
		if r.meets() {
			preposition = "with"
		}
		x.reportOf(step.finding(codeCopy, "it answered %s, and %s %s %s; in other states it answers the same", one, preposition, how, other), ops, answers)
	}
}

// answersTwice tells whether a call after others is answered the same when it is made again. What takes something away
// is answered otherwise by a copy that is made after it.
func (x *exploration) answersTwice(s sequence, r op) bool {
	out := x.onPlain(append(slices.Clone(s), r, r))
	return out.answersAlike(len(s), len(s)+1)
}

// reportCause reports a call of a sequence that was refused if copies are right where it is not made: it is what has left the
// instance in a state that no copy has.
func (x *exploration) reportCause(s sequence, c *copier, shows func(sequence) bool) bool {
	out := x.env.play(s, ordinary)
	if out.exit != nil || len(out.answers) != len(s) {
		return false
	}
	for i := range s {
		if !x.isRefused(&s[i], &out.answers[i]) {
			continue
		}
		less := slices.Clone(s)
		less[i].idle = time.Nanosecond
		if shows(less) {
			continue
		}
		x.done[findingKey{codeHalf, s[i].m.String(), ""}] = true
		step := x.shown(s, i)
		f := step.finding(codeHalf, "it answered %v, and since then what %v makes answers otherwise than the instance that it is of: it has done a part of its work", &out.answers[i], c.m)
		f.Fix = halfFix()
		x.report(f, s, ordinary, out.answers)
		return true
	}
	return false
}

// reportOf adds a finding of the ordinary world, with how to say that it is meant.
func (x *exploration) reportOf(f Finding, ops sequence, answers []observed) {
	rule, _ := RuleOf(f.Code)
	f.Fix = rule.Fix + howToCopy
	x.report(f, ops, ordinary, answers)
}
