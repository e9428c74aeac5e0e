package plugintest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

const (
	// staleLength is how long a sequence is at most to whose end readers are added.
	staleLength = 60
	// staleTries is how often a reader is looked at closely that shows something.
	staleTries = 8
	// maxStaleStates is how many states are looked at.
	maxStaleStates = 16
	// readStates is in how many of them a method must change nothing to be a reader.
	readStates = 4
)

// stale finds methods that answer as before a call which has changed what they answer, because they
// were called before it: what they keep is not dropped everywhere. Where they were not called
// before, they answer otherwise. Each method is called after three calls of each, and then at the end
// of parts of sequences that have shown something.
func (x *exploration) stale(b *box, until time.Time) {
	calls, states := x.filledStates(b)
	readers := x.readersOf(states, calls, time.Now().Add(time.Until(until)/2))
	if len(readers) == 0 {
		return
	}
	tries := make(map[*method]int)
	try := func(s sequence) bool {
		for _, r := range x.looksStale(s, readers) {
			if tries[r.m]++; tries[r.m] <= staleTries {
				x.tryStale(slices.Concat(s[:len(s)-1], sequence{r, s[len(s)-1], r}))
			}
		}
		return x.ctx.Err() == nil && time.Now().Before(until)
	}
	for _, s := range slices.Concat(x.takers(b, states), x.withCalls(states, calls)) {
		if !try(s) {
			return
		}
	}
	for len(x.corpus) > 0 && try(x.upToCall(b, x.corpus[x.random.IntN(len(x.corpus))])) {
		continue
	}
}

// withCalls are sequences each of which is followed by each of some calls.
func (x *exploration) withCalls(states []sequence, calls []op) (all []sequence) {
	for _, s := range states {
		for _, w := range calls {
			all = append(all, append(slices.Clone(s), w))
		}
	}
	return all
}

// takers are calls on an instance that is given another one of the box: each in one of several states, the other also
// with its names the other way round.
func (x *exploration) takers(b *box, states []sequence) (all []sequence) {
	if b.singleton {
		return nil
	}
	some := states[:min(len(states), pairStates)]
	var seconds []sequence
	for _, s := range some {
		seconds = append(seconds, s)
		if names := s.texts(2); len(names) == 2 {
			const meanwhile = "\x00"
			seconds = append(seconds, s.withText(names[0], meanwhile).withText(names[1], names[0]).withText(meanwhile, names[1]))
		}
	}
	for _, m := range x.gen.callable(b) {
		for _, types := range x.gen.typesOf(m) {
			if !x.takesOwn(b, types) {
				continue
			}
			for _, s := range some {
				for _, second := range seconds {
					all = append(all, x.withSecond(m, types, s, second))
				}
			}
		}
	}
	return all
}

// takesOwn tells whether an instance of the box is among arguments, and no blob.
func (x *exploration) takesOwn(b *box, types shape) bool {
	return slices.ContainsFunc([]tlv.Value(types), func(v tlv.Value) bool { return isHandle(v) && x.plugin.sampled(v, b) == b }) && !slices.ContainsFunc([]tlv.Value(types), isBlob)
}

// plainCalls are calls of methods without instances and blobs among their arguments, on the first
// instance of a sequence, in any order.
func (x *exploration) plainCalls(b *box) (all []op) {
	for _, m := range x.gen.callable(b) {
		for _, types := range x.gen.typesOf(m) {
			if !slices.ContainsFunc(types, isHandle) && !slices.ContainsFunc(types, isBlob) && x.gen.makes[m] == nil {
				all = append(all, op{m: m, on: 0, args: literals(nth(types, 1))})
				if len(types) > 0 {
					all = append(all, op{m: m, on: 0, args: literals(types)})
				}
				all = append(all, x.variants(m, types)...)
			}
		}
	}
	all = distinctCalls(all)
	x.random.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
	return all
}

