package generate

import (
	"fmt"
	"strings"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/sig"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// CPlusPlus is a header for the C++ layer (plugins/sdk/cpp): ids, an abstract class for
// each box, and the boxes' tables.
func CPlusPlus(boxes []PluginBox) ([]byte, error) {
	if err := declaredTypes("C++", boxes); err != nil {
		return nil, err
	}
	p := &printer{}
	all := make([]*cppBox, len(boxes))
	prefixes := newScope(nil, nil)
	classes := make(map[string]bool)
	tables := make([]string, len(boxes))
	for i, b := range boxes {
		all[i] = newCPPBox(b, prefixes.take(cPrefix(b.Name), b.ID), cppClass(b.Name, classes))
		tables[i] = "&" + all[i].prefix + "_table<>"
	}
	guard := "NYASH_GEN_" + strings.ToUpper(all[0].prefix) + "_HPP"
	p.f("%s\n//\n", header("cpp"))
	p.f("// Include this file in one file of the plugin and write the classes:\n//\n")
	for _, b := range all {
		p.f("//     class %[1]s : public %[1]sMethods { ... };\n", b.class)
	}
	p.f("//     NYASH_PLUGIN(%s)\n", strings.Join(tables, ", "))
	p.f("#ifndef %[1]s\n#define %[1]s\n", guard)
	p.sdk("nyash.hpp", "NYASH_HPP", boxes)
	p.f("\n")
	for _, b := range all {
		p.f("class %s;\n", b.class)
	}
	for _, b := range all {
		b.write(p, all)
	}
	p.f("\n#endif\n")
	return p.Bytes(), nil
}

// cppClass is the name of a box's class, beside which there is one with Methods behind it.
// Names that begin with Nyash are the SDK's.
func cppClass(box string, taken map[string]bool) string {
	want := ascii(exported(box))
	if strings.HasPrefix(want, "Nyash") {
		want = "Box" + want
	}
	name := want
	for n := 2; taken[name] || taken[name+"Methods"]; n++ {
		name = fmt.Sprintf("%s_%d", want, n)
	}
	taken[name], taken[name+"Methods"] = true, true
	return name
}

// cppBox is a box with its names in C++.
type cppBox struct {
	*cBox
	class     string
	functions []string // by the methods of cBox.all
}

func newCPPBox(b PluginBox, prefix, class string) *cppBox {
	c := &cppBox{cBox: newCBox(b, prefix), class: class}
	reserved := append([]string{class, class + "Methods", "box_name"}, cReserved...)
	things := make([]named, len(c.all))
	for i, m := range c.all {
		things[i] = named{m.Name, m.ID}
	}
	c.functions = newScope(reserved, underscored).takeAll(things, cppName)
	return c
}

// cppName is a name as it is where C++ takes it.
func cppName(name string) string { return ascii(unexported(name)) }

func (b *cppBox) write(p *printer, all []*cppBox) {
	p.f("\n// ---- %s ----\n\n", oneLine(b.Name))
	p.f("inline constexpr uint32_t %s_TYPE_ID = %d;\n\n", b.macros, b.ID)
	for _, m := range b.all {
		p.f("inline constexpr uint32_t %s_ID_%s = %d;\n", b.macros, m.macro, m.ID)
	}
	p.f("\n// FNV-1a-32 of what stands beside; the SDK computes the same.\n")
	for _, m := range b.all {
		if m.ID != abi.MethodBirth {
			p.f("inline constexpr uint32_t %s_SIGNATURE_%s = 0x%08x; // %s\n", b.macros, m.macro, sig.Hash(m.Name, m.Signature), oneLine(sig.HashText(m.Name, m.Signature)))
		}
	}
	p.f("\n// Yours to define before the include, where another value is right.\n")
	b.writeSettings(p, b.commonSettings(b.class, "an argument that is a box: the name of its class"))
	b.methodsClass(p, all)
	b.tables(p)
}

// methodsClass is the class that the author's derives from.
func (b *cppBox) methodsClass(p *printer, all []*cppBox) {
	p.f("\n")
	p.comment("//", b.Doc)
	if b.Doc != "" {
		p.f("//\n")
	}
	if b.HasBirth {
		p.f("// The class %s needs a constructor that takes (%s).\n", b.class, b.params(b.all[0], true))
	} else {
		p.f("// The class %s needs a constructor without parameters.\n", b.class)
	}
	p.f("class %sMethods {\npublic:\n", b.class)
	p.f("    static constexpr const char *box_name = %s;\n\n", cString(b.Name))
	for i, m := range b.all {
		if m.ID == abi.MethodBirth {
			continue
		}
		p.comment("    //", m.Doc)
		p.argDocs("    //", m.Doc != "", m.args, m.Args)
		p.f("    virtual %s %s(%s) = 0;\n", b.result(m, all), b.functions[i], b.params(m, true))
	}
	p.f("\n    %[1]sMethods() = default;\n    %[1]sMethods(const %[1]sMethods &) = default;\n    %[1]sMethods &operator=(const %[1]sMethods &) = default;\n    virtual ~%[1]sMethods() = default;\n};\n", b.class)
}

// params are the parameters of a function, or only their types.
func (b *cppBox) params(m cMethod, named bool) string {
	all := make([]string, len(m.Args))
	for i, a := range m.Args {
		all[i] = cppTypes[a.To].parameter
		if a.To == tlv.TagHandle {
			all[i] = fmt.Sprintf("%s_TAKES_%s_%d &", b.macros, m.macro, i+1)
		}
		if named {
			all[i] = strings.TrimSpace(all[i])
			if !strings.HasSuffix(all[i], "&") {
				all[i] += " "
			}
			all[i] += m.args[i]
		}
	}
	return strings.Join(all, ", ")
}

// cppTypes are the types of C++.
var cppTypes = map[tlv.Tag]struct{ parameter, result string }{
	tlv.TagBool:    {"bool", "bool"},
	tlv.TagInt32:   {"int32_t", "int32_t"},
	tlv.TagInt64:   {"int64_t", "int64_t"},
	tlv.TagFloat32: {"float", "float"},
	tlv.TagFloat64: {"double", "double"},
	tlv.TagString:  {"std::string_view", "std::string"},
	tlv.TagBytes:   {"nyash::bytes_view", "std::vector<uint8_t>"},
	tlv.TagVoid:    {"", "void"},
	tlv.TagBlob:    {"nyash::blob_view", "nyash::blob"},
}

func (b *cppBox) result(m cMethod, all []*cppBox) string {
	if m.Returns.Tag != tlv.TagHandle {
		return cppTypes[m.Returns.Tag].result
	}
	for _, other := range all {
		if other.Name == m.Returns.Box {
			return other.class
		}
	}
	return "class " + ascii(exported(m.Returns.Box)) // of another generated file
}

func (b *cppBox) tables(p *printer) {
	p.f("\ntemplate <class T = %s>\ninline constexpr NyashMethod %s_methods[] = {\n", b.class, b.prefix)
	if !b.HasBirth {
		p.f("    nyash::constructor<T>(),\n")
	}
	for i, m := range b.all {
		if m.ID == abi.MethodBirth {
			b.constructor(p, m)
			continue
		}
		p.f("    nyash::method<&%sMethods::%s, T>(%s_ID_%s, %s", b.class, b.functions[i], b.macros, m.macro, cString(m.Name))
		if len(m.Args) > 0 {
			p.f(", {%s}", argStrings(m))
		}
		p.f("%s),\n", b.details(m))
	}
	p.f("};\n\ntemplate <class T = %s>\n", b.class)
	p.f("inline constexpr NyashBox %[1]s_table = nyash::box<T>(%[2]s, %[3]s_TYPE_ID, %[1]s_methods<T>,\n", b.prefix, cString(b.Name), b.macros)
	threads := "nullptr"
	if b.Threads != "" {
		threads = cString(b.Threads)
	}
	p.f("    %s, %s, %s);\n", docString(b.Doc), b.flags(), threads)
}

// details are doc, limit and flags of a method, as far as it has them.
func (b *cppBox) details(m cMethod) string {
	limit, flags := "0", methodFlags(m)
	if limited(m.Returns) {
		limit = b.macros + "_LIMIT_" + m.macro
	}
	switch {
	case flags != "":
		return fmt.Sprintf(",\n        %s, %s, %s", docString(m.Doc), limit, flags)
	case limit != "0":
		return fmt.Sprintf(",\n        %s, %s", docString(m.Doc), limit)
	case m.Doc != "":
		return ",\n        " + cString(m.Doc)
	}
	return ""
}

func (b *cppBox) constructor(p *printer, m cMethod) {
	if len(m.Args) == 0 {
		p.f("    nyash::constructor<T>(),\n")
		return
	}
	p.f("    nyash::constructor<T, %s>({%s},\n        %s),\n", b.params(m, false), argStrings(m), docString(m.Doc))
}

func argStrings(m cMethod) string {
	all := make([]string, len(m.Args))
	for i, a := range m.Args {
		all[i] = cString(a.Name)
	}
	return strings.Join(all, ", ")
}

func docString(doc string) string {
	if doc == "" {
		return "nullptr"
	}
	return cString(doc)
}
