package meter_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/wasm/meter"
)

// TestRefused holds each bound, and each index that is out of range before the rewriter adds things and would be in
// range afterwards.
func TestRefused(t *testing.T) {
	code := func(parts ...any) []byte { return single("i", "", 0, parts...) }
	with := func(section []byte) []byte { return mod(sec(1, typ("", "")), section) }
	longLoop := b(loop, void, konst, 0, set, 1, get, 0, brIf, 0, end)
	for _, c := range []struct {
		name   string
		module []byte
		kind   error
		text   string
	}{
		{"empty", nil, meter.ErrMalformed, "does not start with"},
		{"a native library", []byte("\x7fELF\x02\x01\x01\x00"), meter.ErrMalformed, "does not start with"},
		{"version", []byte("\x00asm\x02\x00\x00\x00"), meter.ErrMalformed, "not version 1"},
		{"component", []byte("\x00asm\x0d\x00\x01\x00"), meter.ErrUnsupported, "component"},
		{"order", mod(sec(3), sec(1)), meter.ErrMalformed, "out of order"},
		{"twice", mod(sec(1), sec(1)), meter.ErrMalformed, "there twice"},
		{"unknown section", mod(sec(20)), meter.ErrMalformed, "section 20"},
		{"tags", mod(sec(13)), meter.ErrUnsupported, "section 13"},
		{"section beyond the file", append(mod(), 1, 100), meter.ErrMalformed, "100 bytes"},
		{"rest of a section", mod(raw(1, b(0, 0))), meter.ErrMalformed, "1 bytes too many"},
		{"claimed types", mod(raw(1, u(1<<31))), meter.ErrMalformed, "2147483648 types"},
		{"claimed data", mod(raw(11, b(1, 1, u(1<<32-1)))), meter.ErrMalformed, "4294967295 bytes"},
		{"claimed names", mod(raw(0, b("name", 1, 5, u(1<<31)))), nil, ""},
		{"long number", mod(raw(1, []byte{0x80, 0x80, 0x80, 0x80, 0x10})), meter.ErrMalformed, "32 bits"},
		{"body missing", mod(sec(1, typ("", "")), sec(3, b(0))), meter.ErrMalformed, "1 functions are declared and 0"},
		{"reserved import", with(sec(2, b(meter.DefaultModule, "x", 0, 0))), meter.ErrMalformed, "reserved module"},
		{"many parameters", mod(sec(1, b(0x60, u(1001), bytes.Repeat([]byte{i32}, 1001), 0))), meter.ErrTooLarge, "1001 parameters"},
		{"large table", with(sec(4, b(0x70, 0, u(2<<20)))), meter.ErrTooLarge, "2097152 elements"},
		{"two memories", mod(sec(5, b(0, 1), b(0, 1))), meter.ErrUnsupported, "more than one memory"},
		{"shared memory", mod(sec(5, b(3, 1, 1))), meter.ErrUnsupported, "shared"},
		{"many locals", single("", "", 50_001), meter.ErrTooLarge, "50001 locals"},
		{"large body", code(bytes.Repeat([]byte{1}, 1<<20)), meter.ErrTooLarge, "function body"},
		{"deep blocks", code(bytes.Repeat([]byte{block, void}, 10_001), bytes.Repeat([]byte{end}, 10_001)), meter.ErrTooLarge, "10000 deep"},
		{"deep loops", code(bytes.Repeat([]byte{loop, void}, 65), bytes.Repeat([]byte{end}, 65)), meter.ErrTooLarge, "loops nested"},
		{"many blocks", code(bytes.Repeat([]byte{block, void, end}, 40_000)), meter.ErrTooLarge, "40000 blocks"},
		{"many merges", single("i", "", 5000, bytes.Repeat(longLoop, 2000)), meter.ErrTooLarge, "with 5001 locals"},
		{"tail call", code(0x12, 0), meter.ErrUnsupported, "0x12"},
		{"threads", code(0xfe, 0), meter.ErrUnsupported, "0xfe"},
		{"relaxed SIMD", code(0xfd, 0x80, 2), meter.ErrUnsupported, "0xfd"},
		{"SIMD in another encoding", code(0xfd, 0xa0, 0), meter.ErrUnsupported, "0xfd"},
		{"unknown instruction", code(0xff), meter.ErrMalformed, "0xff"},
		{"branch", code(br, 1+1), meter.ErrMalformed, "label 2 of 1"},
		{"else", code(els), meter.ErrMalformed, "else without if"},
		{"behind the end", code(end), meter.ErrMalformed, "behind the function's end"},
		{"no end", code(block, void), meter.ErrMalformed, "unexpected end"},

		{"the budget", code(konst, 0, 0x24, 0), meter.ErrMalformed, "global 0 of 0"},
		{"the budget, exported", with(sec(7, export("g", 3, 0))), meter.ErrMalformed, "global 0 of 0"},
		{"the credit", code(konst, 0, set, 1, loop, void, br, 0, end), meter.ErrMalformed, "local 1 of 1"},
		{"a helper, called", code(loop, void, call, 1, br, 0, end), meter.ErrMalformed, "function 1 of 1"},
		{"a helper, referred to", code(0xd2, 1, 0x1a), meter.ErrMalformed, "function 1 of 1"},
		{"a helper, in a table", mod(sec(1, typ("", "")), sec(4, b(0x70, 0, 1)), sec(9, b(0, konst, 0, end, vec(b(0))))), meter.ErrMalformed, "function 0 of 0"},
		{"a helper, exported", with(sec(7, export("f", 0, 0))), meter.ErrMalformed, "function 0 of 0"},
		{"a helper, started", with(raw(8, b(0))), meter.ErrMalformed, "function 0 of 0"},
		{"a type", mod(sec(1, typ("", "")), sec(3, b(1)), sec(10, body(0))), meter.ErrMalformed, "type 1 of 1"},
		{"a block's type", code(block, 1, end), meter.ErrMalformed, "type 1 of 1"},
		{"an indirect call's type", mod(sec(1, typ("", "")), sec(3, b(0)), sec(4, b(0x70, 0, 1)), sec(10, body(0, konst, 0, indirect, 1, 0))), meter.ErrMalformed, "type 1 of 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := meter.Rewrite(c.module, meter.Options{})
			if c.kind == nil {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, c.kind)
			require.ErrorContains(t, err, c.text)
			var located *meter.Error
			require.ErrorAs(t, err, &located)
			require.LessOrEqual(t, located.Offset, len(c.module))
		})
	}
	_, err := meter.Rewrite(make([]byte, 100), meter.Options{MaxFile: 99})
	require.ErrorIs(t, err, meter.ErrTooLarge)
}

