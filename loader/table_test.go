package loader_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// openTabled is openProbe with a library that has a table beside the four functions.
func openTabled(t testing.TB, opts ...loader.Option) *loader.Host {
	t.Helper()
	return open(t, probeTOML(probeLibrary(t, "-DTABLE"), ""), opts...)
}

func TestTable(t *testing.T) {
	box := newBox(t, openTabled(t), "Probe")
	assert.Equal(t, abi.TypeBoxes, box.Type().Generation)
	assert.EqualValues(t, 3, callInt(t, box, "add", 1, 2))
	assert.EqualValues(t, 1, callInt(t, box, "inits"), "the other functions are called as ever")
	_, err := box.Call(t.Context(), "refuse")
	var failed *loader.CallError
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, "no", failed.Message[:2])
	assert.Equal(t, abi.FourSymbols, newBox(t, openProbe(t), "Probe").Type().Generation)
}

// bare is a library with a table and nothing else.
func bare(t testing.TB) string {
	return ccbuild.Source(t, "bare", `#include "answer.h"
static int32_t invoke_id(uint32_t instance, uint32_t method, const uint8_t *args, size_t args_len, uint8_t *result, size_t *result_len) {
    (void)args, (void)args_len;
    uint32_t id = 7;
    if (method == NYASH_METHOD_BIRTH) return memcpy(result, &id, 4), *result_len = 4, NYASH_OK;
    return method == 1 ? answer_i64(result, result_len, instance) : NYASH_E_INVALID_METHOD;
}
extern NYASH_EXPORT const NyashTypeBox nyash_typebox_Bare, nyash_typebox_Wrong;
const NyashTypeBox nyash_typebox_Bare = {NYASH_TYPEBOX_TAG, 1, sizeof(NyashTypeBox), "Bare", NULL, invoke_id, 0};
const NyashTypeBox nyash_typebox_Wrong = {0, 1, sizeof(NyashTypeBox), "Wrong", NULL, invoke_id, 0};
`)
}

func bareTOML(library, keys string) string {
	return fmt.Sprintf("[plugins.Bare]\nlibrary = %q\ntype_id = 11\nmethods = { id = { method_id = 1 } }\n%s\n", library, keys)
}

// One library is open with its table, and then for a box that it lacks.
func TestTable_SecondHost(t *testing.T) {
	library := bare(t)
	box := newBox(t, open(t, bareTOML(library, "")), "Bare")
	other := open(t, fmt.Sprintf("[plugins.Other]\nlibrary = %q\ntype_id = 11\n", library))
	_, err := other.New(t.Context(), "Other")
	require.ErrorIs(t, err, native.ErrSymbol)
	assert.ErrorContains(t, err, "the library has no table nyash_typebox_Other; it has Bare, Wrong")
	assert.EqualValues(t, 7, callInt(t, box, "id"))
}

// What is wrong with one box of such a library costs only that.
func TestTable_Broken(t *testing.T) {
	library := bare(t)
	h := open(t, bareTOML(library, fmt.Sprintf("[plugins]\nWrong = %q\nMissing = %[1]q", library)))
	assert.EqualValues(t, 7, callInt(t, newBox(t, h, "Bare"), "id"))
	for name, want := range map[string]string{"Wrong": "its abi_tag is 0x00000000", "Missing": "the library has no box Missing"} {
		_, err := h.New(t.Context(), name)
		require.ErrorContains(t, err, want)
		_, err = h.Type(t.Context(), name)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, h.Load(t.Context(), name), want)
		assert.ErrorContains(t, h.Load(t.Context()), want)
	}
	assert.NoError(t, h.Load(t.Context(), "Bare"))
}

