package loader_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

// invokeOnly is a library with nyash_plugin_invoke and nothing else.
func invokeOnly(t testing.TB) string {
	return ccbuild.Source(t, "invoke", `#include "answer.h"
int32_t nyash_plugin_invoke(uint32_t type, uint32_t method, uint32_t instance, const uint8_t *args, size_t args_len, uint8_t *result, size_t *result_len) {
    (void)instance, (void)args, (void)args_len;
    if (type != 1 && type != 2) return NYASH_E_INVALID_TYPE;
    static uint32_t last;
    if (method == NYASH_METHOD_BIRTH) return memcpy(result, (last++, &last), 4), *result_len = 4, NYASH_OK;
    return NYASH_E_INVALID_METHOD;
}
`)
}

// What a library must export depends on the form of its own entry, and the error says so.
func TestSymbols(t *testing.T) {
	library := invokeOnly(t)
	none := ccbuild.Source(t, "none", "int nyash_plugin_config_version = 1;")
	later := fmt.Sprintf("[libraries.%q.One]\ntype_id = 1\n", library)
	plugins := func(library string) string {
		return fmt.Sprintf("[plugins.Two]\nlibrary = %q\ntype_id = 2\n", library)
	}
	const four, alone = "a plugin exports nyash_plugin_abi, _init, _invoke and _shutdown, or a table", "; with nyash_plugin_invoke alone, a [libraries] entry does"
	for name, tt := range map[string]struct {
		toml, first, box string
		want, not        string
	}{
		"plugins form":                          {plugins(library), "", "Two", four, ""},
		"plugins form, where to write it":       {plugins(library), "", "Two", alone, ""},
		"plugins form, behind the later one":    {later + plugins(library), "One", "Two", "nyash_plugin_abi is not exported", ""},
		"plugins form, without invoke":          {plugins(none), "", "Two", four, "[libraries]"},
		"libraries form, without invoke":        {fmt.Sprintf("[libraries.%q.One]\ntype_id = 1\n", none), "", "One", "; a plugin exports nyash_plugin_invoke, or a table nyash_typebox_…", "_shutdown"},
		"libraries form, before the other form": {plugins(library) + later, "One", "Two", alone, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, tt.toml)
			if tt.first != "" {
				newBox(t, h, tt.first)
			}
			_, err := h.New(t.Context(), tt.box)
			require.ErrorIs(t, err, loader.ErrSymbol)
			assert.ErrorContains(t, err, tt.want)
			if tt.not != "" {
				assert.NotContains(t, err.Error(), tt.not)
			}
			if tt.first != "" {
				newBox(t, h, tt.first)
			}
		})
	}
}

// A library without a table for the boxes of nyash.toml says at each which it has.
func TestSymbols_OtherTables(t *testing.T) {
	library := bare(t)
	for name, tt := range map[string]struct{ toml, box, want string }{
		"plugins form":   {fmt.Sprintf("[plugins]\nBaer = %q\n", library), "Baer", `nyash.toml:2:1: plugins.Baer: the library has no table nyash_typebox_Baer; it has Bare, Wrong (did you mean Bare?); correct the name, or say with box = "…" which of them this is`},
		"another name":   {fmt.Sprintf("[plugins.Baer]\nlibrary = %q\nbox = \"Brae\"\n", library), "Baer", `nyash.toml:3:1: plugins.Baer.box: the library has no table nyash_typebox_Brae; it has Bare, Wrong (did you mean Bare?)`},
		"libraries form": {fmt.Sprintf("[libraries.%q]\nboxes = [\"Other\", \"More\"]\n", library), "Other", "the library has no table nyash_typebox_Other; it has Bare, Wrong; correct the name\n"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(t, tt.toml).New(t.Context(), tt.box)
			require.ErrorIs(t, err, loader.ErrSymbol)
			assert.Contains(t, err.Error()+"\n", tt.want)
			var refused *loader.LoadError
			require.ErrorAs(t, err, &refused)
			assert.Equal(t, library, refused.File)
			var place *registry.Error
			require.ErrorAs(t, err, &place)
		})
	}
}

// Whatever keeps a library, or a box of one, from being loaded is a LoadError.
func TestLoadError(t *testing.T) {
	library, dir := bare(t), t.TempDir()
	manifest := filepath.Join(dir, registry.ManifestName)
	require.NoError(t, os.WriteFile(manifest, []byte("[provides]\nboxes = [\"Bare\"]\n[artifacts]\nlinux = \"gone.so\"\nmacos = \"gone.so\"\n"), 0o600))
	for name, tt := range map[string]struct {
		toml   string
		reason error
		also   error // that it matches
		text   string
	}{
		"no library":       {"[plugins]\nBare = \"nyash-gone\"\n", loader.ErrNotFound, fs.ErrNotExist, "box Bare: nyash.toml:2:1: library nyash-gone not found; build it"},
		"no manifest":      {fmt.Sprintf("[plugins]\nBare = \"%s/none/nyash_box.toml\"\n", dir), loader.ErrNotFound, fs.ErrNotExist, "box Bare: nyash.toml:2:1: library"},
		"no artifact":      {fmt.Sprintf("[plugins]\nBare = %q\n", manifest), loader.ErrNotFound, fs.ErrNotExist, "box Bare: " + manifest},
		"no type_id":       {fmt.Sprintf("[plugins]\nBare = %q\n", library), loader.ErrDeclaration, registry.ErrUnknownID, "nyash.toml:2:1: plugins.Bare: its type_id is not known"},
		"no method_id":     {fmt.Sprintf("[plugins.Bare]\nlibrary = %q\ntype_id = 1\nmethods = { x = {} }\n", library), loader.ErrDeclaration, registry.ErrUnknownID, "nyash.toml:4:13: plugins.Bare.methods.x: its method_id is not known"},
		"a broken box":     {fmt.Sprintf("[plugins.Good]\nlibrary = %q\nbox = \"Bare\"\ntype_id = 1\n[plugins]\nBare = { library = %[1]q, box = \"Wrong\", type_id = 2 }\n", library), loader.ErrDeclaration, nil, "nyash.toml:6:"},
		"no library at it": {"[plugins]\nBare = \"/dev/null\"\n", loader.ErrNotLibrary, nil, "box Bare: load /dev/null"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(t, tt.toml).New(t.Context(), "Bare")
			var refused *loader.LoadError
			require.ErrorAs(t, err, &refused)
			require.ErrorIs(t, err, tt.reason)
			assert.Equal(t, tt.reason, refused.Reason)
			if tt.also != nil {
				require.ErrorIs(t, err, tt.also)
			}
			assert.True(t, strings.HasPrefix(err.Error(), tt.text), err.Error())
			if errors.Is(tt.reason, loader.ErrDeclaration) {
				assert.Contains(t, fmt.Sprintf("%+v", err), "^", "it shows the line")
				assert.Equal(t, library, refused.File)
			}
		})
	}
}

// TestNew_WrongType: a library that says nothing of itself refuses a type that it has not,
// and the error has the place where nyash.toml gives it.
func TestNew_WrongType(t *testing.T) {
	h := open(t, fmt.Sprintf("[libraries.%q.One]\nabi_version = 1\ntype_id = 3\n", invokeOnly(t)))
	_, err := h.New(t.Context(), "One")
	require.ErrorIs(t, err, abi.ErrInvalidType)
	assert.EqualError(t, err, "One.birth: invalid type (-2); the library has no type 3 (nyash.toml:3:1)")
}
