package inspect_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/inspect"
)

// tables builds the library with TypeBox tables in a folder, with a manifest beside it
// where that is not empty.
func tables(t *testing.T, manifest string) (dir, library string) {
	t.Helper()
	dir = t.TempDir()
	library = ccbuild.LibraryAt(t, filepath.Join(dir, "libtext.so"), "testdata/tables.c", "-fvisibility=hidden")
	if manifest != "" {
		write(t, filepath.Join(dir, registry.ManifestName), manifest)
	}
	return dir, library
}

func write(t *testing.T, file, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
}

// textManifest has what a nyash.toml has no words for.
const textManifest = `[provides]
boxes = ["TextBox"]
[TextBox]
type_id = 61
lifecycle.birth = { args = [ { name = "text", type = "string", optional = true } ] }
[TextBox.methods]
text = { args = [], returns = "string" }
pad = { args = [ { name = "width", type = "i64", default = 20 }, { name = "fill", type = "string", default = "." }, { name = "left", type = "bool", optional = true } ], returns = "string" }
setAll = { args = [ { name = "pairs", type = "varargs" } ], description = "all" }
`

// TestWriteTOML_Manifest: an entry leaves to the manifest what only that can say, and with
// the manifest beside the library it is the same box.
func TestWriteTOML_Manifest(t *testing.T) {
	dir, library := tables(t, textManifest)
	r, err := run(t, library)
	require.NoError(t, err)
	var entry strings.Builder
	require.NoError(t, inspect.WriteTOML(&entry, r, "./libtext.so"))
	for _, line := range []string{
		"birth = {} # args: from nyash_box.toml",
		`text = { method_id = 1, args = [], returns = "string" }`,
		`pad = { method_id = 2, returns = "string" } # args: from nyash_box.toml`,
		`setAll = { method_id = 3, doc = "all" } # args: from nyash_box.toml`,
	} {
		assert.Contains(t, entry.String(), "\n"+line+"\n")
	}

	c, err := registry.Parse(filepath.Join(dir, "nyash.toml"), []byte(entry.String()))
	require.NoError(t, err, "%+v\n%s", err, entry.String())
	manifest, err := registry.LoadManifest(dir)
	require.NoError(t, err)
	b, ok := c.Box("TextBox")
	require.True(t, ok)
	lib, err := native.Open(t.Context(), native.Config{File: library, Sink: quiet{}, Tables: []native.TableRequest{{Box: "TextBox"}}})
	require.NoError(t, err)
	defer lib.Close()
	bound, err := b.Bind(manifest, lib.Description())
	require.NoError(t, err)
	assert.Equal(t, withoutHashes(r.Boxes[0]), inspect.Describe(bound))
}

// TestDescribe_LeftOut: what may be left out is in JSON.
func TestDescribe_LeftOut(t *testing.T) {
	_, library := tables(t, textManifest+`scale = { id = 9, args = [ { name = "by", type = "f64", default = inf }, { name = "exact", type = "bool", default = false } ] }`)
	r, err := run(t, library)
	require.NoError(t, err)
	var out strings.Builder
	require.NoError(t, inspect.WriteJSON(&out, r))
	var report struct {
		Boxes []struct {
			Birth   map[string]any
			Methods []map[string]any
		}
	}
	require.NoError(t, json.Unmarshal([]byte(out.String()), &report))
	box := report.Boxes[0]
	assert.Equal(t, []any{map[string]any{"name": "text", "from": "string", "to": "string", "optional": true}}, box.Birth["args"])
	assert.NotContains(t, box.Methods[0], "varargs")
	assert.Equal(t, []any{
		map[string]any{"name": "width", "from": "integer", "to": "i64", "default": 20.0},
		map[string]any{"name": "fill", "from": "string", "to": "string", "default": "."},
		map[string]any{"name": "left", "from": "bool", "to": "bool", "optional": true},
	}, box.Methods[1]["args"])
	assert.Equal(t, true, box.Methods[2]["varargs"])
	assert.Equal(t, []any{
		map[string]any{"name": "by", "from": "float", "to": "f64", "default": "+Inf"},
		map[string]any{"name": "exact", "from": "bool", "to": "bool", "default": false},
	}, box.Methods[3]["args"])
}

