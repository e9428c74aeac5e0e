package plugintest

import (
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

const (
	// doublings are more than 64 bits have room for, and firstDoublings so many that it shows whether what is doubled are numbers,
	// or things, for which there would be no memory.
	doublings, firstDoublings = 66, 12
	// doublingTime is how much longer the last of the first may take than the first.
	doublingTime = 100 * time.Microsecond
)

// doubled calls methods that are given an instance with the one that they are called on, again and again: a number that each call
// doubles is refused, or stays, before it goes over.
func (x *exploration) doubled(b *box, until time.Time) {
	_, states := x.filledStates(b)
	states = slices.Clone(states)
	slices.SortStableFunc(states, func(s, t sequence) int { return len(s) - len(t) })
	for _, m := range x.gen.callable(b) {
		for _, types := range x.gen.typesOf(m) {
			if !slices.ContainsFunc(types, func(v tlv.Value) bool { return isHandle(v) && x.plugin.sampled(v, b) == b }) || b.singleton {
				continue
			}
			for _, s := range states[:min(len(states), sumStates)] {
				if x.ctx.Err() != nil || time.Now().After(until) {
					return
				}
				x.tryDoubled(s, op{m: m, on: 0, args: withInstance(types, 0)}, x.answering(b))
			}
		}
	}
}

// tryDoubled makes a call on a state, and asks after each.
func (x *exploration) tryDoubled(s sequence, c op, asked []op) {
	each := append(sequence{c}, asked...)
	play := func(times int) []observed {
		ops := append(slices.Clone(s), slices.Repeat(each, times)...)
		if out := x.onPlain(ops); out.exit == nil && len(out.answers) == len(ops) {
			return out.answers[len(s):]
		}
		return nil
	}
	few := play(firstDoublings)
	if few == nil || few[len(few)-len(each)].took > few[0].took+doublingTime {
		return
	}
	all := play(doublings)
	if all == nil {
		return
	}
	for i, r := range each {
		at := wrappedDouble(all, i, len(each))
		key := findingKey{codeWraps, r.m.String(), ""}
		if at < 0 || x.done[key] || means(meantNumber, r.m, c.m) {
			continue
		}
		if again := play(doublings); again == nil || wrappedDouble(again, i, len(each)) != at {
			continue
		}
		x.done[key] = true
		ops := append(slices.Clone(s), slices.Repeat(sequence{c}, at+1)...)
		if i > 0 {
			ops = append(ops, r)
		}
		step := x.shown(ops, len(ops)-1)
		f := step.finding(codeWraps, "it answered %v, and %v after the next call of %v with the instance that it is called on, which doubled it %d times before",
			&all[(at-1)*len(each)+i], &all[at*len(each)+i], c.m, at-1)
		f.Fix = "compare with what fits before you add up, and refuse what does not" + howToMean
		x.report(f, ops, ordinary, x.env.play(ops, ordinary).answers)
	}
}

// wrappedDouble is the first of some answers that is less than the one before, where each was twice that one until then; -1 for none.
func wrappedDouble(all []observed, from, every int) int {
	const least = 8 // that are doubled, so that it is no chance
	before, n := int64(0), 0
	for k := 0; from+k*every < len(all); k++ {
		a := &all[from+k*every]
		is, err := a.value.Int()
		switch {
		case a.code != abi.OK || err != nil:
			return -1
		case k > 0 && is == 2*before && is > 0:
			n++
		case n >= least && is < before:
			return k
		case n > 0:
			return -1
		}
		before = is
	}
	return -1
}
