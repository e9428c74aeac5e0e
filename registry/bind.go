package registry

import (
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
)

// Type is a box whose ids are all known. It is immutable.
type Type struct {
	Name      string
	ID        uint32
	Singleton bool
	Birth     *Plan

	methods []*Plan
	table   []*Plan // by hash; a power of two of places, half of them free
}

// seed makes the places of names differ from one process to the next: a library
// chooses its names, and must not choose where they collide.
var seed = maphash.MakeSeed()

// Method finds a method by name. The error matches [ErrNoMethod].
func (t *Type) Method(name string) (*Plan, error) {
	if mask := len(t.table) - 1; mask > 0 {
		for i := place(name) & mask; t.table[i] != nil; i = (i + 1) & mask {
			if t.table[i].Name == name {
				return t.table[i], nil
			}
		}
	}
	return nil, t.noMethod(name)
}

// place is where a name is looked for first, before the table's mask.
func place(name string) int { return int(maphash.String(seed, name)) }

func (t *Type) noMethod(name string) error {
	known := make([]string, len(t.methods))
	for i, p := range t.methods {
		known[i] = p.Name
	}
	return fmt.Errorf("%w%s", ErrNoMethod, DidYouMean(name, known))
}

// Methods lists the methods without birth and fini: those of nyash.toml in its
// order, then those that only the library describes, in the library's.
func (t *Type) Methods() []*Plan { return slices.Clone(t.methods) }

func newType(name string, id uint32, singleton bool, birth Signature) *Type {
	return &Type{
		Name: name, ID: id, Singleton: singleton,
		Birth: &Plan{Box: name, Name: abi.NameBirth, ID: abi.MethodBirth, Signature: birth},
	}
}

func (t *Type) add(name string, id uint32, s Signature) {
	p := newPlan(t.Name, name, id, s)
	t.methods = append(t.methods, p)
	if 2*len(t.methods) <= len(t.table) {
		t.enter(p)
		return
	}
	t.table = make([]*Plan, max(8, 2*len(t.table)))
	for _, p := range t.methods {
		t.enter(p)
	}
}

func (t *Type) enter(p *Plan) {
	mask := len(t.table) - 1
	i := place(p.Name) & mask
	for t.table[i] != nil {
		i = (i + 1) & mask
	}
	t.table[i] = p
}

// Bind makes the box complete with what its library says of itself. What both
// give must agree; a disagreement is an error that shows both. A library that
// says nothing (the zero Description) leaves everything to nyash.toml. Methods
// that only the library gives take any arguments.
//
// Where a library provides several boxes, its description is of the one that it
// names, or where it names none, of the one with its type id.
func (b *Box) Bind(d abi.Description) (*Type, error) {
	if err := b.checkDescription(d); err != nil {
		return nil, err
	}
	several := len(b.Library.Boxes) > 1
	switch {
	case d.TypeName != "" && d.TypeName != b.Name:
		if !several {
			return nil, b.fail("", fmt.Sprintf("rename the box to %s", d.TypeName), "the library calls its box %s, and nyash.toml calls it %s", d.TypeName, b.Name)
		}
		if b.HasTypeID && b.TypeID == d.TypeID {
			return nil, b.fail("type_id", fmt.Sprintf("give this box the type_id that the library knows %s by", b.Name), "type_id %d is %s's, says the library", d.TypeID, d.TypeName)
		}
		d = abi.Description{}
	case d.TypeName == "" && several && (!b.HasTypeID || b.TypeID != d.TypeID):
		d = abi.Description{}
	}
	id, err := b.typeID(d)
	if err != nil {
		return nil, err
	}
	birth := Signature{}
	if b.Birth != nil {
		birth = b.Birth.Signature
	}
	t := newType(b.Name, id, b.Singleton, birth)
	known := described(d)
	for _, m := range b.Methods {
		id, err := b.methodID(m, known)
		if err != nil {
			return nil, err
		}
		t.add(m.Name, id, m.Signature)
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
			t.add(m.Name, id, Signature{})
		}
	}
	return t, nil
}

