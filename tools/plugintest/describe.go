package plugintest

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/registry"
)

// ownDescription is what the library says of itself: in the text of its
// nyash_plugin_config, in its init, and with its TypeBox tables and their manifest.
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
	// unbound are boxes that the library has or its manifest lists, and that lack
	// something: nyash.toml may say it.
	unbound []unboundBox
}

// unboundBox is a box of the library that cannot be called as it is described.
type unboundBox struct {
	name string
	err  error
}

// binds is the text, where boxes can be bound to it.
func (o *ownDescription) binds() *registry.Description {
	if o.contradiction != nil {
		return o.manifest
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

// table finds the table of a box: its number from 1, or 0.
func (o *ownDescription) table(name string) int {
	return slices.IndexFunc(o.init.Tables, func(t abi.Table) bool { return t.Box == name && t.Err == "" }) + 1
}

// leavesAlone tells whether the library itself says nothing of a box that it has a table
// for: nyash.toml may contradict a manifest.
func (o *ownDescription) leavesAlone(name string) bool {
	return o.table(name) > 0 && !o.describes(name)
}

// describes tells whether the library itself says something of a box: its text or its init.
func (o *ownDescription) describes(name string) bool {
	_, described := o.text.Box(name)
	return described || o.init.TypeName == name
}

// lacks tells whether the library cannot have a box of this name: it has no table for it,
// and no function that would be called for it, or a text that names all others.
func (o *ownDescription) lacks(name string) bool {
	switch {
	case o.table(name) > 0 || o.init.TypeName == name:
		return false
	case o.init.Generation == abi.TypeBoxes:
		return true
	}
	return o.text != nil && o.contradiction == nil && !o.describes(name)
}

// named tells whether the library gives its boxes names.
func (o *ownDescription) named() bool {
	return o.text != nil || o.init.TypeName != "" || len(o.init.Tables) > 0
}

// boxNames lists the boxes that the library has, for people.
func (o *ownDescription) boxNames() string {
	var names []string
	for _, t := range o.types {
		names = append(names, t.Name)
	}
	for _, t := range o.init.Tables {
		if !slices.Contains(names, t.Box) && (o.text == nil || o.describes(t.Box)) {
			names = append(names, t.Box)
		}
	}
	return list(cutList(names, 8), "none")
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
	err := o.bind(file)
	if err != nil && o.text != nil && !refused(d) { // the others are found elsewhere
		o.contradiction = err
		err = o.bind(file)
	}
	if err != nil && (d.TypeName != "" || d.TypeID != 0 || len(d.Methods) > 0) {
		o.types = []*registry.Type{o.initType()}
	}
	return o
}

// bind binds the boxes of the library as a nyash.toml of short forms would. The error is of
// those that contradict what is said of them elsewhere.
func (o *ownDescription) bind(file string) error {
	o.types, o.unbound = nil, nil
	library, err := registry.Undeclared(file, o.binds(), o.init)
	if err != nil {
		return err
	}
	var errs []error
	for _, b := range library.Boxes {
		if o.broken(b.Name) {
			continue
		}
		t, err := b.Bind(o.binds(), o.init)
		switch {
		case err == nil:
			o.types = append(o.types, t)
		case ofManifest(err) || o.lacks(b.Name) || o.typeless(b.Name):
			o.unbound = append(o.unbound, unboundBox{b.Name, err})
		default:
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// ofManifest tells whether an error is at a line of a manifest.
func ofManifest(err error) bool {
	var at *registry.Error
	return errors.As(err, &at) && filepath.Base(at.File) == registry.ManifestName
}

// typeless tells whether the type_id of a box is for nyash.toml to say.
func (o *ownDescription) typeless(name string) bool {
	b, ok := o.manifest.Box(name)
	return !o.describes(name) && (!ok || !b.HasTypeID)
}

// refused tells whether hosts refuse what init says, whatever the text is.
func refused(d abi.Description) bool {
	return slices.ContainsFunc(contract.Contradictions(d), func(c contract.Contradiction) bool { return c.Kind != contract.TakenReservedID })
}

// initType is the box that init describes, with all that contradicts itself.
func (o *ownDescription) initType() *registry.Type {
	d := o.init
	t := &registry.Type{Name: cmp.Or(d.TypeName, fmt.Sprintf("Box%d", d.TypeID)), ID: d.TypeID, Table: o.table(d.TypeName)}
	for _, m := range d.Methods {
		if m.ID != abi.MethodBirth && m.ID != abi.MethodFini {
			t.Methods = append(t.Methods, registry.Method{Name: m.Name, ID: m.ID})
		}
	}
	return t
}
