package meter_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/nyash-plugins/nyash-go/internal/wasm/meter"
)

const wasi = "wasi_snapshot_preview1"

// guardedModule imports a function of WASI twice, and one function before. It reaches it in all ways that there are:
// as an export, by a call, through an element segment, through ref.func in a segment and in code, and through a global.
func guardedModule(name, params string) []byte {
	args := b()
	for i := range params {
		args = append(args, b(get, i)...)
	}
	// As encoded by whoever does not want to be recognized: the number of parameters has a byte more than it needs.
	long := append([]byte{0x60, byte(len(params)) | 0x80, 0}, typ(params, "i")[2:]...)
	return mod(
		sec(1, typ(params, "i"), long, typ("", "i")),
		sec(2, b("env", "other", 0, 2), b(wasi, name, 0, 0), b(wasi, name, 0, 1)),
		sec(3, b(0), b(0), b(0), b(0), b(0), b(2)),
		sec(4, b(0x70, 0, 3)), sec(5, b(0, 1)),
		sec(6, b(0x70, 0, 0xd2, 2, end)),
		sec(7, export("exported", 0, 1), export("exported twice", 0, 2), export("called", 0, 3), export("in table", 0, 4),
			export("by expression", 0, 5), export("by ref.func", 0, 6), export("by global", 0, 7), export("other", 0, 0),
			export("own", 0, 8)),
		sec(9, b(0, konst, 0, end, vec(b(1))), b(4, konst, 1, end, vec(b(0xd2, 2, end)))),
		sec(10,
			body(0, args, call, 1),
			body(0, args, konst, 0, indirect, 0, 0),
			body(0, args, konst, 1, indirect, 1, 0),
			body(0, konst, 2, 0xd2, 1, 0x26, 0, args, konst, 2, indirect, 0, 0), // table.set
			body(0, konst, 2, 0x23, 0, 0x26, 0, args, konst, 2, indirect, 0, 0),
			body(0, konst, 0, konst, 1, konst, 2, 0xfc, 10, 0, 0, call, 0))) // with a helper
}

// TestGuards: what is too large does not come to the function, whichever way it is called, and all else does.
func TestGuards(t *testing.T) {
	const invalid, tooLong, badFile = 28, 37, 8
	tests := []struct {
		name, params string
		at           int // the parameter
		most         uint64
		errno        uint64
	}{
		{"path_create_directory", "iii", 2, 4096, tooLong},
		{"path_filestat_get", "iiiii", 3, 4096, tooLong},
		{"path_filestat_set_times", "iiiilli", 3, 4096, tooLong},
		{"path_link", "iiiiiii", 3, 4096, tooLong},
		{"path_link", "iiiiiii", 6, 4096, tooLong},
		{"path_open", "iiiiillii", 3, 4096, tooLong},
		{"path_readlink", "iiiiii", 2, 4096, tooLong},
		{"path_remove_directory", "iii", 2, 4096, tooLong},
		{"path_rename", "iiiiii", 2, 4096, tooLong},
		{"path_rename", "iiiiii", 5, 4096, tooLong},
		{"path_symlink", "iiiii", 1, 4096, tooLong},
		{"path_symlink", "iiiii", 4, 4096, tooLong},
		{"path_unlink_file", "iii", 2, 4096, tooLong},
		{"fd_read", "iiii", 2, 1024, invalid},
		{"fd_write", "iiii", 2, 1024, invalid},
		{"fd_pread", "iiili", 2, 1024, invalid},
		{"fd_pwrite", "iiili", 2, 1024, invalid},
		{"poll_oneoff", "iiii", 2, 1024, invalid},
		{"fd_renumber", "ii", 1, 1 << 14, badFile},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s %d", tt.name, tt.at), func(t *testing.T) {
			ctx := context.Background()
			m, calls := recorded(t, guardedModule(tt.name, tt.params), tt.name, tt.params)
			for _, way := range strings.Split("exported,exported twice,called,in table,by expression,by ref.func,by global", ",") {
				for _, n := range []uint64{0, tt.most, tt.most + 1, 1 << 31, 1<<32 - 1} {
					args := make([]uint64, len(tt.params))
					for i := range args {
						args[i] = uint64(i + 1)
					}
					args[tt.at] = n
					*calls = nil
					got, err := m.ExportedFunction(way).Call(ctx, args...)
					require.NoError(t, err, way)
					if n > tt.most {
						assert.Equal(t, []uint64{tt.errno}, got, "%s %d", way, n)
						assert.Empty(t, *calls, "%s %d", way, n)
						continue
					}
					assert.Equal(t, []uint64{5}, got, "%s %d", way, n)
					assert.Equal(t, [][]uint64{args}, *calls, "%s %d", way, n)
				}
			}
			for _, way := range []string{"other", "own"} {
				got, err := m.ExportedFunction(way).Call(ctx)
				require.NoError(t, err)
				assert.Equal(t, []uint64{6}, got)
			}
		})
	}
}

// recorded is a module, rewritten, whose import notes what it is called with.
func recorded(t *testing.T, module []byte, name, params string) (api.Module, *[][]uint64) {
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, engine())
	t.Cleanup(func() { rt.Close(ctx) })
	host(t, rt, func() {})
	calls := new([][]uint64)
	var types []api.ValueType
	for _, c := range params {
		types = append(types, map[rune]api.ValueType{'i': api.ValueTypeI32, 'l': api.ValueTypeI64}[c])
	}
	offer := func(from, name string, types []api.ValueType, f api.GoFunc) {
		_, err := rt.NewHostModuleBuilder(from).NewFunctionBuilder().
			WithGoFunction(f, types, []api.ValueType{api.ValueTypeI32}).Export(name).Instantiate(ctx)
		require.NoError(t, err)
	}
	offer(wasi, name, types, func(_ context.Context, stack []uint64) {
		*calls = append(*calls, append([]uint64{}, stack[:len(params)]...))
		stack[0] = 5
	})
	offer("env", "other", nil, func(_ context.Context, stack []uint64) { stack[0] = 6 })
	text, err := meter.Rewrite(module, meter.Options{})
	require.NoError(t, err)
	m, err := rt.Instantiate(ctx, text)
	require.NoError(t, err)
	return m, calls
}

// TestGuards_OtherType: a function of another type is left alone, and so are others' of that name.
func TestGuards_OtherType(t *testing.T) {
	for name, module := range map[string][]byte{
		"type":   guardedModule("fd_write", "iii"),
		"result": mod(sec(1, typ("iiii", "l")), sec(2, b(wasi, "fd_write", 0, 0)), sec(7, export("f", 0, 0))),
		"module": mod(sec(1, typ("iiii", "i")), sec(2, b("env", "fd_write", 0, 0)), sec(7, export("f", 0, 0))),
		"name":   mod(sec(1, typ("iiii", "i")), sec(2, b(wasi, "fd_seek", 0, 0)), sec(7, export("f", 0, 0))),
	} {
		text, err := meter.Rewrite(module, meter.Options{})
		require.NoError(t, err)
		compiled, err := wazero.NewRuntimeWithConfig(context.Background(), engine()).CompileModule(context.Background(), text)
		require.NoError(t, err, name)
		assert.NotContains(t, string(text), string([]byte{0x4b, 0x04, 0x40, 0x41}), name) // i32.gt_u, if, i32.const
		require.NoError(t, compiled.Close(context.Background()))
	}
}
