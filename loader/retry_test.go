package loader_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

// A load that failed is tried again with what there is then: the manifest, the methods that
// the table is asked for, the file.
func TestLoad_Again(t *testing.T) {
	library := ccbuild.Source(t, "again", `#include "answer.h"
static uint32_t resolve(const char *name) { return strcmp(name, "get") == 0 ? 5 : 0; }
static int32_t invoke_id(uint32_t instance, uint32_t method, const uint8_t *args, size_t args_len, uint8_t *result, size_t *result_len) {
    (void)instance, (void)args, (void)args_len;
    uint32_t id = 7;
    if (method == NYASH_METHOD_BIRTH) return memcpy(result, &id, 4), *result_len = 4, NYASH_OK;
    return method == 5 ? answer_i64(result, result_len, 55) : NYASH_E_INVALID_METHOD;
}
extern NYASH_EXPORT const NyashTypeBox nyash_typebox_Again;
const NyashTypeBox nyash_typebox_Again = {NYASH_TYPEBOX_TAG, 1, sizeof(NyashTypeBox), "Again", resolve, invoke_id, 0};
`)
	data, err := os.ReadFile(library)
	require.NoError(t, err)
	const head = "[provides]\nboxes = [\"Again\"]\n[Again]\ntype_id = 11\n"
	for _, isolation := range []loader.Isolation{loader.IsolationNone, loader.IsolationProcess} {
		t.Run(isolation.String(), func(t *testing.T) {
			first, second := t.TempDir(), t.TempDir()
			h := open(t, fmt.Sprintf("[plugin_paths]\nsearch_paths = [%q, %q]\n[plugins]\nAgain = \"again\"\n", first, second), loader.WithIsolation(isolation))
			write := func(dir, name, text string) {
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755))
			}
			fails := func(want string) {
				t.Helper()
				for range 2 {
					_, err := h.New(t.Context(), "Again")
					require.ErrorContains(t, err, want)
				}
			}
			fails("library again not found")
			write(first, "libagain.so", "text")
			fails("it is no ELF file")
			require.NoError(t, os.Remove(filepath.Join(first, "libagain.so")))
			write(second, "libagain.so", string(data))
			write(second, registry.ManifestName, "this is not TOML\n")
			fails("not valid TOML")
			write(second, registry.ManifestName, head)
			_, err := newBox(t, h, "Again").Call(t.Context(), "get")
			require.ErrorIs(t, err, loader.ErrNoMethod, "what was loaded stays")
		})
		t.Run(isolation.String()+", the methods", func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "libagain.so"), data, 0o755))
			h := open(t, fmt.Sprintf("[plugins]\nAgain = \"%s/libagain.so\"\n", dir), loader.WithIsolation(isolation))
			for _, methods := range []string{"put = {}\n", "put = {}\nget = {}\n", "get = {}\n"} {
				require.NoError(t, os.WriteFile(filepath.Join(dir, registry.ManifestName), []byte(head+"[Again.methods]\n"+methods), 0o644))
				box, err := h.New(t.Context(), "Again")
				if methods != "get = {}\n" {
					require.ErrorContains(t, err, "Again.methods.put: its id is not known")
					continue
				}
				require.NoError(t, err)
				defer box.Close()
				assert.EqualValues(t, 55, callInt(t, box, "get"))
			}
		})
	}
}
