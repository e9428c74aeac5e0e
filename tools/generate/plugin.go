package generate

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// PluginBox is a box as its plugin's author sees it. Names of boxes are the library's.
type PluginBox struct {
	registry.Type
	HasBirth bool   // nyash.toml has a birth, so the author writes one
	Threads  string // empty where nyash.toml does not say
	Alone    bool   // nyash.toml has no other box of the library
	birthPos registry.Position
}

// PluginBoxes are the named boxes of a nyash.toml, or all of it where none is named. They
// must be of one library and declared in full; the library need not be there.
func PluginBoxes(config *registry.Config, names []string) ([]PluginBox, error) {
	known := configured(config)
	if len(names) == 0 && len(config.Libraries) > 1 {
		return nil, fmt.Errorf("nyash.toml has boxes of %d libraries: choose those of one with --box", len(config.Libraries))
	}
	names, err := chosen(names, known, known)
	if err != nil {
		return nil, err
	}
	all := make([]PluginBox, len(names))
	var library *registry.Library
	var errs []error
	for i, name := range names {
		b, _ := config.Box(name)
		if library != nil && b.Library != library {
			return nil, fmt.Errorf("%s is a box of another library (%s) than %s (%s): a file is for one", name, b.Library.Name, names[0], library.Name)
		}
		library = b.Library
		if all[i], err = pluginBox(b); err != nil {
			errs = append(errs, err)
		}
	}
	return all, errors.Join(errs...)
}

func pluginBox(b *registry.Box) (PluginBox, error) {
	t, err := b.Bind(nil, abi.Description{})
	if err != nil {
		return PluginBox{}, aloneError(err)
	}
	own := PluginBox{Type: *t, Alone: len(b.Library.Boxes) == 1}
	if b.Birth != nil {
		own.HasBirth, own.birthPos = true, b.Birth.Pos
	}
	own.Name = b.LibraryName
	if b.Library.HasThreads {
		own.Threads = b.Library.Threads.String()
	}
	own.Methods = slices.Clone(t.Methods)
	ids := make(map[uint32]string)
	for i := range own.Methods {
		m := &own.Methods[i]
		if other, taken := ids[m.ID]; taken {
			return own, fmt.Errorf("%v: %s.%s has the method_id of %s: a plugin's methods have ids of their own", m.Pos, b.Name, m.Name, other)
		}
		ids[m.ID] = m.Name
		if m.Returns, err = ownReturns(b, m); err != nil {
			return own, err
		}
	}
	return own, nil
}

// aloneError is the error of an id that nyash.toml lacks, where neither the library nor a
// nyash_box.toml is asked for it.
func aloneError(err error) error {
	var e *registry.Error
	if !errors.Is(err, registry.ErrUnknownID) || !errors.As(err, &e) {
		return err
	}
	alone := *e
	what, _, _ := strings.Cut(e.Msg, ":")
	alone.Msg = what + ": code for plugins is generated from nyash.toml alone, and that gives none"
	return &alone
}

// ownReturns is what a method returns, with the library's name for a box. A handle of
// which nothing is said is one of the box itself.
func ownReturns(b *registry.Box, m *registry.Method) (registry.Returns, error) {
	r := m.Returns
	if r.Tag != tlv.TagHandle {
		return r, nil
	}
	if r.Box == "" {
		r.Box = b.LibraryName
		return r, nil
	}
	i := slices.IndexFunc(b.Library.Boxes, func(other *registry.Box) bool { return other.Name == r.Box })
	if i < 0 {
		return r, fmt.Errorf("%v: %s.%s returns %s, which is no box of its library: a plugin makes boxes of its own only", m.Pos, b.Name, m.Name, r.Box)
	}
	r.Box = b.Library.Boxes[i].LibraryName
	return r, nil
}

// declaredTypes refuses what a language with types of its own cannot write down.
func declaredTypes(language string, boxes []PluginBox) error {
	var errs []error
	for _, b := range boxes {
		check := func(method string, pos registry.Position, s registry.Signature, result bool) {
			var what string
			switch {
			case !s.ArgsDeclared:
				what = "args"
			case slices.ContainsFunc(s.Args, func(a registry.Arg) bool { return a.To == 0 }):
				what = "a type for each argument (to)"
			case result && s.Returns.Tag == 0:
				what = "returns"
			default:
				return
			}
			errs = append(errs, fmt.Errorf("%v: %s.%s: its functions in %s have types, and nyash.toml does not declare them: add %s", pos, contract.Printable(b.Name), contract.Printable(method), language, what))
		}
		if b.HasBirth {
			check(abi.NameBirth, b.birthPos, b.Birth, false)
		}
		for _, m := range b.Methods {
			check(m.Name, m.Pos, m.Signature, true)
		}
	}
	return errors.Join(errs...)
}
