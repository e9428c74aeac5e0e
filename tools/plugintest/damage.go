package plugintest

import (
	"bytes"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// What a method has answered and another takes back, such as a dump, may come from anywhere: sizes
// and counts in it may be damaged. Random damage seldom meets the four bytes of a size.

const (
	maxTakenBack = 40  // answers that are tried with each method
	maxDamaged   = 4   // of those, that are damaged
	damagedBytes = 80  // of each of them
	damagedOps   = 100 // calls of a sequence
	maxRefused   = 120 // of the damaged, after which the state is looked at
)

// damage calls the methods of a box that take back what was answered with it damaged at each place.
func (x *exploration) damage(b *box, until time.Time) {
	for _, tag := range []tlv.Tag{tlv.TagBlob, tlv.TagBytes, tlv.TagString} { // dumps are blobs, mostly
		for _, m := range x.gen.callable(b) {
			for _, types := range x.gen.typesOf(m) {
				at := slices.IndexFunc(types, func(v tlv.Value) bool { return v.Tag() == tag })
				if at < 0 || !time.Now().Before(until) {
					continue
				}
				taken := x.takenBack(b, m, types, at)
				for _, whole := range taken {
					x.oversized(b, m, types, at, whole, until)
				}
				half := time.Now().Add(time.Until(until) / 2)
				for _, whole := range taken { // which takes less time than to damage all places
					x.refusedWhole(b, m, types, at, whole, half)
				}
				for i, whole := range taken {
					x.damaged(b, m, types, at, whole, time.Now().Add(time.Until(until)/time.Duration(len(taken)-i)))
				}
			}
		}
	}
}

// argumentsWith are those of a shape with a text, or blob, of these bytes.
func argumentsWith(types shape, at int, data string) []argument {
	all := ownInstances(types)
	if all[at] = (argument{value: tlv.Bytes([]byte(data)), blob: true}); !isBlob(types[at]) {
		all[at] = argument{value: textOf(types[at].Tag(), data)}
	}
	return all
}

// takenBack are answers that a method takes, which does not take anything: it reads them.
func (x *exploration) takenBack(b *box, m *method, types shape, at int) (all []string) {
	if x.takesAny(b, m, types, at) {
		return nil
	}
	answers := x.dumpsFor(b, m)
	for _, v := range x.gen.seen {
		if isText(v) && v.Len() > 3 && !isUnsound(types[at], v.Data()) && !slices.Contains(answers, v.Data()) {
			answers = append(answers, v.Data())
		}
	}
	full := min(len(answers), 1) // the fullest state's, with a part of each kind, perhaps
	slices.SortStableFunc(answers[full:], func(a, b string) int { return len(b) - len(a) })
	for _, data := range answers[:min(len(answers), maxTakenBack)] {
		if len(all) < maxDamaged && x.takes(b, m, types, at, data) {
			all = append(all, data)
		}
	}
	return all
}

// dumpsFor are what methods answer in states that hold something, and this one takes; the fullest state's first.
func (x *exploration) dumpsFor(b *box, m *method) (all []string) {
	_, states := x.filledStates(b)
	for _, c := range x.copiers(b, states) {
		if c.into != m {
			continue
		}
		for _, s := range states[:min(len(states), pairStates)] {
			ops := append(slices.Clone(s), op{m: c.m, on: 0})
			out := x.onPlain(ops)
			if out.exit != nil || len(out.answers) != len(ops) || !isText(out.answers[len(s)].value) {
				continue
			}
			if dump := out.answers[len(s)].value.Data(); !isUnsound(c.types[0], dump) && !slices.Contains(all, dump) {
				all = append(all, dump)
			}
		}
	}
	return all
}

// takes tells whether a method of a new instance takes a text, or blob, of these bytes.
func (x *exploration) takes(b *box, m *method, types shape, at int, data string) bool {
	ops := append(append(sequence{x.firstBirth(b), x.firstBirth(b)}, x.setupOf(m)...), op{m: m, on: 0, args: argumentsWith(types, at, data)})
	out := x.onBench(ops)
	return out.exit == nil && len(out.answers) == len(ops) && out.answers[len(ops)-1].code == abi.OK
}

// takesAny tells whether it takes bytes that have no form.
func (x *exploration) takesAny(b *box, m *method, types shape, at int) bool {
	return slices.ContainsFunc([]string{"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09", "abcdefghijklm"}, func(data string) bool {
		return !isUnsound(types[at], data) && x.takes(b, m, types, at, data)
	})
}

// damaged calls a method with a text, or blob, that is damaged.
func (x *exploration) damaged(b *box, m *method, types shape, at int, whole string, until time.Time) {
	left := slices.DeleteFunc(damages(whole), func(data string) bool { return isUnsound(types[at], data) })
	for len(left) > 0 && x.ctx.Err() == nil && time.Now().Before(until) && !x.gen.avoid[m] {
		x.at(m)
		ops := append(sequence{x.firstBirth(b), x.firstBirth(b)}, x.setupOf(m)...)
		from := len(ops)
		for _, data := range left[:min(len(left), damagedOps)] {
			ops = append(ops, op{m: m, on: 0, args: argumentsWith(types, at, data)})
		}
		base := x.env.play(ops, ordinary)
		if x.played++; base.none {
			return
		}
		x.faults(ops, base)
		left = left[max(1, min(len(base.answers)-from, len(ops)-from)):]
	}
}

// oversized calls a method with the beginnings of a text, or blob, that end in a size which is far beyond what follows: where a sum
// goes over, it fits, and what is read is no longer the method's.
func (x *exploration) oversized(b *box, m *method, types shape, at int, whole string, until time.Time) {
	before := append(sequence{x.firstBirth(b)}, x.setupOf(m)...)
	for all := range slices.Chunk(beginnings(whole), damagedOps) {
		if x.ctx.Err() != nil || time.Now().After(until) || x.gen.avoid[m] {
			return
		}
		ops := slices.Clone(before)
		for _, data := range all {
			if !isUnsound(types[at], data) {
				ops = append(ops, op{m: m, on: 0, args: argumentsWith(types, at, data)})
			}
		}
		x.tryOps(ops)
	}
}

// beginnings are those of a text with a size behind them.
func beginnings(whole string) (all []string) {
	for _, width := range []int{4, 8, 2} {
		for i := 0; i+width <= min(len(whole), 2*damagedBytes); i++ {
			for _, first := range []string{"\xff", "\xf8"} { // -1 and -8
				all = append(all, whole[:i]+first+strings.Repeat("\xff", width-1)+"abcd")
			}
		}
	}
	return all
}

// refusedWhole looks whether a damaged text that is refused changes what was taken from a whole one.
func (x *exploration) refusedWhole(b *box, m *method, types shape, at int, whole string, until time.Time) {
	if meansHalf(m) {
		return
	}
	asked := x.answering(b)
	all := slices.DeleteFunc(damages(whole), func(data string) bool { return isUnsound(types[at], data) })
	x.random.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
	cut := slices.DeleteFunc(badEnds(whole), func(data string) bool { return isUnsound(types[at], data) })
	fresh := append(sequence{x.firstBirth(b), x.firstBirth(b)}, x.setupOf(m)...)
	taken := append(slices.Clone(fresh), op{m: m, on: 0, args: argumentsWith(types, at, whole)})
	for i, data := range slices.Concat(cut, all)[:min(len(cut)+len(all), maxRefused)] {
		if x.ctx.Err() != nil || time.Now().After(until) || x.done[findingKey{codeHalf, m.String(), ""}] {
			return
		}
		refused := op{m: m, on: 0, args: argumentsWith(types, at, data)}
		if i < len(cut) || i%2 == 1 { // what is there already may not be taken again
			x.tryFilled(append(slices.Clone(fresh), refused), asked)
			continue
		}
		x.tryRefusal(append(slices.Clone(taken), refused), asked)
	}
}

// badEnds are texts whose beginnings are those of one, and whose ends are not: a method that takes one entry after
// another comes to the damage late.
func badEnds(whole string) (all []string) {
	n := len(whole)
	for _, to := range []int{n - 1, n - 4, 3 * n / 4, n / 2} {
		if to > 0 {
			all = append(all, whole[:to])
		}
	}
	all = append(all, whole+"\x00", whole+"#")
	for _, width := range []int{1, 4, 8} {
		for _, from := range []int{n - width, n - 2*width, 3*n/4 - width} {
			if from > 0 {
				all = append(all, whole[:from]+strings.Repeat("\xff", width)+whole[from+width:])
			}
		}
	}
	return all
}

// damages are texts that each differ from one in one place: in a byte, in a number of two, four or
// eight, or in its length.
func damages(whole string) (all []string) {
	add := func(data []byte) {
		if s := string(data); s != whole {
			all = append(all, s)
		}
	}
	places := min(len(whole), damagedBytes)
	for _, width := range []int{4, 1, 8, 2} {
		for i := 0; i+width <= places; i++ {
			for _, with := range [][]byte{
				bytes.Repeat([]byte{0xff}, width), append(bytes.Repeat([]byte{0xff}, width-1), 0x7f), append(bytes.Repeat([]byte{0}, width-1), 0x80),
				append([]byte{0xf0}, bytes.Repeat([]byte{0xff}, width-1)...), bytes.Repeat([]byte{0}, width), append([]byte{1}, bytes.Repeat([]byte{0}, width-1)...),
			} {
				add(slices.Concat([]byte(whole[:i]), with, []byte(whole[i+width:])))
			}
		}
	}
	for i := range places {
		add([]byte(whole[:i]))
		if c := whole[i]; c >= '0' && c <= '9' {
			for _, number := range []string{"-", "-1", "9", "99", "99999999999", "4294967295", "9223372036854775807", "18446744073709551615"} {
				add(slices.Concat([]byte(whole[:i]), []byte(number), []byte(whole[i+1:])))
			}
		}
	}
	add([]byte(whole + "\x00"))
	add([]byte(whole + whole))
	return all
}

// isUnsound tells whether bytes are no value of a sample's type.
func isUnsound(sample tlv.Value, data string) bool {
	return sample.Tag() == tlv.TagString && !utf8.ValidString(data)
}
