package loader

import (
	"fmt"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/hostbox"
	"github.com/nyash-plugins/nyash-go/internal/plan"
	"github.com/nyash-plugins/nyash-go/internal/suggest"
	"github.com/nyash-plugins/nyash-go/registry"
)

// boundType is a box type with a plan for each of its methods, made when its
// library is loaded. It is immutable.
type boundType struct {
	registry.Type
	of      *boxType
	birth   *plan.Plan
	methods map[string]*plan.Plan // by name
	ids     map[uint32]*plan.Plan // by id, for calls that plugins make
}

func newBoundType(of *boxType, t *registry.Type) *boundType {
	methods := make(map[string]*plan.Plan, len(t.Methods))
	for _, m := range t.Methods {
		methods[m.Name] = plan.New(t.Name, m.Name, m.ID, m.Signature)
	}
	b := &boundType{
		Type:    *t,
		of:      of,
		birth:   plan.New(t.Name, abi.NameBirth, abi.MethodBirth, t.Birth),
		methods: methods,
	}
	if of.used {
		b.ids = make(map[uint32]*plan.Plan, len(methods))
		for _, m := range t.Methods { // of two names for an id, the first
			if b.ids[m.ID] == nil {
				b.ids[m.ID] = methods[m.Name]
			}
		}
	}
	return b
}

// byID finds a method by its id, or returns nil.
func (t *boundType) byID(id uint32) *plan.Plan { return t.ids[id] }

// byName finds a method by its name, birth among them, or returns nil.
func (t *boundType) byName(name string) *plan.Plan {
	if name == abi.NameBirth {
		return t.birth
	}
	return t.methods[name]
}

// errNoMethod is the error of a name that no method has.
func (t *boundType) errNoMethod(name string) error {
	known := make([]string, len(t.Methods))
	for i, m := range t.Methods {
		known[i] = m.Name
	}
	return fmt.Errorf("%w%s", ErrNoMethod, suggest.DidYouMean(name, known))
}

// goType is the type of a box written in Go.
func goType(of *boxType, b *hostbox.Box, id uint32) *boundType {
	t := &registry.Type{Name: b.Name, ID: id, Birth: b.Birth}
	for i, m := range b.Methods {
		t.Methods = append(t.Methods, registry.Method{Name: m.Name, ID: uint32(i) + 1, HasID: true, Signature: m.Signature})
	}
	return newBoundType(of, t)
}
