package registry

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/suggest"
)

// Type is a box whose ids are all known: what nyash.toml and the library say of
// it together. It is shared and must not be changed.
type Type struct {
	Name      string
	Doc       string // for people; may be empty
	ID        uint32
	Singleton bool
	Birth     Signature
	BirthDoc  string
	// Methods are the methods without birth and fini: those of nyash.toml in its
	// order, then those that only the library describes, in the library's. All have
	// an ID. Pos is in the library's text for those that only that describes, and the
	// zero Position for those of init.
	Methods []Method
	// Table is the number, from 1, of the TypeBox table of the library's description that
	// the box is called through; 0 for nyash_plugin_invoke.
	Table int
	// Generation is that of the library's functions, or abi.TypeBoxes where the box has a
	// Table.
	Generation abi.Generation

	own     *Description // nil where the library does not describe itself
	library *Library
}

// String writes the type for people, on one line for each method:
//
//	FileBox, type 6, 2 methods
//	  birth()
//	  open(path string, mode string) → void
func (t *Type) String() string {
	var b strings.Builder
	kind := ""
	if t.Singleton {
		kind = ", singleton"
	}
	fmt.Fprintf(&b, "%s, type %d%s, %d methods", t.Name, t.ID, kind, len(t.Methods))
	if t.Birth.ArgsDeclared {
		fmt.Fprintf(&b, "\n  birth%v", t.Birth)
	}
	for i := range t.Methods {
		fmt.Fprintf(&b, "\n  %v", t.Methods[i])
	}
	return b.String()
}

// Bind makes the box complete with what its library says of itself: with the text of its
// nyash_plugin_config, which is nil where it has none, and in its init. Ids that two of
// them give must agree; a disagreement is an error that shows both. Other keys of
// nyash.toml replace the same keys of the text, args as a whole. A library that says
// nothing leaves everything to nyash.toml. Methods that only init gives take any
// arguments.
//
// Where a library provides several boxes, init describes the one that it names, or where
// it names none, the one with its type id. nyash.toml need not list that one: a box of
// another name and another type id is another one.
//
// own may be a manifest, too, or one joined to the library's text: nyash.toml may contradict
// its ids. Where the library has a TypeBox table for the box, that resolves those of methods
// to which neither gives one.
func (b *Box) Bind(own *Description, init abi.Description) (*Type, error) {
	if len(b.Mistakes) > 0 {
		return nil, b.Mistakes
	}
	if err := b.checkDescription(init); err != nil {
		return nil, err
	}
	table, err := b.table(init)
	if err != nil {
		return nil, err
	}
	text, err := b.own(own, init)
	if err != nil {
		return nil, err
	}
	if text != nil && len(text.Mistakes) > 0 {
		return nil, text.Mistakes
	}
	generation := init.Generation
	var resolved []abi.Method
	if table > 0 {
		resolved, generation = init.Tables[table-1].Methods, abi.TypeBoxes
	}
	if init, err = b.applies(own, text, init, table > 0); err != nil {
		return nil, err
	}
	known, err := b.described(text, init, resolved)
	if err != nil {
		return nil, err
	}
	t := &Type{Name: b.Name, Doc: b.Doc, Singleton: b.Singleton, Table: table, Generation: generation, own: own, library: b.Library}
	if t.ID, err = b.typeID(own, text, init); err != nil {
		return nil, err
	}
	birth := b.Birth
	if text != nil {
		t.Doc = cmp.Or(t.Doc, text.Doc)
		t.Singleton = t.Singleton || text.Singleton && !b.has("singleton")
		birth = b.Library.merged(birth, text.Birth)
	}
	if birth != nil {
		t.Birth, t.BirthDoc = birth.Signature, birth.Doc
	}
	t.Methods = make([]Method, 0, len(b.Methods)+len(known.methods))
	for _, m := range b.Methods {
		id, err := b.methodID(m, known, table > 0)
		if err != nil {
			return nil, err
		}
		bound := *b.Library.merged(m, known.texts[m.Name])
		bound.ID, bound.HasID = id, true
		t.Methods = append(t.Methods, bound)
		delete(known.ids, m.Name)
	}
	for _, m := range b.Hidden {
		if err := b.checkHidden(m, known); err != nil {
			return nil, err
		}
		delete(known.ids, m.Name)
	}
	for _, m := range known.methods {
		if id, left := known.ids[m.Name]; left {
			bound := Method{Name: m.Name}
			if text := known.texts[m.Name]; text != nil {
				bound = *b.Library.merged(nil, text)
			}
			bound.ID, bound.HasID = id, true
			t.Methods = append(t.Methods, bound)
		}
	}
	if b.Library.InvokeOnly && table == 0 {
		t.smallInt32()
	}
	if err := b.checkLeaves(t, text); err != nil {
		return nil, err
	}
	return t, nil
}

