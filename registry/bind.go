package registry

import (
	"fmt"
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

// Method finds a method by name. The error matches [ErrNoMethod].
func (t *Type) Method(name string) (*Plan, error) {
	if mask := len(t.table) - 1; mask > 0 {
		for i := hash(name) & mask; t.table[i] != nil; i = (i + 1) & mask {
			if t.table[i].Name == name {
				return t.table[i], nil
			}
		}
	}
	return nil, t.noMethod(name)
}

// hash looks at no more of a name than tells a box's methods apart. Methods are
// found by name at every call, and few enough for collisions to cost little.
func hash(name string) int {
	if name == "" {
		return 0
	}
	return len(name)*31 + int(name[0])*7 + int(name[len(name)/2])*13 + int(name[len(name)-1])
}

func (t *Type) noMethod(name string) error {
	known := make([]string, len(t.methods))
	for i, p := range t.methods {
		known[i] = p.Name
	}
	return fmt.Errorf("%w%s", ErrNoMethod, DidYouMean(name, known))
}

// Methods lists the methods without birth and fini, in the order of nyash.toml
// or, where that lists none, of the library.
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
	i := hash(p.Name) & mask
	for t.table[i] != nil {
		i = (i + 1) & mask
	}
	t.table[i] = p
}

// Bind makes the box complete with what its library says of itself. What both
// give must agree; a disagreement is an error that shows both. A library that
// says nothing (the zero Description) leaves everything to nyash.toml.
//
// Where a library provides several boxes, its description is of the one that it
// names.
func (b *Box) Bind(d abi.Description) (*Type, error) {
	if err := b.checkDescription(d); err != nil {
		return nil, err
	}
	if d.TypeName != "" && d.TypeName != b.Name {
		if len(b.Library.Boxes) == 1 {
			return nil, b.fail("", fmt.Sprintf("rename the box to %s", d.TypeName), "the library calls its box %s, and nyash.toml calls it %s", d.TypeName, b.Name)
		}
		if b.HasTypeID && b.TypeID == d.TypeID {
			return nil, b.fail("type_id", fmt.Sprintf("give this box the type_id that the library knows %s by", b.Name), "type_id %d is %s's, says the library", d.TypeID, d.TypeName)
		}
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
	if !b.MethodsDeclared {
		for _, m := range described(d) {
			t.add(m.Name, m.ID, Signature{})
		}
		return t, nil
	}
	for _, m := range b.Methods {
		id, err := b.methodID(m, described(d))
		if err != nil {
			return nil, err
		}
		t.add(m.Name, id, m.Signature)
	}
	return t, nil
}

// described are the methods of a description that can be called by name.
func described(d abi.Description) []abi.Method {
	return slices.DeleteFunc(slices.Clone(d.Methods), func(m abi.Method) bool {
		return m.ID == abi.MethodBirth || m.ID == abi.MethodFini
	})
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

func (b *Box) methodID(m *Method, described []abi.Method) (uint32, error) {
	if len(described) == 0 {
		if m.HasID {
			return m.ID, nil
		}
		return 0, b.failAt(m.key, "add method_id", "its method_id is not known: nyash.toml gives none, and the library does not describe its methods")
	}
	i := slices.IndexFunc(described, func(d abi.Method) bool { return d.Name == m.Name })
	if i < 0 {
		names := make([]string, len(described))
		for i, d := range described {
			names[i] = d.Name
		}
		return 0, b.failAt(m.key, "the library has "+list(names), "the library has no method %s%s", m.Name, DidYouMean(m.Name, names))
	}
	if m.HasID && m.ID != described[i].ID {
		return 0, b.failAt(m.key.child("method_id"), fmt.Sprintf("write method_id = %d or leave it out", described[i].ID),
			"nyash.toml says method_id %d, the library says %d", m.ID, described[i].ID)
	}
	return described[i].ID, nil
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
