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

// typecheckCheck compares nyash.toml with the library's description and with what
// its methods take and return.
var typecheckCheck = check{name: "typecheck", summary: "compare the library with a nyash.toml", needs: needsTOML, run: typecheck}

func typecheck(e *env) error {
	var d abi.Description
	if err := e.withWorker(workerOptions{}, func(w *worker) error { d = w.description(); return nil }); err != nil {
		return err
	}
	for _, b := range e.plugin.boxes {
		e.compare(b, d)
	}
	if err := e.learn(); err != nil {
		return err
	}
	for _, m := range e.plugin.methods() {
		if m.declared == nil || e.shared.broken[m] || e.shared.hasWorkingSample(m) {
			continue
		}
		if err := e.tryOtherTypes(m); err != nil {
			return err
		}
	}
	return e.requestedCalls()
}

// compare compares names and ids.
func (e *env) compare(b *box, d abi.Description) {
	if b.conf == nil {
		return
	}
	at := func(line int, f Finding) {
		f.Box, f.File, f.Line = b.name, e.config.TOML, line
		e.add(f)
	}
	alone := len(e.config.Library.Boxes) == 1
	if d.TypeName != "" && d.TypeName != b.name && alone {
		at(b.conf.Pos.Line, Finding{Code: codeTypeName, Message: fmt.Sprintf("the library calls its box %s, nyash.toml calls it %s", d.TypeName, b.name)})
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

// tryOtherTypes calls a method that refuses the declared types with others.
func (e *env) tryOtherTypes(m *method) error {
	if !m.declared.ArgsDeclared || len(e.shared.samples[m]) > 0 {
		return nil // nothing is declared, or the types are accepted
	}
	undeclared := &method{box: m.box, name: m.name, id: m.id}
	return e.withWorker(workerOptions{}, func(w *worker) error {
		id, err := w.birth(m.box)
		if err != nil {
			return err
		}
		for values := range undeclared.candidates() {
			args := w.encode(values, m.box, id)
			a, err := w.do(m.step(id, args))
			if err != nil {
				return err
			}
			w.takeOver(m, a, args)
			if a.code == abi.ErrInvalidArgs || a.code == abi.ErrInvalidMethod {
				continue
			}
			e.add(e.declared(m, m.finding(codeArgs, "it refuses %s as declared, and takes %s", m.declared.Signature, tagsOf(values))))
			return w.finiAll()
		}
		e.skip("%v: it refuses all arguments that were tried; give a valid call with --call", m)
		return w.finiAll()
	})
}

// declared adds the method's declaration in nyash.toml to a finding.
func (e *env) declared(m *method, f Finding) Finding {
	f.File, f.Line, f.Expected = e.config.TOML, m.declared.Pos.Line, m.declared.Signature.String()
	return f
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

// requestedCalls makes the calls of Config.Calls; their answers are checked.
func (e *env) requestedCalls() error {
	for _, call := range e.config.Calls {
		m := e.plugin.find(call.Box, call.Method)
		if m == nil {
			return fmt.Errorf("%w: --call %s: there is no such method", ErrCannotRun, call.Method)
		}
		args, err := tlv.Encode(call.Args...)
		if err != nil {
			return errors.Join(ErrCannotRun, err)
		}
		err = e.withWorker(workerOptions{}, func(w *worker) error {
			id, err := w.birth(m.box)
			if err != nil {
				return err
			}
			a, err := w.call(m, id, args)
			if err != nil {
				return err
			}
			e.line("%v(%s): %v", m, showArgs(args), a)
			if a.code == abi.ErrInvalidArgs && m.declared != nil && m.declared.ArgsDeclared {
				f := e.declared(m, m.finding(codeArgs, "it refuses (%s): %v", showArgs(args), a))
				f.Input = hexText(args)
				e.add(f)
			}
			return w.finiAll()
		})
		if err != nil {
			return err
		}
	}
	return nil
}
