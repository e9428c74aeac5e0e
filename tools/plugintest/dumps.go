package plugintest

import (
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
)

// dumpEntries are of how many entries a large dump is, the first of these with which there is one: it has a limit. A small one
// has the eighth part.
var dumpEntries = []int{3000, 1500, 1000}

const (
	dumpTimes = 8
	entrySize = 7 // of each text in it, in bytes
	// dumpTime is the least time of reading a large dump that is looked at.
	dumpTime = time.Millisecond
)

// dumps looks whether the time of reading a dump grows with the square of its size.
func (x *exploration) dumps(b *box, until time.Time) {
	_, states := x.filledStates(b)
	for _, c := range x.copiers(b, states) {
		if c.into == nil || namedSquare.MatchString(c.into.name) || means(meantSquare, c.into) {
			continue
		}
		for _, m := range x.gen.callable(b) {
			if x.ctx.Err() != nil || time.Now().After(until) || x.done[findingKey{codeQuadratic, c.into.String(), ""}] {
				break
			}
			if f, ok := x.fillingWith(b, m); ok && len(f.s) > 0 && m != c.into && !x.gen.avoid[m] {
				x.tryDump(b, &c, &f)
			}
		}
	}
}

// tryDump fills an instance by calls of a method, and reads its dump.
func (x *exploration) tryDump(b *box, c *copier, f *filling) {
	for _, n := range dumpEntries {
		large, ok1 := x.dumpOf(b, c, f, n)
		small, ok2 := x.dumpOf(b, c, f, n/dumpTimes)
		if !ok2 || len(small) < n/dumpTimes*entrySize {
			return // it is not dumped
		}
		if !ok1 || len(large) < n*entrySize {
			continue
		}
		if _, _, square := x.readSquare(b, c, large, small); !square {
			return
		}
		if took, less, square := x.readSquare(b, c, large, small); square {
			x.done[findingKey{codeQuadratic, c.into.String(), ""}] = true
			x.add(c.into.finding(codeQuadratic, "with what %v answers after %d calls of %v it took %v, and after %d calls %v", c.m, n/dumpTimes, f.m, less.Round(time.Microsecond), n, took.Round(time.Microsecond)))
		}
		return
	}
}

// dumpOf is what a method answers after so many calls of another one, which all succeed.
func (x *exploration) dumpOf(b *box, c *copier, f *filling, n int) (data string, ok bool) {
	ops := append(sequence{x.largeBirth(b)}, x.setupOf(f.m)...)
	for i := range n {
		ops = append(ops, op{m: f.m, on: 0, args: ownInstances(f.numberedOf(i+1, entrySize))})
	}
	ops = append(ops, op{m: c.m, on: 0})
	out := x.onPlain(ops)
	if out.exit != nil || len(out.answers) != len(ops) || out.answers[len(ops)-2].code != abi.OK {
		return "", false
	}
	a := &out.answers[len(ops)-1]
	return a.value.Data(), a.code == abi.OK && isText(a.value) && !isUnsound(c.types[0], a.value.Data())
}

// readSquare tells whether reading a large dump takes longer than reading a small one by the square of how much larger it is.
func (x *exploration) readSquare(b *box, c *copier, large, small string) (took, less time.Duration, square bool) {
	read := func(data string) (shortest time.Duration, ok bool) {
		for range squareTries { // each on an instance of its own
			t, ok := x.timeOf(sequence{x.largeBirth(b)}, op{m: c.into, on: 0, args: argumentsWith(c.types, 0, data)}, 1)
			if !ok {
				return 0, false
			}
			if shortest == 0 || t < shortest {
				shortest = t
			}
		}
		return shortest, true
	}
	took, ok1 := read(large)
	if !ok1 || took < dumpTime {
		return 0, 0, false
	}
	less, ok2 := read(small)
	return took, less, ok2 && float64(took) >= squareTimes*dumpTimes*dumpTimes*float64(less)
}
