package generate_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/generate"
)

func parse(t *testing.T, text string) *registry.Config {
	t.Helper()
	config, err := registry.Parse("nyash.toml", []byte(text))
	require.NoError(t, err, "%+v", err)
	return config
}

func TestPluginBoxes_Errors(t *testing.T) {
	const two = "[plugins.A]\nlibrary = \"a\"\ntype_id = 1\n[plugins.A.methods]\n[plugins.B]\nlibrary = \"b\"\ntype_id = 2\n[plugins.B.methods]\n"
	for name, tt := range map[string]struct {
		toml  string
		boxes []string
		err   string
	}{
		"no box":         {"", nil, "nyash.toml has no box"},
		"an unknown box": {two, []string{"C"}, "no such box: C"},
		"a misspelt box": {"[plugins.FileBox]\nlibrary = \"f\"\ntype_id = 1\n", []string{"FileBx"}, "did you mean FileBox?"},
		"two libraries":  {two, nil, "nyash.toml has boxes of 2 libraries: choose those of one with --box"},
		"boxes of two":   {two, []string{"A", "B"}, "B is a box of another library (b) than A (a): a file is for one"},
		"no type_id":     {"[plugins.A]\nlibrary = \"a\"\n", nil, "nyash.toml:1:10: plugins.A: its type_id is not known: code for plugins is generated from nyash.toml alone, and that gives none; add type_id"},
		"no method_id":   {"[plugins.A]\nlibrary = \"a\"\ntype_id = 1\n[plugins.A.methods]\nget = {}\n", nil, "plugins.A.methods.get: its method_id is not known: code for plugins is generated from nyash.toml alone, and that gives none; add method_id"},
		"an alias":       {"[libraries.a]\nboxes = [\"A\"]\n[libraries.a.A]\ntype_id = 1\n[libraries.a.A.methods]\nget = { method_id = 1 }\nfetch = { method_id = 1 }\n", nil, "A.fetch has the method_id of get"},
		"another's box":  {two + "get = { method_id = 1, returns = \"A\" }\n", []string{"B"}, "B.get returns A, which is no box of its library"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := generate.PluginBoxes(parse(t, tt.toml), tt.boxes)
			require.ErrorContains(t, err, tt.err)
		})
	}
}

func TestTypedLanguages_Errors(t *testing.T) {
	const box = "[plugins.A]\nlibrary = \"a\"\ntype_id = 1\n[plugins.A.methods]\n"
	for name, tt := range map[string]struct {
		toml      string
		languages []string
		err       string
	}{
		"no args":          {box + "get = { method_id = 1, returns = \"i64\" }\n", []string{"cpp", "rust"}, "nyash.toml:5:1: A.get: its functions in "},
		"names alone":      {box + "get = { method_id = 1, args = [\"a\"], returns = \"i64\" }\n", []string{"cpp", "rust"}, "add a type for each argument (to)"},
		"no returns":       {box + "get = { method_id = 1, args = [] }\n", []string{"cpp", "rust"}, "add returns"},
		"birth":            {box + "birth = {}\n", []string{"cpp", "rust"}, "A.birth: its functions in "},
		"no identifier":    {box + "\"a b\" = { method_id = 1, args = [], returns = \"void\" }\n", []string{"rust"}, `the Rust SDK has no way to write the method "a b" of A: its name is no identifier`},
		"no box of Rust's": {strings.ReplaceAll(box, "plugins.A", "plugins.a-b"), []string{"rust"}, `the Rust SDK has no way to write the box "a-b"`},
	} {
		for _, language := range tt.languages {
			t.Run(name+" in "+language, func(t *testing.T) {
				_, err := pluginLanguages[language](plugin(t, parse(t, tt.toml)))
				require.ErrorContains(t, err, tt.err)
			})
		}
	}
	_, err := generate.Rust(plugin(t, load(t, "kinds.toml"), "Store"))
	assert.ErrorContains(t, err, "Store.first returns Item: a Rust plugin is one list of boxes, so generate both (--box)")
}

