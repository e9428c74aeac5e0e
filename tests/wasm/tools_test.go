package wasm

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/inspect"
)

func TestInspect(t *testing.T) {
	r, err := inspect.Run(t.Context(), inspect.Config{File: moduleFile(t)})
	require.NoError(t, err)
	assert.Equal(t, "WebAssembly module", r.Format)
	assert.Equal(t, "serial", r.Threads, "it does not say, and has one call at a time")
	assert.Contains(t, r.Exports, "nyash_plugin_invoke")
	require.Len(t, r.Boxes, 1)
	assert.Equal(t, "Module", r.Boxes[0].Box)

	for fault, want := range map[string]string{
		"LOOPS_AT_START": "load_timeout",
		"OLD_ABI":        "ABI version 7",
		"NO_INVOKE":      "nyash_plugin_invoke is not exported",
	} {
		_, err := inspect.Run(t.Context(), inspect.Config{File: ccbuild.Module(t, "testdata/broken.c", "-DFAULT="+fault), Timeout: 2_000_000_000})
		require.ErrorContains(t, err, want)
	}
}
