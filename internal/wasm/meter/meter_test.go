package meter_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/nyash-plugins/nyash-go/internal/wasm/meter"
)

// TestSame runs functions with and without charges, with arguments that take them through few and many turns.
func TestSame(t *testing.T) {
	more := []struct {
		name   string
		module []byte
	}{
		{"loop with a parameter and a result", single("i", "i", 1, get, 0, loop, b(0), // type 0: i → i
			tee, 0, konst, 3, add, get, 0, konst, s(100), ltS, brIf, 0, end)},
		{"loop with a result", single("i", "i", 1, loop, i32, get, 1, konst, 1, add, set, 1,
			get, 1, get, 0, ltS, brIf, 0, get, 1, end)},
		{"values under the last branch", single("i", "i", 1, loop, i32, get, 1, konst, 1, add, tee, 1,
			get, 1, get, 0, ltS, brIf, 0, end)},
		{"back from the middle", single("i", "i", 1, block, void, loop, void, get, 1, konst, 1, add, set, 1,
			get, 1, konst, 3, and, brIf, 0, get, 1, get, 0, ltS, eqz, brIf, 1, br, 0, end, end, get, 1)},
		{"back from inside blocks and a table", single("i", "i", 1, loop, void, block, void, block, void,
			get, 1, konst, 1, add, tee, 1, konst, 3, and, brTable, 2, 0, 1, 2, end, get, 1, konst, 5, add, set, 1, end,
			get, 1, get, 0, ltS, brIf, 0, end, get, 1)},
		{"return from a loop", single("i", "i", 1, loop, void, get, 1, konst, 2, add, set, 1,
			get, 1, get, 0, ltS, eqz, iff, void, get, 1, ret, end, br, 0, end, 0x00)},
		{"dead code", single("i", "i", 1, get, 0, ret, loop, void, block, void, br, 1, end, br, 0, end, 0x00)},
		{"loop that never comes back", single("i", "i", 1, loop, i32, get, 0, end)},
		{"loop at the end of a dead arm", single("i", "i", 1, get, 0, iff, i32, loop, i32, get, 0, konst, 1, sub, tee, 0,
			brIf, 0, konst, 9, end, els, konst, 8, end)},
		{"three loops in each other", single("i", "i", 3, loop, void, konst, 3, set, 2, loop, void, konst, 2, set, 3,
			loop, void, get, 1, konst, 1, add, set, 1, get, 3, konst, 1, sub, tee, 3, brIf, 0, end,
			get, 2, konst, 1, sub, tee, 2, brIf, 0, end, get, 0, konst, 1, sub, tee, 0, br, 0+1, end, get, 1)},
		{"start function, tables, globals of functions, indirect calls", mod(
			sec(1, typ("i", "i"), typ("", "")), sec(2, b("env", "twice", 0, 0)),
			sec(3, b(0), b(1), b(0), b(0)), sec(4, b(0x70, 0, 4), b(0x6f, 1, 1, 9)),
			sec(6, b(i32, 1, konst, 5, end), b(0x70, 0, 0xd2, 3, end)),
			sec(7, export("f", 0, 1), export("twice", 0, 0), export("table", 1, 0)), raw(8, b(2)),
			sec(9, b(0, konst, 0, end, vec(b(0), b(3))), b(1, 0, vec(b(4))), b(5, 0x70, vec(b(0xd2, 4, end), b(0xd0, 0x70, end)))),
			sec(10,
				body(0, konst, 2, konst, 0, konst, 1, 0xfc, 12, u(1), 0, // table.init
					get, 0, konst, 0, indirect, 0, 0, konst, 1, indirect, 0, 0, konst, 2, indirect, 0, 0,
					0x23, 0, add, 0xd2, 4, 0xd1, add),
				body(0, konst, s(1000), 0x24, 0),
				body(0, get, 0, konst, 1, add),
				body(0, get, 0, konst, 3, mul, call, 0)))},
	}
	for _, c := range cases {
		more = append(more, struct {
			name   string
			module []byte
		}{c.name, c.module})
	}
	for _, c := range more {
		t.Run(c.name, func(t *testing.T) {
			run := func(rewrite bool) (out []uint64) {
				ctx := context.Background()
				rt := wazero.NewRuntimeWithConfig(ctx, engine())
				defer rt.Close(ctx)
				_, err := rt.NewHostModuleBuilder("env").NewFunctionBuilder().
					WithFunc(func(v uint32) uint32 { return 2 * v }).Export("twice").Instantiate(ctx)
				require.NoError(t, err)
				host(t, rt, func() {})
				module := c.module
				if rewrite {
					module, err = meter.Rewrite(module, meter.Options{})
					require.NoError(t, err)
				}
				m, err := rt.Instantiate(ctx, module)
				require.NoError(t, err)
				for _, n := range []uint64{1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23} {
					got, err := m.ExportedFunction("f").Call(ctx, n)
					require.NoError(t, err)
					out = append(out, got...)
				}
				return out
			}
			require.Equal(t, run(false), run(true))
		})
	}
}