// TestGolden_Compiles compiles the golden files that tests/generated has no plugin for,
// and formats and vets all.
func TestGolden_Compiles(t *testing.T) {
	golden := filepath.Join("testdata", "golden")
	ccbuild.Run(t, "go", "vet", "./"+filepath.ToSlash(filepath.Join(golden, "kinds")), "./"+filepath.ToSlash(filepath.Join(golden, "loose")), "./"+filepath.ToSlash(filepath.Join(golden, "tail")))
	ccbuild.Run(t, "rustfmt", "--check", "--edition", "2021", filepath.Join(golden, "plugin", "kinds.rs"), filepath.Join(golden, "plugin", "quiet.rs"))

	include, err := filepath.Abs(filepath.Join(golden, "plugin"))
	require.NoError(t, err)
	text, err := generate.C(plugin(t, load(t, "loose.toml"), "loose-box"))
	require.NoError(t, err)
	var source strings.Builder
	source.WriteString("#define LOOSE_BOX_STATE_SIZE 0\n#include \"loose.h\"\n")
	for line := range strings.Lines(string(text)) {
		if prototype, ok := strings.CutSuffix(strings.TrimSpace(line), ");"); ok && strings.HasPrefix(line, "static int32_t") {
			fmt.Fprintf(&source, "#pragma GCC diagnostic ignored \"-Wunused-parameter\"\n%s) { return nyash_return_void(c); }\n", prototype)
		}
	}
	source.WriteString("NYASH_PLUGIN(&loose_box_table)\n")
	ccbuild.Source(t, "loose", source.String(), "-I", include, "-Wpedantic", "-std=c99")
	ccbuild.Source(t, "quiet", "#define QUIET_STATE_SIZE 0\n#include \"quiet.h\"\nNYASH_PLUGIN(&quiet_table)\n", "-I", include, "-Wpedantic", "-std=c99")
	dir := write(t, map[string]string{"quiet.cpp": "#include \"quiet.hpp\"\nclass Quiet : public QuietMethods {};\nNYASH_PLUGIN(&quiet_table<>)\n"})
	ccbuild.Library(t, filepath.Join(dir, "quiet.cpp"), "-I", include, "-Wpedantic")
}

// TestC_StateSize: who forgets the size learns what to write, and has no memory of size 0.
func TestC_StateSize(t *testing.T) {
	include, err := filepath.Abs(filepath.Join("testdata", "golden", "plugin"))
	require.NoError(t, err)
	sdk := filepath.Join(ccbuild.Root(t), "plugins", "sdk", "c")
	cmd := exec.Command("cc", "-fsyntax-only", "-I", include, "-I", sdk, "-I", filepath.Join(ccbuild.Root(t), "abi", "include"), "-x", "c", "-")
	cmd.Stdin = strings.NewReader("#include \"quiet.h\"\n")
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), `#error "define QUIET_STATE_SIZE before the include: sizeof your state, 0 for none"`)
}

// TestRust_Width formats signatures of every width near the one where rustfmt breaks them.
func TestRust_Width(t *testing.T) {
	var toml strings.Builder
	toml.WriteString("[plugins.A]\nlibrary = \"a\"\ntype_id = 1\n[plugins.A.methods]\n")
	for n := range 14 {
		for k, args := range []string{`{ name = "value", to = "string" }, { name = "count", to = "i64" }`, ""} {
			name := strings.Repeat("x", []int{22, 48}[k]+n)
			fmt.Fprintf(&toml, "%s = { method_id = %d, args = [%s], returns = \"i64\" }\n", name, 2*n+k+1, args)
		}
	}
	text, err := generate.Rust(plugin(t, parse(t, toml.String())))
	require.NoError(t, err)
	rustfmt(t, string(text))
	assert.Contains(t, string(text), "i64)\n        -> Result")
	assert.Contains(t, string(text), "count: i64,\n    ) -> Result")

	long := fmt.Sprintf("[plugins.A]\nlibrary = \"a\"\ntype_id = 1\n[plugins.A.methods]\n%s = { method_id = 1, args = [], returns = \"i64\" }\n", strings.Repeat("y", 90))
	text, err = generate.Rust(plugin(t, parse(t, long)))
	require.NoError(t, err)
	rustfmt(t, string(text))
}

// TestMaxArgs has the C compiler say it where the SDK was included with less room.
func TestMaxArgs(t *testing.T) {
	text, err := generate.C(plugin(t, load(t, "kinds.toml")))
	require.NoError(t, err)
	root := ccbuild.Root(t)
	dir := write(t, map[string]string{"kinds.h": string(text), "x.c": "#include \"nyash.h\"\n#include \"kinds.h\"\n"})
	out, err := exec.Command("cc", "-fsyntax-only", "-I", filepath.Join(root, "abi/include"), "-I", filepath.Join(root, "plugins/sdk/c"), filepath.Join(dir, "x.c")).CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "define NYASH_MAX_ARGS as 9 or more before the SDK is included")
}
