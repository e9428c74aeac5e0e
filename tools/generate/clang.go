package generate

import (
	"fmt"
	"strings"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/sig"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// C is a header for the C SDK (plugins/sdk/c): ids, prototypes of the functions that the
// author writes, and the boxes' tables.
func C(boxes []PluginBox) ([]byte, error) {
	p := &printer{}
	all := make([]*cBox, len(boxes))
	scope := newScope(nil, nil)
	for i, b := range boxes {
		all[i] = newCBox(b, scope.take(cPrefix(b.Name), b.ID))
	}
	guard := "NYASH_GEN_" + strings.ToUpper(all[0].prefix) + "_H"
	tables := make([]string, len(all))
	for i, b := range all {
		tables[i] = "&" + b.prefix + "_table"
	}
	p.f("%s\n\n", header("c"))
	p.f("/*\n * Include this file in one C file of the plugin, write the functions that it\n * declares, and end with\n *\n *     NYASH_PLUGIN(%s)\n */\n", strings.Join(tables, ", "))
	p.f("#ifndef %[1]s\n#define %[1]s\n", guard)
	p.sdk("nyash.h", "NYASH_H", boxes)
	for _, b := range all {
		b.write(p)
	}
	p.f("\n#endif\n")
	return p.Bytes(), nil
}

// cDefaultArgs is how many arguments a method can have unless NYASH_MAX_ARGS says more.
const cDefaultArgs = 8

// sdk includes the SDK where the author has not done so, with room for all arguments.
func (p *printer) sdk(file, guard string, boxes []PluginBox) {
	most := 0
	for _, b := range boxes {
		most = max(most, len(b.Birth.Args))
		for _, m := range b.Methods {
			most = max(most, len(m.Args))
		}
	}
	p.f("\n#ifndef %s\n", guard)
	if most > cDefaultArgs {
		p.f("#ifndef NYASH_MAX_ARGS\n#define NYASH_MAX_ARGS %d\n#endif\n", most)
	}
	p.f("#include \"%s\"\n#endif\n", file)
	if most > cDefaultArgs {
		p.f("#if NYASH_MAX_ARGS < %[1]d\n#error \"define NYASH_MAX_ARGS as %[1]d or more before the SDK is included\"\n#endif\n", most)
	}
}

// cPrefix is what the names for a box begin with. Names that begin with nyash are the
// SDK's.
func cPrefix(box string) string {
	prefix := snake(box)
	if strings.HasPrefix(prefix, "nyash") {
		return "box_" + prefix
	}
	return prefix
}

// cBox is a box with its names in C.
type cBox struct {
	PluginBox
	prefix string // file_box
	macros string // FILE_BOX
	all    []cMethod
}

type cMethod struct {
	registry.Method
	function string   // file_box_open
	macro    string   // OPEN
	args     []string // names of parameters
}

func newCBox(b PluginBox, prefix string) *cBox {
	c := &cBox{PluginBox: b, prefix: prefix, macros: strings.ToUpper(prefix)}
	methods := b.Methods
	if b.HasBirth {
		methods = append([]registry.Method{{Name: abi.NameBirth, ID: abi.MethodBirth, Signature: b.Birth, Doc: b.BirthDoc}}, methods...)
	}
	names := newScope([]string{"table", "methods"}, underscored).takeAll(namedMethods(methods), snake)
	for i, m := range methods {
		c.all = append(c.all, cMethod{Method: m, function: prefix + "_" + names[i], macro: strings.ToUpper(names[i]),
			args: newScope(cParamNames, underscored).takeAll(namedArgs(m.Args), snake)})
	}
	return c
}

func underscored(name string) string { return name + "_" }

func (b *cBox) write(p *printer) {
	p.f("\n/* ---- %s ---- */\n\n", oneLine(b.Name))
	p.f("#define %s_TYPE_ID UINT32_C(%d)\n\n", b.macros, b.ID)
	for _, m := range b.all {
		p.f("#define %s_ID_%s UINT32_C(%d)\n", b.macros, m.macro, m.ID)
	}
	b.signatures(p)
	b.settings(p)
	p.f("\n/* The functions are yours. */\n")
	for _, m := range b.all {
		b.prototype(p, m)
	}
	b.table(p)
}

// signatures are the hashes that hosts compare (docs/abi.md).
func (b *cBox) signatures(p *printer) {
	p.f("\n/* FNV-1a-32 of what stands beside; the SDK computes the same. */\n")
	for _, m := range b.all {
		if m.ID != abi.MethodBirth {
			p.f("#define %s_SIGNATURE_%s UINT32_C(0x%08x) /* %s */\n", b.macros, m.macro, sig.Hash(m.Name, m.Signature), oneLine(sig.HashText(m.Name, m.Signature)))
		}
	}
}

// setting is a macro that the author may define before the include.
type setting struct{ name, value, doc string }

// settings are what nyash.toml does not say.
func (b *cBox) settings(p *printer) {
	all := append([]setting{
		{"FINI", "NULL", "void (*)(void *state), which releases what the state holds"},
	}, b.commonSettings("NULL", "an argument that is a box: the name of the box, NULL for "+b.Name)...)
	p.f("\n/* Yours to define before the include: bytes of zeroed memory for each instance, see nyash_self. */\n")
	p.f("#ifndef %[1]s_STATE_SIZE\n#error \"define %[1]s_STATE_SIZE before the include: sizeof your state, 0 for none\"\n#endif\n", b.macros)
	p.f("\n/* Yours to define before the include, where another value is right. */\n")
	b.writeSettings(p, all)
}

// commonSettings are those of C and C++.
func (b *cBox) commonSettings(own, ownDoc string) []setting {
	all := []setting{
		{"FLAGS", "0", "NYASH_CONCURRENT: calls on one instance may run at once"},
	}
	for _, m := range b.all {
		if limited(m.Returns) && m.ID != abi.MethodBirth {
			all = append(all, setting{"LIMIT_" + m.macro, "0", "the largest result in bytes; 0: 65,535"})
		}
		for i, a := range m.Args {
			if a.To == tlv.TagHandle {
				all = append(all, setting{fmt.Sprintf("TAKES_%s_%d", m.macro, i+1), own, ownDoc})
			}
		}
	}
	return all
}

func (b *cBox) writeSettings(p *printer, all []setting) {
	for _, s := range all {
		p.f("#ifndef %[1]s\n#define %[1]s %s /* %s */\n#endif\n", b.macros+"_"+s.name, s.value, oneLine(s.doc))
	}
}

// limited is whether a result has a length that the author may bound.
func limited(r registry.Returns) bool {
	return r.Tag == tlv.TagString || r.Tag == tlv.TagBytes || r.Tag == 0
}

func (b *cBox) prototype(p *printer, m cMethod) {
	p.f("\n/*\n")
	p.comment(" *", b.Name+"."+m.Method.String())
	p.comment(" *", m.Doc)
	p.argDocs(" *", true, m.args, m.Args)
	p.f(" */\n")
	p.f("static int32_t %s(NyashContext *c", m.function)
	for i, a := range m.Args {
		p.f(", %s%s", cTypes[a.To].parameter, m.args[i])
	}
	p.f(");\n")
}

// cTypes are the types of C with what the SDK calls them.
var cTypes = map[tlv.Tag]struct{ constant, parameter, read, from string }{
	0:              {"NYASH_ANY", "NyashValue ", "nyash_arg", "any"},
	tlv.TagBool:    {"NYASH_BOOL", "int ", "nyash_arg_bool", "bool"},
	tlv.TagInt32:   {"NYASH_I32", "int32_t ", "nyash_arg_i32", "integer"},
	tlv.TagInt64:   {"NYASH_I64", "int64_t ", "nyash_arg_i64", "integer"},
	tlv.TagFloat32: {"NYASH_F32", "float ", "nyash_arg_f32", "float"},
	tlv.TagFloat64: {"NYASH_F64", "double ", "nyash_arg_f64", "float"},
	tlv.TagString:  {"NYASH_STRING", "NyashText ", "nyash_arg_string", "string"},
	tlv.TagBytes:   {"NYASH_BYTES", "NyashBytes ", "nyash_arg_bytes", "bytes"},
	tlv.TagHandle:  {"NYASH_HANDLE", "void *", "nyash_arg_instance", "box"},
	tlv.TagVoid:    {"NYASH_VOID", "", "", ""},
	tlv.TagBlob:    {"NYASH_BLOB", "NyashBytes ", "nyash_arg_blob", "bytes"},
}

// table writes the functions that the SDK calls, and the table.
func (b *cBox) table(p *printer) {
	for _, m := range b.all {
		if len(m.Args) == 0 {
			continue
		}
		p.f("\nstatic int32_t nyash_call_%s(NyashContext *c)\n{\n    return %s(c", m.function, m.function)
		for i, a := range m.Args {
			p.f(", %s(c, %d)", cTypes[a.To].read, i)
		}
		p.f(");\n}\n")
	}
	if len(b.all) > 0 {
		p.f("\nstatic const NyashMethod %s_methods[] = {\n", b.prefix)
		for _, m := range b.all {
			b.tableMethod(p, m)
		}
		p.f("};\n")
	}
	p.f("\nstatic const NyashBox %s_table = {\n    .name = %s,\n    .type_id = %s_TYPE_ID,\n", b.prefix, cString(b.Name), b.macros)
	if b.Doc != "" {
		p.f("    .doc = %s,\n", cString(b.Doc))
	}
	p.f("    .flags = %s,\n", b.flags())
	if b.Threads != "" {
		p.f("    .threads = %s,\n", cString(b.Threads))
	}
	p.f("    .state_size = %[1]s_STATE_SIZE,\n    .fini = %[1]s_FINI,\n", b.macros)
	if len(b.all) > 0 {
		p.f("    NYASH_METHODS(%s_methods),\n", b.prefix)
	}
	p.f("};\n")
}

func (b *cBox) flags() string {
	if b.Singleton {
		return "NYASH_SINGLETON | " + b.macros + "_FLAGS"
	}
	return b.macros + "_FLAGS"
}

func (b *cBox) tableMethod(p *printer, m cMethod) {
	function := m.function
	if len(m.Args) > 0 {
		function = "nyash_call_" + function
	}
	p.f("    {\n        .id = %s_ID_%s,\n        .name = %s,\n        .call = %s,\n", b.macros, m.macro, cString(m.Name), function)
	if len(m.Args) > 0 {
		p.f("        .args = {\n")
		for i, a := range m.Args {
			b.tableArg(p, m, i, a)
		}
		p.f("        },\n")
	}
	if m.ID != abi.MethodBirth {
		p.f("        .result = %s,\n", cTypes[m.Returns.Tag].constant)
		if m.Returns.Box != "" && m.Returns.Box != b.Name {
			p.f("        .result_box = %s,\n", cString(m.Returns.Box))
		}
		if limited(m.Returns) {
			p.f("        .limit = %s_LIMIT_%s,\n", b.macros, m.macro)
		}
	}
	if flags := methodFlags(m); flags != "" {
		p.f("        .flags = %s,\n", flags)
	}
	if m.Doc != "" {
		p.f("        .doc = %s,\n", cString(m.Doc))
	}
	p.f("    },\n")
}

// methodFlags are what nyash.toml says of a method; empty where that is nothing.
func methodFlags(m cMethod) string {
	var flags []string
	if !m.ArgsDeclared {
		flags = append(flags, "NYASH_UNDECLARED")
	}
	if m.ReturnsResult {
		flags = append(flags, "NYASH_RETURNS_RESULT")
	}
	if m.Leaf {
		flags = append(flags, "NYASH_LEAF")
	}
	return strings.Join(flags, " | ")
}

func (b *cBox) tableArg(p *printer, m cMethod, i int, a registry.Arg) {
	t := cTypes[a.To]
	p.f("            {.name = %s, .type = %s", cString(a.Name), t.constant)
	if a.To == tlv.TagHandle {
		p.f(", .box = %s_TAKES_%s_%d", b.macros, m.macro, i+1)
	}
	if a.From.String() != t.from {
		p.f(", .from = %s", cString(a.From.String()))
	}
	if a.Doc != "" {
		p.f(", .doc = %s", cString(a.Doc))
	}
	p.f("},\n")
}