// endless are modules whose f never ends by itself.
func endless() map[string][]byte {
	long := b()
	for range 20_000 {
		long = append(long, b(get, 0, konst, 3, mul, set, 0)...)
	}
	// A tree of calls, each function calling the next one 64 times: 64⁹ calls without a loop.
	var types, bodies [][]byte
	for i := range 9 {
		code := b()
		for range 64 {
			code = append(code, b(call, i+1)...)
		}
		types, bodies = append(types, b(0)), append(bodies, body(0, code))
	}
	types, bodies = append(types, b(0)), append(bodies, body(0))
	chase := b(get, 0, 0x28, 2, 0, set, 0) // each load depends on the one before
	return map[string][]byte{
		"empty loop":     single("i", "", 0, loop, void, br, 0, end),
		"loop of blocks": single("i", "", 0, loop, void, block, void, block, void, br, 2, end, end, end),
		"loop by table":  single("i", "", 0, loop, void, konst, 0, brTable, 0, 0, end),
		"loop with values": mod(sec(1, typ("", ""), typ("i", "i")), sec(3, b(0)), sec(7, export("f", 0, 0)),
			sec(10, body(0, konst, 1, loop, 1, konst, 2, add, br, 0, end, 0x00))),
		"long loop":      single("i", "", 0, loop, void, long, br, 0, end),
		"loop of loads":  single("i", "", 0, loop, void, chase, chase, chase, chase, br, 0, end),
		"two loops":      single("i", "", 1, loop, void, konst, 2, set, 1, loop, void, get, 1, konst, 1, sub, tee, 1, brIf, 0, end, br, 0, end),
		"tree of calls":  mod(sec(1, typ("", "")), sec(3, types...), sec(7, export("f", 0, 0)), sec(10, bodies...)),
		"loop of fills":  single("i", "", 0, loop, void, konst, 0, konst, 0, konst, s(60_000), 0xfc, 11, 0, br, 0, end),
		"loop of growth": single("i", "", 0, loop, void, konst, 0, 0x40, 0, 0x1a, br, 0, end),
		"indirect recursion": mod(sec(1, typ("", ""), typ("i", "")), sec(3, b(0), b(0)), sec(4, b(0x70, 0, 1)), sec(7, export("f", 0, 0)), sec(9, b(0, konst, 0, end, vec(b(1)))),
			sec(10, body(0, loop, void, konst, 0, indirect, 0, 0, br, 0, end), body(1, konst, s(50), set, 0, loop, void, get, 0, konst, 1, sub, tee, 0, brIf, 0, end))),
	}
}

// TestInterrupt starts functions that never end. While each runs, the garbage collector must get through, and
// then the tick must be able to end the call.
func TestInterrupt(t *testing.T) {
	for name, module := range endless() {
		t.Run(name, func(t *testing.T) {
			stop := errors.New("over")
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			running := make(chan struct{})
			ticks := 0
			m := start(t, module, func() {
				if ticks++; ticks == 2 {
					close(running)
				}
				if ctx.Err() != nil {
					panic(stop)
				}
			})
			f := m.ExportedFunction("f")
			done := make(chan error, 1)
			go func() {
				_, err := f.Call(context.Background(), make([]uint64, len(f.Definition().ParamTypes()))...)
				done <- err
			}()
			<-running
			worst := time.Duration(0)
			for range 3 {
				from := time.Now()
				runtime.GC()
				worst = max(worst, time.Since(from))
			}
			cancel()
			from := time.Now()
			err := <-done
			require.ErrorIs(t, err, stop)
			t.Logf("collection %v, end %v", worst, time.Since(from))
			require.Less(t, worst, time.Second) // 100 ms on a machine that does nothing else
		})
	}
}

// TestTickAllocates: a call with ticks allocates nothing.
func TestTickAllocates(t *testing.T) {
	ticks := 0
	f := start(t, cases[1].module, func() { ticks++ }).ExportedFunction("f")
	stack := make([]uint64, 1)
	allocs := testing.AllocsPerRun(20, func() {
		stack[0] = 1e6
		require.NoError(t, f.CallWithStack(context.Background(), stack))
	})
	require.Zero(t, allocs)
	require.Greater(t, ticks, 100)
}

