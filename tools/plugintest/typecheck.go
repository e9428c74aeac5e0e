package plugintest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// Invocation is a call that a user asks for.
type Invocation struct {
	Box    string // empty for the one that has the method
	Method string
	Args   []tlv.Value
}

var errNoConfig = fmt.Errorf("%w: typecheck compares a library with a nyash.toml: name one with --config", ErrCannotRun)

// typecheck compares nyash.toml with what the library says and answers.
func (t *Tester) typecheck() error {
	if t.config.Library == nil {
		return errNoConfig
	}
	var d abi.Description
	if err := t.scenario(rigOptions{}, func(r *rig) error { d = r.session.Description(); return nil }); err != nil {
		return err
	}
	for _, b := range t.boxes {
		t.compare(b, d)
	}
	if err := t.learn(); err != nil {
		return err
	}
	for _, b := range t.boxes {
		for _, m := range b.methods {
			if m.declared == nil || m.broken || m.works() {
				continue
			}
			if err := t.otherTypes(m); err != nil {
				return err
			}
		}
	}
	return t.invocations()
}

// compare is what can be seen without a call.
func (t *Tester) compare(b *box, d abi.Description) {
	if b.conf == nil {
		return
	}
	at := func(line int, f Finding) {
		f.Box, f.File, f.Line = b.name, t.config.TOML, line
		t.add(f)
	}
	alone := len(t.config.Library.Boxes) == 1
	if d.TypeName != "" && d.TypeName != b.name && alone {
		at(b.conf.Pos.Line, Finding{Code: codeTypeName, Message: fmt.Sprintf("the library calls its box %s, and nyash.toml calls it %s", d.TypeName, b.name)})
	}
	if !alone && d.TypeName != b.name {
		return // the library describes another
	}
	if b.conf.HasTypeID && d.TypeID != 0 && b.conf.TypeID != d.TypeID {
		at(b.conf.Pos.Line, Finding{Code: codeTypeID, Message: fmt.Sprintf("nyash.toml says type_id %d, the library says %d", b.conf.TypeID, d.TypeID)})
	}
	if len(d.Methods) == 0 || !b.conf.MethodsDeclared {
		return
	}
	for _, m := range b.conf.Methods {
		i := slices.IndexFunc(d.Methods, func(have abi.Method) bool { return have.Name == m.Name })
		switch {
		case i < 0:
			at(m.Pos.Line, Finding{Code: codeMethodMissing, Method: m.Name, Message: "the library does not describe it"})
		case m.HasID && m.ID != d.Methods[i].ID:
			at(m.Pos.Line, Finding{Code: codeMethodID, Method: m.Name, Message: fmt.Sprintf("nyash.toml says method_id %d, the library says %d", m.ID, d.Methods[i].ID)})
		}
	}
	for _, m := range b.methods {
		hidden := slices.ContainsFunc(b.conf.Hidden, func(h *registry.Method) bool { return h.Name == m.name })
		if m.declared == nil && !hidden {
			at(b.conf.Pos.Line, Finding{Code: codeMethodExtra, Method: m.name, Message: fmt.Sprintf("the library describes it with the id %d", m.id)})
		}
	}
}

// otherTypes tries a method that refuses what is declared with other types.
func (t *Tester) otherTypes(m *method) error {
	if !m.declared.ArgsDeclared || len(m.known) > 0 {
		return nil // it took the types, or nothing is declared
	}
	undeclared := &method{box: m.box, name: m.name, id: m.id}
	err := t.scenario(rigOptions{}, func(r *rig) error {
		id, err := r.born(m.box)
		if err != nil {
			return err
		}
		for values := range undeclared.lists() {
			s := step{m: m, typeID: m.box.typeID, method: m.id, instance: id, args: r.encode(values, m.box, id), room: roomSize}
			a, err := r.run(s)
			if err != nil {
				return err
			}
			r.takeOver(m, a, s.args)
			if a.code == abi.ErrInvalidArgs || a.code == abi.ErrInvalidMethod {
				continue
			}
			t.add(Finding{Code: codeArgs, Box: m.box.name, Method: m.name, File: t.config.TOML, Line: m.declared.Pos.Line,
				Message:  fmt.Sprintf("it refuses %s as declared, and takes %s", m.declared.Signature, tagsOf(values)),
				Expected: m.declared.Signature.String()})
			return r.finiAll()
		}
		t.skip("%s.%s: it refuses every argument that was tried; show a call with --call", m.box.name, m.name)
		return r.finiAll()
	})
	return t.ignoreBirth(err)
}

func tagsOf(values []tlv.Value) string {
	if len(values) == 0 {
		return "no arguments"
	}
	words := make([]string, len(values))
	for i, v := range values {
		words[i] = v.Tag().String()
	}
	return "(" + list(words, "") + ")"
}

// invocations makes the calls that the user asks for; what they return is judged.
func (t *Tester) invocations() error {
	for _, call := range t.config.Calls {
		m := t.find(call.Box, call.Method)
		if m == nil {
			return fmt.Errorf("%w: --call %s: there is no such method", ErrCannotRun, call.Method)
		}
		err := t.scenario(rigOptions{}, func(r *rig) error {
			id, err := r.born(m.box)
			if err != nil {
				return err
			}
			args, err := tlv.Encode(call.Args...)
			if err != nil {
				return errors.Join(ErrCannotRun, err)
			}
			a, err := r.call(m, id, args)
			if err != nil {
				return err
			}
			t.line("%s.%s(%s): %v", m.box.name, m.name, showArgs(args), a)
			if a.code == abi.ErrInvalidArgs && m.declared != nil && m.declared.ArgsDeclared {
				t.add(Finding{Code: codeArgs, Box: m.box.name, Method: m.name, File: t.config.TOML, Line: m.declared.Pos.Line, Input: hexText(args),
					Message: fmt.Sprintf("it refuses (%s): %v", showArgs(args), a), Expected: m.declared.Signature.String()})
			}
			return r.finiAll()
		})
		if err := t.ignoreBirth(err); err != nil {
			return err
		}
	}
	return nil
}

// find finds a method by name.
func (t *Tester) find(boxName, name string) *method {
	for _, b := range t.boxes {
		if boxName != "" && b.name != boxName {
			continue
		}
		if m := b.method(name); m != nil {
			return m
		}
	}
	return nil
}
