package plugintest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// A fault that a single call shows has a script, too, which shows it again.
func TestScripts_OfSingleCalls(t *testing.T) {
	tests := map[string]struct{ check, code, want string }{
		"crash_poke":    {"lifecycle", "crash", "counter1 = Counter()\nprint(counter1.poke())  # the process ends"},
		"exit_poke":     {"lifecycle", "exit", "counter1 = Counter()\nprint(counter1.poke())  # the process ends"},
		"hang_poke":     {"lifecycle", "hang", "counter1 = Counter()\nprint(counter1.poke())  # it does not return"},
		"crash_hostile": {"protocol", "crash", ""}, // its arguments are no message, which a script cannot say
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			library := ccbuild.Library(t, filepath.Join("../../tests/faulty/testdata", name+".c"))
			dir := t.TempDir()
			report := run(t, plugintest.Config{File: library, Seed: 1, Until: tt.code, Save: dir, Timeout: time.Second}, tt.check)
			require.Len(t, report.Findings, 1)
			f := report.Findings[0]
			require.Equal(t, tt.code, f.Code)
			file := filepath.Join(dir, tt.code+"-Counter.poke.star")
			if tt.want == "" {
				assert.Empty(t, f.Sequence)
				assert.NoFileExists(t, file)
				return
			}
			assert.Contains(t, f.Sequence, tt.want)
			assert.NotEmpty(t, f.Steps)
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, f.Sequence, string(text))
			assert.Equal(t, 2, strings.Count(f.Sequence, "counter1.poke")+strings.Count(f.Sequence, "Counter()"), "nothing else is called")

			again := run(t, plugintest.Config{File: library, Replay: file, Timeout: time.Second}, "explore")
			require.Len(t, again.Findings, 1)
			assert.Equal(t, tt.code, again.Findings[0].Code)
		})
	}
}

// copiesFreedTwice is a plugin in C with a box whose copies have its block, and free it, too.
const copiesFreedTwice = `
#include <stdatomic.h>
#include <stdbool.h>
#include "nyash.h"
struct block { atomic_bool freed; };
struct state { struct block *block; };
static int32_t copy(NyashContext *c) {
	struct state *self = nyash_self(c), *s = nyash_create(c, NULL);
	if (s == NULL || (self->block == NULL && (self->block = calloc(1, sizeof(struct block))) == NULL)) return nyash_error_memory(c);
	s->block = self->block;
	return nyash_return_instance(c, s);
}
// What the C library says of memory that is freed twice depends on the threads that free it; this does not.
static void fini(void *self) {
	struct state *s = self;
	if (s->block != NULL && atomic_exchange(&s->block->freed, true)) abort();
}
static const NyashMethod methods[] = {
	{.id = 1, .name = "copy", .call = copy, .result = NYASH_HANDLE},
};
static const NyashBox box = {.name = "Kept", .type_id = 745, .state_size = sizeof(struct state), .fini = fini, NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
`

// A crash in fini has a script with the call that made the instance, where a method has.
func TestScripts_Fini(t *testing.T) {
	library := ccbuild.Source(t, "copies_freed_twice", copiesFreedTwice)
	report := run(t, plugintest.Config{File: library, Seed: 1, Until: "crash"}, "lifecycle")
	require.NotEmpty(t, report.Findings)
	f := report.Findings[len(report.Findings)-1]
	require.Equal(t, "crash", f.Code)
	assert.Equal(t, "Kept.fini", f.Place())
	assert.Contains(t, f.Sequence, "= kept1.copy()")
	assert.NotContains(t, f.Fix, "tlv-debug")
}
