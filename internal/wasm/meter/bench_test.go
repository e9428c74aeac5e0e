package meter_test

import (
	"context"
	"math"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero/api"

	"github.com/nyash-plugins/nyash-go/internal/wasm/meter"
)

const (
	get, set, tee            = 0x20, 0x21, 0x22
	konst, eqz, add, sub     = 0x41, 0x45, 0x6a, 0x6b
	mul, and, ltS, load8     = 0x6c, 0x71, 0x48, 0x2d
	loop, block, iff, els    = 0x03, 0x02, 0x04, 0x05
	br, brIf, brTable, ret   = 0x0c, 0x0d, 0x0e, 0x0f
	call, indirect, selectOp = 0x10, 0x11, 0x1b
)

// countdown is the end of a loop: local 0 counts down to zero.
var countdown = b(get, 0, konst, 1, sub, tee, 0, brIf, 0)

// cases are functions f(n) whose time is compared with and without charges.
var cases = []struct {
	name   string
	n      uint64
	module []byte
}{
	{"count", 1e6, single("i", "i", 1, loop, void, countdown, end, get, 1)},
	{"multiply", 1e6, single("i", "i", 1, loop, void, get, 1, konst, 31, mul, get, 0, add, set, 1, countdown, end, get, 1)},
	{"load", 1e6, single("i", "i", 1, loop, void, get, 1, get, 0, konst, s(0xffff), and, load8, 0, 0, add, set, 1, countdown, end, get, 1)},
	{"nested", 1e4, single("i", "i", 2, loop, void, konst, s(100), set, 2,
		loop, void, get, 1, get, 2, mul, get, 0, add, set, 1, get, 2, konst, 1, sub, tee, 2, brIf, 0, end, countdown, end, get, 1)},
	{"short inner", 1e5, single("i", "i", 2, loop, void, konst, s(3), set, 2,
		loop, void, get, 1, get, 2, mul, get, 0, add, set, 1, get, 2, konst, 1, sub, tee, 2, brIf, 0, end, countdown, end, get, 1)},
	{"switch", 1e6, single("i", "i", 1, loop, void,
		block, void, block, void, block, void, block, void,
		get, 0, konst, 3, and, brTable, 3, 0, 1, 2, 3, end,
		get, 1, konst, 7, add, set, 1, br, 2, end,
		get, 1, konst, 3, mul, set, 1, br, 1, end,
		get, 1, get, 0, sub, set, 1, end,
		countdown, end, get, 1)},
	{"call", 1e6, mod(sec(1, typ("i", "i"), typ("ii", "i")), sec(3, b(0), b(1)), sec(7, export("f", 0, 0)), sec(10,
		body(1, loop, void, get, 1, get, 0, call, 1, set, 1, countdown, end, get, 1), body(0, get, 0, get, 1, add)))},
	{"call a leaf", 1e5, mod(sec(1, typ("i", "i"), typ("ii", "i")), sec(3, b(0), b(1)), sec(7, export("f", 0, 0)), sec(10,
		body(1, loop, void, get, 1, get, 0, call, 1, set, 1, countdown, end, get, 1),
		body(1, konst, 5, set, 2, loop, void, get, 0, get, 1, mul, set, 0, get, 2, konst, 1, sub, tee, 2, brIf, 0, end, get, 0)))},
	{"fib", 20, mod(sec(1, typ("i", "i")), sec(3, b(0)), sec(7, export("f", 0, 0)), sec(10,
		body(0, get, 0, konst, 2, ltS, iff, void, get, 0, ret, end,
			get, 0, konst, 1, sub, call, 0, get, 0, konst, 2, sub, call, 0, add)))},
	{"indirect", 1e6, mod(sec(1, typ("i", "i"), typ("ii", "i")), sec(3, b(0), b(1)), sec(4, b(0x70, 0, 1)), sec(7, export("f", 0, 0)),
		sec(9, b(0, konst, 0, end, vec(b(1)))), sec(10,
			body(1, loop, void, get, 1, get, 0, konst, 0, indirect, 1, 0, set, 1, countdown, end, get, 1), body(0, get, 0, get, 1, add)))},
	{"copy 1 KiB", 1e4, single("i", "i", 1, loop, void,
		konst, 0, konst, s(4096), konst, s(1024), 0xfc, 10, 0, 0, countdown, end, get, 1)},
	{"copy 16 B", 1e5, single("i", "i", 1, loop, void,
		konst, 0, konst, s(4096), konst, s(16), 0xfc, 10, 0, 0, countdown, end, get, 1)},
	{"entry", 1, single("i", "i", 1, get, 0, konst, 1, add)},
}

