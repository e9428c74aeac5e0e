package plugintest

import (
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
)

// compareAlone compares what the instances of a box answer with what each answers where no
// other is called. Only a method counts that changes nothing: one that numbers things for all
// instances is no fault. Instances that are given the same texts, or each other, may have to do with
// each other, by a file say, and are not compared.
func (x *exploration) compareAlone(ops sequence, base *played) {
	groups := groupsOf(ops, x.defaultName)
	for _, keep := range groups {
		if len(groups) < 2 || x.ctx.Err() != nil {
			return
		}
		dropped := x.foreign(ops, keep)
		if x.differsAlone(ops, base, dropped) {
			return
		}
	}
}

// differsAlone plays a sequence without some of its calls, and reports a call that is answered
// otherwise.
func (x *exploration) differsAlone(ops sequence, base *played, dropped func(int) bool) bool {
	for _, at := range x.otherAlone(ops, base, dropped) {
		if x.mixes(ops, at) {
			return true
		}
	}
	return false
}

// mixes reports a call that is answered otherwise where no instance but its own is called.
func (x *exploration) mixes(ops sequence, at int) bool {
	m := ops[at].m
	key := findingKey{codeMixed, m.String(), ""}
	if x.done[key] || x.ctx.Err() != nil {
		return false
	}
	foreign := func(s sequence, on int) func(int) bool { return x.foreign(s, groupOf(groupsOf(s, x.defaultName), on)) }
	// The sequence, with the call that is answered otherwise as its last, made twice.
	shows := func(s sequence) bool {
		last := len(s) - 1
		if last < 2 || s[last].m != m || s[last].on < 0 || s[last-1].m != m || s[last-1].on != s[last].on {
			return false
		}
		out := x.env.play(s, ordinary)
		if out.exit != nil || len(out.answers) <= last || !out.answers[last].same(&out.answers[last-1]) {
			return false
		}
		return slices.Contains(x.otherAlone(s, out, foreign(s, s[last].on)), last-1)
	}
	s := ops.without(func(i int) bool { return i > at })
	if len(s) == 0 || s[len(s)-1].m != m {
		return false
	}
	s = append(s, s[len(s)-1])
	x.done[key] = true
	short := x.shrink(s, -1, shows)
	if short == nil {
		x.done[key] = false
		return false
	}
	for range agreeing - 1 {
		if !shows(short) {
			return false
		}
	}
	if slices.ContainsFunc(short, func(o op) bool { return x.namesShared(&o) }) {
		return false // it is a table for all, of which something has become otherwise
	}
	last := len(short) - 1
	if meansShared(short[last].m) {
		return false
	}
	out := x.env.play(short, ordinary)
	alone := x.env.play(quiet(short, out, foreign(short, short[last].on)), ordinary)
	if len(out.answers) <= last || len(alone.answers) <= last {
		return false
	}
	step := x.shown(short, last)
	one, other := unlike(&out.answers[last], &alone.answers[last])
	f := step.finding(codeMixed, "it answered %s, and %s where only its own instance was called", one, other)
	rule, _ := RuleOf(codeMixed)
	f.Fix = rule.Fix + howToShare
	x.report(f, short, ordinary, out.answers)
	return true
}

// foreign tells which calls are left out: those on instances that are not kept, but for those that
// share by name.
func (x *exploration) foreign(ops sequence, keep []int) func(i int) bool {
	return func(i int) bool {
		o := &ops[i]
		return o.on >= 0 && !slices.Contains(keep, o.on) && !o.isFini() && o.made == nil && !x.namesShared(o)
	}
}

// otherAlone are the ops that are answered otherwise without some of the others, the first of each
// method: one that changes something may be, too, which is no fault, and comes before the one that
// tells. Errors are not compared by more than their codes, as others are.
func (x *exploration) otherAlone(ops sequence, base *played, dropped func(int) bool) (first []int) {
	less := quiet(ops, base, dropped)
	if less == nil {
		return nil
	}
	out := x.env.play(less, ordinary)
	x.played++
	if out.none || out.exit != nil {
		return nil
	}
	seen := make(map[*method]bool)
	for i := range min(len(base.answers), len(out.answers)) {
		a, b := &base.answers[i], &out.answers[i]
		if !seen[ops[i].m] && !dropped(i) && a.made && b.made && a.code == abi.OK && b.code == abi.OK && a.sum != b.sum && ops[i].made == nil {
			first, seen[ops[i].m] = append(first, i), true
		}
	}
	return first
}

// quiet is a sequence in which some calls are not made, and as much time passes as they took: what
// a clock says is no fault. It is nil where there are none.
func quiet(ops sequence, base *played, dropped func(int) bool) sequence {
	less, some := slices.Clone(ops), false
	for i := range less {
		if dropped(i) && i < len(base.answers) {
			less[i].idle, some = max(base.answers[i].took, time.Microsecond), true
		}
	}
	if !some {
		return nil
	}
	return less
}

// groupsOf are the instances that have to do with each other, by the ops that made them. unnamed tells
// of births whether they are given no name where they could.
func groupsOf(ops sequence, unnamed func(*op) bool) (groups [][]int) {
	at := make(map[int]int) // the group of an op's instance
	texts, defaults := make(map[string]int), make(map[*method]int)
	join := func(a, b int) {
		if a == b {
			return
		}
		for k, g := range at {
			if g == b {
				at[k] = a
			}
		}
		for k, g := range texts {
			if g == b {
				texts[k] = a
			}
		}
		for k, g := range defaults {
			if g == b {
				defaults[k] = a
			}
		}
	}
	for i := range ops {
		o := &ops[i]
		if o.made != nil {
			at[i] = i
			if o.on >= 0 {
				join(at[o.on], i)
			}
		}
		own := i
		if o.on >= 0 {
			own = o.on
		}
		if _, ok := at[own]; !ok {
			continue
		}
		if unnamed(o) {
			if have, ok := defaults[o.m]; ok {
				join(at[own], have)
			}
			defaults[o.m] = at[own]
		}
		for _, a := range o.args {
			switch {
			case a.ref > 0:
				join(at[own], at[a.ref-1])
			case isText(a.value):
				text := a.value.Data()
				if have, ok := texts[text]; ok {
					join(at[own], have)
				}
				texts[text] = at[own]
			}
		}
	}
	byGroup := make(map[int][]int)
	for i := range ops {
		if g, ok := at[i]; ok {
			byGroup[g] = append(byGroup[g], i)
		}
	}
	for i := range ops {
		if g := byGroup[i]; g != nil {
			groups = append(groups, g)
		}
	}
	return groups
}

func groupOf(groups [][]int, on int) []int {
	for _, g := range groups {
		if slices.Contains(g, on) {
			return g
		}
	}
	return nil
}
