package meter_test

import (
	"bytes"
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"

	"github.com/nyash-plugins/nyash-go/internal/wasm/meter"
)

// repeat joins what f makes of 0 to n-1.
func repeat(n int, f func(i int) []byte) []byte {
	out := b()
	for i := range n {
		out = append(out, f(i)...)
	}
	return out
}

func increment(i int) []byte { return b(get, u(uint32(i)), konst, 1, add, set, u(uint32(i))) }

// The functions take an i32 and return one. Each takes more than proportional time in a pass of the compiler.

func liveValues(n int) []byte {
	return single("i", "i", 0, repeat(n, func(i int) []byte { return b(get, 0, konst, i%60, add) }), bytes.Repeat(b(add), n-1))
}

func liveInBlocks(n, blocks int) []byte {
	return single("i", "i", 0, repeat(n, func(int) []byte { return b(get, 0) }),
		bytes.Repeat(b(block, void, get, 0, brIf, 0, end), blocks), bytes.Repeat(b(add), n-1))
}

func liveInCalls(n, calls int) []byte {
	return mod(sec(1, typ("i", "i"), typ("", "")), sec(3, b(0), b(1)), sec(10,
		body(0, repeat(n, func(int) []byte { return b(get, 0) }), bytes.Repeat(b(call, 1), calls), bytes.Repeat(b(add), n-1)), body(0)))
}

func branches(n int) []byte {
	return single("i", "i", 0, block, void, bytes.Repeat(b(get, 0, brIf, 0), n), end, get, 0)
}

func manyLoops(n int) []byte {
	return single("i", "i", 20, bytes.Repeat(b(loop, void, increment(1), get, 0, brIf, 0, end), n), get, 0)
}

func nestedLoops(depth, locals, times int) []byte {
	nest := b(bytes.Repeat(b(loop, void), depth), repeat(locals, func(i int) []byte { return increment(i + 1) }),
		bytes.Repeat(b(get, 0, brIf, 0, end), depth))
	return single("i", "i", locals, bytes.Repeat(nest, times), get, 0)
}

func diamonds(locals, n int) []byte {
	arm := repeat(locals, func(i int) []byte { return increment(i + 1) })
	return single("i", "i", locals, bytes.Repeat(b(get, 0, iff, void, arm, end), n),
		repeat(locals, func(i int) []byte { return b(get, u(uint32(i+1)), 0x1a) }), get, 0)
}

func switchToHead(locals, arms int) []byte {
	return single("i", "i", locals, loop, void, repeat(locals, func(i int) []byte { return increment(i + 1) }),
		get, 0, brTable, u(uint32(arms)), make([]byte, arms+1), end, 0)
}

// TestCompileBounds: what would keep the compiler for long is refused, at once and with its place, and what is just
// below the bound is compiled in a time that a host can wait for.
func TestCompileBounds(t *testing.T) {
	for _, c := range []struct {
		name         string
		bomb, within []byte
	}{
		{"live values", liveValues(40_000), liveValues(20_000)},
		{"very many live values", liveValues(160_000), liveValues(10_000)},
		{"live values and calls", liveInCalls(50_000, 50_000), liveInCalls(5_000, 5_000)},
		{"live values and blocks", liveInBlocks(60_000, 15_000), liveInBlocks(1_000, 1_000)},
		{"branches", branches(15_000), branches(8_000)},
		{"loops", manyLoops(10_000), manyLoops(2_000)},
		{"nested loops", nestedLoops(64, 100, 200), nestedLoops(64, 10, 20)},
		{"nested loops with many locals", nestedLoops(64, 2_000, 1), nestedLoops(8, 500, 1)},
		{"one loop with very many locals", nestedLoops(1, 10_000, 1), nestedLoops(1, 2_000, 1)},
		{"merges of many locals", diamonds(2_000, 30), diamonds(200, 200)},
		{"edges with many locals", switchToHead(1_000, 1_000), switchToHead(100, 1_000)},
	} {
		t.Run(c.name, func(t *testing.T) {
			from := time.Now()
			_, err := meter.Rewrite(c.bomb, meter.Options{})
			require.ErrorIs(t, err, meter.ErrTooLarge)
			require.ErrorContains(t, err, "times the bound to compile")
			require.Less(t, time.Since(from), 5*time.Second)
			var located *meter.Error
			require.ErrorAs(t, err, &located)
			require.Zero(t, located.Function)
			require.Positive(t, located.Offset)

			out, err := meter.Rewrite(c.within, meter.Options{})
			require.NoError(t, err)
			rt := wazero.NewRuntimeWithConfig(context.Background(), engine())
			defer rt.Close(context.Background())
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			from = time.Now()
			_, err = rt.CompileModule(context.Background(), out)
			require.NoError(t, err)
			require.Less(t, time.Since(from), 20*time.Second) // usually one; the race detector and a busy machine take more
			runtime.ReadMemStats(&after)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<30))
		})
	}
}

// TestCompileTotal: many functions, each of them within the bound.
func TestCompileTotal(t *testing.T) {
	f := body(0, repeat(20_000, func(int) []byte { return b(get, 0) }), bytes.Repeat(b(add), 19_999))
	module := func(n int) []byte {
		return mod(sec(1, typ("i", "i")), raw(3, b(u(uint32(n)), make([]byte, n))), raw(10, b(u(uint32(n)), bytes.Repeat(f, n))))
	}
	_, err := meter.Rewrite(module(10), meter.Options{})
	require.NoError(t, err)
	_, err = meter.Rewrite(module(200), meter.Options{})
	require.ErrorIs(t, err, meter.ErrTooLarge)
	require.ErrorContains(t, err, "together")
}
