package plugintest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/registry"
)

// ownDescription is what the library says of itself: in the text of its
// nyash_plugin_config, and in its init.
type ownDescription struct {
	config *string // the text; nil where the library has none
	init   abi.Description
	// text is the text once it is read; nil where it has mistakes, which are in
	// mistakes then.
	text     *registry.Description
	mistakes error
	manifest *registry.Description // nil without one, or without a table
	// types are the boxes. Where the text and init cannot both be true, as contradiction
	// says, they are those of init.
	types         []*registry.Type
	contradiction error
}

// binds is the text, where boxes can be bound to it.
func (o *ownDescription) binds() *registry.Description {
	if o.contradiction != nil {
		return nil
	}
	return o.text.Join(o.manifest)
}

// broken tells whether a box cannot be used for its table or its manifest, which are findings
// of their own.
func (o *ownDescription) broken(name string) bool {
	if b, ok := o.manifest.Box(name); ok && len(b.Mistakes) > 0 {
		return true
	}
	return slices.ContainsFunc(o.init.Tables, func(t abi.Table) bool { return t.Box == name && t.Err != "" })
}

// leavesAlone tells whether the library itself says nothing of a box that it has a table
// for: nyash.toml may contradict a manifest.
func (o *ownDescription) leavesAlone(b *box) bool {
	_, described := o.text.Box(b.conf.LibraryName)
	return b.table > 0 && !described && o.init.TypeName != b.conf.LibraryName
}

// named tells whether the library gives its boxes names.
func (o *ownDescription) named() bool {
	return o.text != nil || o.init.TypeName != "" || len(o.init.Tables) > 0
}

// describeOwn reads what a library says of itself.
func describeOwn(file string, d abi.Description, manifest *registry.Description) (o ownDescription) {
	o.config, o.init = d.Config, d
	if d.Config != nil {
		o.text, o.mistakes = registry.ParseDescription(file, *d.Config)
	}
	if len(d.Tables) > 0 {
		o.manifest = manifest
	}
	types, err := o.bind(file)
	if err != nil && o.binds() != nil {
		if !refused(d) { // which is found elsewhere
			o.contradiction = err
		}
		o.manifest = nil
		types, err = o.bind(file)
	}
	if err != nil {
		types = []*registry.Type{initType(d)}
	}
	o.types = types
	return o
}

// bind binds the boxes of the library as a nyash.toml of short forms would.
func (o *ownDescription) bind(file string) (types []*registry.Type, err error) {
	library, err := registry.Undeclared(file, o.binds(), o.init)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, b := range library.Boxes {
		if o.broken(b.Name) {
			continue
		}
		t, err := b.Bind(o.binds(), o.init)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		types = append(types, t)
	}
	return types, errors.Join(errs...)
}

// refused tells whether hosts refuse what init says, whatever the text is.
func refused(d abi.Description) bool {
	return slices.ContainsFunc(contract.Contradictions(d), func(c contract.Contradiction) bool { return c.Kind != contract.TakenReservedID })
}

// initType is the box that init describes, with all that contradicts itself.
func initType(d abi.Description) *registry.Type {
	t := &registry.Type{Name: cmp.Or(d.TypeName, fmt.Sprintf("Box%d", d.TypeID)), ID: d.TypeID}
	for _, m := range d.Methods {
		if m.ID != abi.MethodBirth && m.ID != abi.MethodFini {
			t.Methods = append(t.Methods, registry.Method{Name: m.Name, ID: m.ID})
		}
	}
	return t
}

// describe joins what the library says of itself with its entry in nyash.toml, as a
// host does. Where they disagree, the library is called as it describes itself.
func (p *plugin) describe(library *registry.Library) {
	declared := make(map[*registry.Type]bool)
	if library != nil {
		for _, conf := range library.Boxes {
			if p.own.broken(conf.LibraryName) {
				continue
			}
			b := p.declaredBox(conf)
			declared[b.own] = true
			p.boxes = append(p.boxes, b)
		}
	}
	for _, own := range p.own.types {
		if !declared[own] {
			b := newBox(own.Name, own.ID)
			b.own = own
			b.describe(own)
			p.boxes = append(p.boxes, b)
		}
	}
}

// ownOf finds what the library says of a box of nyash.toml; nil for nothing. The only
// box of a library is the only one of an entry, whatever its name.
func (p *plugin) ownOf(conf *registry.Box) *registry.Type {
	i := slices.IndexFunc(p.own.types, func(t *registry.Type) bool {
		if p.own.named() {
			return t.Name == conf.LibraryName
		}
		return conf.HasTypeID && t.ID == conf.TypeID
	})
	switch {
	case i >= 0:
		return p.own.types[i]
	case len(p.own.types) == 1 && len(conf.Library.Boxes) == 1:
		return p.own.types[0]
	}
	return nil
}

func (p *plugin) declaredBox(conf *registry.Box) *box {
	own := p.ownOf(conf)
	t, err := conf.Bind(p.own.binds(), p.own.init)
	if err != nil {
		t = overlay(conf, own)
	}
	b := newBox(conf.Name, t.ID)
	b.conf, b.own = conf, own
	b.describe(t)
	if own != nil {
		b.addMethods(own.Methods) // those that nyash.toml hides, too
	}
	return b
}

// overlay is a box of nyash.toml that disagrees with the library, whose ids it has.
func overlay(conf *registry.Box, own *registry.Type) *registry.Type {
	t := &registry.Type{Name: conf.Name, ID: conf.TypeID, Singleton: conf.Singleton}
	if conf.Birth != nil {
		t.Birth = conf.Birth.Signature
	}
	described := own != nil && len(own.Methods) > 0
	if own != nil && own.ID != 0 {
		t.ID = own.ID
	}
	for _, m := range conf.Methods {
		bound := *m
		if described {
			i := slices.IndexFunc(own.Methods, func(have registry.Method) bool { return have.Name == m.Name })
			if i < 0 {
				continue
			}
			bound.ID = own.Methods[i].ID
		}
		if described || m.HasID {
			t.Methods = append(t.Methods, bound)
		}
	}
	return t
}

// describe gives the box what is declared of it.
func (b *box) describe(t *registry.Type) {
	b.singleton, b.birthArgs, b.table = t.Singleton, t.Birth.Args, t.Table
	b.addMethods(t.Methods)
}

// addMethods adds methods that are not there yet.
func (b *box) addMethods(methods []registry.Method) {
	for i := range methods {
		d := &methods[i]
		if b.method(d.Name) != nil {
			continue
		}
		m := b.add(d.Name, d.ID)
		if d.Pos != (registry.Position{}) { // else init alone gives it
			m.declared = d
		}
		if b.conf != nil {
			m.conf = named(b.conf.Methods, d.Name)
		}
		if b.own != nil {
			for k := range b.own.Methods {
				if b.own.Methods[k].Name == d.Name {
					m.own = &b.own.Methods[k]
				}
			}
		}
	}
}

func named(methods []*registry.Method, name string) *registry.Method {
	i := slices.IndexFunc(methods, func(m *registry.Method) bool { return m.Name == name })
	if i < 0 {
		return nil
	}
	return methods[i]
}
