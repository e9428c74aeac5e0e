package plugintest

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/suggest"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// plugin is the library as its file, its description and nyash.toml describe it.
// It does not change after it was loaded.
type plugin struct {
	module  bool     // it is a WebAssembly module
	exports []string // symbols of the plugin ABI that the file exports
	// manifest is the library's nyash_box.toml, or nil. manifestErr says why it cannot be
	// used, which concerns only a library that has tables.
	manifest    *registry.Description
	manifestErr error
	own         ownDescription
	boxes       []*box      // that can be called
	uncalled    []*box      // of nyash.toml, which cannot
	blobs       [][]byte    // that the user gives; see blobData
	hostSamples []tlv.Value // the boxes of its host as arguments; see hostSample
	// notes are what is not tested, and why; faults are findings about boxes that hosts
	// refuse, and which are not called either.
	notes  []string
	faults []Finding
	// complete is true where boxes are all that a host knows of the library.
	complete bool
}

// box is a box of the library.
type box struct {
	name    string
	typeID  uint32
	conf    *registry.Box  // nil where nyash.toml has none
	own     *registry.Type // what the library says; nil where it does not describe the box
	methods []*method
	birth   *method
	fini    *method

	table     int  // the number, from 1, of the TypeBox table that it is called through
	singleton bool // a host makes only one instance
}

// method is a method of a box, or with a nil box a function of the library.
type method struct {
	box      *box
	name     string
	id       uint32
	declared *registry.Method // by nyash.toml and the self-description; nil where neither does
	conf     *registry.Method // nil where nyash.toml does not mention it
	own      *registry.Method // what the library says; nil where it does not describe it
}

// libraryFunc stands for a function of the library where a method is expected.
func libraryFunc(name string) *method { return &method{name: name} }

// isBirth tells whether it is the birth of its box.
func (m *method) isBirth() bool { return m.box != nil && m == m.box.birth }

// String is the name with the box's.
func (m *method) String() string {
	if m.box == nil {
		return m.name
	}
	return m.box.name + "." + m.name
}

// finding is a finding at the method.
func (m *method) finding(code, format string, args ...any) Finding {
	f := Finding{Code: code, Method: m.name, Message: fmt.Sprintf(format, args...)}
	if m.box != nil {
		f.Box = m.box.name
	}
	return f
}

func (b *box) add(name string, id uint32) *method {
	m := &method{box: b, name: name, id: id}
	b.methods = append(b.methods, m)
	return m
}

func (b *box) method(name string) *method {
	i := slices.IndexFunc(b.methods, func(m *method) bool { return m.name == name })
	if i < 0 {
		return nil
	}
	return b.methods[i]
}

func (p *plugin) exportsBatch() bool { return slices.Contains(p.exports, abi.SymbolInvokeBatch) }

// methods are those of all boxes.
func (p *plugin) methods() []*method {
	var all []*method
	for _, b := range p.boxes {
		all = append(all, b.methods...)
	}
	return all
}

func (p *plugin) boxOf(typeID uint32) *box {
	for _, b := range p.boxes {
		if b.typeID == typeID {
			return b
		}
	}
	return nil
}

// box finds a box by name.
func (p *plugin) box(name string) *box {
	i := slices.IndexFunc(p.boxes, func(b *box) bool { return b.name == name })
	if i < 0 {
		return nil
	}
	return p.boxes[i]
}

// typeIDs lists the boxes with their type ids, for people.
func (p *plugin) typeIDs() string {
	var all []string
	for _, b := range p.boxes {
		all = append(all, fmt.Sprintf("%s has %d", b.name, b.typeID))
	}
	return list(cutList(all, 8), "it has no boxes")
}

// find finds a method by name; an empty box name matches every box.
func (p *plugin) find(boxName, name string) *method {
	for _, b := range p.boxes {
		if boxName != "" && b.name != boxName {
			continue
		}
		if m := b.method(name); m != nil {
			return m
		}
	}
	return nil
}

// unknown says which of the two names the library does not have; the first may be empty.
func (p *plugin) unknown(boxName, name string) error {
	var boxes, methods []string
	for _, b := range p.boxes {
		boxes = append(boxes, b.name)
		for _, m := range b.methods {
			if boxName == "" || b.name == boxName {
				methods = append(methods, m.name)
			}
		}
	}
	if boxName != "" && p.box(boxName) == nil {
		return fmt.Errorf("the library has no box %s%s; it has %s", boxName, suggest.DidYouMean(boxName, boxes), p.own.boxNames())
	}
	return fmt.Errorf("%s has no method %s%s; it has %s", cmp.Or(boxName, "the library"), name, suggest.DidYouMean(name, methods), list(cutList(methods, 8), "no known methods; give --config"))
}

func newBox(name string, typeID uint32) *box {
	b := &box{name: name, typeID: typeID}
	b.birth = &method{box: b, name: abi.NameBirth, id: abi.MethodBirth}
	b.fini = &method{box: b, name: abi.NameFini, id: abi.MethodFini}
	return b
}
