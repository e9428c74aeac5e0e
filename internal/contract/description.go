package contract

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/nyash-plugins/nyash-go/abi"
)

// What a plugin may say of itself: more than any has to, and little enough for a
// host to read.
const (
	MaxMethods = 1 << 16 // methods
	MaxName    = 1 << 10 // bytes of a name
	MaxNames   = 1 << 20 // bytes of all names
)

// CheckDescription tells what a plugin must not say of itself. A description that
// came from a worker is checked by the host again: any code of the plugin can
// write one.
func CheckDescription(d abi.Description) error {
	total := len(d.TypeName)
	if d.TypeName != "" {
		if err := checkName(d.TypeName); err != nil {
			return fmt.Errorf("type_name: %w", err)
		}
	}
	if len(d.Methods) > MaxMethods {
		return errMethods(uint64(len(d.Methods)))
	}
	for i, m := range d.Methods {
		if err := checkName(m.Name); err != nil {
			return fmt.Errorf("method %d of %d (method_id %d): name: %w", i+1, len(d.Methods), m.ID, err)
		}
		if total += len(m.Name); total > MaxNames {
			return fmt.Errorf("method %d of %d (method_id %d): the names up to here have %d bytes, and %d are allowed for all", i+1, len(d.Methods), m.ID, total, MaxNames)
		}
	}
	return nil
}

// CheckMethodCount tells whether so many methods are read at all.
func CheckMethodCount(count uint64) error {
	if count > MaxMethods {
		return errMethods(count)
	}
	return nil
}

func errMethods(count uint64) error {
	return fmt.Errorf("method_count is %d, more than the %d that are read", count, MaxMethods)
}

func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("it is empty")
	case len(name) > MaxName:
		return fmt.Errorf("it has %d bytes, more than the %d that are read", len(name), MaxName)
	case !utf8.ValidString(name):
		return fmt.Errorf("%q is not UTF-8: %w", name, abi.ErrInvalidUTF8)
	}
	if at := unfit(name, ""); at < len(name) {
		r, _ := utf8.DecodeRuneInString(name[at:])
		return fmt.Errorf("%q has the control character %U at byte %d", name, r, at)
	}
	return nil
}

// Conflict is two things that a description says and that cannot both be right.
type Conflict struct {
	Kind   ConflictKind
	Method abi.Method
	Other  abi.Method // the earlier method of two
}

// ConflictKind says which rule a description breaks.
type ConflictKind uint8

// The kinds of conflicts.
const (
	ConflictReserved ConflictKind = iota // birth and fini, and no others, have the ids 0 and 4294967295
	ConflictID                           // two methods with one id
	ConflictName                         // two methods with one name
)

// Conflicts finds names and ids of methods that conflict, in the order of the
// methods.
func Conflicts(d abi.Description) (all []Conflict) {
	ids, names := make(map[uint32]abi.Method), make(map[string]abi.Method)
	for _, m := range d.Methods {
		if (m.Name == abi.NameBirth) != (m.ID == abi.MethodBirth) || (m.Name == abi.NameFini) != (m.ID == abi.MethodFini) {
			all = append(all, Conflict{Kind: ConflictReserved, Method: m})
		}
		if other, twice := ids[m.ID]; twice && other.Name != m.Name {
			all = append(all, Conflict{ConflictID, m, other})
		}
		if other, twice := names[m.Name]; twice {
			all = append(all, Conflict{ConflictName, m, other})
		}
		ids[m.ID], names[m.Name] = m, m
	}
	return all
}
