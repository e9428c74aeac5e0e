package loader_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
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
