package plugintest

import (
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// pairStates is in how many states pairs of calls are made, and random sequences begin.
const pairStates = 4

// filledStates are what plainCalls and staleStates find, once for a box.
func (x *exploration) filledStates(b *box) (calls []op, states []sequence) {
	if g := x.gen; g.filledOf != b {
		calls = x.plainCalls(b)
		states = x.staleStates(b, calls)
		g.filledOf, g.calls, g.states = b, calls, states
		if len(states) > 0 {
			g.states = slices.Insert(slices.Clone(states), 0, x.enriched(b, states[0]))
		}
	}
	return x.gen.calls, x.gen.states
}

const (
	maxEnriched   = 20  // calls of the fullest state
	enrichedTries = 200 // calls that are tried for it
	maxSize       = 500 // of an answer, that counts
)

// enriched is a state with calls more, after which all answer something that did, and some a larger one: a
// second connection, say, shows what one does not.
func (x *exploration) enriched(b *box, s sequence) sequence {
	asked := x.answering(b)
	sizes := func(s sequence) (all []float64, sum float64, ok bool) {
		out := x.onPlain(slices.Concat(s, asked))
		if out.exit != nil || len(out.answers) != len(s)+len(asked) || out.answers[len(s)-1].code != abi.OK {
			return nil, 0, false
		}
		for i := range asked {
			size := 0.0
			if a := &out.answers[len(s)+i]; tells(a) {
				size = max(1, min(magnitude(a.value)+float64(a.value.Len()), maxSize))
			}
			all, sum = append(all, size), sum+size
		}
		return all, sum, true
	}
	have, sum, ok := sizes(s)
	for n := 0; ok && n < enrichedTries && len(s) < maxEnriched && x.ctx.Err() == nil; n++ {
		more := x.gen.grow(s, b, 1)
		if len(more) != len(s)+1 || more[len(s)].made != nil || slices.ContainsFunc(more[len(s)].args, func(a argument) bool { return a.ref > 0 }) {
			continue // the calls of a state are made on other instances, too, and refer to none
		}
		some, larger, ok := sizes(more)
		if !ok || larger <= sum || lost(have, some) {
			continue
		}
		s, have, sum = more, some, larger
	}
	return s
}

// lost tells whether something is 0 that was not.
func lost(before, after []float64) bool {
	for i, n := range before {
		if n > 0 && after[i] == 0 {
			return true
		}
	}
	return false
}

// pairs makes each call before and after each other one, on instances in states in which most calls
// answer something: what one method keeps of the state meets what another one makes of it.
func (x *exploration) pairs(b *box, until time.Time) {
	calls, states := x.filledStates(b)
	x.playAll(x.together(b, states), time.Now().Add(time.Until(until)/4))
	for _, s := range states[:min(len(states), pairStates)] {
		var all []sequence
		for _, first := range calls {
			for _, second := range calls {
				all = append(all, slices.Concat(s, sequence{first, second, first}))
			}
		}
		x.playAll(all, until)
	}
}

// playAll plays sequences in any order, until a time.
func (x *exploration) playAll(all []sequence, until time.Time) {
	x.random.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
	for len(all) > 0 && x.ctx.Err() == nil && time.Now().Before(until) {
		n, size := 0, 0
		for n < len(all) && size < roundOps {
			size += len(all[n]) + 1
			n++
		}
		x.playParts(all[:n])
		all = all[n:]
	}
}

// together are calls that are given another instance of the box, each of them in one of several states: those
// that are filled, the first of them with other numbers, and an empty one. Each is called twice.
func (x *exploration) together(b *box, states []sequence) (all []sequence) {
	if b.singleton || len(states) == 0 {
		return nil
	}
	some := slices.Clone(states[:min(len(states), pairStates)])
	for i := range states[0] {
		if other, ok := states[0].withNumber(states[0][i].m, otherNumber); ok {
			some = append(some, other)
		}
	}
	some = append(some, sequence{x.firstBirth(b)})
	for _, m := range x.gen.callable(b) {
		for _, types := range x.gen.typesOf(m) {
			if !slices.ContainsFunc(types, func(v tlv.Value) bool { return isHandle(v) && x.plugin.sampled(v, b) == b }) {
				continue
			}
			for _, first := range some {
				for _, second := range some {
					s := x.withSecond(m, types, first, second)
					all = append(all, append(s, s[len(s)-1]))
				}
			}
		}
	}
	return all
}

// otherNumber is one that the calls of states do not have.
const otherNumber = 7

// playParts plays sequences one after another, and takes over what they show.
func (x *exploration) playParts(parts []sequence) {
	ops, starts := joined(parts)
	base := x.env.play(ops, ordinary)
	if x.played += len(parts); base.none {
		return
	}
	for i, s := range parts {
		if from := starts[i]; from < len(base.answers) {
			x.learnFrom(s, base.answers[from:min(from+len(s), len(base.answers))])
		}
	}
	x.faults(ops, base)
}
