package meter_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/nyash-plugins/nyash-go/internal/wasm/meter"
)

// A module is assembled from bytes, numbers and nested lists of them.

const (
	i32  = 0x7f
	i64  = 0x7e
	void = 0x40
	end  = 0x0b
)

func u(v uint32) []byte {
	var b []byte
	for ; v >= 0x80; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v))
}

// s encodes a signed constant.
func s(v int64) []byte {
	var b []byte
	for ; v < -0x40 || v >= 0x40; v >>= 7 {
		b = append(b, byte(v)|0x80)
	}
	return append(b, byte(v)&0x7f)
}

// b joins ints (one byte each), byte slices and strings (with their length before them).
func b(parts ...any) []byte {
	out := []byte{}
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			out = append(out, byte(p))
		case []byte:
			out = append(out, p...)
		case string:
			out = append(append(out, u(uint32(len(p)))...), p...)
		default:
			panic("not a part of a module")
		}
	}
	return out
}

// vec is a vector of parts, sec a section that is one.
func vec(parts ...[]byte) []byte {
	out := u(uint32(len(parts)))
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func raw(id int, content []byte) []byte { return b(id, string(content)) }

func sec(id int, parts ...[]byte) []byte { return raw(id, vec(parts...)) }

func mod(sections ...[]byte) []byte {
	out := []byte("\x00asm\x01\x00\x00\x00")
	for _, s := range sections {
		out = append(out, s...)
	}
	return out
}

// typ is a function type; the letters of its two strings are i and l, for i32 and i64.
func typ(params, results string) []byte {
	list := func(s string) []byte {
		out := u(uint32(len(s)))
		for _, c := range s {
			out = append(out, map[rune]byte{'i': i32, 'l': i64}[c])
		}
		return out
	}
	return b(0x60, list(params), list(results))
}

// body is a function's: locals of type i32, and code without its end.
func body(locals int, code ...any) []byte {
	decl := b(0)
	if locals > 0 {
		decl = b(1, u(uint32(locals)), i32)
	}
	return b(string(b(decl, b(code...), end)))
}

func export(name string, kind, index int) []byte { return b(name, kind, u(uint32(index))) }

// single is a module with a page of memory and one exported function f.
func single(params, results string, locals int, code ...any) []byte {
	return mod(sec(1, typ(params, results)), sec(3, b(0)), sec(5, b(0, 1)), sec(7, export("f", 0, 0)),
		sec(10, body(locals, code...)))
}

func engine() wazero.RuntimeConfig { return wazero.NewRuntimeConfigCompiler() }

// host gives a runtime the tick.
func host(t testing.TB, rt wazero.Runtime, tick func()) {
	_, err := rt.NewHostModuleBuilder(meter.DefaultModule).NewFunctionBuilder().
		WithGoFunction(api.GoFunc(func(context.Context, []uint64) { tick() }), nil, nil).
		Export(meter.DefaultName).Instantiate(context.Background())
	require.NoError(t, err)
}

// start instantiates a module in a runtime of its own; metered modules are rewritten first.
func start(t testing.TB, module []byte, tick func()) api.Module {
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, engine())
	t.Cleanup(func() { rt.Close(ctx) })
	if tick != nil {
		host(t, rt, tick)
		out, err := meter.Rewrite(module, meter.Options{})
		require.NoError(t, err)
		module = out
	}
	m, err := rt.Instantiate(ctx, module)
	require.NoError(t, err)
	return m
}
