package plugintest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/plan"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/registry/builtin"
)

// offer is a box that libraries may call, as it is declared: a built-in one, or one of
// nyash.toml. It does not change.
type offer struct {
	name      string
	closed    bool // it has no other methods than these
	hidden    []string
	singleton bool
	birth     registry.Signature
	methods   map[string]registry.Method
}

// offersOf are the boxes that are declared, by name.
func offersOf(c *Config) map[string]*offer {
	all := make(map[string]*offer)
	for _, b := range builtin.All() {
		o := &offer{name: b.Name, closed: true, birth: b.Birth, methods: make(map[string]registry.Method)}
		for i, m := range b.Methods {
			o.methods[m.Name] = registry.Method{Name: m.Name, ID: uint32(i) + 1, HasID: true, Signature: m.Signature}
		}
		all[b.Name] = o
	}
	boxes := c.Boxes
	if c.Library != nil {
		boxes = append(slices.Clip(boxes), c.Library.Boxes...)
	}
	for _, b := range boxes {
		o := &offer{name: b.Name, singleton: b.Singleton, methods: make(map[string]registry.Method)}
		if b.Birth != nil {
			o.birth = b.Birth.Signature
		}
		for _, m := range b.Methods {
			o.methods[m.Name] = *m
		}
		for _, m := range b.Hidden {
			o.hidden = append(o.hidden, m.Name)
		}
		all[b.Name] = o
	}
	return all
}

// hostBox is a box as a library calls it.
type hostBox struct {
	*offer
	id uint32 // the type id that the library knows it by
	// ofLibrary is true of the library's own boxes; own is nil before they are known.
	ofLibrary bool
	own       *box
	// What the library may call: all of it, or some of its methods.
	whole bool
	some  map[string]bool

	byID      map[uint32]*plan.Plan
	byName    map[string]*plan.Plan
	birthPlan *plan.Plan
	shared    *hostInstance // of a singleton
}

const (
	// firstHostType is the first type id of the host's boxes, and firstSample the first
	// instance id of those that the tester lends: the same in all workers, as a message may
	// be made before there is one. firstHeld is that of those which the library holds.
	firstHostType = 1 << 31
	firstSample   = 1
	firstHeld     = 101
	// firstMadeUp is the first id of the methods to which nothing gives one.
	firstMadeUp = 0x1_0001
	// maxMadeUp is how many names of methods that nobody knows a box has.
	maxMadeUp = 1000
)

func newHostBox(o *offer, id uint32) *hostBox {
	b := &hostBox{
		offer: o, id: id, some: make(map[string]bool),
		byID: make(map[uint32]*plan.Plan), byName: make(map[string]*plan.Plan),
		birthPlan: plan.New(o.name, abi.NameBirth, abi.MethodBirth, o.birth),
	}
	for _, m := range o.methods {
		if m.HasID {
			b.add(m.Name, m.ID)
		}
	}
	return b
}

// ownHostBox is a box of the library's own, which says what methods it has. They check what
// they are called with themselves.
func ownHostBox(b *box) *hostBox {
	own := newHostBox(&offer{name: b.name, closed: true, singleton: b.singleton}, b.typeID)
	own.ofLibrary, own.own = true, b
	for _, m := range b.methods {
		own.add(m.name, m.id)
	}
	return own
}

func (b *hostBox) add(name string, id uint32) *plan.Plan {
	m := plan.New(b.name, name, id, b.methods[name].Signature)
	b.byID[id], b.byName[name] = m, m
	return m
}

// permit adds what an entry of uses permits.
func (b *hostBox) permit(u registry.Use) {
	if u.Method == "" {
		b.whole = true
		return
	}
	b.some[u.Method] = true
}

// permits reports whether the library may call a method, by its name; that of a method
// which has none is empty.
func (b *hostBox) permits(method string) bool {
	switch {
	case b.whole, b.some[method]:
		return true
	case method == abi.NameFini: // of what the library holds
		return len(b.some) > 0
	case method == abi.NameBirth:
		return b.singleton && len(b.some) > 0 // which it only lends
	}
	return false
}

// method finds a method by its name, and gives one that may exist an id.
func (b *hostBox) method(name string) (id uint32, ok bool) {
	switch name {
	case abi.NameBirth:
		return abi.MethodBirth, true
	case abi.NameFini:
		return abi.MethodFini, true
	}
	if m := b.byName[name]; m != nil {
		return m.ID, true
	}
	_, declared := b.methods[name]
	if !declared && b.closed || slices.Contains(b.hidden, name) || len(b.byName) >= len(b.methods)+maxMadeUp {
		return 0, false
	}
	id = firstMadeUp + uint32(len(b.byName))
	for b.byID[id] != nil {
		id++
	}
	return b.add(name, id).ID, true
}

// entryOf is the entry of uses that would permit a method.
func entryOf(box, method string) registry.Use {
	switch method {
	case abi.NameBirth, abi.NameFini: // which goes with everything else
		method = ""
	}
	return registry.Use{Box: contract.Excerpt(box), Method: contract.Excerpt(method)}
}

// usesLine is the line of nyash.toml that permits more.
func usesLine(entries []registry.Use) string {
	quoted := make([]string, len(entries))
	for i, entry := range entries {
		quoted[i] = fmt.Sprintf("%q", entry)
	}
	return "uses = [" + strings.Join(quoted, ", ") + "]"
}

// addUse adds an entry, unless another one covers it.
func addUse(entries []registry.Use, u registry.Use) []registry.Use {
	if slices.ContainsFunc(entries, func(have registry.Use) bool { return have.Covers(u) }) {
		return entries
	}
	return append(slices.DeleteFunc(entries, u.Covers), u)
}
