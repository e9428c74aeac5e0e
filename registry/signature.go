package registry

import (
	"fmt"
	"strings"

	"github.com/nyash-plugins/nyash-go/internal/sig"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// Signature is what nyash.toml says of a method's arguments and result:
//
//	Args          []Arg
//	ArgsDeclared  bool    // else any arguments are taken, each as its own type
//	Returns       Returns
//	ReturnsResult bool    // a String result is the error message of a failed call
//	Variadic      bool    // further arguments may follow
//	SmallInt32    bool    // an undeclared integer travels as I32 where it fits
//
// String writes it for people, as in "(path string, mode string) → i32".
type Signature = sig.Signature

// Arg is a declared argument:
//
//	Name string
//	From ArgKind // what the caller gives
//	To   tlv.Tag // what travels; 0 for the value's own type
//	Doc  string  // for people; may be empty
//	Optional bool // may be left out at the end
//	Default  any  // stands for one that is left out; nil for none
type Arg = sig.Arg

// Returns is a declared result:
//
//	Tag tlv.Tag // 0 where nothing is declared: every type is taken
//	Box string  // the box that a handle must be of; empty for any
type Returns = sig.Returns

// ArgKind is what a caller gives for an argument. String returns the word that
// nyash.toml uses. docs/nyash-toml.md has the table of what becomes what.
type ArgKind = sig.Kind

// The kinds of arguments. ArgAny takes whatever the argument's type on the wire
// allows.
const (
	ArgAny     = sig.Any
	ArgString  = sig.String
	ArgInteger = sig.Integer
	ArgFloat   = sig.Float
	ArgBool    = sig.Bool
	ArgBytes   = sig.Bytes
	ArgBox     = sig.Box
)

// argKinds are the words of `kind` in the [libraries] form.
var argKinds = map[string]Arg{
	"box":     {From: sig.Box, To: tlv.TagHandle},
	"string":  {From: sig.String, To: tlv.TagString},
	"bytes":   {From: sig.Bytes, To: tlv.TagBytes},
	"bool":    {From: sig.Bool, To: tlv.TagBool},
	"integer": {From: sig.Integer, To: tlv.TagInt64},
	"int":     {From: sig.Integer, To: tlv.TagInt64},
	"i64":     {From: sig.Integer, To: tlv.TagInt64},
	"i32":     {From: sig.Integer, To: tlv.TagInt32},
	"float":   {From: sig.Float, To: tlv.TagFloat64},
	"f64":     {From: sig.Float, To: tlv.TagFloat64},
	"f32":     {From: sig.Float, To: tlv.TagFloat32},
	"any":     {},
}

var argKindNames = []string{"box", "string", "bytes", "bool", "integer", "i64", "i32", "float", "f64", "f32", "any"}

func list(words []string) string { return strings.Join(words, ", ") }

// listSome is list for words of which a library may have thousands.
func listSome(words []string) string {
	const many = 20
	if len(words) <= many {
		return list(words)
	}
	return fmt.Sprintf("%s and %d more", list(words[:many]), len(words)-many)
}
