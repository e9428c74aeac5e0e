package generate_test

import (
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/generate"
)

// hostile are docs that would be code if they could.
var hostile = map[string]string{
	"end of a comment":        "*/ int injected; #define INJECTED 1 /*",
	"nested ends":             "*//* /*/ */*/ int injected; /**/",
	"new lines":               "\nint injected;\n#define INJECTED 1\nvar Injected = 1\nfn injected() {}\n",
	"other line ends":         "\rint injected;\r\n#define INJECTED 1\u2028var Injected = 1\u2029fn injected() {}\v\f\u0085",
	"backslashes":             "\\\nint injected;\\",
	"a backslash at the end":  "int injected; \\",
	"a trigraph at the end":   "int injected; ??/",
	"trigraphs":               "*??/\n/ int injected; ??= ?????/",
	"quotes":                  `"); int injected; char *x = ("`,
	"backticks":               "`; var Injected = 1; `",
	"control characters":      "\x00\x01\x1b[31m\x7f\u202e\u2066\ufeff",
	"bytes that are no UTF-8": "\xff\xfe*/\xc0\xaf",
	"directives":              "+build ignore\ngo:build ignore\ngo:embed /etc/passwd\nline x.go:1\nexport Injected\n#cgo LDFLAGS: -lx",
	"Go's headings and lists": "# Heading\n\n- item\n  - item\n\tcode\n[link]: http://example.com\nDeprecated: no",
	"a raw string of Rust":    `"#] fn injected() {} #[doc = "`,
	"escapes":                 `\" \x22 \u0022 \042 \u{22}`,
	"formats":                 "%s %d %!x(MISSING)",
	"a long line":             strings.Repeat("word*/ ", 200) + strings.Repeat("x", 300),
}

// described is a self-description with a doc in every place that has one.
func described(t *testing.T, doc string) *registry.Description {
	t.Helper()
	var quoted strings.Builder
	quoted.WriteByte('"')
	for _, r := range strings.ToValidUTF8(doc, "\uFFFD") {
		fmt.Fprintf(&quoted, `\U%08X`, r)
	}
	quoted.WriteByte('"')
	d, err := registry.ParseDescription("lib", fmt.Sprintf(`[plugins.Sample]
type_id = 7
doc = %[1]s
[plugins.Sample.methods]
birth = { method_id = 0, doc = %[1]s, args = [ { name = "start", to = "i64", doc = %[1]s } ] }
one   = { method_id = 1, doc = %[1]s, args = [ { name = "text", to = "string", doc = %[1]s } ], returns = "i64" }
two   = { method_id = 2, doc = %[1]s, args = [], returns = "void" }
`, quoted.String()))
	require.NoError(t, err, "%+v", err)
	return d
}

// sample is the box of described as a host, and as its plugin's author, would have it. The
// registry makes a doc printable; here it comes as it was.
func sample(t *testing.T, doc string) (*registry.Type, generate.PluginBox) {
	t.Helper()
	box, ok := described(t, doc).Box("Sample")
	require.True(t, ok)
	bound := &registry.Type{Name: "Sample", ID: box.TypeID, Doc: doc, Birth: box.Birth.Signature, BirthDoc: doc}
	for _, m := range box.Methods {
		m := *m
		m.Doc = doc
		m.Args = append([]registry.Arg(nil), m.Args...)
		for i := range m.Args {
			m.Args[i].Doc = doc
		}
		bound.Methods = append(bound.Methods, m)
	}
	return bound, generate.PluginBox{Type: *bound, HasBirth: true, Alone: true}
}

// TestHostileDocs_Go compares the code with that of the same boxes without docs.
func TestHostileDocs_Go(t *testing.T) {
	for name, doc := range hostile {
		t.Run(name, func(t *testing.T) {
			plain, _ := sample(t, "")
			bound, _ := sample(t, doc)
			text, err := generate.Go("sample", []*registry.Type{bound})
			require.NoError(t, err)
			want, err := generate.Go("sample", []*registry.Type{plain})
			require.NoError(t, err)
			assert.Equal(t, code(t, want), code(t, text))
			again, err := format.Source(text)
			require.NoError(t, err)
			assert.Equal(t, string(text), string(again), "gofmt has nothing to change")
			vetted(t, text)
			printable(t, text)
		})
	}
}