// checkLeaves refuses a leaf method in a library that nyash.toml or the library itself pins to a
// thread, where each of the two says one of that: what one says alone, it was checked for.
func (b *Box) checkLeaves(t *Type, text *Box) error {
	threads := b.Library.Threads
	if own := t.own; !b.Library.HasThreads && own != nil && own.HasThreads {
		threads = own.Threads
	}
	if threads != ThreadsPinned {
		return nil
	}
	var own []string // that the library alone declares so
	for i := range t.Methods {
		m := &t.Methods[i]
		switch {
		case !m.Leaf:
		case text != nil && slices.ContainsFunc(text.Methods, func(own *Method) bool { return own.key == m.key }):
			own = append(own, m.Name)
		default:
			return b.failAt(m.key, "with the library's own words together: "+leafPinned, "leave leaf out, or set threads")
		}
	}
	if len(own) == 0 {
		return nil
	}
	return b.fail("", fmt.Sprintf("the library has leaf methods (%s): %s", listSome(own), leafPinned), fmt.Sprintf("leave threads out, or write %s = { leaf = false } under methods, and so for each", own[0]))
}

// smallInt32 has undeclared integers travel as plugins of the later public form expect
// them (docs/nyash-toml.md, "the later public form").
func (t *Type) smallInt32() {
	t.Birth.SmallInt32 = true
	for i := range t.Methods {
		t.Methods[i].SmallInt32 = true
	}
}

// table finds the box's table in a library's description: its number from 1, or 0.
func (b *Box) table(d abi.Description) (number int, err error) {
	i := slices.IndexFunc(d.Tables, func(t abi.Table) bool { return t.Box == b.LibraryName })
	switch {
	case i < 0 && d.Generation == abi.TypeBoxes:
		return 0, b.fail("box", fmt.Sprintf("the library has no box %s: it exports neither %s%s nor %s", b.LibraryName, abi.SymbolTypeBoxPrefix, b.LibraryName, abi.SymbolInvoke),
			"correct the name; nyash inspect lists what a library has")
	case i < 0:
		return 0, nil
	case d.Tables[i].Err != "":
		return 0, b.fail("box", d.Tables[i].Err, "fix the library")
	}
	return i + 1, nil
}

// NoTable is the error of a box that its library has no TypeBox table for, while it has
// tables, of which these are the names.
func (b *Box) NoTable(tables []string) *Error {
	names := make([]string, len(tables))
	for i, name := range tables {
		names[i] = contract.Excerpt(name)
	}
	advice := "correct the name"
	switch {
	case b.Library.InvokeOnly:
	case len(names) == 1:
		advice = fmt.Sprintf("rename the box to %s, or add box = %q", names[0], names[0])
	default:
		advice += `, or say with box = "…" which of them this is`
	}
	return b.fail("box", fmt.Sprintf("the library has no table %s%s; it has %s%s", abi.SymbolTypeBoxPrefix, b.LibraryName, listSome(names), suggest.DidYouMean(b.LibraryName, names)), advice)
}

// SameFile is the error of a library whose file is that of another library of the same
// Config. Both have boxes.
func (l *Library) SameFile(first *Library) *Error {
	b := l.Boxes[0]
	advice := "name it the same way in both entries"
	if l.InvokeOnly || first.InvokeOnly {
		advice = "declare all its boxes in one of the two entries"
	}
	return b.fail("library", fmt.Sprintf("%s is the library of %s already, which is called %s there (line %d)", l.Name, first.Boxes[0].Name, first.Name, first.Pos.Line), advice)
}

