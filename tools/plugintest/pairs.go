package plugintest

import (
	"slices"
	"time"
)

// pairStates is in how many states pairs of calls are made, and random sequences begin.
const pairStates = 4

// filledStates are what plainCalls and staleStates find, once for a box.
func (x *exploration) filledStates(b *box) (calls []op, states []sequence) {
	if g := x.gen; g.filledOf != b {
		calls = x.plainCalls(b)
		states = x.staleStates(b, calls)
		g.filledOf, g.calls, g.states = b, calls, states
	}
	return x.gen.calls, x.gen.states
}

// pairs makes each call before and after each other one, on instances in states in which most calls
// answer something: what one method keeps of the state meets what another one makes of it.
func (x *exploration) pairs(b *box, part time.Duration) {
	calls, states := x.filledStates(b)
	until := time.Now().Add(part)
	for _, s := range states[:min(len(states), pairStates)] {
		var all []sequence
		for _, first := range calls {
			for _, second := range calls {
				all = append(all, slices.Concat(s, sequence{first, second, first}))
			}
		}
		x.random.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
		for len(all) > 0 {
			n, size := 0, 0
			for n < len(all) && size < roundOps {
				size += len(all[n]) + 1
				n++
			}
			if x.ctx.Err() != nil || time.Now().After(until) {
				return
			}
			x.playParts(all[:n])
			all = all[n:]
		}
	}
}

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
