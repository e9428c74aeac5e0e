package plugintest

import (
	"math"
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// A call that changes one thing after another is refused, perhaps, when what it makes of one of them has no room: it has
// changed those before then. That shows where the largest number that is taken is stored among smaller ones.

const (
	edgeStates = 2 // in which such numbers are stored
	mostEdges  = 6 // numbers of a box's methods
	// belowLargest is by how much a state is below the largest number, and secondNumber what does not fit there.
	belowLargest, secondNumber = 1000, 1 << 20
)

// edges makes calls that may be refused in states with the largest numbers that a box takes.
func (x *exploration) edges(b *box, until time.Time) {
	_, states := x.filledStates(b)
	asked := x.answering(b)
	for _, s := range states[:min(len(states), edgeStates)] {
		for _, edge := range x.edgesOf(b, s, until) {
			for _, m := range x.gen.callable(b) {
				if doneByPart.MatchString(m.name) || isAttempt.MatchString(m.name) || meansHalf(m) {
					continue
				}
				tried := x.takingOver(m, &edge)
				for _, o := range x.raising(m) {
					tried = append(tried, slices.Concat(edge.largest, sequence{o}))
				}
				for _, s := range tried {
					if x.ctx.Err() != nil || time.Now().After(until) {
						return
					}
					if !x.done[findingKey{codeHalf, m.String(), ""}] {
						x.tryRefusal(s, asked)
					}
				}
			}
		}
	}
}

// edge is a state with a number at the end of what is taken.
type edge struct {
	largest sequence
	// below is the state with a number that is nearly as large, to which the first number of second can be added and the next cannot.
	below, second sequence
}

// takingOver are calls of a method that is given another instance, whose numbers have no room in an edge's state but for the first.
func (x *exploration) takingOver(m *method, e *edge) (all []sequence) {
	if e.second == nil || m.box.singleton {
		return nil
	}
	for _, types := range x.gen.typesOf(m) {
		if other := slices.IndexFunc(types, isHandle); other >= 0 && x.plugin.sampled(types[other], m.box) == m.box && !slices.ContainsFunc(types, isBlob) {
			all = append(all, x.withSecond(m, types, e.below, e.second))
		}
	}
	return all
}

// raising are calls of a method with numbers by which larger ones grow until they have no room.
func (x *exploration) raising(m *method) (all []op) {
	for _, types := range x.gen.typesOf(m) {
		if slices.ContainsFunc(types, isHandle) || slices.ContainsFunc(types, isBlob) {
			continue
		}
		for i, v := range types {
			for _, n := range numbersOf(v.Tag(), []int64{2, -2, 1000, 1 << 30}, []float64{2, -2, 1000}) {
				values := slices.Clone(types)
				values[i] = n
				all = append(all, op{m: m, on: 0, args: literals(values)})
			}
		}
	}
	return all
}

// edgesOf are the calls of a state and some that store the largest number that is taken, or the least, between two others.
func (x *exploration) edgesOf(b *box, s sequence, until time.Time) (all []edge) {
	for _, m := range x.gen.callable(b) {
		if !x.gen.changes[m] {
			continue
		}
		for _, types := range x.gen.typesOf(m) {
			if slices.ContainsFunc(types, isHandle) || slices.ContainsFunc(types, isBlob) {
				continue
			}
			for i, v := range types {
				if len(all) == mostEdges || time.Now().After(until) {
					return all
				}
				if !isNumberTag(v) {
					continue
				}
				first, last := op{m: m, on: 0, args: literals(withKey(types, markFirst))}, op{m: m, on: 0, args: literals(withKey(types, "zz"+markSecond))}
				largest := op{m: m, on: 0, args: literals(withKey(types, "zz"+markFirst))}
				before := slices.Concat(s, sequence{first})
				for _, sign := range []int64{1, -1} {
					if n, ok := x.furthest(before, largest, i, sign); ok {
						e := edge{largest: slices.Concat(before, sequence{largest.withValueAt(i, n), last})}
						if n, err := n.Int(); err == nil && sign*(n/4) > secondNumber {
							number := func(n int64) tlv.Value { return numbersOf(v.Tag(), []int64{n}, nil)[0] }
							e.below = slices.Concat(before, sequence{largest.withValueAt(i, number(n-sign*belowLargest))})
							e.second = sequence{x.firstBirth(b), first, largest.withValueAt(i, number(sign*secondNumber))}
						}
						all = append(all, e)
					}
				}
			}
		}
	}
	return all
}

// withKey are the values of a shape with a name for the first of its texts.
func withKey(types shape, name string) []tlv.Value {
	all := slices.Clone(types)
	if i := slices.IndexFunc(all, isText); i >= 0 {
		all[i] = textOf(all[i].Tag(), name)
	}
	return all
}

// withValueAt is the call with another value.
func (o op) withValueAt(at int, v tlv.Value) op {
	o.args = slices.Clone(o.args)
	o.args[at].value = v
	return o
}

// furthest is the largest number that a call after others takes, or the least for a negative sign; ok is false where it does not take 1.
func (x *exploration) furthest(s sequence, o op, at int, sign int64) (tlv.Value, bool) {
	number := func(n int64) tlv.Value {
		return numbersOf(o.args[at].value.Tag(), []int64{n}, []float64{float64(n)})[0]
	}
	takes := func(n int64) bool {
		out := x.onPlain(slices.Concat(s, sequence{o.withValueAt(at, number(n))}))
		return out.exit == nil && len(out.answers) == len(s)+1 && out.answers[len(s)].code == abi.OK
	}
	most := int64(math.MaxInt64)
	if o.args[at].value.Tag() == tlv.TagInt32 {
		most = math.MaxInt32
	}
	taken, refused := int64(1), int64(0)
	if !takes(sign) {
		return tlv.Value{}, false
	}
	for refused == 0 {
		next := most
		if taken <= most/16 {
			next = taken * 16
		}
		switch {
		case !takes(sign * next):
			refused = next
		case next == most:
			return number(sign * most), true
		default:
			taken = next
		}
	}
	for refused-taken > 1 && x.ctx.Err() == nil {
		if half := taken + (refused-taken)/2; takes(sign * half) {
			taken = half
		} else {
			refused = half
		}
	}
	return number(sign * taken), true
}