// TestRun_NoManifest: what a library with tables leaves to others is said once, and
// nothing takes a name or a place in a file that is not there.
func TestRun_NoManifest(t *testing.T) {
	dir, library := tables(t, "")
	r, err := run(t, library)
	require.NoError(t, err)
	assert.Empty(t, r.Warnings)
	missing := "none: there is no " + filepath.Join(dir, registry.ManifestName)
	shown := strings.Join(strings.Fields(text(t, r)), " ")
	assert.Contains(t, shown, "tables PairBox, TextBox manifest "+missing+"; give type_id, and the methods by name, in nyash.toml")
	assert.NotContains(t, shown, "stands for the name")

	var entry strings.Builder
	require.NoError(t, inspect.WriteTOML(&entry, r, "./libtext.so"))
	complete := strings.NewReplacer("# type_id", "type_id", "# text", "text").Replace(strings.Replace(entry.String(), "# type_id = 11", "type_id = 12", 1))
	c, err := registry.Parse("nyash.toml", []byte(complete))
	require.NoError(t, err, "%+v\n%s", err, complete)
	require.Len(t, c.Boxes, 2)
	for _, b := range c.Boxes {
		assert.True(t, b.HasTypeID)
		require.Len(t, b.Methods, 1)
		assert.Equal(t, "text", b.Methods[0].Name)
	}
	_, err = registry.Parse("nyash.toml", []byte(entry.String()))
	assert.NoError(t, err)

	declared, err := inspect.Run(t.Context(), inspect.Config{File: library, Library: c.Libraries[0], Worker: ccbuild.Worker(t)})
	require.NoError(t, err)
	assert.Contains(t, strings.Join(strings.Fields(text(t, declared)), " "), missing+"; nyash.toml declares the boxes, and nyash list shows them")
}

// TestRun_OtherManifest: what is wrong with a manifest that is there.
func TestRun_OtherManifest(t *testing.T) {
	for name, tt := range map[string]struct{ manifest, warning, field string }{
		"another box": {"[provides]\nboxes = [\"MemoBox\", \"PairBox\"]\n[PairBox]\ntype_id = 1\n", "libtext.so: TextBox: its type_id is not known: nyash.toml gives none, and DIR/nyash_box.toml has no TextBox", "DIR/nyash_box.toml"},
		"no table":    {"[provides]\nboxes = [\"MemoBox\", \"TextBox\"]\n[TextBox]\ntype_id = 1\n", "DIR/nyash_box.toml lists MemoBox, for which the library has no table", "DIR/nyash_box.toml"},
		"no type_id":  {"[provides]\nboxes = [\"TextBox\", \"PairBox\"]\n[PairBox]\ntype_id = 1\n[TextBox]\n", "DIR/nyash_box.toml:5:2: TextBox: it has no type_id, and nyash.toml gives none", "DIR/nyash_box.toml"},
		"no TOML":     {"[provides\n", "DIR/nyash_box.toml:1:10: not valid TOML", "none that can be used"},
		"a mistake":   {"[provides]\nboxes = [\"PairBox\"]\n[PairBox]\ntype_id = 1\n[TxtBox]\n", "DIR/nyash_box.toml:5:2: TxtBox: this table is ignored", "DIR/nyash_box.toml"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, library := tables(t, tt.manifest)
			r, err := run(t, library)
			require.NoError(t, err)
			inDir := func(text string) string { return strings.ReplaceAll(text, "DIR", dir) }
			assert.Contains(t, strings.Join(r.Warnings, "\n"), inDir(tt.warning))
			assert.Contains(t, strings.Join(strings.Fields(text(t, r)), " "), "manifest "+inDir(tt.field))
		})
	}
}