// TestHostileNames_Go gives methods and arguments names that nyash.toml does not refuse.
func TestHostileNames_Go(t *testing.T) {
	box := &registry.Type{Name: "a\"`\nfunc init() {}"}
	for i, doc := range inOrder() {
		box.Methods = append(box.Methods, registry.Method{Name: doc, ID: uint32(i + 1), Signature: registry.Signature{
			ArgsDeclared: true, Args: []registry.Arg{{Name: doc}, {Name: doc + "2"}},
		}})
	}
	text, err := generate.Go("sample", []*registry.Type{box})
	require.NoError(t, err)
	vetted(t, text)
	printable(t, text)
	assert.NotRegexp(t, `(?m)^(func init|var Injected|int injected)`, string(text))
	for _, doc := range inOrder() {
		assert.Contains(t, string(text), fmt.Sprintf("box.Method(%q)", doc))
	}
}

// code is a file of Go without comments.
func code(t *testing.T, text []byte) string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "x.go", text, parser.SkipObjectResolution)
	require.NoError(t, err)
	var b strings.Builder
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Ident:
			fmt.Fprintf(&b, "%s ", n.Name)
		case *ast.BasicLit:
			fmt.Fprintf(&b, "%s ", n.Value)
		case nil:
			b.WriteString(") ")
		default:
			fmt.Fprintf(&b, "(%T ", n)
		}
		return true
	})
	return b.String()
}

// vetted has no comment that is a directive, but for those that are generated.
func vetted(t *testing.T, text []byte) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "x.go", text, parser.ParseComments)
	require.NoError(t, err)
	for _, group := range file.Comments {
		for _, c := range group.List {
			require.True(t, strings.HasPrefix(c.Text, "//"), c.Text)
			if c.Text != "//go:noinline" && c.Text != "//" {
				assert.True(t, strings.HasPrefix(c.Text, "// ") || strings.HasPrefix(c.Text, "//\t"), c.Text)
			}
			assert.NotRegexp(t, `^//\s*\+build`, c.Text)
		}
	}
}

// printable has nothing that a terminal obeys or that hides from a reader.
func printable(t *testing.T, text []byte) {
	t.Helper()
	assert.NotRegexp(t, "[\x00-\x08\x0b-\x1f\x7f\u0080-\u009f\u00ad\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]", string(text))
}

// TestHostileDocs_C compiles a plugin and asks it for its docs. Strict C99 has trigraphs.
func TestHostileDocs_C(t *testing.T) {
	var source, prints, tables, want strings.Builder
	source.WriteString("#include <stdio.h>\n")
	for i, doc := range inOrder() {
		_, box := sample(t, doc)
		box.Name = fmt.Sprintf("Sample%c", 'A'+i)
		text, err := generate.C([]generate.PluginBox{box})
		require.NoError(t, err)
		printable(t, text)
		fmt.Fprintf(&source, `#define SAMPLE_%[3]c_STATE_SIZE 0
%[1]s
static int32_t sample_%[2]c_birth(NyashContext *c, int64_t start) { (void)start; return nyash_return_void(c); }
static int32_t sample_%[2]c_one(NyashContext *c, NyashText text) { (void)text; return nyash_return_i64(c, 1); }
static int32_t sample_%[2]c_two(NyashContext *c) { return nyash_return_void(c); }
`, text, 'a'+i, 'A'+i)
		fmt.Fprintf(&prints, "    fputs(sample_%c_table.doc, stdout);\n", 'a'+i)
		fmt.Fprintf(&tables, "%s&sample_%c_table", strings.Repeat(", ", min(i, 1)), 'a'+i)
		want.WriteString(strings.ReplaceAll(doc, "\x00", "\uFFFD"))
	}
	fmt.Fprintf(&source, "#ifdef INJECTED\n#error injected\n#endif\nNYASH_PLUGIN(%s)\nint main(void)\n{\n    char injected = 0;\n%s    return injected;\n}\n", &tables, &prints)
	dir := write(t, map[string]string{"sample.c": source.String()})
	program := ccbuild.Program(t, filepath.Join(dir, "sample.c"), "-std=c99", "-Wpedantic", "-Wshadow=global")
	assert.Equal(t, want.String(), ccbuild.Run(t, program))
}