// distinctCalls are calls without those that are there twice.
func distinctCalls(all []op) (different []op) {
	for _, c := range all {
		if !slices.ContainsFunc(different, func(have op) bool { return have.m == c.m && have.on == c.on && slices.Equal(have.args, c.args) }) {
			different = append(different, c)
		}
	}
	return different
}

// variants are calls of a method whose arguments have worked, with one of them changed: two texts that change
// places, and another number.
func (x *exploration) variants(m *method, types shape) (all []op) {
	for _, names := range [][2]string{{"a", "w"}, {"w", "a"}, {"a", "b"}} { // of sampleValues, and a new one
		if values, ok := withNames(types, names); ok {
			all = append(all, op{m: m, on: 0, args: literals(values)})
		}
	}
	for i, v := range types {
		if numbers := numbersOf(v.Tag(), []int64{5}, []float64{5}); len(numbers) > 0 {
			values := slices.Clone(types)
			values[i] = numbers[0]
			return append(all, op{m: m, on: 0, args: literals(values)})
		}
	}
	return all
}

// withNames are values with two texts as their first two; ok is false where they have none.
func withNames(values []tlv.Value, names [2]string) (named []tlv.Value, ok bool) {
	named = slices.Clone(values)
	n := 0
	for i, v := range named {
		if isText(v) && n < len(names) {
			named[i] = textOf(v.Tag(), names[n])
			n++
		}
	}
	return named, n == len(names)
}

// nth are values of the same types with a number: the n-th of small texts and numbers.
func nth(types shape, n int) []tlv.Value {
	all := withName(types, string(rune('a'+n)))
	for i, v := range all {
		if numbers := numbersOf(v.Tag(), []int64{int64(n)}, nil); len(numbers) > 0 {
			all[i] = numbers[0]
		}
	}
	return all
}

// staleStates are sequences that each fill an instance with calls of one method (three of them, all of its
// plain calls, or one with a text of some form), after which others answer otherwise than after other such sequences: those first after which most calls answer something.
func (x *exploration) staleStates(b *box, calls []op) (all []sequence) {
	birth := x.firstBirth(b)
	seen := make(map[string]bool)
	type state struct {
		s    sequence
		tell int // calls that answer something
	}
	var found []state
	var probes []op // one of each method
	for _, c := range calls {
		if !slices.ContainsFunc(probes, func(have op) bool { return have.m == c.m }) {
			probes = append(probes, c)
		}
	}
	add := func(s sequence) {
		out := x.onPlain(slices.Concat(s, probes))
		if out.exit != nil || len(out.answers) != len(s)+len(probes) {
			return
		}
		var shows strings.Builder
		tell := 0
		for i := range probes {
			a := &out.answers[len(s)+i]
			fmt.Fprintf(&shows, "%d %v %v,", a.code, tells(a), magnitude(a.value))
			if tells(a) {
				tell++
			}
		}
		if !seen[shows.String()] {
			seen[shows.String()] = true
			found = append(found, state{s, tell})
		}
	}
	add(sequence{birth})
	for _, c := range calls {
		if len(c.args) == 0 || x.ctx.Err() != nil {
			continue
		}
		s := append(sequence{birth}, x.setupOf(c.m)...)
		for n := range 3 {
			s = append(s, op{m: c.m, on: 0, args: literals(nth(typesOf(c.args), n))})
		}
		add(s)
	}
	for _, m := range x.gen.callable(b) {
		s := append(sequence{birth}, x.setupOf(m)...)
		for _, c := range calls {
			if c.m == m && len(c.args) > 0 {
				s = append(s, c)
			}
		}
		if x.ctx.Err() == nil && s[len(s)-1].m == m {
			add(s)
		}
	}
	tried := make(map[*method]bool)
	for _, c := range calls { // what is made of a table depends on what is in it
		if tried[c.m] || !slices.ContainsFunc(c.args, func(a argument) bool { return isText(a.value) }) {
			continue
		}
		tried[c.m] = true
		for _, form := range formTexts {
			if x.ctx.Err() == nil {
				filled := op{m: c.m, on: 0, args: literals(withName(typesOf(c.args), form))}
				add(append(append(sequence{birth}, x.setupOf(c.m)...), filled))
			}
		}
	}
	slices.SortStableFunc(found, func(a, b state) int { return cmp.Compare(b.tell, a.tell) })
	if calls := x.shared.telling[b]; len(calls) > 0 { // what tells in it was looked for, one call after another
		all = append(all, append(sequence{birth}, x.asOps(calls)...))
	}
	for _, f := range found[:min(len(found), maxStaleStates)] {
		all = append(all, f.s)
	}
	return all
}

