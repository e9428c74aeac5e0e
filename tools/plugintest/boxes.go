package plugintest

import (
	"fmt"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/registry"
)

// describe joins what the library says of itself with its entry in nyash.toml, as a
// host does. Where they disagree, the library is called as it describes itself.
func (p *plugin) describe(library *registry.Library) {
	p.findBroken()
	p.declare(library)
	for _, own := range p.own.types {
		if !slices.ContainsFunc(p.boxes, func(b *box) bool { return b.own == own }) {
			b := newBox(own.Name, own.ID)
			b.own = own
			b.describe(own, p.own.binds())
			p.boxes = append(p.boxes, b)
		}
	}
	for _, u := range p.own.unbound {
		if library == nil || !slices.ContainsFunc(library.Boxes, func(b *registry.Box) bool { return b.LibraryName == u.name }) {
			p.undescribed(u, library != nil)
		}
	}
	// Init describes one box, of as many as there may be.
	p.complete = len(p.notes) == 0 && len(p.faults) == 0 && (library != nil || p.own.text != nil && p.own.contradiction == nil || p.own.init.Generation == abi.TypeBoxes)
	for _, b := range p.boxes {
		if len(b.methods) == 0 && !p.listsMethods(b) {
			p.note("%s: its methods are not known; %s", b.name, pick(library != nil, "write them into nyash.toml", "give --config"))
		}
	}
	if len(p.boxes) == 0 && len(p.notes) == 0 {
		p.note("%s", pick(len(p.faults) > 0, "calls: none of its boxes can be used", "its methods are not known: it does not describe itself, and no --config does"))
	}
}

// findBroken reports the tables that cannot be used, and the manifest's mistakes.
func (p *plugin) findBroken() {
	for _, t := range p.own.init.Tables {
		if t.Err != "" {
			p.fault(codeTable, t.Box, t.Err)
		}
	}
	if p.manifestErr != nil && len(p.own.init.Tables) > 0 {
		p.fault(codeManifest, "", firstLines(p.manifestErr))
	}
	if p.own.manifest == nil {
		return
	}
	for _, b := range p.own.manifest.Boxes {
		if len(b.Mistakes) > 0 {
			p.fault(codeManifest, b.Name, firstLines(b.Mistakes))
		}
	}
}

// declare adds the boxes of nyash.toml.
func (p *plugin) declare(library *registry.Library) {
	if library == nil {
		return
	}
	for _, conf := range library.Boxes {
		if p.own.broken(conf.LibraryName) {
			continue
		}
		b, err := p.declaredBox(conf)
		switch {
		case ofManifest(err):
			p.fault(codeManifest, conf.LibraryName, firstLines(err))
		case err == nil || b.own != nil || conf.HasTypeID && !p.own.lacks(conf.LibraryName):
			p.boxes = append(p.boxes, b)
		default:
			p.uncalled = append(p.uncalled, b)
			if !p.own.lacks(conf.LibraryName) { // which typecheck reports, with its place
				p.undescribed(unboundBox{conf.LibraryName, err}, true)
			}
		}
	}
}

// undescribed says what a box lacks that nyash.toml does not have either.
func (p *plugin) undescribed(u unboundBox, declared bool) {
	own := &p.own
	listed, inManifest := own.manifest.Box(u.name)
	switch {
	case ofManifest(u.err):
		p.fault(codeManifest, u.name, firstLines(u.err))
	case inManifest && own.lacks(u.name):
		p.fault(codeManifest, u.name, fmt.Sprintf("%v: the library has no box %s; it has %s", listed.Pos, u.name, own.boxNames()))
	case !inManifest && own.text != nil && own.contradiction == nil:
		p.fault(codeTable, u.name, fmt.Sprintf("the library has no box %s; it has %s; NYASH_TYPEBOX's first argument is the box's name", u.name, own.boxNames()))
	default:
		p.typeless(u.name, declared)
	}
}