// applies returns init where it describes this box, and the zero Description where it
// describes another one of the library.
func (b *Box) applies(own *Description, text *Box, init abi.Description, table bool) (abi.Description, error) {
	several := len(b.Library.Boxes) > 1
	if table && init.TypeName != b.LibraryName {
		// It is about a box that nyash_plugin_invoke is for, unless it names none and there
		// is no other that it could be about.
		other := b.HasTypeID && b.TypeID != init.TypeID || text != nil && text.HasTypeID && text.TypeID != init.TypeID
		if several || init.TypeName != "" || other {
			return abi.Description{}, nil
		}
	}
	if own != nil && !own.manifest {
		if other := own.initBox(init); text != other && (text != nil || init.TypeName != b.LibraryName) {
			return abi.Description{}, nil
		}
		return init, nil
	}
	switch {
	case init.TypeName != "" && init.TypeName != b.LibraryName:
		if !several && b.HasTypeID && b.TypeID != init.TypeID {
			// Neither its name nor its id: it is another box of the library.
			return abi.Description{}, nil
		}
		if !several {
			return init, b.fail("box", fmt.Sprintf("the library calls its box %s, and nyash.toml calls it %s", init.TypeName, b.LibraryName),
				fmt.Sprintf("rename the box to %s, or add box = %q; another box of the library needs its own type_id", init.TypeName, init.TypeName))
		}
		if b.HasTypeID && b.TypeID == init.TypeID {
			return init, b.fail("type_id", fmt.Sprintf("the library says that type_id %d is %s's", init.TypeID, init.TypeName), fmt.Sprintf("give this box the type_id that the library knows %s by", b.LibraryName))
		}
		return abi.Description{}, nil
	case init.TypeName == "" && several && (!b.HasTypeID || b.TypeID != init.TypeID):
		return abi.Description{}, nil
	}
	return init, nil
}

// has tells whether nyash.toml, or the text, sets a key of the box.
func (b *Box) has(name string) bool { return b.key.child(name) != b.key }

// merged is what a library's text says of a method, with the keys of nyash.toml in place
// of the same keys of the text. One of the two may be nil.
func (l *Library) merged(m, text *Method) *Method {
	if text == nil {
		return m
	}
	all := *text
	// The name is the library's own, and nyash.toml may call the box otherwise, or not
	// at all.
	if name := all.Returns.Box; name != "" {
		all.Returns.Box = ""
		if i := slices.IndexFunc(l.Boxes, func(b *Box) bool { return b.LibraryName == name }); i >= 0 {
			all.Returns.Box = l.Boxes[i].Name
		}
	}
	if m == nil {
		return &all
	}
	all.Pos, all.key = m.Pos, m.key
	if m.ArgsDeclared {
		all.Args, all.ArgsDeclared, all.Variadic = m.Args, true, m.Variadic
	}
	if m.Returns != (Returns{}) {
		all.Returns = m.Returns
	}
	if m.key.child("returns_result") != m.key {
		all.ReturnsResult = m.ReturnsResult
	}
	if m.key.child("leaf") != m.key {
		all.Leaf = m.Leaf
	}
	all.Doc = cmp.Or(m.Doc, all.Doc)
	return &all
}

// description is what a library says of a box's methods, its text and its init
// together.
type description struct {
	methods []abi.Method       // that can be called by name, in the library's order
	ids     map[string]uint32  // of those that nyash.toml has not settled yet
	texts   map[string]*Method // what the text says
	firm    map[string]bool    // whose ids nyash.toml must not contradict; nil for all
}

