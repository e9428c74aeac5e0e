package plugintest

import (
	"slices"
	"strings"
	"time"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// shrinkTime is how long it may take at most to find the shortest sequence.
const shrinkTime = 6 * time.Second

// shrink finds the shortest sequence that it can for which shows is true, of one that shows
// something at an op. It is nil where the sequence itself does not show it again.
func (x *exploration) shrink(ops sequence, at int, shows func(sequence) bool) sequence {
	k := &shrinker{until: time.Now().Add(shrinkTime), shows: shows}
	if x.config.Replay != "" { // it is asked for these calls
		k.until = time.Time{}
	}
	if at >= 0 && at < len(ops) {
		if cut := ops.without(func(i int) bool { return i > at }); k.shows(cut) {
			ops = cut
		} else if !k.shows(ops) {
			return nil
		}
	} else if !k.shows(ops) {
		return nil
	}
	if at = min(at, len(ops)-1); at >= 0 {
		if less := ops.related(at); len(less) < len(ops) && k.shows(less) {
			ops = less
		}
	}
	ops = x.withoutSpare(k, k.few(ops))
	for again := true; again; {
		ops, again = k.fewer(ops)
	}
	return k.simpler(ops)
}

// withoutSpare leaves out the arguments of births that need none.
func (x *exploration) withoutSpare(k *shrinker, ops sequence) sequence {
	for i, o := range ops {
		if !o.isBirth() || len(o.args) == 0 || len(x.shared.births[o.m.box]) > 0 || k.over() {
			continue
		}
		less := slices.Clone(ops)
		if less[i].args = nil; k.shows(less) {
			ops = less
		}
	}
	return ops
}

// confirmed is the shortest sequence for which shows is true, of one for which it must be so each time. It is nil where it is
// not, and where a finding of that key was made sure of before.
func (x *exploration) confirmed(key findingKey, s sequence, shows func(sequence) bool) sequence {
	if x.done[key] {
		return nil
	}
	for range agreeing {
		if !shows(s) {
			return nil
		}
	}
	x.done[key] = true
	short := x.shrink(s, -1, shows)
	if short == nil || !shows(short) {
		return nil
	}
	return short
}

type shrinker struct {
	until time.Time
	shows func(sequence) bool
}

func (k *shrinker) over() bool { return time.Now().After(k.until) }

// few tries the first calls and the last one alone: a state that was made large for a fault seldom
// has to be.
func (k *shrinker) few(ops sequence) sequence {
	for n := 2; n < len(ops)-1 && !k.over(); n *= 3 {
		if less := ops.without(func(i int) bool { return i >= n && i < len(ops)-1 }); k.shows(less) {
			return less
		}
	}
	return ops
}

// fewer leaves out parts, the largest first.
func (k *shrinker) fewer(ops sequence) (_ sequence, changed bool) {
	for size := len(ops) / 2; size >= 1; size /= 2 {
		for from := len(ops) - size; from > -size && !k.over(); from -= size {
			less := ops.without(func(i int) bool { return i >= from && i < from+size })
			if len(less) < len(ops) && k.shows(less) {
				ops, changed = less, true
				from = min(from, len(ops))
			}
		}
	}
	return ops, changed && !k.over()
}

// simpler has the arguments be as simple as they can be.
func (k *shrinker) simpler(ops sequence) sequence {
	for i := range ops {
		for a := range ops[i].args {
			for _, v := range simplerValues(ops[i].args[a]) {
				if k.over() {
					return ops
				}
				less := slices.Clone(ops)
				less[i].args = slices.Clone(ops[i].args)
				less[i].args[a].value = v
				if k.shows(less) {
					ops = less
					break
				}
			}
		}
	}
	return ops
}

// simplerValues are those to try instead of one, the simplest first.
func simplerValues(a argument) (all []tlv.Value) {
	if a.ref > 0 {
		return nil
	}
	v := a.value
	switch tag := v.Tag(); tag {
	case tlv.TagInt32:
		all = []tlv.Value{tlv.Int32(0), tlv.Int32(1)}
	case tlv.TagInt64:
		all = []tlv.Value{tlv.Int64(0), tlv.Int64(1)}
	case tlv.TagFloat32:
		all = []tlv.Value{tlv.Float32(0), tlv.Float32(1.5)}
	case tlv.TagFloat64:
		all = []tlv.Value{tlv.Float64(0), tlv.Float64(1.5)}
	case tlv.TagString, tlv.TagBytes:
		for _, n := range []int{0, 1, 2, 8, 16, 32, 64, 128, 255, 256, 1024, 4096} {
			if n >= v.Len() {
				break
			}
			all = append(all, textOf(tag, pattern(n, 0)))
		}
	}
	return slices.DeleteFunc(all, func(w tlv.Value) bool { return w == v })
}

// textOf is a text as a string or as bytes. Of one that comes from bytes, a string has what is UTF-8.
func textOf(tag tlv.Tag, text string) tlv.Value {
	if tag == tlv.TagBytes {
		return tlv.Bytes([]byte(text))
	}
	return tlv.String(strings.ToValidUTF8(text, "?"))
}

// withMagnitude is a number of the same type.
func withMagnitude(v tlv.Value, n float64) tlv.Value {
	switch v.Tag() {
	case tlv.TagInt32:
		return tlv.Int32(int32(n))
	case tlv.TagFloat32:
		return tlv.Float32(float32(n))
	case tlv.TagFloat64:
		return tlv.Float64(n)
	}
	return tlv.Int64(int64(n))
}