// compare runs two functions by turns and returns the shortest time of each, so that what else the machine does
// falls on both.
func compare(t testing.TB, n uint64, rounds int, fs ...api.Function) []time.Duration {
	best := make([]time.Duration, len(fs))
	for i := range best {
		best[i] = math.MaxInt64
	}
	repeat := 1
	if n == 1 { // too short for the clock
		repeat = 1000
	}
	stack := make([]uint64, 4)
	for range rounds {
		for i, f := range fs {
			from := time.Now()
			for range repeat {
				stack[0] = n
				require.NoError(t, f.CallWithStack(context.Background(), stack))
			}
			best[i] = min(best[i], time.Since(from)/time.Duration(repeat))
		}
	}
	return best
}

// BenchmarkOverhead reports what a turn costs without charges, with them, and their ratio.
func BenchmarkOverhead(b *testing.B) {
	for _, c := range cases {
		b.Run(c.name, func(b *testing.B) {
			plain, metered := start(b, c.module, nil), start(b, c.module, func() {})
			for b.Loop() {
				t := compare(b, c.n, 40, plain.ExportedFunction("f"), metered.ExportedFunction("f"))
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(float64(t[0])/float64(c.n), "plain-ns")
				b.ReportMetric(float64(t[1])/float64(c.n), "metered-ns")
				b.ReportMetric(float64(t[1])/float64(t[0]), "ratio")
			}
		})
	}
}

// BenchmarkCall compares calls from Go: a bare one of a module without charges, and one of a module with them.
func BenchmarkCall(b *testing.B) {
	module := single("ll", "l", 0, get, 0, get, 1, 0x7c)
	for name, tick := range map[string]func(){"plain": nil, "metered": func() {}} {
		b.Run(name, func(b *testing.B) {
			f := start(b, module, tick).ExportedFunction("f")
			stack := make([]uint64, 2)
			b.ReportAllocs()
			for b.Loop() {
				stack[0], stack[1] = 2, 3
				if err := f.CallWithStack(context.Background(), stack); err != nil || stack[0] != 5 {
					b.Fatal(err, stack[0])
				}
			}
		})
	}
}

// BenchmarkLoop is the bar of a loop of 10⁸ turns; the time is that of all of them.
func BenchmarkLoop(b *testing.B) {
	for _, c := range cases[:3] {
		for name, tick := range map[string]func(){"plain": nil, "metered": func() {}} {
			b.Run(c.name+"/"+name, func(b *testing.B) {
				f := start(b, c.module, tick).ExportedFunction("f")
				stack := make([]uint64, 1)
				b.ReportAllocs()
				for b.Loop() {
					stack[0] = 100_000_000
					if err := f.CallWithStack(context.Background(), stack); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkRewrite is the rewriting itself, in bytes of modules.
func BenchmarkRewrite(b *testing.B) {
	var modules [][]byte
	size := 0
	for _, file := range wasmFiles(b, "examples") {
		data, err := os.ReadFile(file)
		require.NoError(b, err)
		modules = append(modules, data)
		size += len(data)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, m := range modules {
			_, _ = meter.Rewrite(m, meter.Options{})
		}
	}
}
