package registry

import (
	"fmt"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/suggest"
)

// Type is a box whose ids are all known: what nyash.toml and the library say of
// it together. It is shared and must not be changed.
type Type struct {
	Name      string
	ID        uint32
	Singleton bool
	Birth     Signature
	// Methods are the methods without birth and fini: those of nyash.toml in its
	// order, then those that only the library describes, in the library's. All have
	// an ID; Pos is the zero Position for the latter.
	Methods []Method
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
			return nil, b.fail("", fmt.Sprintf("the library calls its box %s, and nyash.toml calls it %s", d.TypeName, b.Name), fmt.Sprintf("rename the box to %s", d.TypeName))
		}
		if b.HasTypeID && b.TypeID == d.TypeID {
			return nil, b.fail("type_id", fmt.Sprintf("the library says that type_id %d is %s's", d.TypeID, d.TypeName), fmt.Sprintf("give this box the type_id that the library knows %s by", b.Name))
		}
		d = abi.Description{}
	case d.TypeName == "" && several && (!b.HasTypeID || b.TypeID != d.TypeID):
		d = abi.Description{}
	}
	id, err := b.typeID(d)
	if err != nil {
		return nil, err
	}
	t := &Type{Name: b.Name, ID: id, Singleton: b.Singleton}
	if b.Birth != nil {
		t.Birth = b.Birth.Signature
	}
	known := described(d)
	t.Methods = make([]Method, 0, len(b.Methods)+len(known.methods))
	for _, m := range b.Methods {
		id, err := b.methodID(m, known)
		if err != nil {
			return nil, err
		}
		bound := *m
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
			t.Methods = append(t.Methods, Method{Name: m.Name, ID: id, HasID: true})
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

func (b *Box) typeID(d abi.Description) (uint32, error) {
	described := d.TypeID != 0 || d.TypeName != ""
	switch {
	case b.HasTypeID && described && b.TypeID != d.TypeID:
		return 0, b.fail("type_id", fmt.Sprintf("nyash.toml says type_id %d, the library says %d", b.TypeID, d.TypeID), fmt.Sprintf("write type_id = %d or leave it out", d.TypeID))
	case b.HasTypeID:
		return b.TypeID, nil
	case described:
		return d.TypeID, nil
	}
	return 0, b.fail("", "its type_id is not known: nyash.toml gives none, and the library does not describe this box", "add type_id")
}

func (b *Box) methodID(m *Method, known description) (uint32, error) {
	if len(known.methods) == 0 {
		if m.HasID {
			return m.ID, nil
		}
		return 0, b.failAt(m.key, "its method_id is not known: nyash.toml gives none, and the library does not describe its methods", "add method_id")
	}
	id, ok := known.ids[m.Name]
	if !ok {
		return 0, b.noMethod(m, known)
	}
	if m.HasID && m.ID != id {
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

func (b *Box) noMethod(m *Method, known description) error {
	names := make([]string, len(known.methods))
	for i, d := range known.methods {
		names[i] = d.Name
	}
	return b.failAt(m.key, fmt.Sprintf("the library has no method %s%s", m.Name, suggest.DidYouMean(m.Name, names)), "the library has "+listSome(names))
}

// fail reports an error at a key of the box, or at the box where child is empty
// or missing.
func (b *Box) fail(child, msg, advice string) error {
	k := b.key
	if child != "" {
		k = k.child(child)
	}
	return b.failAt(k, msg, advice)
}

func (b *Box) failAt(k *key, msg, advice string) error {
	return b.doc.newError(k.at, k.path(), msg, advice)
}