// described joins what the text says of a box's methods, if there is one, init, and the
// methods that the box's table has resolved.
func (b *Box) described(text *Box, init abi.Description, resolved []abi.Method) (description, error) {
	all := description{ids: make(map[string]uint32, len(init.Methods))}
	for _, m := range resolved {
		if m.ID != abi.MethodFini {
			all.ids[m.Name] = m.ID
		}
	}
	manifest := text != nil && text.doc.manifest
	if manifest || resolved != nil {
		all.firm = make(map[string]bool, len(init.Methods))
	}
	for _, m := range init.Methods {
		if m.ID != abi.MethodBirth && m.ID != abi.MethodFini {
			all.ids[m.Name] = m.ID
			if all.firm != nil {
				all.firm[m.Name] = true
			}
		}
	}
	if text != nil {
		all.texts = text.methodsByName()
		for _, m := range text.Methods {
			id, ok := all.ids[m.Name]
			switch {
			case !ok && !m.HasID && manifest:
				if id, ok = b.ownID(m.Name); !ok {
					return all, unknownID(text.failAt(m.key, "its id is not known: this file gives none, and the library's table does not know the name", "add id, or correct the name"))
				}
			case !ok && !m.HasID:
				return all, unknownID(text.failAt(m.key, "its method_id is not known: neither this text nor init gives one", "fix the library"))
			case ok && m.HasID && m.ID != id && (all.firm == nil || all.firm[m.Name]):
				return all, text.failAt(m.key.child("method_id"), fmt.Sprintf("the library says method_id %d here, and %d in init", m.ID, id), "fix the library")
			case m.HasID:
				id = m.ID
			}
			all.methods = append(all.methods, abi.Method{ID: id, Name: m.Name})
			all.ids[m.Name] = id
		}
	}
	for _, m := range init.Methods {
		if m.ID != abi.MethodBirth && m.ID != abi.MethodFini && all.texts[m.Name] == nil {
			all.methods = append(all.methods, m)
		}
	}
	for _, m := range resolved {
		if all.texts[m.Name] == nil && !all.firm[m.Name] {
			all.methods = append(all.methods, m)
		}
	}
	if text == nil || manifest { // init alone was checked, and a manifest may have two names for a method
		return all, nil
	}
	names := make(map[uint32]string, len(all.methods))
	for _, m := range all.methods {
		if other, taken := names[m.ID]; taken {
			return all, text.fail("methods", fmt.Sprintf("the library describes two methods with the id %d: %s, and in init %s", m.ID, other, m.Name), "fix the library")
		}
		names[m.ID] = m.Name
	}
	return all, nil
}

// ownID is the id that nyash.toml gives a method. One that it hides needs none.
func (b *Box) ownID(name string) (id uint32, ok bool) {
	for _, m := range b.Methods {
		if m.Name == name {
			return m.ID, m.HasID
		}
	}
	return 0, slices.ContainsFunc(b.Hidden, func(m *Method) bool { return m.Name == name })
}

// methodsByName are the box's methods without birth.
func (b *Box) methodsByName() map[string]*Method {
	all := make(map[string]*Method, len(b.Methods))
	for _, m := range b.Methods {
		all[m.Name] = m
	}
	return all
}

// checkDescription refuses a library that contradicts itself. One that gives
// birth's id or fini's to a method of another name is used without that method.
func (b *Box) checkDescription(d abi.Description) error {
	for _, c := range contract.Contradictions(d) {
		switch c.Kind {
		case contract.WrongReservedID:
			return b.fail("", fmt.Sprintf("the library describes %s with the id %d", c.Method.Name, c.Method.ID), "birth has the id 0 and fini 4294967295; fix the library")
		case contract.DuplicateName:
			return b.fail("", fmt.Sprintf("the library describes the method %s twice, with the ids %d and %d", c.Method.Name, c.Earlier.ID, c.Method.ID), "fix the library")
		case contract.DuplicateID:
			return b.fail("", fmt.Sprintf("the library describes two methods with the id %d: %s and %s", c.Method.ID, c.Earlier.Name, c.Method.Name), "fix the library")
		}
	}
	return nil
}

// ErrUnknownID: nyash.toml leaves out an id, of a box or of a method, that nothing else
// gives.
var ErrUnknownID = errors.New("the id is not known")

// unknownID makes an error match [ErrUnknownID].
func unknownID(e *Error) *Error {
	e.Err = ErrUnknownID
	return e
}

func (b *Box) typeID(own *Description, text *Box, init abi.Description) (uint32, error) {
	described := init.TypeID != 0 || init.TypeName != ""
	id, firm := init.TypeID, described
	if text != nil && text.HasTypeID {
		if described && text.TypeID != init.TypeID {
			return 0, text.fail("type_id", fmt.Sprintf("the library says type_id %d here, and %d in init", text.TypeID, init.TypeID), "fix the library")
		}
		described, id, firm = true, text.TypeID, firm || !text.doc.manifest
	}
	switch {
	case b.HasTypeID && firm && b.TypeID != id:
		return 0, b.fail("type_id", fmt.Sprintf("nyash.toml says type_id %d, the library says %d", b.TypeID, id), fmt.Sprintf("write type_id = %d or leave it out", id))
	case b.HasTypeID:
		return b.TypeID, nil
	case described:
		return id, nil
	}
	return 0, unknownID(b.noTypeID(own, text))
}

// TypeIDPos is where nyash.toml gives the box's type id, or the box where it gives none.
func (b *Box) TypeIDPos() Position { return b.doc.position(b.key.child("type_id").at) }

