package plugintest

import (
	"errors"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// known is an argument list that a method takes.
type known struct {
	values []tlv.Value
	works  bool // it succeeds, on an instance on which before was called
	before []prior
}

type prior struct {
	m    *method
	args []tlv.Value
}

// self stands for the instance itself in an argument list.
var self = tlv.HandleValue(tlv.Handle{})

// samples are the values that arguments are tried with, an ordinary one of each
// type first.
var samples = []tlv.Value{
	tlv.Int64(1), tlv.String("a"), tlv.Int32(1), tlv.Bytes([]byte("abc")), tlv.Float64(1.5), tlv.Bool(true), self, tlv.Float32(1.5),
	tlv.String("w"), tlv.String("r"), tlv.String("w+"),
}

const (
	mostUndeclared = 2 // arguments that are tried where nothing is declared
	mostTried      = 400
	mostKnown      = 3 // argument lists that are kept for a method
)

// plain are the values that can be encoded without a worker.
func (k known) plain() []tlv.Value {
	return slices.DeleteFunc(slices.Clone(k.values), func(v tlv.Value) bool { return v == blobSample })
}

// learn finds out how the methods can be called: with what nyash.toml declares, or
// with what they answer otherwise than with "invalid arguments".
func (t *Tester) learn() error {
	if t.learned {
		return nil
	}
	t.learned = true
	for _, b := range t.boxes {
		for _, m := range b.methods {
			if err := t.learnMethod(m, nil); err != nil {
				return err
			}
		}
		// What failed on a new instance may work after another method.
		for _, first := range b.methods {
			for _, k := range first.known {
				if !k.works || len(k.before) > 0 || !b.lacking() {
					continue
				}
				for _, m := range b.methods {
					if m == first || m.works() || m.broken || len(m.known) == 0 {
						continue
					}
					if err := t.learnMethod(m, []prior{{first, k.values}}); err != nil {
						return err
					}
				}
			}
		}
	}
	return nil
}

func (b *box) lacking() bool {
	return slices.ContainsFunc(b.methods, func(m *method) bool { return !m.works() })
}

func (m *method) works() bool {
	return slices.ContainsFunc(m.known, func(k known) bool { return k.works })
}

// learnMethod tries argument lists, on an instance on which before was called.
func (t *Tester) learnMethod(m *method, before []prior) error {
	t.at(m)
	return t.scenario(rigOptions{}, func(r *rig) error {
		id, err := r.born(m.box)
		if err != nil {
			return t.ignoreBirth(err)
		}
		for _, p := range before {
			if _, err := r.call(p.m, id, r.encode(p.args, m.box, id)); err != nil {
				return err
			}
		}
		var failing *known
		tries := 0
		for values := range m.lists() {
			if tries++; tries > mostTried || len(m.known) >= mostKnown {
				break
			}
			a, err := r.call(m, id, r.encode(values, m.box, id))
			if err != nil {
				m.broken = true
				return err
			}
			switch {
			case a.code == abi.OK && !m.resembles(values):
				m.known = append(slices.DeleteFunc(m.known, func(k known) bool { return !k.works }), known{values, true, before})
			case a.code != abi.OK && a.code != abi.ErrInvalidArgs && failing == nil:
				failing = &known{values, false, before}
			}
		}
		if len(m.known) == 0 && failing != nil {
			m.known = append(m.known, *failing)
		}
		return r.finiAll()
	})
}

// resembles tells whether a list ends as one that is known: those that differ at
// the end (a mode, say) show more.
func (m *method) resembles(values []tlv.Value) bool {
	if len(values) == 0 {
		return false
	}
	return slices.ContainsFunc(m.known, func(k known) bool {
		return k.works && len(k.values) == len(values) && k.values[len(values)-1] == values[len(values)-1]
	})
}

// ignoreBirth has a scenario end without a birth: that is another's finding.
func (t *Tester) ignoreBirth(err error) error {
	if errors.Is(err, errNoBirth) {
		return nil
	}
	return err
}

// encode is a list of values as a message, with the instance for self.
func (r *rig) encode(values []tlv.Value, b *box, id uint32) []byte {
	out := tlv.AppendHeader(nil)
	for _, v := range values {
		switch v {
		case self:
			v = tlv.HandleValue(tlv.Handle{Type: b.typeID, Instance: id})
		case blobSample:
			v = r.lent()
		}
		var err error
		if out, err = tlv.AppendValue(out, v); err != nil {
			panic(err) // samples can be encoded
		}
	}
	if err := tlv.PatchArgc(out, len(values)); err != nil {
		panic(err)
	}
	return out
}

// blobSample stands for a blob of the host's.
var blobSample = tlv.Blob(0, 3)

// lent is a blob of three bytes in the worker.
func (r *rig) lent() tlv.Value {
	if r.blob == 0 {
		addr, err := r.session.Lend(r.ctx, []byte("abc"))
		if err != nil {
			return tlv.Blob(0, 0)
		}
		r.blob = addr
	}
	return tlv.Blob(r.blob, 3)
}

// lists are the argument lists to try, the likely ones first.
func (m *method) lists() func(yield func([]tlv.Value) bool) {
	if m.declared != nil && m.declared.ArgsDeclared {
		return product(declaredChoices(m.declared.Args))
	}
	return func(yield func([]tlv.Value) bool) {
		for n := range mostUndeclared + 1 {
			choices := make([][]tlv.Value, n)
			for i := range choices {
				choices[i] = samples
			}
			for values := range product(choices) {
				if !yield(values) {
					return
				}
			}
		}
	}
}

func declaredChoices(args []registry.Arg) [][]tlv.Value {
	choices := make([][]tlv.Value, len(args))
	for i, a := range args {
		for _, v := range append(slices.Clone(samples), blobSample) {
			if a.To == v.Tag() || a.To == 0 && v.Tag() != tlv.TagBlob {
				choices[i] = append(choices[i], v)
			}
		}
	}
	return choices
}

// product is every list with one value of each choice.
func product(choices [][]tlv.Value) func(yield func([]tlv.Value) bool) {
	return func(yield func([]tlv.Value) bool) {
		at := make([]int, len(choices))
		for {
			values := make([]tlv.Value, len(choices))
			for i, c := range choices {
				if len(c) == 0 {
					return
				}
				values[i] = c[at[i]]
			}
			if !yield(values) {
				return
			}
			i := 0
			for i < len(at) {
				if at[i]++; at[i] < len(choices[i]) {
					break
				}
				at[i] = 0
				i++
			}
			if i == len(at) {
				return
			}
		}
	}
}

// ready makes an instance on which k works, and its message.
func (r *rig) ready(m *method, k known) (id uint32, args []byte, err error) {
	if id, err = r.born(m.box); err != nil {
		return 0, nil, err
	}
	for _, p := range k.before {
		if _, err := r.call(p.m, id, r.encode(p.args, m.box, id)); err != nil {
			return 0, nil, err
		}
	}
	return id, r.encode(k.values, m.box, id), nil
}

// each calls f for every method that can be called, with the first list that it
// is known to take.
func (t *Tester) each(f func(*method, known) error) error {
	if err := t.learn(); err != nil {
		return err
	}
	for _, b := range t.boxes {
		for _, m := range b.methods {
			if m.broken || len(m.known) == 0 {
				continue
			}
			t.at(m)
			if err := f(m, m.known[0]); err != nil {
				return err
			}
		}
	}
	return nil
}