// typesOf are the values of arguments, as a shape.
func typesOf(args []argument) (types shape) {
	for _, a := range args {
		types = append(types, a.value)
	}
	return types
}

// readersOf are calls that change neither their own answers nor those of the others of them, and no
// answer of a single call that follows. What several change that follow is not looked at: it is
// what is looked for.
func (x *exploration) readersOf(states []sequence, calls []op, until time.Time) (readers []op) {
	some := states[:min(len(states), readStates)] // all of them would take too long
	over := func() bool { return x.ctx.Err() != nil || time.Now().After(until) }
	for _, c := range calls {
		if !over() && !x.done[findingKey{codeStale, c.m.String(), ""}] && !means(meantStale, c.m) && x.readsIn(some, readers, c) {
			readers = append(readers, c)
		}
	}
	return slices.DeleteFunc(readers, func(c op) bool {
		return slices.ContainsFunc(some, func(s sequence) bool {
			return slices.ContainsFunc(calls, func(next op) bool { return !over() && !x.leavesNext(s, c, next) })
		})
	})
}

// leavesNext tells whether a call answers the same after another as without it.
func (x *exploration) leavesNext(s sequence, c, next op) bool {
	at := len(s)
	alone, after := x.onPlain(append(slices.Clone(s), next)), x.onPlain(append(slices.Clone(s), c, next))
	return len(alone.answers) == at+1 && len(after.answers) == at+2 && alone.answers[at].same(&after.answers[at+1])
}

func (x *exploration) readsIn(states []sequence, readers []op, c op) bool {
	answers := false
	for _, s := range states {
		at, n := len(s), len(readers)
		out := x.onPlain(slices.Concat(s, readers, sequence{c}, readers, sequence{c}))
		if out.exit != nil || len(out.answers) != at+2*n+2 {
			return false
		}
		for i := range n + 1 {
			if !out.answers[at+i].same(&out.answers[at+n+1+i]) {
				return false
			}
		}
		last := &out.answers[at+n]
		answers = answers || last.made && last.code == abi.OK && !last.value.IsVoid()
	}
	return answers
}

// upToCall is a part of a sequence, whose last op is a call on an instance of the box, which is that
// of the first op. It is nil where there is none.
func (x *exploration) upToCall(b *box, s sequence) sequence {
	var calls []int
	for i := range s[:min(len(s), staleLength)] {
		if o := &s[i]; o.on == 0 && !o.isFini() && o.m.box == b && o.made == nil && s[0].made == b {
			calls = append(calls, i)
		}
	}
	if len(calls) == 0 {
		return nil
	}
	at := calls[x.random.IntN(len(calls))]
	return s[:at+1].related(at)
}

// looksStale are the readers that answer the same before and after the last op of a sequence, and
// otherwise where they are called after it alone.
func (x *exploration) looksStale(s sequence, readers []op) (found []op) {
	if len(s) == 0 {
		return nil
	}
	at, n := len(s)-1, len(readers)
	// The other way round afterwards: of what keeps its last answer alone, the last is called first.
	back := slices.Clone(readers)
	slices.Reverse(back)
	both := x.onPlain(slices.Concat(s[:at], readers, s[at:], back))
	once := x.onPlain(slices.Concat(s, back))
	if both.exit != nil || once.exit != nil || len(both.answers) != at+2*n+1 || len(once.answers) != at+n+1 {
		return nil
	}
	for i, r := range readers {
		if isStale(&both.answers[at+i], &both.answers[at+2*n-i], &once.answers[at+n-i]) {
			found = append(found, r)
		}
	}
	return found
}

