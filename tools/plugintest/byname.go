package plugintest

import (
	"fmt"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// State that instances share by a name, such as a table with a key for each entry, is no fault:
// a call that is given a name then changes what others answer who know it, and what is said of
// the whole table.

// sharesByName tells whether a method changes, on one instance, what a method answers on another
// where both are given the same text, and does not where the texts differ.
func (x *exploration) sharesByName(m *method) bool {
	return once(x.byName, m, x.findSharing)
}

// once is what find says of a key, which is asked once.
func once[K comparable, V any](known map[K]V, key K, find func(K) V) V {
	is, ok := known[key]
	if !ok {
		is = find(key)
		known[key] = is
	}
	return is
}

func (x *exploration) findSharing(m *method) bool {
	b := m.box
	for _, s := range x.gen.typesOf(m) {
		if !slices.ContainsFunc(s, isText) {
			continue
		}
		for _, r := range x.gen.callable(b) {
			for _, rs := range x.gen.typesOf(r) {
				if slices.ContainsFunc(rs, isText) && x.sharedName(b, m, r, s, rs) {
					return true
				}
			}
		}
	}
	return false
}

// sharedName tells whether a call of r on one instance answers otherwise where m was called on
// another with the same name, and not where that had another name.
func (x *exploration) sharedName(b *box, m, r *method, s, rs shape) bool {
	answer := func(given, asked string) (a observed, ok bool) {
		ops := sequence{x.firstBirth(b), x.firstBirth(b)}
		if given != "" {
			ops = append(ops, op{m: m, on: 0, args: literals(withName(s, given))})
		}
		ops = append(ops, op{m: r, on: 1, args: literals(withName(rs, asked))})
		out := x.onBench(ops)
		if out.exit != nil || len(out.answers) < len(ops) || given != "" && out.answers[2].code != abi.OK {
			return a, false
		}
		return out.answers[len(ops)-1], true
	}
	// One process makes the calls, in which a name is known for ever: each is used once.
	x.names++
	name := func(kind string) string { return fmt.Sprintf("%s%06d", kind, x.names) }
	none, ok1 := answer("", name("n"))
	same, ok2 := answer(name("s"), name("s"))
	if !ok1 || !ok2 || same.same(&none) {
		return false
	}
	differs, ok := answer(name("o"), name("d"))
	return ok && differs.same(&none)
}

// withName are the values of a shape with a name for its texts.
func withName(s shape, name string) []tlv.Value {
	all := slices.Clone(s)
	for i, v := range all {
		if isText(v) {
			all[i] = textOf(v.Tag(), name)
		}
	}
	return all
}

// namesShared tells whether an op is of a method that shares by name, and names something.
func (x *exploration) namesShared(o *op) bool {
	return slices.ContainsFunc(o.args, func(a argument) bool { return isText(a.value) }) && x.sharesByName(o.m)
}

// takesName tells whether births of a box may be given a text.
func (x *exploration) takesName(b *box) bool {
	return once(x.bornNamed, b, x.findBornNamed)
}

func (x *exploration) findBornNamed(b *box) bool {
	if slices.ContainsFunc(x.shared.births[b], isText) {
		return true
	}
	if d := b.birth.declared; d != nil {
		return slices.ContainsFunc(d.Args, func(p registry.Arg) bool { return p.To == tlv.TagString || p.To == tlv.TagBytes })
	}
	// Nothing is declared. One that does not look at its arguments takes a number, too.
	takes := func(v tlv.Value) bool {
		ops := sequence{{m: b.birth, on: -1, made: b, args: literals([]tlv.Value{v})}}
		out := x.onBench(ops)
		return out.exit == nil && len(out.answers) == 1 && out.answers[0].code == abi.OK
	}
	return (takes(tlv.String("a")) || takes(tlv.Bytes([]byte("a")))) && !takes(tlv.Int64(1))
}

// defaultName tells whether a birth may be given a text and is not: its instances may share what
// has a name by default.
func (x *exploration) defaultName(o *op) bool {
	return o.isBirth() && !slices.ContainsFunc(o.args, func(a argument) bool { return isText(a.value) }) && x.takesName(o.m.box)
}
