// Package sig holds the words of nyash.toml for a method's arguments and result,
// and which of a caller's values become which values on the wire (section 3 of
// the specification; docs/nyash-toml.md). Package registry checks them when the
// file is read, internal/plan obeys them in every call.
//
// All types are plain data; all functions are safe for concurrent use.
package sig

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// Signature is what nyash.toml says of a method's arguments and result.
type Signature struct {
	Args         []Arg
	ArgsDeclared bool // else any arguments are taken, each as its own type
	Returns      Returns
	// ReturnsResult makes a String result the error message of a failed call.
	ReturnsResult bool
	// Variadic allows further arguments behind Args, each travelling as its own type.
	Variadic bool
	// SmallInt32 makes an integer whose type is not declared travel as an I32 where it
	// fits one, for plugins that were built for a host which does that.
	SmallInt32 bool
}

// Required is the number of arguments that a call must have, where they are declared.
func (s *Signature) Required() int {
	n := len(s.Args)
	for n > 0 && (s.Args[n-1].Optional || s.Args[n-1].Default != nil) {
		n--
	}
	return n
}

// Arg is a declared argument.
type Arg struct {
	Name string
	From Kind    // what the caller gives
	To   tlv.Tag // what travels; 0 for the value's own type
	Doc  string  // for people; may be empty
	// Optional arguments may be left out at the end of a call. Default, a bool, int64,
	// float64 or string, then stands for one; where it is nil, the argument is not sent.
	Optional bool
	Default  any
}

// Returns is a declared result.
type Returns struct {
	Tag tlv.Tag // 0 where nothing is declared: every type is taken
	Box string  // the box that a handle must be of; empty for any
}

// Kind is what a caller gives for an argument.
type Kind uint8

// The kinds of arguments. Any takes whatever the argument's type on the wire
// allows.
const (
	Any Kind = iota
	String
	Integer
	Float
	Bool
	Bytes
	Box
)

// kinds holds, for each kind, its word in nyash.toml, the types that it becomes
// where `to` asks for them, and the type that it becomes where nothing does.
var kinds = [...]struct {
	word    string
	targets []tlv.Tag
	natural tlv.Tag
}{
	Any: {"any", []tlv.Tag{tlv.TagBool, tlv.TagInt32, tlv.TagInt64, tlv.TagFloat32, tlv.TagFloat64,
		tlv.TagString, tlv.TagBytes, tlv.TagHandle, tlv.TagBlob}, 0},
	String:  {"string", []tlv.Tag{tlv.TagString, tlv.TagBytes, tlv.TagBlob}, tlv.TagString},
	Integer: {"integer", []tlv.Tag{tlv.TagInt32, tlv.TagInt64, tlv.TagFloat32, tlv.TagFloat64}, tlv.TagInt64},
	Float:   {"float", []tlv.Tag{tlv.TagFloat32, tlv.TagFloat64}, tlv.TagFloat64},
	Bool:    {"bool", []tlv.Tag{tlv.TagBool}, tlv.TagBool},
	Bytes:   {"bytes", []tlv.Tag{tlv.TagBytes, tlv.TagString, tlv.TagBlob}, tlv.TagBytes},
	Box:     {"box", []tlv.Tag{tlv.TagHandle}, tlv.TagHandle},
}

// String returns the word that nyash.toml uses.
func (k Kind) String() string { return kinds[k].word }

// KindNames lists the words for kinds.
func KindNames() []string {
	all := make([]string, len(kinds))
	for i, k := range kinds {
		all[i] = k.word
	}
	return all
}

// ParseKind is the reverse of [Kind.String].
func ParseKind(word string) (k Kind, ok bool) {
	for i := range kinds {
		if kinds[i].word == word {
			return Kind(i), true
		}
	}
	return Any, false
}

// Converts reports whether a value of the kind can travel as to.
func (k Kind) Converts(to tlv.Tag) bool { return slices.Contains(kinds[k].targets, to) }

// Takes reports whether an argument that is declared as k takes a value of kind
// v. A float takes an integer; whether the integer is exactly a float is checked
// when it is encoded.
func (k Kind) Takes(v Kind) bool { return k == Any || k == v || k == Float && v == Integer }

// Targets names the types that a value of the kind can travel as.
func (k Kind) Targets() []string { return tagNames(kinds[k].targets) }

// Natural is the type that a value of the kind travels as where no other is
// declared; 0 for Any.
func (k Kind) Natural() tlv.Tag { return kinds[k].natural }

// TypeNames lists the words for types of the wire that an argument can have.
func TypeNames() []string { return Any.Targets() }

// ParseType finds a type of the wire that an argument can have.
func ParseType(word string) (tag tlv.Tag, ok bool) {
	for _, tag := range kinds[Any].targets {
		if tag.String() == word {
			return tag, true
		}
	}
	return 0, false
}

// ReturnsNames lists the words for results that are not boxes.
func ReturnsNames() []string { return append([]string{tlv.TagVoid.String()}, TypeNames()...) }

// ParseReturns reads a declared result. A word that is no type is the name of a
// box.
func ParseReturns(word string) Returns {
	if word == tlv.TagVoid.String() {
		return Returns{Tag: tlv.TagVoid}
	}
	if tag, ok := ParseType(word); ok {
		return Returns{Tag: tag}
	}
	return Returns{Tag: tlv.TagHandle, Box: word}
}

func tagNames(tags []tlv.Tag) []string {
	all := make([]string, len(tags))
	for i, t := range tags {
		all[i] = t.String()
	}
	return all
}

// String writes the signature for people, as in
// "(path string, mode string) → i32".
func (s Signature) String() string {
	var b strings.Builder
	b.WriteByte('(')
	if !s.ArgsDeclared {
		b.WriteString("…")
	}
	for i, a := range s.Args {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(a.String())
	}
	if s.Variadic {
		if len(s.Args) > 0 {
			b.WriteString(", ")
		}
		b.WriteString("…")
	}
	b.WriteByte(')')
	if r := s.Returns.String(); r != "" {
		b.WriteString(" → " + r)
	}
	if s.ReturnsResult {
		b.WriteString(" or error")
	}
	return b.String()
}

// String writes the argument for people, as in "data string→bytes".
//
// One that may be left out is "[sep string]", or "sep string = \",\"" with what then
// stands for it.
func (a Arg) String() string {
	text := a.typed()
	switch {
	case a.Default != nil:
		return fmt.Sprintf("%s = %#v", text, a.Default)
	case a.Optional:
		return "[" + text + "]"
	}
	return text
}

func (a Arg) typed() string {
	switch {
	case a.To == 0 && a.From == Any:
		return a.Name
	case a.From == Any || a.From.String() == a.To.String():
		return a.Name + " " + a.To.String()
	}
	return a.Name + " " + a.From.String() + "→" + a.To.String()
}

// String is the word that nyash.toml uses; empty where nothing is declared.
func (r Returns) String() string {
	switch {
	case r.Box != "":
		return r.Box
	case r.Tag == 0:
		return ""
	}
	return r.Tag.String()
}
