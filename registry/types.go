package registry

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// Signature is what nyash.toml says of a method's arguments and result.
type Signature struct {
	Args         []Arg
	ArgsDeclared bool // else any arguments go, each as its own type
	Returns      Returns
	// ReturnsResult makes a String result the error message of a failed call.
	ReturnsResult bool
}

// Arg is a declared argument.
type Arg struct {
	Name string
	From From    // what the caller gives
	To   tlv.Tag // what travels; 0 for the value's own type
}

// Returns is a declared result.
type Returns struct {
	Tag tlv.Tag // 0 where nothing is declared: whatever comes
	Box string  // the box that a handle must be of; empty for any
}

// From is what a caller gives for an argument.
type From uint8

// The types of the caller's side. FromAny takes whatever the argument's type on
// the wire allows.
const (
	FromAny From = iota
	FromString
	FromInteger
	FromFloat
	FromBool
	FromBytes
	FromBox
)

var fromNames = []string{"any", "string", "integer", "float", "bool", "bytes", "box"}

// String returns the word that nyash.toml uses.
func (f From) String() string { return fromNames[f] }

func parseFrom(word string) (From, bool) {
	i := slices.Index(fromNames, word)
	return From(max(i, 0)), i >= 0
}

// conversions lists what each caller's type can become.
var conversions = [...][]tlv.Tag{
	FromAny: {tlv.TagBool, tlv.TagInt32, tlv.TagInt64, tlv.TagFloat32, tlv.TagFloat64,
		tlv.TagString, tlv.TagBytes, tlv.TagHandle, tlv.TagBlob},
	FromString:  {tlv.TagString, tlv.TagBytes, tlv.TagBlob},
	FromInteger: {tlv.TagInt32, tlv.TagInt64, tlv.TagFloat32, tlv.TagFloat64},
	FromFloat:   {tlv.TagFloat32, tlv.TagFloat64},
	FromBool:    {tlv.TagBool},
	FromBytes:   {tlv.TagBytes, tlv.TagString, tlv.TagBlob},
	FromBox:     {tlv.TagHandle},
}

func (f From) converts(to tlv.Tag) bool { return slices.Contains(conversions[f], to) }

// takes reports whether a value fits a declaration. An integer is a float to
// most callers; whether it is exactly one is for the encoding to see.
func (f From) takes(v From) bool {
	return f == FromAny || f == v || f == FromFloat && v == FromInteger
}

func (f From) targets() string { return list(tagNames(conversions[f])) }

// naturalTo is what travels where only `from` is given.
var naturalTo = [...]tlv.Tag{
	FromString:  tlv.TagString,
	FromInteger: tlv.TagInt64,
	FromFloat:   tlv.TagFloat64,
	FromBool:    tlv.TagBool,
	FromBytes:   tlv.TagBytes,
	FromBox:     tlv.TagHandle,
}

var (
	toNames     = tagNames(conversions[FromAny])
	returnNames = append([]string{"void"}, toNames...)
)

func parseTo(word string) (tlv.Tag, bool) {
	i := slices.Index(toNames, word)
	if i < 0 {
		return 0, false
	}
	return conversions[FromAny][i], true
}

func parseReturns(word string) Returns {
	if word == "void" {
		return Returns{Tag: tlv.TagVoid}
	}
	if tag, ok := parseTo(word); ok {
		return Returns{Tag: tag}
	}
	return Returns{Tag: tlv.TagHandle, Box: word}
}

// argKinds are the words of `kind` in the [libraries] form.
var argKinds = map[string]Arg{
	"box":     {From: FromBox, To: tlv.TagHandle},
	"string":  {From: FromString, To: tlv.TagString},
	"bytes":   {From: FromBytes, To: tlv.TagBytes},
	"bool":    {From: FromBool, To: tlv.TagBool},
	"integer": {From: FromInteger, To: tlv.TagInt64},
	"int":     {From: FromInteger, To: tlv.TagInt64},
	"i64":     {From: FromInteger, To: tlv.TagInt64},
	"i32":     {From: FromInteger, To: tlv.TagInt32},
	"float":   {From: FromFloat, To: tlv.TagFloat64},
	"f64":     {From: FromFloat, To: tlv.TagFloat64},
	"f32":     {From: FromFloat, To: tlv.TagFloat32},
	"any":     {},
}

var argKindNames = []string{"box", "string", "bytes", "bool", "integer", "i64", "i32", "float", "f64", "f32", "any"}

func tagNames(tags []tlv.Tag) []string {
	all := make([]string, len(tags))
	for i, t := range tags {
		all[i] = t.String()
	}
	return all
}

func list(words []string) string { return strings.Join(words, ", ") }

// listSome is list for words of which a library may have thousands.
func listSome(words []string) string {
	const many = 20
	if len(words) <= many {
		return list(words)
	}
	return fmt.Sprintf("%s and %d more", list(words[:many]), len(words)-many)
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
	b.WriteByte(')')
	if r := s.Returns.String(); r != "" {
		b.WriteString(" → " + r)
	}
	if s.ReturnsResult {
		b.WriteString(" or error")
	}
	return b.String()
}

// String writes the argument for people.
func (a Arg) String() string {
	switch {
	case a.To == 0 && a.From == FromAny:
		return a.Name
	case a.From == FromAny || a.From.String() == a.To.String():
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