// CheckManifest compares the box's type id with that of its manifest, nil for none. Where both
// give one, nyash.toml's counts, and the warning says so: handles of the plugin's that carry
// the other are not understood.
func (b *Box) CheckManifest(manifest *Description) (differences Errors) {
	own, ok := manifest.Box(b.LibraryName)
	if !ok || !own.HasTypeID || !b.HasTypeID || own.TypeID == b.TypeID {
		return nil
	}
	k, at := b.key.child("type_id"), own.TypeIDPos()
	return Errors{b.doc.newError(k.at, k.path(), fmt.Sprintf("nyash.toml says type_id %d, and %s says %d (line %d)", b.TypeID, contract.Printable(at.File), own.TypeID, at.Line),
		fmt.Sprintf("write type_id = %d or leave it out, unless the manifest is wrong", own.TypeID))}
}

// noTypeID says where a type id was looked for.
func (b *Box) noTypeID(own *Description, text *Box) *Error {
	const unknown = "its type_id is not known: nyash.toml gives none, and "
	switch {
	case text != nil && text.doc.manifest:
		return text.fail("", "it has no type_id, and nyash.toml gives none", "add type_id to either")
	case own == nil || own.manifestPath == "":
		return b.fail("", unknown+"the library does not describe this box", "add type_id")
	case own.noManifest:
		return b.fail("", unknown+"there is no "+contract.Printable(own.manifestPath), "add type_id, or put the library's "+ManifestName+" there")
	}
	return b.fail("", fmt.Sprintf("%s%s has no %s%s", unknown, contract.Printable(own.manifestPath), b.LibraryName, suggest.DidYouMean(b.LibraryName, own.boxNames())),
		"add type_id, or the box to "+ManifestName)
}

// methodID is the id of a method of nyash.toml. A table need not know a name to be called
// with its id.
func (b *Box) methodID(m *Method, known description, table bool) (uint32, error) {
	if _, ok := known.ids[m.Name]; len(known.methods) == 0 || table && !ok {
		if m.HasID {
			return m.ID, nil
		}
		if table {
			others := slices.DeleteFunc(known.names(), func(name string) bool { return name == m.Name })
			return 0, unknownID(b.failAt(m.key, "its method_id is not known: neither nyash.toml nor a "+ManifestName+" gives one, and the library's table does not know the name"+suggest.DidYouMean(m.Name, others), "correct the name, or add method_id"))
		}
		return 0, unknownID(b.failAt(m.key, "its method_id is not known: nyash.toml gives none, and the library does not describe its methods", "add method_id"))
	}
	id, ok := known.ids[m.Name]
	if !ok {
		return 0, b.noMethod(m, known)
	}
	if m.HasID && m.ID != id {
		if known.firm != nil && !known.firm[m.Name] {
			return m.ID, nil
		}
		return 0, b.failAt(m.key.child("method_id"), fmt.Sprintf("nyash.toml says method_id %d, the library says %d", m.ID, id), fmt.Sprintf("write method_id = %d or leave it out", id))
	}
	return id, nil
}

// checkHidden refuses to hide what is not there: it would be a promise about a
// name that the library spells otherwise.
func (b *Box) checkHidden(m *Method, known description) error {
	if len(known.methods) == 0 {
		return b.failAt(m.key, "there is nothing to hide: the library does not describe the methods of this box", "leave it out")
	}
	if _, ok := known.ids[m.Name]; !ok {
		return b.noMethod(m, known)
	}
	return nil
}

// names are those of the methods.
func (d *description) names() []string {
	all := make([]string, len(d.methods))
	for i, m := range d.methods {
		all[i] = m.Name
	}
	return all
}

func (b *Box) noMethod(m *Method, known description) error {
	names := known.names()
	return b.failAt(m.key, fmt.Sprintf("the library has no method %s%s", m.Name, suggest.DidYouMean(m.Name, names)), "the library has "+listSome(names))
}

// fail reports an error at a key of the box, or at the box where child is empty
// or missing.
func (b *Box) fail(child, msg, advice string) *Error {
	k := b.key
	if child != "" {
		k = k.child(child)
	}
	return b.failAt(k, msg, advice)
}

func (b *Box) failAt(k *key, msg, advice string) *Error {
	return b.doc.newError(k.at, k.path(), msg, advice)
}
