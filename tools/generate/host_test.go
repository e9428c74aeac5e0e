package generate_test

import (
	"fmt"
	"go/format"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/loader/worker"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
	"github.com/nyash-plugins/nyash-go/tools/generate"
)

func TestMain(m *testing.M) {
	worker.Main()
	os.Exit(m.Run())
}

// itself is a plugin that says something of itself.
const itself = `
#include "nyash.h"
static int32_t get(NyashContext *c) { return nyash_return_i64(c, 1); }
static const NyashMethod methods[] = {{.id = 1, .name = "get", .call = get, .result = NYASH_I64, .doc = "One."}};
static const NyashBox box = {.name = "Itself", .type_id = 7, .doc = "Says it.", NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
`

func TestHostBoxes(t *testing.T) {
	library := ccbuild.Source(t, "itself", itself)
	text := ccbuild.Source(t, "broken", strings.Replace(itself, "NYASH_PLUGIN(&box)", "", 1)+`
const char *nyash_plugin_config(void) { return "[plugins.Itself]\ntype_id = \"x\"\n"; }
uint32_t nyash_plugin_abi(void) { return 1; }
int32_t nyash_plugin_init(const NyashHostVtable *h, NyashPluginInfo *i) { (void)h; (void)i; (void)box; return 0; }
int32_t nyash_plugin_invoke(uint32_t a, uint32_t b, uint32_t c, const uint8_t *d, size_t e, uint8_t *f, size_t *g)
{ (void)a; (void)b; (void)c; (void)d; (void)e; (void)f; (void)g; return -5; }
void nyash_plugin_shutdown(void) {}
const NyashLibrary nyash_library = {NULL, 0, NULL, NULL};
NyashState nyash_state;
`)
	const methods = "type_id = 7\n[plugins.Itself.methods]\nget = { method_id = 1, args = [], returns = \"i64\" }\n"
	entry := func(library, rest string) string {
		return fmt.Sprintf("[plugins.Itself]\nlibrary = %q\n%s", library, rest)
	}
	for name, tt := range map[string]struct {
		toml     string
		boxes    []string
		methods  []string // of the first box
		doc      string
		warnings []string
		err      string
	}{
		"described by the library":       {toml: entry(library, ""), methods: []string{"get"}, doc: "Says it."},
		"declared too":                   {toml: entry(library, "doc = \"Ours.\"\n"+methods), methods: []string{"get"}, doc: "Ours."},
		"no library, declared":           {toml: entry("nyash-gone", methods), methods: []string{"get"}, warnings: []string{"Itself is generated from nyash.toml alone, without what its library adds: box Itself: nyash.toml:1:10: library nyash-gone not found"}},
		"no library, no methods":         {toml: entry("nyash-gone", "type_id = 7\n"), err: "Itself: nyash.toml declares no methods, and its library cannot be asked: box Itself: nyash.toml:1:10: library nyash-gone not found"},
		"no library, no ids":             {toml: entry("nyash-gone", "[plugins.Itself.methods]\nget = {}\n"), err: "its type_id is not known"},
		"a contradiction":                {toml: entry(library, "type_id = 8\n[plugins.Itself.methods]\nget = { method_id = 1 }\n"), err: "nyash.toml says type_id 8, the library says 7"},
		"a broken self-description":      {toml: entry(text, methods), err: "plugins.Itself.type_id"},
		"a library that is none":         {toml: entry(filepath.Join(ccbuild.Root(t), "nyash.toml"), methods), methods: []string{"get"}, warnings: []string{"Itself is generated from nyash.toml alone"}},
		"built in, if asked for":         {toml: entry(library, ""), boxes: []string{"ConsoleBox"}, methods: []string{"print", "println", "error", "readLine"}},
		"in the order of the file":       {toml: entry(library, "") + "[plugins.Another]\nbox = \"Itself\"\nlibrary = \"gone\"\n", boxes: []string{"ConsoleBox", "Itself"}, methods: []string{"get"}, doc: "Says it."},
		"an unknown box":                 {toml: entry(library, ""), boxes: []string{"Itsef"}, err: "no such box: Itsef (did you mean Itself?)"},
		"a nyash.toml with no box":       {toml: "", err: "nyash.toml has no box"},
		"one library gone, one is there": {toml: entry(library, "") + "[plugins.Gone]\nlibrary = \"nyash-gone\"\n", err: "Gone: nyash.toml declares no methods"},
	} {
		t.Run(name, func(t *testing.T) {
			host := hosttest.Open(t, tt.toml, loader.WithIsolation(loader.IsolationProcess))
			types, warnings, err := generate.HostBoxes(t.Context(), host, tt.boxes)
			if tt.err != "" {
				require.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			require.Len(t, warnings, len(tt.warnings))
			for i, w := range tt.warnings {
				assert.Contains(t, warnings[i], w)
			}
			var names []string
			for _, m := range types[0].Methods {
				names = append(names, m.Name)
			}
			assert.Equal(t, tt.methods, names)
			assert.Equal(t, tt.doc, types[0].Doc)
		})
	}
}

func TestGo_Package(t *testing.T) {
	boxes := []*registry.Type{{Name: "A"}}
	for name, ok := range map[string]bool{"boxes": true, "main": true, "größe": true, "": false, "_": false, "func": false, "a-b": false, "a\nb": false} {
		text, err := generate.Go(name, boxes)
		if !ok {
			require.ErrorContains(t, err, "is no name for a Go package", "%q", name)
			assert.NotContains(t, err.Error(), "\n")
			continue
		}
		require.NoError(t, err)
		again, err := format.Source(text)
		require.NoError(t, err)
		assert.Equal(t, string(text), string(again))
	}
}
