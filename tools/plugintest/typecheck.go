package plugintest

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// Invocation is a call that a user asks for.
type Invocation struct {
	Box    string // empty for the one that has the method
	Method string
	Args   []tlv.Value
	// Texts are the arguments as they were written where no type was, by their number: they are
	// made of the declared type.
	Texts map[int]string
	// Boxes are the arguments that are a new instance of a box, whose name it is. Their Args
	// count for nothing.
	Boxes map[int]string

	given string // the flag that it was read from; empty where it is from elsewhere
}

// String is the call as it was given.
func (c *Invocation) String() string {
	if c.given != "" {
		return c.given
	}
	return strings.TrimPrefix(c.Box+"."+c.Method, ".")
}

// argsOf are the arguments of a call that a user asks for, with samples for instances.
func (p *plugin) argsOf(call *Invocation) ([]tlv.Value, error) {
	args := slices.Clone(call.Args)
	for i, name := range call.Boxes {
		k := slices.IndexFunc(p.boxes, func(b *box) bool { return b.name == name })
		if k < 0 {
			return nil, fmt.Errorf("%w: %v: %w", ErrCannotRun, call, p.unknown(name, ""))
		}
		args[i] = boxSample(k)
	}
	return args, nil
}

// checkCalls refuses calls that cannot be made.
func (e *env) checkCalls() error {
	for _, call := range slices.Concat(e.config.Calls, e.config.Births) {
		switch {
		case call.Method == abi.NameBirth:
			if call.Box != "" && e.plugin.box(call.Box) == nil {
				return fmt.Errorf("%w: %v: %w", ErrCannotRun, &call, e.plugin.unknown(call.Box, ""))
			}
		case e.plugin.find(call.Box, call.Method) == nil:
			return fmt.Errorf("%w: %v: %w", ErrCannotRun, &call, e.plugin.unknown(call.Box, call.Method))
		}
		if err := e.plugin.coerce(&call); err != nil {
			return err
		}
		args, err := e.plugin.argsOf(&call)
		if err != nil {
			return err
		}
		if _, err := tlv.Encode(args...); err != nil {
			return errors.Join(ErrCannotRun, err)
		}
	}
	return nil
}

// typecheckCheck compares nyash.toml with the library's description, and both with
// what its methods take and return.
var typecheckCheck = check{name: "typecheck", summary: "compare the library with a nyash.toml and its self-description", needs: needsTypes, run: typecheck}

func typecheck(e *env) error {
	for _, b := range slices.Concat(e.plugin.boxes, e.plugin.uncalled) {
		if b.conf != nil {
			(&comparison{e, b}).compare()
		}
	}
	if err := e.learn(); err != nil {
		return err
	}
	for _, m := range e.plugin.methods() {
		if m.declared == nil || !m.declared.ArgsDeclared || e.shared.broken[m] || e.shared.takesDeclared(m) {
			continue
		}
		if err := e.tryOtherTypes(m); err != nil {
			return err
		}
	}
	if err := e.checkRanges(); err != nil {
		return err
	}
	return e.requestedCalls()
}

// comparison compares a box of nyash.toml with what the library says of it.
type comparison struct {
	*env
	box *box
}

func (c *comparison) found(at registry.Position, f Finding) {
	f.Box, f.File, f.Line = c.box.name, c.config.TOML, at.Line
	c.add(f)
}

func (c *comparison) compare() {
	conf, own := c.box.conf, c.box.own
	if c.plugin.own.leavesAlone(conf.LibraryName) {
		c.unresolved()
		return
	}
	if own == nil {
		if c.plugin.own.lacks(conf.LibraryName) {
			c.found(conf.Pos, Finding{Code: codeTypeName, Message: fmt.Sprintf("the library has no box %s; it has %s", conf.LibraryName, c.plugin.own.boxNames())})
		}
		return
	}
	if c.plugin.own.named() && own.Name != conf.LibraryName {
		c.found(conf.Pos, Finding{Code: codeTypeName, Message: fmt.Sprintf("the library calls its box %s, nyash.toml calls it %s", own.Name, conf.LibraryName)})
	}
	if conf.HasTypeID && own.ID != 0 && conf.TypeID != own.ID {
		c.found(conf.TypeIDPos(), Finding{Code: codeTypeID, Message: fmt.Sprintf("nyash.toml says type_id %d, the library says %d", conf.TypeID, own.ID)})
	}
	if len(own.Methods) == 0 || !conf.MethodsDeclared {
		return
	}
	for _, m := range conf.Methods {
		i := slices.IndexFunc(own.Methods, func(have registry.Method) bool { return have.Name == m.Name })
		if i < 0 {
			c.found(m.Pos, Finding{Code: codeMethodMissing, Method: m.Name, Message: "the library does not describe it"})
			continue
		}
		have := &own.Methods[i]
		if m.HasID && m.ID != have.ID {
			c.found(m.Pos, Finding{Code: codeMethodID, Method: m.Name, Message: fmt.Sprintf("nyash.toml says method_id %d, the library says %d", m.ID, have.ID)})
		}
		c.types(m, have)
	}
	for _, m := range c.box.methods {
		hidden := named(conf.Hidden, m.name) != nil
		if m.declared == nil && !hidden {
			c.found(conf.Pos, Finding{Code: codeMethodExtra, Method: m.name, Message: fmt.Sprintf("the library describes it with the id %d", m.id)})
		}
	}
}

