package plugintest

import "slices"

// compare compares a play in another world, and reports a difference that repeats.
func (x *exploration) compare(ops sequence, base, other *played, in world) {
	at := firstOther(base, other)
	if at < 0 {
		x.compareExit(ops, other, in)
		return
	}
	m := ops[at].m
	key := findingKey{in.code, m.String(), ""}
	if x.done[key] || base.answers[at].malformed || other.answers[at].malformed || in.short && x.hasCode(codeOverrun) { // which short results show, too
		return
	}
	differs := func(s sequence) bool { return x.differ(s, in, 1) >= 0 }
	if x.differ(ops, in, agreeing-1) < 0 {
		return
	}
	x.done[key] = true
	short := x.shrink(ops, at, differs)
	if short == nil {
		return
	}
	if at = x.differ(short, in, agreeing); at < 0 {
		return
	}
	a, b := x.env.playBoth(short, in)
	if firstOther(a, b) != at {
		return
	}
	if in.guard != ordinary.guard && x.guards() && firstOther(a, x.env.play(short, unguarded)) >= 0 {
		x.shared.heap.own = false // it is the guard that makes the difference
		return
	}
	if in.second && (!x.reads(short, at) || means(meantLife, short[at].m) || short[at].m.box.means(meantLife)) {
		return // it numbers things for as long as the process lives, say
	}
	s := x.shown(short, at)
	here, there := unlike(&a.answers[at], &b.answers[at])
	f := s.finding(in.code, "it answered %s, and %s %s", here, there, in.what)
	x.report(f, short, in, a.answers)
}

// compareExit reports a crash in another world, where there is none in the ordinary one.
func (x *exploration) compareExit(ops sequence, other *played, in world) {
	if other.none || other.exit == nil || isSlow(other.exit.err) || in.code == "" {
		return
	}
	m := other.exit.at.m
	key := findingKey{in.code, m.String(), ""}
	if x.done[key] || m.box == nil || in.short && x.hasCode(codeOverrun) {
		return
	}
	shows := func(s sequence) bool {
		base, other := x.env.playBoth(s, in)
		return !base.none && !other.none && base.exit == nil && other.exit != nil && other.exit.at.m == m && !isSlow(other.exit.err)
	}
	for range agreeing - 1 {
		if !shows(ops) {
			return
		}
	}
	x.done[key] = true
	short := x.shrink(ops, len(other.answers)-1, shows)
	if short == nil || !shows(short) {
		return
	}
	base, other := x.env.playBoth(short, in)
	at := len(other.answers) - 1
	if other.exit == nil || at < 0 || at >= len(base.answers) {
		return
	}
	s := x.shown(short, at)
	x.report(s.finding(in.code, "it answered %v, and crashed %s: %v", &base.answers[at], in.what, other.exit.err), short, in, base.answers)
}

// reads tells whether the call of an op changes nothing: made twice, it answers the same.
func (x *exploration) reads(ops sequence, at int) bool {
	twice := append(slices.Clone(ops[:at+1]), ops[at])
	out := x.env.play(twice, ordinary)
	return len(out.answers) == len(twice) && out.answers[at].same(&out.answers[at+1])
}

// differ tells from which op on a sequence answers otherwise in another world, where so many
// plays in each of the worlds agree; -1 for none.
func (x *exploration) differ(ops sequence, in world, plays int) int {
	first, other := x.env.playBoth(ops, in)
	at := firstOther(first, other)
	for i := 1; i < plays && at >= 0; i++ {
		if k := firstOther(first, x.env.play(ops, ordinary)); k >= 0 && k <= at {
			return -1
		}
		if k := firstOther(other, x.env.play(ops, in)); k >= 0 && k <= at {
			return -1
		}
	}
	return at
}

// firstOther is the first op that was answered otherwise; -1 for none. A play that has ended
// early is not compared further.
func firstOther(a, b *played) int {
	if a.none || b.none {
		return -1
	}
	n := min(len(a.answers), len(b.answers))
	if a.exit != nil || b.exit != nil {
		n--
	}
	for i := range max(0, n) {
		if !a.answers[i].same(&b.answers[i]) {
			return i
		}
	}
	return -1
}
