package plugintest

import (
	"slices"
	"time"
)

// givenSizes are numbers that may be how large something is to be: two of them make more than 16 bits hold, and one of them more than 8.
var givenSizes = []float64{200, 300, 1000}

// sizes gives births and methods such numbers, and calls the others then: what is made so large is answered whole, or refused.
func (x *exploration) sizes(b *box, until time.Time) {
	defer x.endBench()
	methods := x.gen.callable(b)
	for _, m := range append([]*method{b.birth}, methods...) {
		for _, types := range x.given(m) {
			if !slices.ContainsFunc(types, isInteger) || slices.ContainsFunc(types, isHandle) || slices.ContainsFunc(types, isBlob) {
				continue
			}
			for _, size := range givenSizes {
				if x.ctx.Err() != nil || time.Now().After(until) || x.gen.avoid[m] {
					return
				}
				ops := x.sized(b, m, types, size)
				out := x.onBench(ops)
				if out.exit != nil || x.faults(ops, out) { // an exit is reported
					break
				}
			}
		}
	}
}

// sized is a call with all its whole numbers of one size, and one of each method that needs no argument after it.
func (x *exploration) sized(b *box, m *method, types shape, size float64) sequence {
	values := slices.Clone(types)
	for i, v := range values {
		if isInteger(v) {
			values[i] = withMagnitude(v, size)
		}
	}
	ops := sequence{x.firstBirth(b)}
	if m.isBirth() {
		ops[0].args = literals(values)
	} else {
		ops = append(append(ops, x.setupOf(m)...), op{m: m, on: 0, args: literals(values)})
	}
	for _, r := range x.gen.callable(b) {
		if len(x.gen.shapes[r][0]) == 0 && r != m {
			ops = append(ops, op{m: r, on: 0})
		}
	}
	return ops
}
