package generate

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/sig"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// Rust is a module for the Rust SDK (plugins/sdk/rust): ids, a trait for each box, and a
// macro that makes a plugin of the types that implement them.
func Rust(boxes []PluginBox) ([]byte, error) {
	if err := errors.Join(declaredTypes("Rust", boxes), rustNames(boxes)); err != nil {
		return nil, err
	}
	f := &rustFile{traits: make(map[string]string)}
	prefixes, traits := newScope(nil, nil), newScope(rustTypes, func(name string) string { return name + "Methods" })
	for _, b := range boxes {
		prefix := prefixes.take(snake(b.Name), b.ID)
		trait := traits.take(ascii(exported(b.Name)), b.ID)
		f.traits[b.Name] = trait
		f.boxes = append(f.boxes, newRustBox(b, prefix, trait))
	}
	if err := f.knowsReturned(); err != nil {
		return nil, err
	}
	f.f("%s\n\n", header("rust"))
	f.f("//! Declare this module, implement its traits, and end with its macro, which is given the\n")
	f.f("//! types that implement them: `plugin!(%s);`.\n\n", strings.Join(f.names("My"), ", "))
	f.f("#![allow(dead_code, clippy::too_many_arguments, clippy::wrong_self_convention)]\n")
	for _, b := range f.boxes {
		f.ids(b)
		f.trait(b)
	}
	f.plugin()
	return f.Bytes(), nil
}

type rustFile struct {
	printer
	boxes  []*rustBox
	traits map[string]string // by the boxes' names
}

// rustBox is a box with its names in Rust.
type rustBox struct {
	PluginBox
	macros string // FILE_BOX
	trait  string
	all    []rustMethod
}

type rustMethod struct {
	registry.Method
	function string
	macro    string
	args     []string
}

func newRustBox(b PluginBox, prefix, trait string) *rustBox {
	r := &rustBox{PluginBox: b, macros: strings.ToUpper(prefix), trait: trait}
	methods := b.Methods
	if b.HasBirth {
		methods = append([]registry.Method{{Name: abi.NameBirth, ID: abi.MethodBirth, Signature: b.Birth, Doc: b.BirthDoc}}, methods...)
	}
	names := newScope(rustReserved, underscored).takeAll(namedMethods(methods), snake)
	for i, m := range methods {
		r.all = append(r.all, rustMethod{m, names[i], strings.ToUpper(names[i]), newScope(rustParams, underscored).takeAll(namedArgs(m.Args), snake)})
	}
	return r
}

var rustIdent = regexp.MustCompile(`^(\pL[\pL\p{Nd}_]*|_[\pL\p{Nd}_]+)$`)

// rustNames refuses names that the SDK cannot write down.
func rustNames(boxes []PluginBox) error {
	var errs []error
	for _, b := range boxes {
		if !rustIdent.MatchString(b.Name) {
			errs = append(errs, fmt.Errorf("the Rust SDK has no way to write the box %q: its name is no identifier", b.Name))
		}
		for _, m := range b.Methods {
			if !rustIdent.MatchString(m.Name) {
				errs = append(errs, fmt.Errorf("%v: the Rust SDK has no way to write the method %q of %s: its name is no identifier", m.Pos, m.Name, b.Name))
			}
		}
	}
	return errors.Join(errs...)
}

func (f *rustFile) knowsReturned() error {
	for _, b := range f.boxes {
		for _, m := range b.Methods {
			if other := m.Returns.Box; other != "" && f.traits[other] == "" {
				return fmt.Errorf("%s.%s returns %s: a Rust plugin is one list of boxes, so generate both (--box)", contract.Printable(b.Name), contract.Printable(m.Name), contract.Printable(other))
			}
		}
	}
	return nil
}

// names are the traits' names, behind a prefix.
func (f *rustFile) names(prefix string) []string {
	all := make([]string, len(f.boxes))
	for i, b := range f.boxes {
		all[i] = prefix + b.trait
	}
	return all
}