// TestClose: the tick can close the module as well, as a WASI exit does.
func TestClose(t *testing.T) {
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, engine())
	defer rt.Close(ctx)
	_, err := rt.NewHostModuleBuilder("host").NewFunctionBuilder().
		WithGoModuleFunction(api.GoModuleFunc(func(ctx context.Context, m api.Module, _ []uint64) {
			_ = m.CloseWithExitCode(ctx, 7)
			panic("closed")
		}), nil, nil).Export("beat").Instantiate(ctx)
	require.NoError(t, err)
	module, err := meter.Rewrite(endless()["empty loop"], meter.Options{Module: "host", Name: "beat"})
	require.NoError(t, err)
	m, err := rt.Instantiate(ctx, module)
	require.NoError(t, err)
	_, err = m.ExportedFunction("f").Call(ctx, 1)
	require.ErrorContains(t, err, "closed")
	require.True(t, m.IsClosed())
}

// TestCharges counts ticks, so that work is neither free nor charged many times.
func TestCharges(t *testing.T) {
	count := func(module []byte, n uint64) (ticks int) {
		f := start(t, module, func() { ticks++ }).ExportedFunction("f")
		_, err := f.Call(context.Background(), n)
		require.NoError(t, err)
		return ticks
	}
	for _, c := range []struct {
		name   string
		module []byte
		n      uint64
		units  int // at least
	}{
		{"loop", cases[0].module, 1e7, 4e7},
		{"call", cases[6].module, 1e6, 1e7},
		{"fib", cases[8].module, 25, 250_000 * 12},
		{"indirect", cases[9].module, 1e6, 1e7},
		{"fill in pieces", single("i", "", 0, loop, void, konst, 0, konst, 1, konst, s(60_000), 0xfc, 11, 0, countdown, end), 1000, 60e6 / 32},
	} {
		ticks := count(c.module, c.n)
		require.GreaterOrEqual(t, ticks, c.units/meter.Interval, c.name)
		require.LessOrEqual(t, ticks, 40*c.units/meter.Budget+2, c.name)
	}
}

// TestPieces compares memory.copy and memory.fill of all sizes around a piece's, in both directions.
func TestPieces(t *testing.T) {
	module := mod(sec(1, typ("iii", "")), sec(3, b(0), b(0)), sec(5, b(0, 8)),
		sec(7, export("copy", 0, 0), export("fill", 0, 1), export("memory", 2, 0)),
		sec(10, body(0, get, 0, get, 1, get, 2, 0xfc, 10, 0, 0), body(0, get, 0, get, 1, get, 2, 0xfc, 11, 0)))
	ticks := 0
	plain, metered := start(t, module, nil), start(t, module, func() { ticks++ })
	const size, piece = 8 << 16, 1 << 16
	random := rand.New(rand.NewPCG(1, 2))
	for _, m := range []api.Module{plain, metered} {
		for i := range uint32(size / 4) {
			m.Memory().WriteUint32Le(4*i, i*2654435761)
		}
	}
	edges := []uint32{0, 1, 7, piece - 1, piece, piece + 1, 2*piece - 1, 2 * piece, 3*piece + 5, size - 1, size, size + 1, 1<<32 - 1, 1<<32 - piece}
	pick := func() uint32 {
		if random.IntN(2) == 0 {
			return edges[random.IntN(len(edges))]
		}
		return random.Uint32N(size / 2)
	}
	for range 2000 {
		name, args := "copy", []uint64{uint64(pick()), uint64(pick()), uint64(pick())}
		if random.IntN(3) == 0 {
			name = "fill"
		}
		_, want := plain.ExportedFunction(name).Call(context.Background(), args...)
		_, got := metered.ExportedFunction(name).Call(context.Background(), args...)
		require.Equal(t, want == nil, got == nil, "%s %v", name, args)
		a, _ := plain.Memory().Read(0, size)
		b, _ := metered.Memory().Read(0, size)
		require.True(t, string(a) == string(b), "%s %v", name, args)
	}
	require.NotZero(t, ticks)
}

// TestRealModules checks that what compilers make is rewritten, and that wazero takes it.
func TestRealModules(t *testing.T) {
	ctx := context.Background()
	files := append(wasmFiles(t, "examples"), wasmFiles(t, "imports")...)
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter())
	defer rt.Close(ctx)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		if len(data) > 200_000 {
			continue
		}
		out, err := meter.Rewrite(data, meter.Options{})
		require.NoError(t, err, file)
		require.Less(t, len(out), 2*len(data)+1000, file)
		want, err := rt.CompileModule(ctx, data)
		require.NoError(t, err, file)
		got, err := rt.CompileModule(ctx, out)
		require.NoError(t, err, file)
		require.Len(t, got.ImportedFunctions(), len(want.ImportedFunctions())+1)
		require.Len(t, got.ExportedFunctions(), len(want.ExportedFunctions()))
		for name, f := range want.ExportedFunctions() {
			require.Equal(t, f.ParamTypes(), got.ExportedFunctions()[name].ParamTypes())
			if !strings.Contains(f.DebugName(), "$") { // an index, if it has no name
				require.Equal(t, f.DebugName(), got.ExportedFunctions()[name].DebugName())
			}
		}
	}
}
