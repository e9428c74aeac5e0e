package plugintest

import (
	"fmt"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/registry"
)

// plugin is the library as its file, its description and nyash.toml describe it.
// It does not change after it was loaded.
type plugin struct {
	exports []string // symbols of the plugin ABI that the file exports
	boxes   []*box
}

// box is a box of the library.
type box struct {
	name    string
	typeID  uint32
	conf    *registry.Box // nil where nyash.toml has none
	methods []*method
	birth   *method
	fini    *method
}

// method is a method of a box, or with a nil box a function of the library.
type method struct {
	box      *box
	name     string
	id       uint32
	declared *registry.Method // nil where nyash.toml does not declare it
}

// libraryFunc stands for a function of the library where a method is expected.
func libraryFunc(name string) *method { return &method{name: name} }

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

// singleton reports whether a host makes only one instance of the box.
func (b *box) singleton() bool { return b.conf != nil && b.conf.Singleton }

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

// describe joins the library's description with its entry in nyash.toml. Where
// they disagree, the library is called as it describes itself.
func (p *plugin) describe(d abi.Description, library *registry.Library) {
	described := d.TypeID != 0 || d.TypeName != "" || len(d.Methods) > 0
	var confs []*registry.Box
	if library != nil {
		confs = library.Boxes
	}
	for _, conf := range confs {
		b := newBox(conf.Name, conf.TypeID)
		b.conf = conf
		own := described && (len(confs) == 1 || d.TypeName == conf.Name)
		if own {
			if !conf.HasTypeID || d.TypeID != 0 {
				b.typeID = d.TypeID
			}
			b.addDescribed(d)
			described = false
		}
		for _, m := range conf.Methods {
			have := b.method(m.Name)
			if have == nil && m.HasID && (!own || len(d.Methods) == 0) {
				have = b.add(m.Name, m.ID)
			}
			if have != nil {
				have.declared = m
			}
		}
		p.boxes = append(p.boxes, b)
	}
	if described {
		name := d.TypeName
		if name == "" {
			name = fmt.Sprintf("type %d", d.TypeID)
		}
		b := newBox(name, d.TypeID)
		b.addDescribed(d)
		p.boxes = append(p.boxes, b)
	}
}

func newBox(name string, typeID uint32) *box {
	b := &box{name: name, typeID: typeID}
	b.birth = &method{box: b, name: abi.NameBirth, id: abi.MethodBirth}
	b.fini = &method{box: b, name: abi.NameFini, id: abi.MethodFini}
	return b
}

func (b *box) addDescribed(d abi.Description) {
	for _, m := range d.Methods {
		if m.ID != abi.MethodBirth && m.ID != abi.MethodFini && b.method(m.Name) == nil {
			b.add(m.Name, m.ID)
		}
	}
}
