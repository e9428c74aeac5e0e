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
	MaxBoxes   = 1 << 12 // boxes
	MaxMethods = 1 << 16 // methods of a box
	MaxName    = 1 << 10 // bytes of a name
	MaxNames   = 1 << 20 // bytes of all names
	MaxConfig  = 1 << 20 // bytes of nyash_plugin_config's text
)

// CheckDescription tells what a plugin must not say of itself. A description that
// came from a worker is checked by the host again: any code of the plugin can
// write one.
func CheckDescription(d abi.Description) error {
	if d.Config != nil {
		if err := CheckConfig(*d.Config); err != nil {
			return err
		}
	}
	total := len(d.TypeName)
	if d.TypeName != "" {
		if err := CheckName(d.TypeName); err != nil {
			return fmt.Errorf("type_name: %w", err)
		}
	}
	if len(d.Methods) > MaxMethods {
		return errMethods(uint64(len(d.Methods)))
	}
	for i, m := range d.Methods {
		if err := CheckName(m.Name); err != nil {
			return fmt.Errorf("method %d of %d (method_id %d): name: %w", i+1, len(d.Methods), m.ID, err)
		}
		if total += len(m.Name); total > MaxNames {
			return fmt.Errorf("method %d of %d (method_id %d): the names up to here have %d bytes, and %d are allowed for all", i+1, len(d.Methods), m.ID, total, MaxNames)
		}
	}
	return nil
}

// CheckConfig tells whether what nyash_plugin_config returned is text at all. What it
// says is for package registry.
func CheckConfig(text string) error {
	switch {
	case len(text) > MaxConfig:
		return fmt.Errorf("%s returned more than the %d bytes that are read", abi.SymbolConfig, MaxConfig)
	case !utf8.ValidString(text):
		return fmt.Errorf("what %s returned is not UTF-8: %w", abi.SymbolConfig, abi.ErrInvalidUTF8)
	}
	return nil
}

// Contradiction is a method of a description that cannot stand beside what the
// contract or the description itself says (docs/abi.md, Descriptions).
type Contradiction struct {
	Kind    ContradictionKind
	Method  abi.Method
	Earlier abi.Method // for DuplicateName and DuplicateID, the other one
}

// ContradictionKind is what is wrong with a method of a description.
type ContradictionKind uint8

const (
	// WrongReservedID: birth or fini is described with another id than its own.
	WrongReservedID ContradictionKind = iota
	// TakenReservedID: the id of birth or fini is given to a method of another
	// name. A host does not offer that method.
	TakenReservedID
	// DuplicateName: an earlier method has the same name.
	DuplicateName
	// DuplicateID: an earlier method has the same id and another name.
	DuplicateID
)

// Contradictions lists what a description says against itself, in the order of
// its methods. A method can be in the list several times, in the order of the
// kinds. Nil is a description that may be used.
func Contradictions(d abi.Description) []Contradiction {
	var found []Contradiction
	names := make(map[string]abi.Method, len(d.Methods))
	ids := make(map[uint32]abi.Method, len(d.Methods))
	for _, m := range d.Methods {
		reserved := m.ID == abi.MethodBirth || m.ID == abi.MethodFini
		switch {
		case m.Name == abi.NameBirth && m.ID != abi.MethodBirth, m.Name == abi.NameFini && m.ID != abi.MethodFini:
			found = append(found, Contradiction{Kind: WrongReservedID, Method: m})
		case reserved && m.Name != abi.NameBirth && m.Name != abi.NameFini:
			found = append(found, Contradiction{Kind: TakenReservedID, Method: m})
		}
		if earlier, twice := names[m.Name]; twice {
			found = append(found, Contradiction{Kind: DuplicateName, Method: m, Earlier: earlier})
		}
		if earlier, twice := ids[m.ID]; twice && earlier.Name != m.Name {
			found = append(found, Contradiction{Kind: DuplicateID, Method: m, Earlier: earlier})
		}
		names[m.Name], ids[m.ID] = m, m
	}
	return found
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

// CheckName tells what is wrong with a name that a library gives a box, a method or an
// argument: none may be empty, long, or bring control characters to a terminal.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("it is empty")
	case len(name) > MaxName:
		return fmt.Errorf("it has %d bytes, more than the %d that are read", len(name), MaxName)
	}
	return CheckShown(name)
}

// CheckShown tells what a text has that must not come to a terminal. Names and paths of
// libraries are shown in many places.
func CheckShown(text string) error {
	if !utf8.ValidString(text) {
		return fmt.Errorf("%q is not UTF-8: %w", text, abi.ErrInvalidUTF8)
	}
	if at := unfit(text, ""); at < len(text) {
		r, _ := utf8.DecodeRuneInString(text[at:])
		return fmt.Errorf("%q has the control character %U at byte %d", text, r, at)
	}
	return nil
}
