package plugintest_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// blocks is a plugin whose call takes seven blocks, larger ones each sixteenth time, of which it
// frees so many.
const blocks = `
#include <stdlib.h>
#include "nyash.h"
static unsigned calls;
static int32_t work(NyashContext *c) {
    void *blocks[7];
    size_t size = 24 + 16 * (size_t)(calls++ / 16 % 60);
    int all = 1;
    for (int i = 0; i < 7; i++) all &= (blocks[i] = malloc(size)) != NULL;
    for (int i = 0; i < FREED; i++) free(blocks[i]);
    return all ? nyash_return_void(c) : nyash_error_memory(c);
}
static const NyashMethod methods[] = {{.id = 1, .name = "work", .call = work}};
static const NyashBox box = {.name = "Work", .type_id = 742, .state_size = 1, NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
`

// TestExplore_ReplayOfLeaks: what malloc keeps of freed memory for a thread is no leak, and what is
// not freed is shown again.
func TestExplore_ReplayOfLeaks(t *testing.T) {
	script := filepath.Join(t.TempDir(), "work.star")
	require.NoError(t, os.WriteFile(script, []byte(`# replay: {"version":1,"code":"memory-growth","world":"ordinary",`+
		`"ops":[{"box":"Work","method":"birth","on":-1,"makes":"Work"},{"box":"Work","method":"work","on":0}]}`+"\n"), 0o600))
	for freed, want := range map[string]int{"7": 0, "6": 1} {
		library := ccbuild.Source(t, "work", blocks, "-fvisibility=hidden", "-DFREED="+freed)
		report := run(t, plugintest.Config{File: library, Seed: 1, Replay: script}, "explore")
		require.Len(t, report.Findings, want, freed)
		if want > 0 {
			assert.Equal(t, "memory-growth Work.work", report.Findings[0].Code+" "+report.Findings[0].Place())
		}
	}
}