func (f *rustFile) ids(b *rustBox) {
	f.f("\n")
	f.constant(b.macros+"_TYPE_ID", fmt.Sprint(b.ID))
	for _, m := range b.all {
		f.constant(b.macros+"_ID_"+m.macro, fmt.Sprint(m.ID))
	}
	for _, m := range b.all {
		if m.ID == abi.MethodBirth {
			continue
		}
		f.f("/// FNV-1a-32 of `%s`; the SDK computes the same.\n", oneLine(sig.HashText(m.Name, m.Signature)))
		f.constant(b.macros+"_SIGNATURE_"+m.macro, fmt.Sprintf("0x%08x", sig.Hash(m.Name, m.Signature)))
	}
}

// rustColumns is where rustfmt breaks lines.
const rustColumns = 100

func (f *rustFile) constant(name, value string) {
	line := "pub const " + name + ": u32 = " + value + ";"
	if len(line) > rustColumns {
		line = "pub const " + name + ": u32 =\n    " + value + ";"
	}
	f.f("%s\n", line)
}

func (f *rustFile) trait(b *rustBox) {
	f.f("\n")
	f.comment("///", b.Doc)
	bounds := "Send + Sync + Sized + 'static"
	if !b.HasBirth {
		bounds = "Default + " + bounds
	}
	f.f("pub trait %s: %s {", b.trait, bounds)
	if len(b.all) == 0 {
		f.f("}\n")
		return
	}
	f.f("\n")
	lines := f.associated(b)
	for _, line := range lines {
		f.f("    %s\n", line)
	}
	for i, m := range b.all {
		if i > 0 || len(lines) > 0 {
			f.f("\n")
		}
		f.comment("    ///", m.Doc)
		f.argDocs("    ///", m.Doc != "", m.args, m.Args)
		f.f("%s", f.function(b, m))
	}
	f.f("}\n")
}

// associated are the types that the author names where a box deals with others: those
// that methods return, and those of arguments, of which nyash.toml does not say.
func (f *rustFile) associated(b *rustBox) (lines []string) {
	seen := make(map[string]bool)
	for _, m := range b.all {
		if other := m.Returns.Box; other != "" && other != b.Name && !seen[other] {
			seen[other] = true
			lines = append(lines, fmt.Sprintf("type %s: nyash::PluginBox;", f.traits[other]))
		}
		for i, a := range m.Args {
			if a.To == tlv.TagHandle && !b.Alone {
				lines = append(lines, fmt.Sprintf("type %s: nyash::PluginBox;", b.argType(m, i)))
			}
		}
	}
	return lines
}

// argType names the box that an argument is of. No trait is called so: their names have
// no underscore before a number.
func (b *rustBox) argType(m rustMethod, i int) string {
	return exported(m.function) + exported(m.args[i])
}

// function is a function of the trait.
func (f *rustFile) function(b *rustBox, m rustMethod) string {
	var params []string
	result := f.result(b, m, "Self::", "Self")
	if m.ID != abi.MethodBirth {
		params = append(params, "&self")
	}
	for i, a := range m.Args {
		t := rustTypesOf[a.To].parameter
		if a.To == tlv.TagHandle {
			t = "&Self"
			if !b.Alone {
				t = "&Self::" + b.argType(m, i)
			}
		}
		params = append(params, m.args[i]+": "+t)
	}
	head := fmt.Sprintf("    fn %s(%s)", m.function, strings.Join(params, ", "))
	switch length := len(head) + len(" -> ;") + len(result); {
	case length < rustColumns || len(params) == 0:
		return fmt.Sprintf("%s -> %s;\n", head, result)
	case length == rustColumns: // rustfmt forgets the semicolon in one of two places
		return fmt.Sprintf("%s\n        -> %s;\n", head, result)
	}
	return fmt.Sprintf("    fn %s(\n        %s,\n    ) -> %s;\n", m.function, strings.Join(params, ",\n        "), result)
}