// TestFind_Manifest: a manifest stands for its library, and goes with a library that
// nyash.toml names by it.
func TestFind_Manifest(t *testing.T) {
	dir, _ := tables(t, "")
	t.Chdir(dir)
	artifacts := "[artifacts]\nlinux = \"../libtext.so\"\nmacos = \"../libtext.so\"\nwindows = \"../libtext.so\"\n"
	write(t, "text/nyash_box.toml", artifacts+textManifest)
	write(t, "nyash.toml", "[libraries.text]\nboxes = [\"TextBox\"]\npath = \"./text/nyash_box.toml\"\n")
	for name, config := range map[string]string{
		"TextBox": "nyash.toml", "text": "nyash.toml", "text/nyash_box.toml": "nyash.toml", "./text/nyash_box.toml": "none.toml",
	} {
		found, err := inspect.Find(name, config)
		require.NoError(t, err, name)
		assert.True(t, strings.HasSuffix(found.Entry, "text/nyash_box.toml"), found.Entry)
		r, err := inspect.Run(t.Context(), inspect.Config{File: found.File, ManifestDir: found.ManifestDir, Library: found.Library, Worker: ccbuild.Worker(t)})
		require.NoError(t, err, name)
		assert.Contains(t, text(t, r), "TextBox, type 61\n", name)
		assert.True(t, strings.HasSuffix(r.Manifest, filepath.FromSlash("text/nyash_box.toml")), r.Manifest)

		var entry strings.Builder
		require.NoError(t, inspect.WriteTOML(&entry, r, found.Entry))
		c, err := registry.Parse("nyash.toml", []byte(entry.String()))
		require.NoError(t, err)
		file, err := c.Find(c.Libraries[0])
		require.NoError(t, err)
		assert.Equal(t, filepath.Join(dir, "libtext.so"), file)
		assert.Equal(t, "text", filepath.Base(c.ManifestDir(c.Libraries[0], file)))
	}
	require.NoError(t, os.Remove("libtext.so"))
	_, err := inspect.Find("text/nyash_box.toml", "nyash.toml")
	assert.ErrorContains(t, err, "which is not there; build it, or correct [artifacts]")
}

// TestWriteText_NoMethods: a box without methods says where they are written.
func TestWriteText_NoMethods(t *testing.T) {
	_, table := tables(t, "[provides]\nboxes = [\"TextBox\", \"PairBox\"]\n[TextBox]\ntype_id = 61\n[PairBox]\ntype_id = 62\nmethods.text = {}\n")
	described := ccbuild.Source(t, "quiet", `#include "nyash_plugin.h"
		uint32_t nyash_plugin_abi(void) { return 1; }
		int32_t nyash_plugin_init(const NyashHostVtable *h, NyashPluginInfo *info) { (void)h; info->type_name = "Bag"; info->type_id = 3; return 0; }
		int32_t nyash_plugin_invoke(uint32_t t, uint32_t m, uint32_t i, const uint8_t *a, size_t n, uint8_t *r, size_t *l) { return -3; }
		void nyash_plugin_shutdown(void) {}`, "-Wno-unused-parameter")
	for library, want := range map[string]string{
		table:     "TextBox, type 61\n  It describes no methods. Its table resolves those that nyash.toml lists, as in\n  text = {}.\n\nPairBox, type 62\n    1  text",
		described: "Bag, type 3\n  It describes no methods. Write them in nyash.toml, each with its method_id.\n",
	} {
		r, err := run(t, library)
		require.NoError(t, err)
		assert.Contains(t, text(t, r), want)
	}
}

// TestRun_TableNames: a table whose name no host could ask for is passed over.
func TestRun_TableNames(t *testing.T) {
	const library = `#include <nyash_plugin.h>
static int32_t invoke_id(uint32_t i, uint32_t m, const uint8_t *a, size_t n, uint8_t *r, size_t *l) { (void)i, (void)m, (void)a, (void)n, (void)r, *l = 0; return NYASH_OK; }
#define TABLE(symbol, name) extern NYASH_EXPORT const NyashTypeBox symbol; const NyashTypeBox symbol = {NYASH_TYPEBOX_TAG, 1, sizeof(NyashTypeBox), name, NULL, invoke_id, 0};
TABLE(nyash_typebox_, "")
TABLE(nyash_typebox_TextBox, "TextBox")
#ifdef MORE
extern NYASH_EXPORT const NyashTypeBox other __asm__("nyash_typebox_\342\200\256");
const NyashTypeBox other = {0};
#endif
`
	for flag, want := range map[string]string{
		"-DONE":  "nyash_typebox_ is ignored: the name of a box follows it in the name of a table",
		"-DMORE": "2 tables are ignored, nyash_typebox_ first: a library has at most 4096, and their names are those of boxes",
	} {
		file := ccbuild.Source(t, "names"+flag, library, flag)
		write(t, filepath.Join(filepath.Dir(file), registry.ManifestName), "[provides]\nboxes = [\"TextBox\", \"\u202e\"]\n[TextBox]\ntype_id = 61\n")
		r, err := run(t, file)
		require.NoError(t, err, flag)
		assert.Equal(t, []string{"TextBox"}, r.Tables)
		require.Len(t, r.Boxes, 1)
		assert.EqualValues(t, 61, r.Boxes[0].TypeID)
		assert.Contains(t, r.Warnings, want)
	}
}
