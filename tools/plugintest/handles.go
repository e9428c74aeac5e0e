package plugintest

import (
	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// wrongHandles calls methods that take an instance with handles that are none: of an instance
// that never was, of a live one's number with another type, and of one that was ended. A method
// that refuses the first looks the instance up, and must refuse the others.
func (x *exploration) wrongHandles() {
	for _, m := range x.plugin.methods() {
		for _, s := range x.gen.typesOf(m) {
			for at, v := range s {
				if b := x.plugin.sampled(v, m.box); b != nil && !b.singleton && !x.gen.avoid[m] && x.ctx.Err() == nil {
					x.wrongHandle(m, s, at, b)
				}
			}
		}
	}
}

// wrongHandle calls a method with wrong handles of a box instead of an argument.
func (x *exploration) wrongHandle(m *method, s shape, at int, b *box) {
	if x.shared.birthBroken[b] || x.shared.birthBroken[m.box] {
		return
	}
	own := x.firstBirth(m.box)
	ops := sequence{own, x.firstBirth(b), x.firstBirth(b), {m: b.fini, on: 2}}
	args := make([]argument, len(s))
	for i, v := range s {
		args[i] = argument{value: v}
		if x.plugin.sampled(v, m.box) == b {
			args[i] = argument{ref: 2}
		}
	}
	call := func(a argument) op {
		list := append([]argument(nil), args...)
		list[at] = a
		return op{m: m, on: 0, args: list}
	}
	never := tlv.HandleValue(tlv.Handle{Type: b.typeID, Instance: unknownIDs[0]})
	ops = append(ops, call(argument{value: never}), call(argument{ref: 2, other: true}), call(argument{ref: 3}))
	out := x.env.play(ops, ordinary)
	if out.exit != nil {
		x.exited(ops, out)
		return
	}
	if len(out.answers) < len(ops) || !out.answers[4].made || out.answers[4].code == abi.OK {
		return
	}
	for _, wrong := range []struct {
		op         int
		code, what string
	}{{5, codeAnyType, "a handle of a type that no box has, with the number of a live instance"}, {6, codeUseAfterFini, "a handle of an instance that was ended"}} {
		if a := &out.answers[wrong.op]; a.made && a.code == abi.OK {
			f := m.finding(wrong.code, "it answered %v to %s; one that never was it refuses", a, wrong.what)
			f.Expected = "NYASH_E_INVALID_HANDLE"
			f.Fix = "look type and instance up for each handle among the arguments"
			short := ops.without(func(i int) bool { return i > 3 && i != wrong.op })
			x.report(f, short, ordinary, x.env.play(short, ordinary).answers)
		}
	}
}
