//go:build (amd64 || arm64) && (darwin || freebsd || linux)

package main_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

const crashes = `
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "nyash_plugin.h"
static void *fault(void *p) { *(volatile int *)8 = 1; return p; }
static volatile int depth;
static int deep(int n) { volatile char room[4096]; room[0] = (char)n; return depth ? 0 : deep(n + 1) + room[0]; }
uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }
int32_t nyash_plugin_init(const NyashHostVtable *h, NyashPluginInfo *info) { (void)h; info->type_id = 5; return NYASH_OK; }
int32_t nyash_plugin_invoke(uint32_t type, uint32_t method, uint32_t instance, const uint8_t *args, size_t args_len, uint8_t *result, size_t *result_len) {
    pthread_t other;
    (void)type; (void)instance; (void)args; (void)args_len;
    *result_len = 0;
    switch (method) {
    case NYASH_METHOD_BIRTH: memcpy(result, (uint8_t[]){1, 0, 0, 0}, 4); *result_len = 4; break;
    case 1: fault(0); break;
    case 2: abort();
    case 3: return deep(0);
    case 4: pthread_create(&other, 0, fault, 0); pthread_join(other, 0); break;
    }
    return NYASH_OK;
}
void nyash_plugin_shutdown(void) {}
`

// TestCrash: a plugin that crashes in the process of nyash is told in a line.
func TestCrash(t *testing.T) {
	c := newCommand(t)
	library := ccbuild.Source(t, "crashes", crashes)
	c.write(t, "nyash.toml", "[plugins.Crash]\nlibrary = \""+library+`"
[plugins.Crash.methods]
fault = { method_id = 1 }
abort = { method_id = 2 }
overflow = { method_id = 3 }
thread = { method_id = 4 }
`)
	const advice = ". A plugin that crashes takes its process with it: --isolation process gives it one of its own, and tells which call it was.\n"
	for method, line := range map[string]string{
		"fault":    "nyash: a plugin crashed: SIGSEGV at the address 0x8, pc 0x",
		"abort":    "nyash: a plugin crashed: SIGABRT, pc 0x",
		"overflow": "nyash: a plugin crashed: SIGSEGV at the address 0x",
		"thread":   "nyash: a plugin crashed: SIGSEGV at the address 0x8, pc 0x",
	} {
		t.Run(method, func(t *testing.T) {
			_, stderr, status := c.run(t, "run", "-e", "Crash()."+method+"()")
			assert.Equal(t, -1, status, "a signal")
			assert.Contains(t, stderr, line)
			assert.Contains(t, stderr, advice)
			assert.Equal(t, 1, strings.Count(strings.TrimSpace(stderr)+"\n", "\n"), stderr)
		})
	}
	t.Run("with all stacks", func(t *testing.T) {
		t.Setenv("GOTRACEBACK", "all")
		_, stderr, status := c.run(t, "call", "Crash.fault")
		assert.Equal(t, 2, status)
		assert.Contains(t, stderr, "goroutine 1")
	})
}
