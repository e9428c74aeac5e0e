package plugintest_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// TestRun_EndsDaemons: a process that a plugin starts and that leaves its session is ended, also of
// a worker under valgrind. As long as it lives it holds a lock.
func TestRun_EndsDaemons(t *testing.T) {
	for _, check := range []string{"check", "memcheck"} {
		t.Run(check, func(t *testing.T) {
			t.Parallel()
			held := filepath.Join(t.TempDir(), "held")
			library := ccbuild.Source(t, "daemon", `
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>
#include "nyash.h"
static void leave(void) {
    if (fork() != 0) return;
    setsid();
    if (fork() != 0) _exit(0);
    for (int fd = 3; fd < 256; fd++) close(fd);
    if (flock(open("`+held+`", O_CREAT | O_RDWR, 0600), LOCK_SH) != 0) _exit(1);
    for (;;) pause();
}
static int32_t up(void) {
    leave();
    return NYASH_OK;
}
static int32_t go(NyashContext *c) { return nyash_return_i32(c, 1); }
static const NyashMethod methods[] = {{.id = 1, .name = "go", .call = go, .result = NYASH_I32}};
static const NyashBox box = {.name = "Daemons", .type_id = 740, .state_size = 1, NYASH_METHODS(methods)};
NYASH_PLUGIN_WITH(up, NULL, &box)
`)
			tt, err := plugintest.New(plugintest.Config{File: library, Seed: 1, Worker: ccbuild.TestersWorker(t)})
			require.NoError(t, err)
			_, err = tt.Run(t.Context(), check)
			require.NoError(t, err)
			f, err := os.OpenFile(held, os.O_RDWR, 0)
			require.NoError(t, err, "no daemon has lived")
			defer f.Close()
			assert.Eventually(t, func() bool { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil }, 10*time.Second, 10*time.Millisecond)
		})
	}
}