// Where none of the boxes can be used, each has its own error.
func TestTable_AllBroken(t *testing.T) {
	library := bare(t)
	for _, isolation := range []loader.Isolation{loader.IsolationNone, loader.IsolationProcess} {
		for form, toml := range map[string]string{
			"plugins":   fmt.Sprintf("[plugins]\nWrong = %q\nBare = %[1]q", library),
			"libraries": fmt.Sprintf("[libraries.%q]\nboxes = [\"Wrong\", \"Bare\"]", library),
			"no tables": fmt.Sprintf("[plugins]\nWrnog = %q\nBaer = %[1]q", library),
		} {
			t.Run(form+" "+isolation.String(), func(t *testing.T) {
				h := open(t, toml, loader.WithIsolation(isolation))
				boxes := h.Boxes()[:2]
				for i, name := range boxes {
					_, err := h.New(t.Context(), name)
					require.ErrorContains(t, err, name)
					assert.NotContains(t, err.Error(), boxes[1-i]+":")
					assert.NotContains(t, err.Error(), "\n")
					assert.Contains(t, fmt.Sprintf("%+v", err), "^", "it shows its line")
				}
				err := h.Load(t.Context(), boxes...)
				require.ErrorContains(t, err, boxes[0]+":")
				require.ErrorContains(t, err, boxes[1]+":")
			})
		}
	}
}

// The second life of a worker calls the boxes through their tables, too.
func TestTable_NextWorker(t *testing.T) {
	h := open(t, bareTOML(bare(t), "isolation = \"process\"\nidle_timeout = \"10ms\""))
	for range 3 {
		box := newBox(t, h, "Bare")
		assert.EqualValues(t, 7, callInt(t, box, "id"))
		require.NoError(t, box.Close())
		eventually(func() bool { return h.Plugins()[0].State == loader.PluginUnloaded })
	}
}

// A table that cannot be read, wherever the library runs, costs its box and no other, and a
// log line that cannot be read is told as such.
func TestTable_BadMemory(t *testing.T) {
	library := ccbuild.Source(t, "unreadable", `#include "answer.h"
#include <sys/mman.h>
static const NyashHostVtable *host;
NYASH_EXPORT uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }
NYASH_EXPORT int32_t nyash_plugin_init(const NyashHostVtable *h, NyashPluginInfo *info) { (void)info, host = h; return NYASH_OK; }
NYASH_EXPORT void nyash_plugin_shutdown(void) {}
static int32_t invoke_id(uint32_t instance, uint32_t method, const uint8_t *args, size_t args_len, uint8_t *result, size_t *result_len) {
    (void)args, (void)args_len;
    uint32_t id = 7;
    if (method == NYASH_METHOD_BIRTH) return memcpy(result, &id, 4), *result_len = 4, NYASH_OK;
    host->log(NYASH_LOG_WARN, (const char *)0x41414141000);
    return method == 1 ? answer_i64(result, result_len, instance) : NYASH_E_INVALID_METHOD;
}
extern NYASH_EXPORT const NyashTypeBox nyash_typebox_Bare, nyash_typebox_Name;
const NyashTypeBox nyash_typebox_Bare = {NYASH_TYPEBOX_TAG, 1, sizeof(NyashTypeBox), "Bare", NULL, invoke_id, 0};
const NyashTypeBox nyash_typebox_Name = {NYASH_TYPEBOX_TAG, 1, sizeof(NyashTypeBox), (const char *)0x41414141000, NULL, invoke_id, 0};
enum { PAGE = 65536 };
NYASH_EXPORT union { NyashTypeBox table; char page[PAGE]; } nyash_typebox_Hidden __attribute__((aligned(PAGE)));
__attribute__((constructor)) static void hide(void) { mprotect(&nyash_typebox_Hidden, PAGE, PROT_NONE); }
`)
	for _, isolation := range []string{"none", "process"} {
		t.Run(isolation, func(t *testing.T) {
			log := hosttest.NewLog()
			h := open(t, bareTOML(library, fmt.Sprintf("isolation = %q\n[plugins]\nName = %q\nHidden = %[2]q", isolation, library)), log.Option())
			_, err := h.New(t.Context(), "Name")
			require.ErrorContains(t, err, "plugins.Name: nyash_typebox_Name: its name: address 0x41414141000 cannot be read; fix the library")
			_, err = h.New(t.Context(), "Hidden")
			require.ErrorContains(t, err, "plugins.Hidden: nyash_typebox_Hidden: address 0x")
			require.ErrorContains(t, err, "cannot be read; fix the library")
			assert.EqualValues(t, 7, callInt(t, newBox(t, h, "Bare"), "id"))
			eventually(func() bool {
				return slices.ContainsFunc(log.Messages(), func(line string) bool {
					return strings.Contains(line, "a message that is unreadable: address 0x41414141000 cannot be read")
				})
			})
		})
	}
}