// isStale tells whether a call answers after another what it did before, and not what it does where it
// was not made before. Answers that tell nothing do not count: something was dropped, perhaps, because
// it was not used.
func isStale(before, after, fresh *observed) bool {
	return after.same(before) && !after.same(fresh) && tells(after) && tells(fresh)
}

// tells tells whether an answer is a value, and none that is empty or zero.
func tells(o *observed) bool {
	return o.made && o.code == abi.OK && isTelling(o.value)
}

// isTelling tells whether a value is one that is not empty, zero or false, and no instance.
func isTelling(v tlv.Value) bool {
	if isText(v) {
		return v.Len() > 0
	}
	if _, size, err := v.Blob(); err == nil {
		return size > 0
	}
	if yes, err := v.Bool(); err == nil {
		return yes
	}
	return magnitude(v) != 0
}

// tryStale makes sure that the last call of a sequence, which is made once before, answers what it did
// then because of that, and reports it.
func (x *exploration) tryStale(s sequence) {
	m := s[len(s)-1].m
	key := findingKey{codeStale, m.String(), ""}
	shows := func(s sequence) bool { _, _, ok := x.showsStale(s, m); return ok }
	if x.done[key] || !shows(s) {
		return
	}
	short := x.shrink(s, -1, shows)
	if short == nil {
		return
	}
	for range agreeing - 1 {
		if !shows(short) {
			return
		}
	}
	out, fresh, ok := x.showsStale(short, m)
	if !ok {
		return
	}
	x.done[key] = true
	last := len(short) - 1
	step := x.shown(short, last)
	one, other := unlike(&out.answers[last], fresh)
	f := step.finding(codeStale, "it answered %s after %v, as it had before; where it was not called before that, it answers %s", one, short[last-1].m, other)
	rule, _ := RuleOf(codeStale)
	f.Fix = rule.Fix + howToKeep
	x.report(f, short, ordinary, out.answers)
}

// showsStale plays a sequence with and without an earlier call that is the same as its last, which
// is of a method. Each time the last one is made twice: one that changes what it answers is no reader.
func (x *exploration) showsStale(s sequence, m *method) (out *played, fresh *observed, ok bool) {
	last := len(s) - 1
	if last < 3 || s[last].m != m {
		return nil, nil, false
	}
	earlier := s.sameBefore(last)
	if earlier < 0 {
		return nil, nil, false
	}
	out = x.env.play(append(slices.Clone(s), s[last]), ordinary)
	less := s.without(func(i int) bool { return i == earlier })
	without := x.env.play(append(less, less[last-1]), ordinary)
	if out.exit != nil || without.exit != nil || len(out.answers) != last+2 || len(without.answers) != last+1 {
		return nil, nil, false
	}
	for i := range last { // a call that is refused now, or no longer, is why
		if at := i; i != earlier {
			if i > earlier {
				at--
			}
			if !without.answers[at].same(&out.answers[i]) && !isHandle(out.answers[i].value) {
				return nil, nil, false
			}
		}
	}
	fresh = &without.answers[last]
	ok = out.answersAlike(last, last+1) && without.answersAlike(last-1, last) && isStale(&out.answers[earlier], &out.answers[last], fresh)
	return out, fresh, ok
}

// sameBefore is the last op before the one in front of another that is the same as this; -1 for none.
func (s sequence) sameBefore(at int) int {
	for i := at - 2; i > 0; i-- {
		if s[i].m == s[at].m && s[i].on == s[at].on && slices.Equal(s[i].args, s[at].args) {
			return i
		}
	}
	return -1
}
