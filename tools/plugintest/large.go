package plugintest

import (
	"fmt"
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// What is large meets what small texts do not: sizes and places beyond 16 bits, and memory that moves
// while something still points at it. Places are then valid only near the size of what is stored.

const (
	largeCalls   = 40 // of each method, with numbers near the size of what is stored
	largeMethods = 4  // that store it
)

// largeSizes are of each of the texts, in bytes.
var largeSizes = []int{tlv.MaxPayload, 60_000, 5000}

// large calls the methods of a box after each that takes a text was given large ones: once with many
// numbers, and then in other orders for as long as there is time.
func (x *exploration) large(b *box, until time.Time) {
	defer x.endBench()
	plain := worlds[slices.IndexFunc(worlds, func(w world) bool { return w.plain })]
	var stores []*method
	for _, m := range x.gen.callable(b) {
		if largeShape(x.gen.shapes[m]) != nil && len(stores) < largeMethods {
			stores = append(stores, m)
		}
	}
	for pass := 0; len(stores) > 0; pass++ {
		for _, m := range stores {
			for _, size := range largeSizes {
				if x.ctx.Err() != nil || time.Now().After(until) || x.gen.avoid[m] {
					return
				}
				x.at(m)
				ops := x.largeCalls(b, m, size, pass > 0)
				base, other := x.env.playBoth(ops, plain)
				if x.played += 2; base.none {
					return
				}
				if !x.faults(ops, base) {
					x.compare(ops, base, other, plain)
				}
				x.slowInLarge(ops, other, size)
			}
		}
	}
}

// severalSizes are how large texts are of which several are kept at once, in bytes: of two of them, or more, a result has no room.
var severalSizes = []int{40_000, 900}

// several is how many texts are kept, under as many numbers and names.
const several = 5

// severalLarge gives methods large texts for each of several numbers and names in states that hold something, and calls what answers then.
func (x *exploration) severalLarge(b *box, until time.Time) {
	defer x.endBench()
	_, states := x.filledStates(b)
	readers := x.answering(b)
	for _, s := range states[:min(len(states), pairStates)] {
		for _, m := range x.gen.callable(b) {
			for _, types := range x.gen.typesOf(m) {
				if !slices.ContainsFunc(types, isText) || slices.ContainsFunc(types, isHandle) || slices.ContainsFunc(types, isBlob) {
					continue
				}
				for _, size := range severalSizes {
					if x.ctx.Err() != nil || time.Now().After(until) || x.gen.avoid[m] {
						return
					}
					x.tryOps(slices.Concat(s, x.severalCalls(m, types, s, size), readers))
				}
			}
		}
	}
}

// severalCalls are calls with a large last text and with other numbers and names each, of those that a state has; small texts need
// many of them.
func (x *exploration) severalCalls(m *method, types shape, s sequence, size int) (all sequence) {
	last := len(types) - 1
	for !isText(types[last]) {
		last--
	}
	names := s.texts(several)
	for k := range max(several, min(largeSizes[0]/size, maxSeveral)) {
		values := slices.Clone(types)
		for i, v := range types {
			switch {
			case i == last:
				values[i] = textOf(v.Tag(), pattern(size, k))
			case isText(v) && k < len(names):
				values[i] = textOf(v.Tag(), names[k])
			case isText(v):
				values[i] = textOf(v.Tag(), fmt.Sprintf("k%d", k))
			case isInteger(v):
				values[i] = withMagnitude(v, float64(k))
			}
		}
		all = append(all, op{m: m, on: 0, args: literals(values)})
	}
	return all
}

// maxSeveral is how many of them are kept at most.
const maxSeveral = 80

// largeShape is the first argument list with a text; nil for none.
func largeShape(all []shape) shape {
	i := slices.IndexFunc(all, func(s shape) bool { return slices.ContainsFunc(s, isText) })
	if i < 0 {
		return nil
	}
	return all[i]
}

// largeCalls are calls on one instance: large texts, and all other methods after each. Shuffled ones are
// few after each, in any order.
func (x *exploration) largeCalls(b *box, m *method, size int, shuffled bool) sequence {
	ops := append(sequence{x.firstBirth(b), x.firstBirth(b)}, x.setupOf(m)...)
	rounds, most := 2, largeCalls
	if shuffled {
		rounds, most = 6, 2
	}
	for round := range rounds {
		values := slices.Clone(largeShape(x.gen.shapes[m]))
		last := len(values) - 1
		for !isText(values[last]) {
			last--
		}
		values[last] = textOf(values[last].Tag(), pattern(size, round))
		ops = append(ops, op{m: m, on: 0, args: ownInstances(values)})
		others := x.gen.callable(b)
		if shuffled {
			x.random.Shuffle(len(others), func(i, k int) { others[i], others[k] = others[k], others[i] })
			others = others[:(len(others)+1)/2]
		}
		for _, r := range others {
			for _, types := range x.gen.typesOf(r) {
				for _, values := range x.near(types, (round+1)*size, most) {
					if r != m {
						ops = append(ops, op{m: r, on: 0, args: ownInstances(values)})
					}
				}
			}
		}
	}
	return ops
}

// near are argument lists with numbers near a size.
func (x *exploration) near(s shape, size, most int) (calls [][]tlv.Value) {
	n := int64(size)
	choices := make([][]tlv.Value, len(s))
	for i, sample := range s {
		if choices[i] = numbersOf(sample.Tag(), []int64{0, 1, n / 2, n - 1, n}, nil); len(choices[i]) == 0 {
			choices[i] = []tlv.Value{sample}
		}
	}
	for values := range product(choices) {
		if calls = append(calls, slices.Clone(values)); len(calls) >= 5*largeCalls {
			break
		}
	}
	x.random.Shuffle(len(calls), func(i, k int) { calls[i], calls[k] = calls[k], calls[i] })
	return calls[:min(len(calls), most)]
}

// ownInstances are arguments in which instances are, by turns, the one that is called and another.
func ownInstances(values []tlv.Value) []argument {
	all := literals(values)
	for i, v := range values {
		switch {
		case isHandle(v):
			all[i] = argument{ref: 1 + i%2}
		case isBlob(v):
			all[i] = argument{value: tlv.Bytes([]byte(blobText)), blob: true}
		}
	}
	return all
}
