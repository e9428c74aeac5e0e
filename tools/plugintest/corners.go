package plugintest

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// The corners of a method are its calls with numbers at which conditions and arithmetic turn,
// all of them with each other: a way out that takes a zero and a negative number is seldom met by chance.

const (
	maxCorners = 120 // calls of a method
	cornerOps  = 250 // of a sequence
)

var (
	cornerInts   = []int64{0, 1, -1, 2, 255, 256, math.MaxInt32, math.MinInt32, math.MaxInt64, math.MinInt64}
	cornerFloats = []float64{0, math.Copysign(0, -1), 1.5, -1.5, math.SmallestNonzeroFloat64, math.MaxFloat64, math.Inf(1), math.Inf(-1), math.NaN()}
)

// cornersOf are the values for an argument like a sample's.
func cornersOf(sample tlv.Value) []tlv.Value {
	if sample.Tag() == tlv.TagBool {
		return []tlv.Value{tlv.Bool(false), tlv.Bool(true)}
	}
	return numbersOf(sample.Tag(), cornerInts, cornerFloats)
}

// numbersOf are those of some numbers that a type has; none for a type of no numbers.
func numbersOf(tag tlv.Tag, ints []int64, floats []float64) (all []tlv.Value) {
	switch tag {
	case tlv.TagInt32:
		for _, n := range ints {
			if int64(int32(n)) == n {
				all = append(all, tlv.Int32(int32(n)))
			}
		}
	case tlv.TagInt64:
		for _, n := range ints {
			all = append(all, tlv.Int64(n))
		}
	case tlv.TagFloat32:
		for _, f := range floats {
			all = append(all, tlv.Float32(float32(f)))
		}
	case tlv.TagFloat64:
		for _, f := range floats {
			all = append(all, tlv.Float64(f))
		}
	}
	return all
}

// maxNamed is how many numbers of a method's documentation are tried.
const maxNamed = 4

// namedNumbers are the numbers in the documentation of a method and of its arguments, such as the ends of a range, and
// those behind them.
func namedNumbers(m *method) (all []int64) {
	if m.declared == nil {
		return nil
	}
	text := m.declared.Doc
	for _, a := range m.declared.Args {
		text += "\n" + a.Doc
	}
	for _, found := range sizes.FindAllString(text, -1) {
		n, err := strconv.ParseInt(strings.ReplaceAll(found, ",", ""), 10, 64)
		if err == nil && n > 2 && len(all) < 2*maxNamed && !slices.Contains(all, n) {
			all = append(all, n, n+1)
		}
	}
	return all
}

// cornerCalls are argument lists with the numbers of a shape at their corners.
func (x *exploration) cornerCalls(m *method, s shape) (calls [][]tlv.Value) {
	choices, some := make([][]tlv.Value, len(s)), false
	named := namedNumbers(m)
	for i, sample := range s {
		if choices[i] = append(cornersOf(sample), numbersOf(sample.Tag(), named, nil)...); len(choices[i]) > 0 {
			some = true
			continue
		}
		choices[i] = []tlv.Value{sample}
	}
	if !some || slices.ContainsFunc(s, func(v tlv.Value) bool { return isBlob(v) || isHandle(v) }) {
		return nil
	}
	whole := 1
	for _, c := range choices {
		whole = min(whole*len(c), 1<<20)
	}
	if whole > maxCorners {
		for range maxCorners {
			one := make([]tlv.Value, len(s))
			for i, c := range choices {
				one[i] = c[x.random.IntN(len(c))]
			}
			calls = append(calls, one)
		}
		return calls
	}
	for values := range product(choices) {
		calls = append(calls, slices.Clone(values))
	}
	return calls
}

// sized is a text of 16 bytes, and sizedTimes numbers of times that it has a size of 0, or of 16, in 32 bits and in 64.
const sized = "abcdefghijklmnop"

var sizedTimes = []int64{1 << 28, 1<<28 + 1, 1 << 60, 1<<60 + 1}

// timesSize are calls with a text and a number whose product goes over.
func timesSize(m *method, s shape) (calls sequence) {
	if !slices.ContainsFunc(s, isText) || slices.ContainsFunc(s, func(v tlv.Value) bool { return isBlob(v) || isHandle(v) }) {
		return nil
	}
	for i, v := range s {
		for _, n := range numbersOf(v.Tag(), sizedTimes, nil) {
			values := withName(s, sized)
			values[i] = n
			calls = append(calls, op{m: m, on: 0, args: literals(values)})
		}
	}
	return calls
}

// stocked is an instance that the methods that take something have been called on.
func (x *exploration) stocked(b *box) sequence {
	ops := sequence{x.firstBirth(b)}
	for range 3 {
		for _, m := range x.gen.callable(b) {
			s := x.gen.shapes[m][0]
			if len(s) > 0 && !slices.ContainsFunc(s, func(v tlv.Value) bool { return isBlob(v) || isHandle(v) }) {
				ops = append(ops, op{m: m, on: 0, args: literals(s)})
			}
		}
	}
	return ops
}

// corners calls the methods of a box at the corners of their numbers.
func (x *exploration) corners(b *box, until time.Time) {
	var left sequence
	for _, m := range x.gen.callable(b) {
		for _, s := range x.gen.typesOf(m) {
			for _, values := range x.cornerCalls(m, s) {
				left = append(left, op{m: m, on: 0, args: literals(values)})
			}
			left = append(left, timesSize(m, s)...)
		}
	}
	// Once more in any order: what one method refuses depends on what others were given.
	again := slices.Clone(left)
	x.random.Shuffle(len(again), func(i, k int) { again[i], again[k] = again[k], again[i] })
	left = append(left, again...)
	before := x.stocked(b)
	for len(left) > 0 && x.ctx.Err() == nil && time.Now().Before(until) {
		n := min(len(left), cornerOps)
		ops := slices.Concat(before, left[:n])
		base := x.env.play(ops, ordinary)
		if x.played++; base.none {
			return
		}
		x.learnFrom(ops, base.answers)
		x.faults(ops, base)
		if base.exit == nil {
			left = left[n:]
			continue
		}
		m := base.exit.at.m
		left = slices.DeleteFunc(left[min(n, max(0, len(base.answers)-len(before))):], func(o op) bool { return o.m == m })
	}
}