// typeless notes a box that cannot be called, because nothing says its type id. declared
// tells whether there is a nyash.toml.
func (p *plugin) typeless(name string, declared bool) {
	advice := pick(declared, "write it into nyash.toml", "give --config")
	switch {
	case p.own.table(name) == 0:
	case p.own.manifest != nil:
		advice = "write it into " + registry.ManifestName + pick(declared, " or nyash.toml", ", or give --config")
	default:
		advice = "add a " + registry.ManifestName + " beside it, or " + advice
	}
	p.note("%s: its type_id is not known; %s", name, advice)
}

// listsMethods tells whether the methods of a box are listed somewhere, and if there are none.
func (p *plugin) listsMethods(b *box) bool {
	if b.conf != nil && b.conf.MethodsDeclared {
		return true
	}
	name := b.name
	if b.conf != nil {
		name = b.conf.LibraryName
	}
	if _, described := p.own.text.Box(name); described {
		return true
	}
	manifest, ok := p.own.manifest.Box(name)
	return ok && manifest.MethodsDeclared
}

// pick is one of two words.
func pick(first bool, a, b string) string {
	if first {
		return a
	}
	return b
}

// note notes what is not tested, and why.
func (p *plugin) note(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

// fault adds a finding about a box that cannot be used.
func (p *plugin) fault(code, box, message string) {
	p.faults = append(p.faults, Finding{Code: code, Box: box, Message: message})
}

// ownOf finds what the library says of a box of nyash.toml; nil for nothing. The only
// box of a library is the only one of an entry, whatever its name.
func (p *plugin) ownOf(conf *registry.Box) *registry.Type {
	types := p.own.types
	i := slices.IndexFunc(types, func(t *registry.Type) bool { return t.Name == conf.LibraryName })
	if i < 0 && p.own.init.TypeName == "" { // init describes one without a name
		i = slices.IndexFunc(types, func(t *registry.Type) bool {
			return t.Table == 0 && !p.own.describes(t.Name) && conf.HasTypeID && t.ID == conf.TypeID
		})
	}
	switch {
	case i >= 0:
		return types[i]
	case len(types) == 1 && len(conf.Library.Boxes) == 1 && (types[0].Table == 0 && p.own.table(conf.LibraryName) == 0 || p.own.lacks(conf.LibraryName)):
		return types[0]
	}
	return nil
}

// declaredBox is a box of nyash.toml. The error is why hosts refuse it.
func (p *plugin) declaredBox(conf *registry.Box) (*box, error) {
	own := p.ownOf(conf)
	t, err := conf.Bind(p.own.binds(), p.own.init)
	if err != nil {
		t = overlay(conf, own)
		if own == nil {
			t.Table = p.own.table(conf.LibraryName)
		}
	}
	b := newBox(conf.Name, t.ID)
	b.conf, b.own = conf, own
	b.describe(t, p.own.binds())
	if own != nil {
		b.addMethods(own.Methods, p.own.binds()) // those that nyash.toml hides, too
	}
	return b, err
}

// overlay is a box of nyash.toml that disagrees with the library, whose ids it has.
func overlay(conf *registry.Box, own *registry.Type) *registry.Type {
	t := &registry.Type{Name: conf.Name, ID: conf.TypeID, Singleton: conf.Singleton}
	if own != nil {
		t.Birth, t.Table = own.Birth, own.Table
	}
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

// describe gives the box what is declared of it; own is what the library and its manifest
// say.
func (b *box) describe(t *registry.Type, own *registry.Description) {
	b.singleton, b.table = t.Singleton, t.Table
	name := t.Name
	if b.conf != nil {
		name = b.conf.LibraryName
		b.birth.conf = b.conf.Birth
	}
	if described, ok := own.Box(name); ok {
		b.birth.own = described.Birth
	}
	if t.Birth.ArgsDeclared && (b.birth.conf != nil || b.birth.own != nil) {
		b.birth.declared = &registry.Method{Name: abi.NameBirth, Signature: t.Birth}
	}
	b.addMethods(t.Methods, own)
}

// addMethods adds methods that are not there yet.
func (b *box) addMethods(methods []registry.Method, own *registry.Description) {
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
			if described, ok := own.Box(b.conf.LibraryName); ok {
				m.own = named(described.Methods, d.Name)
			}
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
