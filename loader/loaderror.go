package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/objfile"
)

// errFind is the error of a library whose file was not found.
func (l *library) errFind(err error) error {
	reason := ErrDeclaration // of the manifest that names it
	if errors.Is(err, fs.ErrNotExist) {
		reason = ErrNotFound
	}
	return fmt.Errorf("box %s: %w", l.name, &LoadError{Reason: reason, Err: err})
}

// errOpen is the error of a library that could not be opened. Where it has TypeBox tables,
// though for none of its boxes in nyash.toml, it says at each which there are.
func (l *library) errOpen(err error) error {
	if errors.Is(err, ErrSymbol) {
		if tables := exportedTables(l.file); len(tables) > 0 {
			errs := make([]error, len(l.boxTypes))
			for i, t := range l.boxTypes {
				errs[i] = &LoadError{File: l.file, Reason: ErrSymbol, Err: t.decl.NoTable(tables)}
			}
			return &boxErrors{errs}
		}
	}
	return fmt.Errorf("box %s: %w", l.name, err)
}

// errDeclaration is the error of a declaration that does not fit the library.
func (l *library) errDeclaration(err error) error {
	return &LoadError{File: l.file, Reason: ErrDeclaration, Err: err}
}

// join is errors.Join that leaves a single error as it is, with its %+v.
func join(errs ...error) error {
	errs = slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return err == nil })
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// boxErrors is the error of a library of whose boxes some cannot be used, and so none: those of
// its boxes in their order, nil for one that is not at fault.
type boxErrors struct{ each []error }

func (e *boxErrors) Error() string   { return join(e.each...).Error() }
func (e *boxErrors) Unwrap() []error { return e.each }

// Format has a single error's own %+v.
func (e *boxErrors) Format(s fmt.State, verb rune) {
	fmt.Fprintf(s, fmt.FormatString(s, verb), join(e.each...))
}

// own is what a box of the library gets of its error: its own part, where there is one.
func (t *boxType) own(err error) error {
	var all *boxErrors
	if errors.As(err, &all) {
		if own := all.each[slices.Index(t.lib.boxTypes, t)]; own != nil {
			return own
		}
	}
	return err
}

// exportedTables are the boxes that a library's file has TypeBox tables for. Names are the
// library's; what cannot be read has none.
func exportedTables(file string) (boxes []string) {
	of, _ := objfile.Read(file)
	if of == nil {
		return nil
	}
	for _, symbol := range of.Plugin() {
		if box, ok := strings.CutPrefix(symbol, abi.SymbolTypeBoxPrefix); ok && box != "" {
			boxes = append(boxes, box)
		}
	}
	return boxes
}
