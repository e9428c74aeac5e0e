package plugintest

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// refusalStates is in how many states calls are made that fail, and otherStates in how many of them an instance
// is that is among their arguments.
const (
	refusalStates = 2
	otherStates   = 3
	// overHalf is the size of a text of which one goes into what often holds 65,535 bytes, and not two.
	overHalf = 40_000
)

// refusals looks whether calls that are refused, in states in which most methods answer something, change
// what others answer. It finds what no mark shows: sums, counts, and what is done to one of two instances.
func (x *exploration) refusals(b *box, until time.Time) {
	_, states := x.filledStates(b)
	asked, named := x.answering(b), x.askable(b)
	for _, s := range states[:min(len(states), refusalStates)] {
		for _, m := range x.gen.callable(b) {
			if isAttempt.MatchString(m.name) || meansHalf(m) {
				continue
			}
			for _, types := range x.gen.typesOf(m) {
				all := x.onItself(m, types, s)
				if !doneByPart.MatchString(m.name) {
					all = append(all, x.refusable(m, types, s, states)...)
				}
				for _, refused := range all {
					if x.ctx.Err() != nil || time.Now().After(until) || x.done[findingKey{codeHalf, m.String(), ""}] {
						break
					}
					x.tryRefusal(refused, asked)
				}
				for _, refused := range full(m, types, s) {
					if x.ctx.Err() == nil && time.Now().Before(until) && !x.done[findingKey{codeHalf, m.String(), ""}] {
						x.tryFilled(refused, named)
					}
				}
			}
		}
	}
}

// onItself is a sequence whose last call is given the instance that it is called on, which it may run along while that grows.
func (x *exploration) onItself(m *method, types shape, s sequence) (all []sequence) {
	if !slices.ContainsFunc(types, func(v tlv.Value) bool { return isHandle(v) && x.plugin.sampled(v, m.box) == m.box }) || m.box.singleton {
		return nil
	}
	return []sequence{append(slices.Clone(s), op{m: m, on: 0, args: withInstance(types, 0)})}
}

// refusable are sequences whose last call may be refused: with an argument that is wrong, or an instance in another state.
func (x *exploration) refusable(m *method, types shape, s sequence, states []sequence) (all []sequence) {
	other := slices.IndexFunc(types, isHandle)
	if other >= 0 {
		if x.plugin.sampled(types[other], m.box) != m.box || m.box.singleton {
			return nil
		}
		for _, second := range states[:min(len(states), otherStates)] {
			all = append(all, x.withSecond(m, types, s, second))
		}
		return append(all, x.withSecond(m, types, s, sequence{x.firstBirth(m.box)}))
	}
	for i, v := range types {
		var wrong []tlv.Value
		switch {
		case isBlob(v):
			return nil
		case isText(v):
			wrong = []tlv.Value{textOf(v.Tag(), markFirst), textOf(v.Tag(), ""), textOf(v.Tag(), strings.Repeat("w", overHalf))}
			if v.Tag() == tlv.TagBytes {
				wrong = append(wrong, packed()...)
			}
		default:
			wrong = numbersOf(v.Tag(), []int64{-1, 0, 1 << 30}, []float64{-1, math.NaN(), math.Inf(1)})
		}
		for _, w := range wrong {
			values := slices.Clone(types)
			values[i] = w
			all = append(all, slices.Concat(s, sequence{{m: m, on: 0, args: literals(values)}}))
		}
	}
	return all
}

// packed are lists of numbers as bytes, of each width, of which the last is too large for most things.
func packed() (all []tlv.Value) {
	for _, width := range []int{4, 8, 2} {
		var data []byte
		for _, n := range []uint64{3, 5, 7, math.MaxUint64} {
			data = append(data, binary.LittleEndian.AppendUint64(nil, n)[:width]...)
		}
		all = append(all, tlv.Bytes(data))
	}
	return all
}

// halves are numbers of which one fits into a type, and the sum of two does not.
var halves = map[tlv.Tag][]int64{tlv.TagInt32: {1 << 30}, tlv.TagInt64: {1 << 62}}

// full are sequences whose last call has new names, and may be refused for its number: the sum with that of the call before it has
// no room.
func full(m *method, types shape, s sequence) (all []sequence) {
	other := slices.Clone(types)
	for i, v := range types {
		if isText(v) {
			other[i] = textOf(v.Tag(), fmt.Sprintf("%s%d", markFirst, i))
		}
	}
	pairs := [][2]shape{{types, other}}
	// One name may be new, and the others must be known.
	for i, v := range types {
		if isText(v) {
			first, second := slices.Clone(types), slices.Clone(types)
			first[i], second[i] = textOf(v.Tag(), markSecond), textOf(v.Tag(), markFirst)
			pairs = append(pairs, [2]shape{first, second})
		}
	}
	for i, v := range types {
		for _, half := range numbersOf(v.Tag(), halves[v.Tag()], nil) {
			for _, p := range pairs {
				first, second := slices.Clone(p[0]), slices.Clone(p[1])
				first[i], second[i] = half, half
				all = append(all, slices.Concat(s, sequence{{m: m, on: 0, args: literals(first)}, {m: m, on: 0, args: literals(second)}}))
			}
		}
	}
	return all
}

// withSecond is a sequence and a call that is given a second instance, which is in a state of its own.
func (x *exploration) withSecond(m *method, types shape, s, second sequence) sequence {
	return append(s.and(second), op{m: m, on: 0, args: withInstance(types, len(s))})
}

// tryRefusal reports the last call of a sequence if it is refused, and others answer otherwise after it.
func (x *exploration) tryRefusal(s sequence, asked []op) { x.tryRefusedIn(s, asked, false) }

// tryFilled is tryRefusal where others may have nothing to answer before it: they then do after it.
func (x *exploration) tryFilled(s sequence, asked []op) { x.tryRefusedIn(s, asked, true) }

func (x *exploration) tryRefusedIn(s sequence, asked []op, filled bool) {
	before, refused := s[:len(s)-1], s[len(s)-1:]
	asked = slices.DeleteFunc(slices.Clone(asked), func(r op) bool { return r.m == refused[0].m })
	out := x.onPlain(slices.Concat(before, asked, refused, asked))
	at := len(before) + len(asked)
	if out.exit != nil || len(out.answers) != at+1+len(asked) || !out.answers[at].made || out.answers[at].code == abi.OK {
		return
	}
	for i, r := range asked {
		is := &out.answers[len(before)+i]
		after := &out.answers[at+1+i]
		if (tells(is) || filled && tells(after)) && !is.same(after) {
			x.reportHalf(append(slices.Clone(s), r))
			return
		}
	}
}