// rustTypesOf are the types of Rust.
var rustTypesOf = map[tlv.Tag]struct{ parameter, result string }{
	tlv.TagBool:    {"bool", "bool"},
	tlv.TagInt32:   {"i32", "i32"},
	tlv.TagInt64:   {"i64", "i64"},
	tlv.TagFloat32: {"f32", "f32"},
	tlv.TagFloat64: {"f64", "f64"},
	tlv.TagString:  {"&str", "String"},
	tlv.TagBytes:   {"&[u8]", "Vec<u8>"},
	tlv.TagVoid:    {"", "()"},
	tlv.TagBlob:    {"nyash::Blob<'_>", "nyash::BlobBuf"},
}

// result is what a function returns: others stands before the name of another box's type,
// own is the box's own.
func (f *rustFile) result(b *rustBox, m rustMethod, others, own string) string {
	value := rustTypesOf[m.Returns.Tag].result
	switch {
	case m.ID == abi.MethodBirth || m.Returns.Box == b.Name:
		value = own
	case m.Returns.Tag == tlv.TagHandle:
		value = others + f.traits[m.Returns.Box]
	}
	return "Result<" + value + ", nyash::Error>"
}

// plugin writes the macro with the list for the SDK's.
func (f *rustFile) plugin() {
	params := make([]string, len(f.boxes))
	for i, b := range f.boxes {
		params[i] = "$" + b.trait + ":ident"
	}
	f.f("\n/// Makes a plugin of the types that implement the traits of this module, which must be in\n/// scope: once in a library, at its top level.\n")
	f.f("macro_rules! plugin {\n    (%s) => {\n        nyash::plugin! {\n", strings.Join(params, ", "))
	for _, b := range f.boxes {
		f.list(b)
	}
	f.f("        }\n    };\n}\npub(crate) use plugin;\n")
}

func (f *rustFile) list(b *rustBox) {
	f.attribute("            ", b.Doc)
	options := fmt.Sprintf("type_id = %d", b.ID)
	if b.Singleton {
		options += ", singleton"
	}
	if b.Threads != "" {
		options += ", threads = " + b.Threads
	}
	f.f("            box $%s as %s (%s) {\n", b.trait, b.Name, options)
	if !b.HasBirth {
		f.f("                birth => default();\n")
	}
	for _, m := range b.all {
		f.attribute("                ", m.Doc)
		params := make([]string, len(m.Args))
		for i, a := range m.Args {
			t := rustTypesOf[a.To].parameter
			if a.To == tlv.TagHandle {
				t = "&$" + b.trait
				if !b.Alone {
					t = fmt.Sprintf("&<$%s as %s>::%s", b.trait, b.trait, b.argType(m, i))
				}
			}
			params[i] = m.args[i] + ": " + t
		}
		list := strings.Join(params, ", ")
		if m.ID == abi.MethodBirth {
			f.f("                birth => birth(%s);\n", list)
			continue
		}
		options := ""
		if m.Leaf {
			options = ", leaf"
		}
		f.f("                %d => %s as %s(%s) -> %s%s;\n", m.ID, m.function, m.Name, list, f.result(b, m, "$", "$"+b.trait), options)
	}
	f.f("            }\n")
}

// attribute writes a doc as the SDK passes it on to hosts: every character of it.
func (f *rustFile) attribute(indent, doc string) {
	switch {
	case doc == "":
	case contract.Printable(doc) == doc && strings.TrimSpace(doc) == doc:
		f.f("%s/// %s\n", indent, doc)
	default:
		f.f("%s#[doc = %s]\n", indent, rustString(doc))
	}
}

// rustString is text as a string of Rust.
func rustString(text string) string {
	var all strings.Builder
	all.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			all.WriteString(`\` + string(r))
		case r == '\n':
			all.WriteString(`\n`)
		case contract.Printable(string(r)) != string(r):
			fmt.Fprintf(&all, `\u{%x}`, r)
		default:
			all.WriteRune(r)
		}
	}
	all.WriteByte('"')
	return all.String()
}
