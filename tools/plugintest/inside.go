package plugintest

import (
	"slices"
	"strings"
	"time"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// What a method does inside of a text, such as to cut it, is right for texts of letters of one byte each, and
// wrong for others: where the states in which methods answer something have other texts, and the
// methods that answer are called with small numbers, each place in these texts has its turn.

const (
	insideStates = 3  // whose texts are replaced
	insideTexts  = 4  // of a state, that are replaced
	maxInside    = 64 // calls of one method
	cornerStates = 2  // in which methods are called at the corners of their numbers
)

var (
	// insideWords are what texts are replaced by: letters of each size, parts that are separated, and texts
	// that are as long as what a byte counts.
	insideWords = []string{"é𝄞aé€", "é, 𝄞;\té=€\né", strings.Repeat("é", 128), strings.Repeat("a", 254) + "€"}
	insideInts  = []int64{0, 1, 2, 3, 5}
)

// inside calls methods with small numbers in states with texts of letters of many bytes, and at the corners of their
// numbers in states that hold something.
func (x *exploration) inside(b *box, until time.Time) {
	calls, states := x.filledStates(b)
	readers := x.answering(b)
	var all []sequence
	for _, s := range states[:min(len(states), insideStates)] {
		for _, name := range s.texts(insideTexts) {
			for _, word := range insideWords {
				state := s.withText(name, word)
				after := sequence(readers).withText(name, word)
				for _, c := range x.insideCalls(calls) {
					all = append(all, slices.Concat(state, sequence{c}.withText(name, word), after))
				}
			}
		}
	}
	for _, s := range states[:min(len(states), cornerStates)] {
		for _, m := range x.gen.callable(b) {
			for _, types := range x.gen.typesOf(m) {
				for _, values := range x.cornerCalls(m, types) {
					all = append(all, append(slices.Clone(s), op{m: m, on: 0, args: literals(values)}))
				}
			}
		}
	}
	x.playAll(all, until)
}

// wideRepeats is how often a letter of two bytes is in texts that may be cut.
var wideRepeats = []int{31, 150, 750, 5000}

// wide gives births and methods texts of letters of two bytes, so that each place to cut them is inside of a letter in one of two,
// and calls what answers then.
func (x *exploration) wide(b *box, until time.Time) {
	defer x.endBench()
	readers := x.answering(b)
	for _, m := range append([]*method{b.birth}, x.gen.callable(b)...) {
		for _, s := range x.given(m) {
			for at, v := range s {
				if x.ctx.Err() != nil || time.Now().After(until) || x.gen.avoid[m] {
					return
				}
				if v.Tag() == tlv.TagString {
					x.tryOps(x.wideCalls(b, m, s, at, readers))
				}
			}
		}
	}
}

func (x *exploration) wideCalls(b *box, m *method, s shape, at int, readers []op) sequence {
	var all []sequence
	for _, repeat := range wideRepeats {
		for _, begin := range []string{"", "a"} {
			ops := sequence{x.firstBirth(b)}
			args := argumentsWith(s, at, begin+strings.Repeat("é", repeat))
			if m.isBirth() {
				ops[0].args = args
			} else {
				ops = append(append(ops, x.setupOf(m)...), op{m: m, on: 0, args: args})
			}
			all = append(all, append(ops, readers...))
		}
	}
	ops, _ := joined(all)
	return ops
}

// insideCalls are calls with their whole numbers replaced by small ones, all of them with each other.
func (x *exploration) insideCalls(calls []op) (all []op) {
	made := make(map[*method]int)
	for _, c := range calls {
		choices, some := make([][]tlv.Value, len(c.args)), false
		for i, a := range c.args {
			if choices[i] = []tlv.Value{a.value}; isInteger(a.value) {
				choices[i], some = numbersOf(a.value.Tag(), insideInts, nil), true
			}
		}
		if !some {
			all = append(all, c)
			continue
		}
		for values := range product(choices) {
			if made[c.m]++; made[c.m] > maxInside {
				break
			}
			all = append(all, op{m: c.m, on: c.on, args: literals(values)})
		}
	}
	return distinctCalls(all)
}

// texts are the texts among the arguments of calls, the last ones first, and at most so many.
func (s sequence) texts(most int) (all []string) {
	for _, o := range slices.Backward(s) {
		for _, a := range slices.Backward(o.args) {
			if isText(a.value) && !slices.Contains(all, a.value.Data()) && len(all) < most {
				all = append(all, a.value.Data())
			}
		}
	}
	return all
}

// withText is a sequence that has another text wherever it has this one.
func (s sequence) withText(text, other string) sequence {
	changed := slices.Clone(s)
	for i := range changed {
		changed[i].args = slices.Clone(changed[i].args)
		for k, a := range changed[i].args {
			if isText(a.value) && a.value.Data() == text {
				changed[i].args[k].value = textOf(a.value.Tag(), other)
			}
		}
	}
	return changed
}
