package wasm

import (
	"bytes"
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/modules"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

// growing is a plugin that echoes, and whose free has its memory grow, and so move.
const growing = `
#include <stdlib.h>
#include <string.h>
void nyash_grow(void);
#include "nyash_plugin.h"

uint32_t nyash_plugin_abi(void) { return NYASH_ABI_VERSION; }
int32_t nyash_plugin_init(const NyashHostVtable *host, NyashPluginInfo *info) {
    (void)host;
    info->type_id = 7;
    return NYASH_OK;
}
int32_t nyash_plugin_invoke(uint32_t type_id, uint32_t method, uint32_t instance, const uint8_t *args,
                            size_t args_len, uint8_t *result, size_t *result_len) {
    (void)type_id, (void)method, (void)instance;
    if (*result_len < args_len) {
        *result_len = args_len;
        return NYASH_E_SHORT_BUFFER;
    }
    memcpy(result, args, args_len);
    *result_len = args_len;
    return NYASH_OK;
}
void nyash_plugin_shutdown(void) {}
void nyash_grow(void) { __builtin_wasm_memory_grow(0, 4); }
`

// testSlot is a slot as package loader has them.
type testSlot struct {
	owner        atomic.Uint64
	call         abi.Call
	args, result []byte
}

func (s *testSlot) Bind(modules.Module) modules.SlotParts {
	s.args, s.result = make([]byte, 64), make([]byte, 64)
	return modules.SlotParts{Owner: &s.owner, Call: &s.call, Args: &s.args, Result: &s.result}
}

// TestDirect_Moved: a message that is in the module's memory reaches the module where that
// memory moves before the call, because what others no longer need is freed first.
func TestDirect_Moved(t *testing.T) {
	linearMemory = func(ctx context.Context) context.Context { return ctx } // as on Windows
	defer func() { linearMemory = withLinearMemory }()
	ctx := t.Context()
	slot := new(testSlot)
	file := ccbuild.ModuleSource(t, "growing", growing, "-Dfree(p)=(free)(p),nyash_grow()")
	p := New(modules.Config{File: file, Instances: 1, Slot: func() modules.Slot { return slot }})
	defer p.Close()
	got, err := p.Session(ctx, true)
	require.NoError(t, err)
	m := got.(*Module)
	require.Equal(t, modules.Slot(slot), m.Slot())
	echo := func(data []byte, first func()) {
		require.True(t, slot.owner.CompareAndSwap(0, 5))
		defer m.Pass()
		slot.call.SetArgs(append(slot.args[:0], data...))
		slot.call.SetResultBuffer(slot.result[:len(slot.result)-8])
		first()
		require.NoError(t, m.Invoke(ctx, &slot.call))
		require.Equal(t, abi.OK, slot.call.Code)
		require.Equal(t, data, slot.result[:slot.call.ResultLength])
	}
	nothing := func() {}
	echo([]byte("hello"), nothing)
	moved := 0
	for i := range 40 {
		addr, err := m.Lend(ctx, []byte("data"))
		require.NoError(t, err)
		before := &slot.args[0]
		echo(bytes.Repeat([]byte{byte(i)}, 10+i), func() { m.TakeBack(addr, 4) })
		if &slot.args[0] != before {
			moved++
		}
	}
	assert.Positive(t, moved)
	assert.Zero(t, slot.owner.Load())
}
