package loader

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/files"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// unlistedBox is a box that a library has and that its entries in nyash.toml do not name.
type unlistedBox struct {
	name string
	by   string // who describes it
}

// noteUnlisted notes the boxes with type ids that the library, its text or its manifest
// describes, and that nyash.toml does not list.
func (l *library) noteUnlisted(own *registry.Description, init abi.Description) {
	l.unlisted = make(map[uint32]unlistedBox)
	note := func(name string, id uint32, by string) {
		if !slices.ContainsFunc(l.boxTypes, func(t *boxType) bool { return t.decl.LibraryName == name }) {
			l.unlisted[id] = unlistedBox{name, by}
		}
	}
	if init.TypeName != "" {
		note(init.TypeName, init.TypeID, filepath.Base(l.file))
	}
	if own == nil {
		return
	}
	for _, b := range own.Boxes {
		if b.HasTypeID {
			note(b.Name, b.TypeID, b.Pos.File)
		}
	}
}

// errUnlisted is the error of a handle of a box that the library has and nyash.toml does
// not list; nil for any other handle. The library must be loaded.
func (l *library) errUnlisted(handle tlv.Handle) error {
	box, ok := l.unlisted[handle.Type]
	if !ok {
		return nil
	}
	name := contract.Printable(box.name)
	conf := l.boxTypes[0].decl.Library
	advice := fmt.Sprintf("add %s = %q to [plugins]", name, conf.Name)
	if conf.InvokeOnly {
		advice = fmt.Sprintf("add %q to its boxes", name)
	}
	where := "nyash.toml does not list it"
	if other := l.elsewhere(box.name); other != nil {
		where = fmt.Sprintf("nyash.toml lists it (line %d) for another library, %s, which is the same file", other.Pos.Line, other.Library.Name)
		advice = "write the library alike"
	}
	return fmt.Errorf("%w: the result is a handle of type %d, instance %d; that type is %s in %s, and %s: %s",
		ErrNoBox, handle.Type, handle.Instance, name, contract.Printable(box.by), where, advice)
}

// elsewhere is a box of the library that nyash.toml lists for another spelling of its file,
// or nil.
func (l *library) elsewhere(box string) *registry.Box {
	config := l.host.config
	for _, b := range config.Boxes {
		if b.LibraryName != box || b.Library == l.boxTypes[0].decl.Library {
			continue
		}
		file, err := config.Find(b.Library)
		if err != nil {
			continue
		}
		if other, err := files.Identify(file); err == nil && other == l.identity {
			return b
		}
	}
	return nil
}

// wrongType says where the type id stands that a birth was refused for, if it is
// nyash.toml's.
func (l *library) wrongType(typ *boundType) string {
	t := l.boxTypeByID(typ.ID)
	if t == nil || t.decl == nil || !t.decl.HasTypeID || typ.Table > 0 {
		return ""
	}
	return fmt.Sprintf("the library has no type %d (%v)", typ.ID, t.decl.TypeIDPos())
}