// description is what a library says of a box's methods.
type description struct {
	methods []abi.Method      // that can be called by name, in the library's order
	ids     map[string]uint32 // of those that nyash.toml has not settled yet
}

func described(d abi.Description) description {
	all := description{ids: make(map[string]uint32, len(d.Methods))}
	for _, m := range d.Methods {
		if m.ID != abi.MethodBirth && m.ID != abi.MethodFini {
			all.methods = append(all.methods, m)
			all.ids[m.Name] = m.ID
		}
	}
	return all
}

// checkDescription finds what a library gets wrong by itself.
func (b *Box) checkDescription(d abi.Description) error {
	byName := make(map[string]uint32)
	byID := make(map[uint32]string)
	for _, m := range d.Methods {
		if m.Name == abi.NameBirth && m.ID != abi.MethodBirth || m.Name == abi.NameFini && m.ID != abi.MethodFini {
			return b.fail("", "birth has the id 0 and fini 4294967295; mend the library", "the library describes %s with the id %d", m.Name, m.ID)
		}
		if id, twice := byName[m.Name]; twice {
			return b.fail("", "mend the library", "the library describes the method %s twice, with the ids %d and %d", m.Name, id, m.ID)
		}
		if name, twice := byID[m.ID]; twice {
			return b.fail("", "mend the library", "the library describes two methods with the id %d: %s and %s", m.ID, name, m.Name)
		}
		byName[m.Name], byID[m.ID] = m.ID, m.Name
	}
	return nil
}

func (b *Box) typeID(d abi.Description) (uint32, error) {
	described := d.TypeID != 0 || d.TypeName != ""
	switch {
	case b.HasTypeID && described && b.TypeID != d.TypeID:
		return 0, b.fail("type_id", fmt.Sprintf("write type_id = %d or leave it out", d.TypeID), "nyash.toml says type_id %d, the library says %d", b.TypeID, d.TypeID)
	case b.HasTypeID:
		return b.TypeID, nil
	case described:
		return d.TypeID, nil
	}
	return 0, b.fail("", "add type_id", "its type_id is not known: nyash.toml gives none, and the library does not describe this box")
}

func (b *Box) methodID(m *Method, known description) (uint32, error) {
	if len(known.methods) == 0 {
		if m.HasID {
			return m.ID, nil
		}
		return 0, b.failAt(m.key, "add method_id", "its method_id is not known: nyash.toml gives none, and the library does not describe its methods")
	}
	id, ok := known.ids[m.Name]
	if !ok {
		return 0, b.noMethod(m, known)
	}
	if m.HasID && m.ID != id {
		return 0, b.failAt(m.key.child("method_id"), fmt.Sprintf("write method_id = %d or leave it out", id),
			"nyash.toml says method_id %d, the library says %d", m.ID, id)
	}
	return id, nil
}

// checkHidden refuses to hide what is not there: it would be a promise about a
// name that the library spells otherwise.
func (b *Box) checkHidden(m *Method, known description) error {
	if len(known.methods) == 0 {
		return b.failAt(m.key, "leave it out", "there is nothing to hide: the library does not describe the methods of this box")
	}
	if _, ok := known.ids[m.Name]; !ok {
		return b.noMethod(m, known)
	}
	return nil
}

func (b *Box) noMethod(m *Method, known description) error {
	names := make([]string, len(known.methods))
	for i, d := range known.methods {
		names[i] = d.Name
	}
	return b.failAt(m.key, "the library has "+listSome(names), "the library has no method %s%s", m.Name, DidYouMean(m.Name, names))
}

// fail reports an error at a key of the box, or at the box.
func (b *Box) fail(child, advice, format string, args ...any) error {
	k := b.key
	if child != "" {
		k = k.child(child)
	}
	return b.failAt(k, advice, format, args...)
}

func (b *Box) failAt(k *key, advice, format string, args ...any) error {
	return b.doc.newError(k.at, k.path(), fmt.Sprintf(format, args...), advice)
}