// TestTruncated cuts modules everywhere, and changes each of their bytes.
func TestTruncated(t *testing.T) {
	for _, c := range cases {
		for i := range c.module {
			_, err := meter.Rewrite(c.module[:i], meter.Options{})
			if i < 8 {
				require.Error(t, err)
			}
			changed := bytes.Clone(c.module)
			for _, v := range []byte{0, 0x7f, 0x80, 0xff} {
				changed[i] = v
				_, _ = meter.Rewrite(changed, meter.Options{})
			}
		}
	}
}

// TestTables: a table's maximum is set where the module names none, so that table.grow ends.
func TestTables(t *testing.T) {
	module := mod(sec(1, typ("i", "i")), sec(3, b(0)), sec(4, b(0x70, 0, 1), b(0x6f, 1, 2, 5)), sec(7, export("f", 0, 0)),
		sec(10, body(0, 0xd0, 0x70, get, 0, 0xfc, 15, 0)))
	f := start(t, module, func() {}).ExportedFunction("f")
	for _, c := range []struct{ grow, want uint64 }{{1000, 1}, {1 << 20, 1<<32 - 1}, {1<<32 - 1, 1<<32 - 1}, {1, 1001}} {
		got, err := f.Call(t.Context(), c.grow)
		require.NoError(t, err)
		require.Equal(t, c.want, got[0])
	}
}

// TestMemory: what Rewrite allocates is in proportion to the file, whatever the file says.
func TestMemory(t *testing.T) {
	tiny := b()
	for range 20_000 {
		tiny = append(tiny, body(0, loop, void, br, 0, end)...)
	}
	module := mod(sec(1, typ("", "")), raw(3, b(u(20_000), make([]byte, 20_000))), raw(10, b(u(20_000), tiny)))
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, err := meter.Rewrite(module, meter.Options{})
			require.NoError(b, err)
		}
	})
	require.Less(t, result.AllocedBytesPerOp(), int64(200*len(module)))
}