func TestHostileDocs_CPlusPlus(t *testing.T) {
	var all strings.Builder
	all.WriteString("#include \"nyash.hpp\"\n#include <cstdio>\n")
	for i, doc := range inOrder() {
		_, box := sample(t, doc)
		box.Name = fmt.Sprintf("Sample%c", 'A'+i)
		text, err := generate.CPlusPlus([]generate.PluginBox{box})
		require.NoError(t, err)
		printable(t, text)
		fmt.Fprintf(&all, `%[1]s
class %[2]s : public %[2]sMethods {
public:
    explicit %[2]s(int64_t) {}
    int64_t one(std::string_view) override { return 1; }
    void two() override {}
};
`, text, box.Name)
	}
	all.WriteString("#ifdef INJECTED\n#error injected\n#endif\nNYASH_PLUGIN(&sample_a_table<>)\nint main() {\n    char injected = 0;\n")
	var want strings.Builder
	for i, doc := range inOrder() {
		fmt.Fprintf(&all, "    std::fputs(sample_%c_table<>.doc, stdout);\n", 'a'+i)
		want.WriteString(strings.ReplaceAll(doc, "\x00", "\uFFFD"))
	}
	all.WriteString("    return injected;\n}\n")
	dir := write(t, map[string]string{"sample.cpp": all.String()})
	program := ccbuild.Program(t, filepath.Join(dir, "sample.cpp"), "-Wpedantic", "-Wshadow=global")
	assert.Equal(t, want.String(), ccbuild.Run(t, program))
}

// TestHostileDocs_Rust reads the docs back from what rustc makes of the list.
func TestHostileDocs_Rust(t *testing.T) {
	var all, want strings.Builder
	all.WriteString("#![deny(warnings)]\n#![allow(unused_macros, unused_imports)]\n")
	for i, doc := range inOrder() {
		_, box := sample(t, doc)
		text, err := generate.Rust([]generate.PluginBox{box})
		require.NoError(t, err)
		printable(t, text)
		rustfmt(t, string(text))
		fmt.Fprintf(&all, "mod m%d {\n%s\n}\n", i, strings.ReplaceAll(string(text), "nyash::", "crate::nyash::"))
		fmt.Fprintf(&want, "%s\n", string([]rune(doc)))
	}
	all.WriteString(rustStub)
	fmt.Fprintf(&all, "struct S;\nfn main() {\n    let injected = ();\n    let _ = injected;\n    let _ = S;\n")
	for i := range inOrder() {
		fmt.Fprintf(&all, "    m%d::plugin!(S);\n", i)
	}
	all.WriteString("}\n")
	dir := write(t, map[string]string{"sample.rs": all.String()})
	program := filepath.Join(dir, "sample.exe")
	ccbuild.Run(t, "rustc", "--edition", "2021", "-o", program, filepath.Join(dir, "sample.rs"))
	assert.Equal(t, want.String(), ccbuild.Run(t, program))
}

// rustStub stands for the SDK: its macro prints the doc of the box.
const rustStub = `
mod nyash {
    pub struct Error;
    macro_rules! plugin {
        ($(#[doc = $doc:literal])* box $($rest:tt)*) => {
            let doc = [$($doc),*].concat();
            println!("{}", doc.strip_prefix(' ').unwrap_or(&doc)); // of ///
        };
    }
    pub(crate) use plugin;
}
`

// inOrder are the hostile docs in the order of their names.
func inOrder() []string {
	var docs []string
	for _, name := range slices.Sorted(maps.Keys(hostile)) {
		docs = append(docs, hostile[name])
	}
	return docs
}

func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return dir
}

// rustfmt checks that a file is as rustfmt would write it.
func rustfmt(t *testing.T, text string) {
	t.Helper()
	file := filepath.Join(write(t, map[string]string{"x.rs": text}), "x.rs")
	path, err := exec.LookPath("rustfmt")
	require.NoError(t, err, "the tests need rustfmt (see README.md); `make test` installs it")
	out, err := exec.Command(path, "--check", "--edition", "2021", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
}
