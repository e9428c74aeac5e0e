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