// unresolved reports methods whose ids nothing gives: neither nyash.toml, nor the manifest,
// nor the box's table.
func (c *comparison) unresolved() {
	own, conf := &c.plugin.own, c.box.conf
	resolved := own.init.Tables[own.table(conf.LibraryName)-1].Methods
	manifest, _ := own.manifest.Box(conf.LibraryName)
	for _, m := range conf.Methods {
		known := m.HasID || slices.ContainsFunc(resolved, func(have abi.Method) bool { return have.Name == m.Name })
		if !known && manifest != nil {
			have := named(manifest.Methods, m.Name)
			known = have != nil && have.HasID
		}
		if !known {
			c.found(m.Pos, Finding{Code: codeMethodMissing, Method: m.Name, Message: "nothing gives its id, and the library's table does not know the name"})
		}
	}
}

// types compares what nyash.toml declares of a method with what the library's text
// does. nyash.toml decides, and the author of the library knows better.
func (c *comparison) types(m, own *registry.Method) {
	differ := func(what, toml, text string) {
		c.found(m.Pos, Finding{Code: codeTypesDiffer, Method: m.Name, Expected: own.Signature.String(),
			Message: fmt.Sprintf("nyash.toml declares %s %s, and its self-description (line %d) %s", what, toml, own.Pos.Line, text)})
	}
	switch {
	case m.ArgsDeclared && own.ArgsDeclared && !sameArgs(m.Args, own.Args):
		differ("the arguments", registry.Signature{Args: m.Args, ArgsDeclared: true}.String(), registry.Signature{Args: own.Args, ArgsDeclared: true}.String())
	case m.Returns.Tag != 0 && own.Returns.Tag != 0 && !c.sameReturns(m.Returns, own.Returns):
		differ("the result", m.Returns.String(), own.Returns.String())
	}
}

// sameReturns compares results, of which that of nyash.toml has its name for the box.
func (c *comparison) sameReturns(toml, own registry.Returns) bool {
	if toml.Tag != own.Tag || toml.Box == "" || own.Box == "" {
		return toml.Tag == own.Tag
	}
	if b := c.plugin.box(toml.Box); b != nil && b.conf != nil {
		return b.conf.LibraryName == own.Box
	}
	return toml.Box == own.Box
}

// sameArgs compares types on the wire, where both are declared.
func sameArgs(a, b []registry.Arg) bool {
	return slices.EqualFunc(a, b, func(a, b registry.Arg) bool { return a.To == b.To || a.To == 0 || b.To == 0 })
}

// tryOtherTypes calls a method that refuses the declared types with others.
func (e *env) tryOtherTypes(m *method) error {
	undeclared := &method{box: m.box, name: m.name, id: m.id}
	return e.withWorker(workerOptions{}, func(w *worker) error {
		id, err := w.birth(m.box)
		if err != nil {
			return err
		}
		for values := range e.plugin.candidates(undeclared) {
			args, err := w.encode(values, m.box, id)
			if ignoreBirth(err) != nil {
				return err
			}
			if err != nil {
				continue
			}
			a, err := w.do(m.step(id, args))
			if err != nil {
				return err
			}
			w.takeOver(m, a, args)
			if refuses(a, values) || a.code == abi.ErrInvalidMethod {
				continue
			}
			e.add(e.declared(m, m.finding(codeArgs, "it refuses %s as %s declares, and takes %s", m.declared.Signature, e.argsSource(m).name, tagsOf(values))))
			return w.finiAll()
		}
		return w.finiAll()
	})
}

// takesDeclared tells whether a method takes the types that are declared. What the user
// calls it with may have others.
func (s *shared) takesDeclared(m *method) bool {
	return slices.ContainsFunc(s.samples[m], func(sample argSample) bool {
		return slices.EqualFunc(sample.values, m.declared.Args, func(v tlv.Value, a registry.Arg) bool { return a.To == 0 || a.To == v.Tag() })
	})
}

// declared adds the method's declaration to a finding.
func (e *env) declared(m *method, f Finding) Finding {
	at := e.argsSource(m)
	f.File, f.Line, f.Expected = at.file, at.line, m.declared.Signature.String()
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

// takesTypes tells whether a method has taken values of the same types, of which it then refuses
// others for what they are.
func (s *shared) takesTypes(m *method, values []tlv.Value) bool {
	return slices.ContainsFunc(s.samples[m], func(sample argSample) bool {
		return sample.works && slices.EqualFunc(sample.values, values, func(a, b tlv.Value) bool { return a.Tag() == b.Tag() })
	})
}

// requestedCalls makes the calls of Config.Calls; their answers are checked.
func (e *env) requestedCalls() error {
	for _, call := range e.config.Calls {
		m := e.plugin.find(call.Box, call.Method)
		values, err := e.plugin.argsOf(&call)
		if err != nil {
			return err
		}
		err = e.withWorker(workerOptions{}, func(w *worker) error {
			id, args, err := w.prepare(m, argSample{values: values})
			if err != nil {
				return err
			}
			a, err := w.call(m, id, args)
			if err != nil {
				return err
			}
			e.line("%v(%s): %v", m, showArgs(args), a)
			if a.code == abi.ErrInvalidHandle && slices.ContainsFunc(call.Args, isHandle) && len(call.Boxes) == 0 {
				e.line("    handle:BOX is a new instance of a box")
			}
			if a.code == abi.ErrInvalidArgs && m.declared != nil && m.declared.ArgsDeclared && !e.shared.takesTypes(m, values) {
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
