package plugintest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// opener takes a blob that begins with a word.
const opener = `
#include <string.h>
#include "nyash.h"
static int32_t restore(NyashContext *c) {
    NyashBytes dump = nyash_arg_blob(c, 0);
    if (dump.size < 5 || memcmp(dump.data, "XYZZY", 5) != 0) return nyash_error(c, NYASH_E_PLUGIN, "it is no dump");
    return nyash_return_i64(c, (int64_t)dump.size);
}
static const NyashMethod methods[] = {{.id = 1, .name = "restore", .call = restore, .args = {NYASH_ARG("dump", NYASH_BLOB)}, .result = NYASH_I64}};
static const NyashBox box = {.name = "Dump", .type_id = 743, .state_size = 1, NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
`

// TestGiven_Blobs: bytes and texts that are given for a blob are lent as one.
func TestGiven_Blobs(t *testing.T) {
	library := ccbuild.Source(t, "opener", opener, "-fvisibility=hidden")
	call := func(text string) plugintest.Config {
		c, err := plugintest.ParseCall(text)
		require.NoError(t, err)
		return plugintest.Config{File: library, Calls: []plugintest.Invocation{c}}
	}
	config, err := registry.Parse("nyash.toml", []byte("[plugins.Dump]\nlibrary = '"+library+"'\n[plugins.Dump.tester]\ncalls = { restore = [['XYZZY 12']] }\n"))
	require.NoError(t, err)
	for name, c := range map[string]plugintest.Config{
		"bytes":      call("Dump.restore=bytes:58595a5a59203132"),
		"a text":     call("restore=XYZZY 12"),
		"nyash.toml": {File: library, Library: config.Libraries[0], Boxes: config.Boxes, TOML: "nyash.toml"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.Seed = 1
			for range 2 { // the configuration stays as it was
				report := run(t, c, "typecheck")
				assert.Empty(t, report.Findings)
				assert.Contains(t, lines(report), "8 bytes)): i64 8")
			}
		})
	}
}
