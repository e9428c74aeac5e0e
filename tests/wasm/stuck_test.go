package wasm

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

func stuckTOML(file, keys string) string {
	return fmt.Sprintf(`[plugins.Module]
library = %q
%s
[plugins.Module.methods]
add    = { method_id = 1, args = [ { name = "a", from = "integer", to = "i64" } ], returns = "i64" }
length = { method_id = 11, args = [ { name = "data", from = "bytes", to = "blob" } ], returns = "i64" }
`, file, keys)
}

// TestStuck_Free: a free that does not come back ends the module, without any limit in
// nyash.toml.
func TestStuck_Free(t *testing.T) {
	h := hosttest.Open(t, stuckTOML(ccbuild.Module(t, "testdata/stuck.c"), ""))
	box := newBox(t, h)
	callInt(t, box, "add", 1)
	_, _ = box.Call(t.Context(), "length", make([]byte, 100)) // whose blob is freed
	_, err := box.Call(t.Context(), "length", make([]byte, 100))
	require.ErrorIs(t, err, loader.ErrInstanceLost)
	assert.ErrorContains(t, h.Plugins()[0].Err, "nyash_free took longer than 1s")
}

// TestStuck_Shutdown: shutdowns that do not come back have one limit for all modules.
func TestStuck_Shutdown(t *testing.T) {
	h := hosttest.OpenUnclosed(t, stuckTOML(ccbuild.Module(t, "testdata/stuck.c", "-DSTUCK_SHUTDOWN"), "instances = 4"))
	for range 4 {
		require.NoError(t, newBox(t, h).Close())
	}
	start := time.Now()
	require.ErrorIs(t, h.Close(), loader.ErrNoAnswer)
	assert.Less(t, time.Since(start), 12*time.Second, "5 s are allowed")
}

// TestCache_Swapped: an entry that stands under another module's name is not used for that.
func TestCache_Swapped(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	entries := func() []string {
		all, err := filepath.Glob(filepath.Join(os.Getenv("XDG_CACHE_HOME"), "nyash", "wasm", "*.module"))
		require.NoError(t, err)
		return all
	}
	load := func(file string) error {
		h := hosttest.Open(t, fmt.Sprintf("[plugins.Module]\nlibrary = %q\n", file))
		return h.Load(t.Context(), "Module")
	}
	one := ccbuild.Module(t, "testdata/alike.c", "-DANSWER=111", "-Wl,--strip-all")
	two := ccbuild.Module(t, "testdata/alike.c", "-DANSWER=222", "-Wl,--strip-all")
	require.ErrorContains(t, load(one), "(111)")
	first := entries()
	require.Len(t, first, 1)
	text, err := os.ReadFile(first[0])
	require.NoError(t, err)
	require.ErrorContains(t, load(two), "(222)")
	require.Len(t, entries(), 2)
	for _, entry := range entries() {
		require.NoError(t, os.WriteFile(entry, text, 0o600))
	}
	require.ErrorContains(t, load(two), "(222)")
}
