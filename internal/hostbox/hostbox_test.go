package hostbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/hostbox"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// box is a box under test, and what it logs.
type box struct {
	*hostbox.Box
	t   testing.TB
	log bytes.Buffer
}

func newBox(t testing.TB, constructor any) *box {
	t.Helper()
	b, err := hostbox.New("TestBox", constructor)
	require.NoError(t, err)
	return withLog(t, b)
}

func withLog(t testing.TB, b *hostbox.Box) *box {
	made := &box{Box: b, t: t}
	b.Logger = slog.New(slog.NewTextHandler(&made.log, nil))
	return made
}

func encode(t testing.TB, args ...tlv.Value) []byte {
	t.Helper()
	msg, err := tlv.Encode(args...)
	require.NoError(t, err)
	return msg
}

func (b *box) birth(args ...tlv.Value) uint32 {
	b.t.Helper()
	answer, code := b.Call(b.t.Context(), abi.MethodBirth, 0, encode(b.t, args...), nil)
	require.Equal(b.t, abi.OK, code, "%q", answer)
	require.Len(b.t, answer, 4)
	return uint32(answer[0]) | uint32(answer[1])<<8 | uint32(answer[2])<<16 | uint32(answer[3])<<24
}

func (b *box) id(method string) uint32 {
	for i, m := range b.Methods {
		if m.Name == method {
			return uint32(i) + 1
		}
	}
	b.t.Fatalf("there is no method %s", method)
	return 0
}

// call returns the result, or the message of an error: void where there is none.
func (b *box) call(instance, method uint32, args ...tlv.Value) (tlv.Value, abi.Code) {
	b.t.Helper()
	answer, code := b.Call(b.t.Context(), method, instance, encode(b.t, args...), nil)
	if len(answer) == 0 {
		return tlv.Void(), code
	}
	v, err := tlv.DecodeOne(answer)
	require.NoError(b.t, err)
	return v, code
}

// kinds has a method for each thing that a signature can have.
type kinds struct{ last any }

type level int8

func (k *kinds) Nothing()                  { k.last = "nothing" }
func (k *kinds) Bool(v bool) bool          { return !v }
func (k *kinds) Int(v int) int             { return v + 1 }
func (k *kinds) Int8(v int8) int8          { return v }
func (k *kinds) Int16(v int16) int16       { return v }
func (k *kinds) Int32(v int32) int32       { return v }
func (k *kinds) Uint8(v uint8) uint8       { return v }
func (k *kinds) Uint16(v uint16) uint16    { return v }
func (k *kinds) Uint32(v uint32) uint32    { return v }
func (k *kinds) Uint64(v uint64) uint64    { return v }
func (k *kinds) Huge() uint64              { return math.MaxUint64 }
func (k *kinds) HugeSmall(int32) uint64    { return math.MaxUint64 }
func (k *kinds) Float32(v float32) float32 { return v / 2 }
func (k *kinds) Float64(v float64) float64 { return v / 2 }
func (k *kinds) Text(v string) string      { return v + v }
func (k *kinds) Data(v []byte) []byte      { return append(v, 1) }
func (k *kinds) NoData() []byte            { return nil }
func (k *kinds) Level(v level) level       { return v }
func (k *kinds) Any(v any) any             { k.last = v; return v }
func (k *kinds) AnyOf(what string) any {
	return map[string]any{"level": level(3), "list": []int{1}}[what]
}
func (k *kinds) Wait(d time.Duration) time.Duration      { return d * 2 }
func (k *kinds) Sum(first int, more ...int) (sum int)    { return sumOf(append(more, first)) }
func (k *kinds) Join(parts ...string) string             { return strings.Join(parts, "+") }
func (k *kinds) Mean(of ...float64) float64              { return of[0]/2 + of[1]/2 }
func (k *kinds) Count(of ...any) int                     { return len(of) }
func (k *kinds) Bytes(of ...byte) string                 { return string(of) }
func (k *kinds) Checked(v int) (int, error)              { return v, errIf(v < 0) }
func (k *kinds) Check(v int) error                       { return errIf(v < 0) }
func (k *kinds) Many(a, b, c, d int8) int8               { return a + b + c + d }
func (k *kinds) Long(n int) string                       { return strings.Repeat("x", n) }
func (k *kinds) LongData(_ bool, n int) []byte           { return make([]byte, n) }
func (k *kinds) NotText() string                         { return "\xff" }
func (k *kinds) Value(ctx context.Context) string        { return fmt.Sprint(ctx.Value(key{})) }
func (k *kinds) ValueOf(ctx context.Context, _ int8) any { return ctx.Value(key{}) }
func (k *kinds) HTTPGet() string                         { return "get" }
func (k *kinds) ID() int                                 { return 5 }
func (k *kinds) UTF8() bool                              { return true }
func (k *kinds) Äpfel() int                              { return 3 }
func (k *kinds) hidden() int                             { return 0 } //nolint:unused // it is not offered

type key struct{}

func sumOf(of []int) (sum int) {
	for _, n := range of {
		sum += n
	}
	return sum
}

func errIf(bad bool) error {
	if bad {
		return errors.New("negative")
	}
	return nil
}

func TestNew_Methods(t *testing.T) {
	b := newBox(t, func(text string, _ ...int64) *kinds { return &kinds{text} })
	assert.Equal(t, "(arg1 string, …)", b.Birth.String())
	var got []string
	for _, m := range b.Methods {
		got = append(got, m.Name+m.Signature.String())
	}
	assert.Equal(t, []string{
		"any(arg1)",
		"anyOf(arg1 string)",
		"bool(arg1 bool) → bool",
		"bytes(…) → string",
		"check(arg1 integer→i64) → void",
		"checked(arg1 integer→i64) → i64",
		"count(…) → i64",
		"data(arg1 bytes) → bytes",
		"float32(arg1 float→f32) → f32",
		"float64(arg1 float→f64) → f64",
		"httpGet() → string",
		"huge() → i64",
		"hugeSmall(arg1 integer→i32) → i64",
		"id() → i64",
		"int(arg1 integer→i64) → i64",
		"int16(arg1 integer→i64) → i64",
		"int32(arg1 integer→i32) → i32",
		"int8(arg1 integer→i64) → i64",
		"join(…) → string",
		"level(arg1 integer→i64) → i64",
		"long(arg1 integer→i64) → string",
		"longData(arg1 bool, arg2 integer→i64) → bytes",
		"many(arg1 integer→i64, arg2 integer→i64, arg3 integer→i64, arg4 integer→i64) → i64",
		"mean(…) → f64",
		"noData() → bytes",
		"notText() → string",
		"nothing() → void",
		"sum(arg1 integer→i64, …) → i64",
		"text(arg1 string) → string",
		"utf8() → bool",
		"uint16(arg1 integer→i64) → i64",
		"uint32(arg1 integer→i64) → i64",
		"uint64(arg1 integer→i64) → i64",
		"uint8(arg1 integer→i64) → i64",
		"value() → string",
		"valueOf(arg1 integer→i64)",
		"wait(arg1 integer→i64) → i64",
		"äpfel() → i64",
	}, got)
}

func TestCall(t *testing.T) {
	i64, i32, text := tlv.Int64, tlv.Int32, tlv.String
	fails := func(code abi.Code, message string) result { return result{text(message), code} }
	is := func(v tlv.Value) result { return result{v, abi.OK} }
	blob, handle := tlv.Blob(1, 2), tlv.HandleValue(tlv.Handle{Type: 3, Instance: 4})
	tests := map[string]struct {
		method string
		args   []tlv.Value
		want   result
	}{
		"nothing":                    {"nothing", nil, is(tlv.Void())},
		"bool":                       {"bool", []tlv.Value{tlv.Bool(true)}, is(tlv.Bool(false))},
		"int":                        {"int", []tlv.Value{i64(-5)}, is(i64(-4))},
		"int8":                       {"int8", []tlv.Value{i64(-128)}, is(i64(-128))},
		"int8 out of range":          {"int8", []tlv.Value{i64(128)}, fails(abi.ErrInvalidArgs, "argument 1: 128 does not fit int8")},
		"int16 out of range":         {"int16", []tlv.Value{i64(-32769)}, fails(abi.ErrInvalidArgs, "argument 1: -32769 does not fit int16")},
		"int32":                      {"int32", []tlv.Value{i32(math.MinInt32)}, is(i32(math.MinInt32))},
		"int32 as i64":               {"int32", []tlv.Value{i64(1)}, fails(abi.ErrInvalidArgs, "argument 1: it is i64, and the method takes i32")},
		"int as i32":                 {"int", []tlv.Value{i32(1)}, fails(abi.ErrInvalidArgs, "argument 1: it is i32, and the method takes i64")},
		"int as float":               {"int", []tlv.Value{tlv.Float64(1)}, fails(abi.ErrInvalidArgs, "argument 1: it is f64, and the method takes i64")},
		"uint8":                      {"uint8", []tlv.Value{i64(255)}, is(i64(255))},
		"uint8 out of range":         {"uint8", []tlv.Value{i64(256)}, fails(abi.ErrInvalidArgs, "argument 1: 256 does not fit uint8")},
		"uint16 negative":            {"uint16", []tlv.Value{i64(-1)}, fails(abi.ErrInvalidArgs, "argument 1: -1 does not fit uint16")},
		"uint32":                     {"uint32", []tlv.Value{i64(math.MaxUint32)}, is(i64(math.MaxUint32))},
		"uint64":                     {"uint64", []tlv.Value{i64(math.MaxInt64)}, is(i64(math.MaxInt64))},
		"uint64 negative":            {"uint64", []tlv.Value{i64(-1)}, fails(abi.ErrInvalidArgs, "argument 1: -1 does not fit uint64")},
		"uint64 result out of range": {"huge", nil, fails(abi.ErrPlugin, "the result, 18446744073709551615, does not fit an i64")},
		"the same, reflected":        {"hugeSmall", []tlv.Value{i32(1)}, fails(abi.ErrPlugin, "the result, 18446744073709551615, does not fit an i64")},
		"float32":                    {"float32", []tlv.Value{tlv.Float32(3)}, is(tlv.Float32(1.5))},
		"float64":                    {"float64", []tlv.Value{tlv.Float64(3)}, is(tlv.Float64(1.5))},
		"float64 as i64":             {"float64", []tlv.Value{i64(3)}, fails(abi.ErrInvalidArgs, "argument 1: it is i64, and the method takes f64")},
		"string":                     {"text", []tlv.Value{text("aü")}, is(text("aüaü"))},
		"string as bytes":            {"text", []tlv.Value{tlv.Bytes([]byte("a"))}, fails(abi.ErrInvalidArgs, "argument 1: it is bytes, and the method takes string")},
		"bytes":                      {"data", []tlv.Value{tlv.Bytes([]byte{7})}, is(tlv.Bytes([]byte{7, 1}))},
		"nil bytes":                  {"noData", nil, is(tlv.Bytes(nil))},
		"a defined type":             {"level", []tlv.Value{i64(4)}, is(i64(4))},
		"a defined type, range":      {"level", []tlv.Value{i64(1000)}, fails(abi.ErrInvalidArgs, "argument 1: 1000 does not fit hostbox_test.level")},
		"duration":                   {"wait", []tlv.Value{i64(21)}, is(i64(42))},
		"any bool":                   {"any", []tlv.Value{tlv.Bool(true)}, is(tlv.Bool(true))},
		"any i32":                    {"any", []tlv.Value{i32(1)}, is(i32(1))},
		"any i64":                    {"any", []tlv.Value{i64(1)}, is(i64(1))},
		"any f32":                    {"any", []tlv.Value{tlv.Float32(1)}, is(tlv.Float32(1))},
		"any string":                 {"any", []tlv.Value{text("x")}, is(text("x"))},
		"any bytes":                  {"any", []tlv.Value{tlv.Bytes([]byte{1})}, is(tlv.Bytes([]byte{1}))},
		"any void":                   {"any", []tlv.Value{tlv.Void()}, is(tlv.Void())},
		"any handle":                 {"any", []tlv.Value{handle}, fails(abi.ErrInvalidArgs, "argument 1: it is a handle, which methods of Go values do not take")},
		"any blob":                   {"any", []tlv.Value{blob}, fails(abi.ErrInvalidArgs, "argument 1: it is a blob, which methods of Go values do not take")},
		"any of a defined type":      {"anyOf", []tlv.Value{text("level")}, is(i64(3))},
		"any of no type":             {"anyOf", []tlv.Value{text("list")}, fails(abi.ErrPlugin, "the result has the type []int, which is not supported")},
		"any of nil":                 {"anyOf", []tlv.Value{text("?")}, is(tlv.Void())},
		"variadic, none":             {"sum", []tlv.Value{i64(1)}, is(i64(1))},
		"variadic, widths":           {"sum", []tlv.Value{i64(1), i32(2), i64(3)}, is(i64(6))},
		"variadic, too few":          {"sum", nil, fails(abi.ErrInvalidArgs, "it takes at least 1 arguments, and got 0")},
		"variadic, wrong":            {"sum", []tlv.Value{i64(1), tlv.Float64(2)}, fails(abi.ErrInvalidArgs, "argument 2: it is f64, and the method takes i64")},
		"variadic, declared":         {"sum", []tlv.Value{i32(1)}, fails(abi.ErrInvalidArgs, "argument 1: it is i32, and the method takes i64")},
		"variadic strings":           {"join", []tlv.Value{text("a"), text("b")}, is(text("a+b"))},
		"variadic floats":            {"mean", []tlv.Value{i64(1), tlv.Float32(2)}, is(tlv.Float64(1.5))},
		"variadic floats, digits":    {"mean", []tlv.Value{i64(math.MaxInt64), tlv.Float32(2)}, fails(abi.ErrInvalidArgs, "argument 1: 9223372036854775807 does not fit float64")},
		"variadic any":               {"count", []tlv.Value{i64(1), text("b"), tlv.Void()}, is(i64(3))},
		"variadic bytes":             {"bytes", []tlv.Value{i64('h'), i64('i')}, is(text("hi"))},
		"value and no error":         {"checked", []tlv.Value{i64(1)}, is(i64(1))},
		"value and error":            {"checked", []tlv.Value{i64(-1)}, fails(abi.ErrPlugin, "negative")},
		"no error":                   {"check", []tlv.Value{i64(1)}, is(tlv.Void())},
		"error":                      {"check", []tlv.Value{i64(-1)}, fails(abi.ErrPlugin, "negative")},
		"many":                       {"many", []tlv.Value{i64(1), i64(2), i64(3), i64(4)}, is(i64(10))},
		"too many":                   {"int", []tlv.Value{i64(1), i64(2)}, fails(abi.ErrInvalidArgs, "it takes 1 arguments, and got 2")},
		"none":                       {"int", nil, fails(abi.ErrInvalidArgs, "it takes 1 arguments, and got 0")},
		"too many for none":          {"nothing", []tlv.Value{i64(1)}, fails(abi.ErrInvalidArgs, "it takes 0 arguments, and got 1")},
		"the longest string":         {"long", []tlv.Value{i64(65535)}, is(text(strings.Repeat("x", 65535)))},
		"a longer string":            {"long", []tlv.Value{i64(65536)}, fails(abi.ErrPlugin, "the result has 65536 bytes, and a string or []byte of at most 65535 can be returned")},
		"longer bytes, reflected":    {"longData", []tlv.Value{tlv.Bool(true), i64(70000)}, fails(abi.ErrPlugin, "the result has 70000 bytes, and a string or []byte of at most 65535 can be returned")},
		"a string that is not UTF-8": {"notText", nil, fails(abi.ErrInvalidUTF8, "the result is a string that is not UTF-8: return []byte for such data")},
		"HTTPGet":                    {"httpGet", nil, is(text("get"))},
		"Äpfel":                      {"äpfel", nil, is(i64(3))},
	}
	b := newBox(t, func() *kinds { return new(kinds) })
	id := b.birth()
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v, code := b.call(id, b.id(tt.method), tt.args...)
			assert.Equal(t, tt.want, result{v, code})
		})
	}
	assert.Empty(t, b.log.String())
}

type result struct {
	v    tlv.Value
	code abi.Code
}

func TestCall_Malformed(t *testing.T) {
	b := newBox(t, func() *kinds { return new(kinds) })
	id := b.birth()
	for _, method := range []uint32{b.id("int"), b.id("many"), abi.MethodBirth} {
		answer, code := b.Call(t.Context(), method, id, []byte{2, 0, 0, 0}, nil)
		v, err := tlv.DecodeOne(answer)
		require.NoError(t, err)
		text, _ := v.Text()
		assert.Equal(t, "decode TLV: byte 0: version is 2, this decoder reads version 1", text)
		assert.Equal(t, abi.ErrInvalidArgs, code)
	}
}

// TestCall_Arguments: what a method gets is its own.
func TestCall_Arguments(t *testing.T) {
	b := newBox(t, new(keeper))
	id := b.birth()
	for _, m := range []string{"typed", "reflected"} {
		msg := encode(t, tlv.Bytes([]byte("abc")), tlv.String("text"))
		if m == "typed" {
			msg = encode(t, tlv.String("text"), tlv.Bytes([]byte("abc")))
		}
		_, code := b.Call(t.Context(), b.id(m), id, msg, nil)
		require.Equal(t, abi.OK, code)
		clear(msg)
		answer, _ := b.Call(t.Context(), b.id("kept"), id, encode(t), nil)
		v, err := tlv.DecodeOne(answer)
		require.NoError(t, err)
		assert.Equal(t, tlv.String("text abc"), v)
	}
}

type keeper struct {
	text string
	data []byte
}

func (k *keeper) Typed(text string, data []byte)     { k.text, k.data = text, data }
func (k *keeper) Reflected(data []byte, text string) { k.text, k.data = text, data }
func (k *keeper) Kept() string                       { return k.text + " " + string(k.data) }

// TestCall_Buffer: an answer lies in the buffer where that has the room, and nowhere near
// it otherwise.
func TestCall_Buffer(t *testing.T) {
	b := newBox(t, func() *kinds { return new(kinds) })
	id := b.birth()
	for name, tt := range map[string]struct {
		method string
		args   []tlv.Value
		length int
	}{
		"i64":    {"int", []tlv.Value{tlv.Int64(1)}, 16},
		"string": {"text", []tlv.Value{tlv.String("0123456789")}, 28},
		"error":  {"check", []tlv.Value{tlv.Int64(-1)}, 16},
	} {
		t.Run(name, func(t *testing.T) {
			for room := range 40 {
				memory := bytes.Repeat([]byte{0xee}, 64)
				answer, _ := b.Call(t.Context(), b.id(tt.method), id, encode(t, tt.args...), memory[:room:room])
				require.Len(t, answer, tt.length)
				require.Equal(t, room >= tt.length, &answer[0] == &memory[0])
				require.Equal(t, bytes.Repeat([]byte{0xee}, 64-room), memory[room:])
			}
		})
	}
}

func TestCall_Context(t *testing.T) {
	b := newBox(t, func(ctx context.Context) *fromContext { return &fromContext{ctx.Value(key{})} })
	ctx := context.WithValue(t.Context(), key{}, "value")
	_, code := b.Call(ctx, abi.MethodBirth, 0, encode(t), nil)
	require.Equal(t, abi.OK, code)
	v, _ := b.call(1, b.id("get"))
	assert.Equal(t, tlv.String("value"), v)
	assert.True(t, b.TakesContext(abi.MethodBirth))
	assert.False(t, b.TakesContext(b.id("get")))
	assert.False(t, b.TakesContext(abi.MethodFini))

	b = newBox(t, new(kinds))
	id := b.birth()
	assert.False(t, b.TakesContext(abi.MethodBirth))
	for method, msg := range map[string][]byte{"value": encode(t), "valueOf": encode(t, tlv.Int64(1))} {
		assert.True(t, b.TakesContext(b.id(method)))
		answer, code := b.Call(ctx, b.id(method), id, msg, nil)
		require.Equal(t, abi.OK, code)
		v, err := tlv.DecodeOne(answer)
		require.NoError(t, err)
		assert.Equal(t, tlv.String("value"), v)
	}
}

type fromContext struct{ value any }

func (f *fromContext) Get() any { return f.value }

type failing struct{ err error }

func (f *failing) Do() error            { return f.err }
func (f *failing) DoOther(_ int8) error { return f.err }
func (f *failing) Panic(text string)    { panic(text) }
func (f *failing) PanicWith(n int8) any { panic(fmt.Errorf("%w: %d", abi.ErrOutOfMemory, n)) }
func (f *failing) PanicNil()            { panic(nil) }
func (f *failing) Nil() int             { var p *failing; return len(p.err.Error()) }
func (f *failing) Fine() string         { return "fine" }

type badError struct{}

func (badError) Error() string { panic("no text") }

func TestCall_Errors(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want result
	}{
		"no code":            {errors.New("no"), result{tlv.String("no"), abi.ErrPlugin}},
		"a code":             {abi.ErrInvalidHandle, result{tlv.Void(), abi.ErrInvalidHandle}},
		"wrapped":            {fmt.Errorf("no: %w", abi.ErrInvalidArgs), result{tlv.String("no: invalid arguments (-4)"), abi.ErrInvalidArgs}},
		"wrapped in front":   {fmt.Errorf("%w: no", abi.ErrInvalidArgs), result{tlv.String("no"), abi.ErrInvalidArgs}},
		"another number":     {abi.Code(77), result{tlv.Void(), 77}},
		"success":            {fmt.Errorf("no: %w", abi.OK), result{tlv.String("no: success (0)"), abi.ErrPlugin}},
		"short buffer":       {abi.ErrShortBuffer, result{tlv.String("short buffer (-1)"), abi.ErrPlugin}},
		"pending":            {abi.Code(1), result{tlv.String(abi.Code(1).Error()), abi.ErrPlugin}},
		"not UTF-8":          {errors.New("a\xffb"), result{tlv.String("a\uFFFDb"), abi.ErrPlugin}},
		"no text":            {errors.New(""), result{tlv.String(""), abi.ErrPlugin}},
		"too long":           {errors.New(strings.Repeat("ü", 40000)), result{tlv.String(strings.Repeat("ü", 32767)), abi.ErrPlugin}},
		"an error's panic":   {badError{}, result{tlv.String("panic: no text"), abi.ErrPlugin}},
		"typed nil":          {(*nilError)(nil), result{tlv.String("nil error"), abi.ErrPlugin}},
		"cancelled":          {context.Canceled, result{tlv.String("context canceled"), abi.ErrPlugin}},
		"joined with a code": {errors.Join(io.EOF, abi.ErrInvalidUTF8), result{tlv.String("EOF\ninvalid UTF-8 (-7)"), abi.ErrInvalidUTF8}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, &failing{tt.err})
			id := b.birth()
			v, code := b.call(id, b.id("do"))
			assert.Equal(t, tt.want, result{v, code})
			v, code = b.call(id, b.id("doOther"), tlv.Int64(1))
			assert.Equal(t, tt.want, result{v, code}, "through reflect")
			_, code = b.call(id, b.id("fine"))
			assert.Equal(t, abi.OK, code)
		})
	}
}

type nilError struct{}

func (*nilError) Error() string { return "nil error" }

func TestCall_Panic(t *testing.T) {
	for name, tt := range map[string]struct {
		method string
		args   []tlv.Value
		want   string
		logged string
	}{
		"typed":     {"panic", []tlv.Value{tlv.String("oops\x1b[2J")}, "panic: oops\x1b[2J", `TestBox.panic: panic: oops\\x1b[2J`},
		"reflected": {"panicWith", []tlv.Value{tlv.Int64(3)}, "panic: out of memory (-6): 3", "TestBox.panicWith: panic: out of memory (-6): 3"},
		"nil":       {"panicNil", nil, "panic: panic called with nil argument", "TestBox.panicNil"},
		"runtime":   {"nil", nil, "panic: runtime error: invalid memory address or nil pointer dereference", "TestBox.nil"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, func() *failing { return new(failing) })
			id := b.birth()
			v, code := b.call(id, b.id(tt.method), tt.args...)
			assert.Equal(t, result{tlv.String(tt.want), abi.ErrPlugin}, result{v, code})
			assert.Contains(t, b.log.String(), tt.logged)
			assert.Contains(t, b.log.String(), "hostbox_test.go", "the stack is logged")
			v, _ = b.call(id, b.id("fine"))
			assert.Equal(t, tlv.String("fine"), v, "the instance lives on")
		})
	}
}

func TestCall_NoSuch(t *testing.T) {
	b := newBox(t, func() *failing { return new(failing) })
	id := b.birth()
	for _, tt := range []struct {
		instance, method uint32
		want             result
	}{
		{id, 99, result{tlv.String("TestBox has no method 99"), abi.ErrInvalidMethod}},
		{id, 4294967294, result{tlv.String("TestBox has no method 4294967294"), abi.ErrInvalidMethod}},
		{id + 1, 1, result{tlv.String("TestBox has no instance 2"), abi.ErrInvalidHandle}},
		{0, 1, result{tlv.String("TestBox has no instance 0"), abi.ErrInvalidHandle}},
		{math.MaxUint32, 1, result{tlv.String("TestBox has no instance 4294967295"), abi.ErrInvalidHandle}},
		{id + 1, abi.MethodFini, result{tlv.String("TestBox has no instance 2"), abi.ErrInvalidHandle}},
		{0, abi.MethodFini, result{tlv.String("TestBox has no instance 0"), abi.ErrInvalidHandle}},
	} {
		v, code := b.call(tt.instance, tt.method)
		assert.Equal(t, tt.want, result{v, code})
	}
}

// closing counts what happens to its instances.
type closing struct {
	log *[]string
	err error
}

func (c *closing) Name() string { return "closing" }
func (c *closing) Close() error { *c.log = append(*c.log, "closed"); return c.err }

type closingQuietly struct{ log *[]string }

func (c closingQuietly) Name() string { return "quiet" }
func (c closingQuietly) Close()       { *c.log = append(*c.log, "closed") }

// TestFini: a value that its box has made is closed, once, and no other.
func TestFini(t *testing.T) {
	var log []string
	type named interface{ Name() string }
	type closer interface {
		named
		io.Closer
	}
	for name, tt := range map[string]struct {
		constructor any
		want        []string
	}{
		"a pointer":            {func() *closing { return &closing{&log, nil} }, []string{"closed"}},
		"a value":              {func() closingQuietly { return closingQuietly{&log} }, []string{"closed"}},
		"an interface":         {func() closer { return &closing{&log, nil} }, []string{"closed"}},
		"an interface without": {func() named { return &closing{&log, nil} }, nil},
		"shared":               {&closing{&log, nil}, nil},
		"Close fails":          {func() *closing { return &closing{&log, errors.New("no")} }, []string{"closed"}},
	} {
		t.Run(name, func(t *testing.T) {
			log = nil
			b := newBox(t, tt.constructor)
			require.Len(t, b.Methods, 1)
			id := b.birth()
			v, code := b.call(id, abi.MethodFini)
			assert.Equal(t, tt.want, log)
			if name == "Close fails" {
				assert.Equal(t, result{tlv.String("no"), abi.ErrPlugin}, result{v, code})
				assert.Contains(t, b.log.String(), "TestBox instance 1: Close: no")
			} else {
				assert.Equal(t, result{tlv.Void(), abi.OK}, result{v, code})
			}
			_, code = b.call(id, 1)
			assert.Equal(t, abi.ErrInvalidHandle, code)
			_, code = b.call(id, abi.MethodFini)
			assert.Equal(t, abi.ErrInvalidHandle, code)
			assert.Equal(t, tt.want, log)
		})
	}
}

func TestBirth(t *testing.T) {
	text := tlv.String
	type T = *failing
	for name, tt := range map[string]struct {
		constructor any
		args        []tlv.Value
		want        result
	}{
		"an error":         {func() (T, error) { return new(failing), errors.New("no") }, nil, result{text("no"), abi.ErrPlugin}},
		"a code":           {func() (T, error) { return nil, abi.ErrOutOfMemory }, nil, result{tlv.Void(), abi.ErrOutOfMemory}},
		"nil":              {func() T { return nil }, nil, result{text("the constructor returned nil"), abi.ErrPlugin}},
		"nil interface":    {func() interface{ Do() error } { return nil }, nil, result{text("the constructor returned nil"), abi.ErrPlugin}},
		"a panic":          {func() T { panic("oops") }, nil, result{text("panic: oops"), abi.ErrPlugin}},
		"too many":         {func() T { return new(failing) }, []tlv.Value{text("x")}, result{text("it takes 0 arguments, and got 1"), abi.ErrInvalidArgs}},
		"too many, shared": {new(failing), []tlv.Value{text("x")}, result{text("it takes 0 arguments, and got 1"), abi.ErrInvalidArgs}},
		"another type":     {func(int) T { return new(failing) }, []tlv.Value{text("x")}, result{text("argument 1: it is string, and the method takes i64"), abi.ErrInvalidArgs}},
	} {
		t.Run(name, func(t *testing.T) {
			v, code := newBox(t, tt.constructor).call(0, abi.MethodBirth, tt.args...)
			assert.Equal(t, tt.want, result{v, code})
		})
	}
	b := newBox(t, func(_ context.Context, word string, more ...int) *keeper {
		return &keeper{text: word, data: []byte(fmt.Sprint(more))}
	})
	assert.Equal(t, "(arg1 string, …)", b.Birth.String())
	id := b.birth(text("a"), tlv.Int64(1), tlv.Int32(2))
	v, _ := b.call(id, b.id("kept"))
	assert.Equal(t, text("a [1 2]"), v)
}

type counter interface {
	Add(n int64) int64
	hidden()
}

type (
	pointerCounter struct{ n int64 }
	mapCounter     map[string]int64
	valueCounter   struct{ a, b int64 }
)

func (c *pointerCounter) Add(n int64) int64 { c.n += n; return c.n }
func (c *pointerCounter) hidden()           {}
func (c *pointerCounter) Unlisted(func())   {}
func (c mapCounter) Add(n int64) int64      { c["n"] += n; return c["n"] }
func (c mapCounter) hidden()                {}
func (c valueCounter) Add(n int64) int64    { return c.a + c.b + n }
func (c valueCounter) hidden()              {}

type embedding struct {
	*pointerCounter
	sync.RWMutex
}

func (e *embedding) Unlisted() string { return "listed" }

// TestNew_Types: methods of every type of receiver.
func TestNew_Types(t *testing.T) {
	turn := 0
	values := []counter{&pointerCounter{1}, mapCounter{"n": 1}, valueCounter{1, 0}, &embedding{pointerCounter: &pointerCounter{1}}}
	for name, tt := range map[string]struct {
		constructor any
		births      int
	}{
		"an interface": {func() counter { turn++; return values[turn-1] }, len(values)},
		"a map":        {mapCounter{"n": 1}, 1},
		"a value":      {valueCounter{0, 1}, 1},
		"values":       {func() valueCounter { return valueCounter{0, 1} }, 2},
		"a named func": {func() funcCounter { return func() int64 { return 1 } }, 1},
		"embedding":    {&embedding{pointerCounter: &pointerCounter{1}}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBox(t, tt.constructor)
			for range tt.births {
				id := b.birth()
				v, code := b.call(id, b.id("add"), tlv.Int64(2))
				assert.Equal(t, result{tlv.Int64(3), abi.OK}, result{v, code})
			}
		})
	}
	b := newBox(t, &embedding{pointerCounter: &pointerCounter{1}})
	assert.Len(t, b.Methods, 2, "the lock's are not the box's")
	one, other := b.birth(), b.birth()
	require.NotEqual(t, one, other)
	b.call(one, b.id("add"), tlv.Int64(5))
	v, _ := b.call(other, b.id("add"), tlv.Int64(1))
	assert.Equal(t, tlv.Int64(7), v, "all instances share the value")
	b.call(one, abi.MethodFini)
	_, code := b.call(other, b.id("add"), tlv.Int64(1))
	assert.Equal(t, abi.OK, code)
}

type funcCounter func() int64

func (f funcCounter) Add(n int64) int64 { return f() + n }

// goOwn has methods that are no box's, and two that only look like them.
type goOwn struct {
	*goOwn //nolint:unused // a type may embed itself
	sync.Mutex
}

func (*goOwn) Close() error                    { return nil }
func (*goOwn) String() string                  { return "" }
func (*goOwn) Format(fmt.State, rune)          {}
func (*goOwn) LogValue() slog.Value            { return slog.Value{} }
func (*goOwn) MarshalJSON() ([]byte, error)    { return json.Marshal(1) }
func (*goOwn) UnmarshalText(text []byte) error { return nil }
func (*goOwn) Error(code int) string           { return "" }
func (*goOwn) GoString(deep bool) string       { return "" }

func TestNew_GoOwn(t *testing.T) {
	b := newBox(t, new(goOwn))
	var names []string
	for _, m := range b.Methods {
		names = append(names, m.Name)
	}
	assert.Equal(t, []string{"error", "goString"}, names)
}

type (
	none      struct{}
	value     struct{}
	wrong     struct{}
	same      struct{}
	lifecycle struct{}
	deep      struct{}
)

func (*value) Set(int) {}
func (value) Get() int { return 0 }

func (*wrong) First(_ string, _ map[string]int, c chan int)  {}
func (*wrong) Second(int, context.Context) (int, int, error) { return 0, 0, nil }
func (*wrong) Third() (*wrong, error)                        { return nil, nil }
func (*wrong) Fourth(...[]int)                               {}
func (*wrong) Fine() int                                     { return 0 }
func (*same) ID() int                                        { return 0 }
func (*same) Id() int                                        { return 0 }
func (*lifecycle) Birth()                                    {}
func (*lifecycle) Fini()                                     {}
func (*deep) Get() (error, error)                            { return nil, nil }

func TestNew_Errors(t *testing.T) {
	for name, tt := range map[string]struct {
		box         string
		constructor any
		want        string
	}{
		"no name":           {"", new(kinds), "the name of the box is empty"},
		"a point":           {"My.Box", new(kinds), `the name "My.Box" is not an identifier: letters, digits and _, and no digit first`},
		"a digit":           {"1Box", new(kinds), `the name "1Box" is not an identifier`},
		"an escape":         {"a\x1b", new(kinds), `the name "a\x1b" is not an identifier`},
		"nil":               {"B", nil, "B: there is neither a constructor nor a value: it is nil"},
		"nil pointer":       {"B", (*kinds)(nil), "B: there is neither"},
		"nil func":          {"B", (func() *kinds)(nil), "B: there is neither"},
		"no methods":        {"B", new(none), "B: *hostbox_test.none has no exported methods that can be the box's"},
		"a number":          {"B", 5, "B: int has no exported methods"},
		"any":               {"B", func() any { return 5 }, "B: interface {} has no exported methods"},
		"no result":         {"B", func() {}, "B: the constructor has the type func(): it must return the value whose methods are the box's, or that and an error"},
		"only an error":     {"B", func() error { return nil }, "B: the constructor has the type func() error: it must"},
		"two values":        {"B", func() (*kinds, int) { return nil, 1 }, "B: the constructor has the type func() (*hostbox_test.kinds, int): it must"},
		"three":             {"B", func() (*kinds, int, error) { return nil, 1, nil }, "it must return"},
		"constructor":       {"B", func(int, *kinds) *kinds { return nil }, "B: the constructor func(int, *hostbox_test.kinds) *hostbox_test.kinds: parameter 2 has the type *hostbox_test.kinds, which is not supported"},
		"pointer receivers": {"B", value{}, "B: hostbox_test.value has no method Set, because that has a pointer receiver: use a *hostbox_test.value"},
		"the same, made":    {"B", func() value { return value{} }, "because that has a pointer receiver"},
		"one name for two":  {"B", new(same), "B: Id: its name in the box is id, and so is that of ID"},
		"names of the life": {"B", new(lifecycle), "B: Birth: birth is every box's own: give the method another name; Fini: fini is every box's own"},
		"beside others":     {"B", new(pointerCounter), "B: Unlisted: parameter 1 has the type func(), which is not supported. Supported are"},
		"two errors":        {"B", new(deep), "B: Get: its result has the type error, which is not supported"},
		"unsupported": {"B", new(wrong), "B: First: parameter 2 has the type map[string]int, which is not supported, parameter 3 has the type chan int, which is not supported; " +
			"Fourth: parameter 1 has the type [][]int, which is not supported; " +
			"Second: parameter 2 is a context, which must be the first, it returns 2 values, and a method has one result at most, and an error behind it; " +
			"Third: its result has the type *hostbox_test.wrong, which is not supported. " +
			"Supported are bool, string, []byte, any, integers, floats and types that are defined as one of them; " +
			"to offer only some of the methods, return an interface type that has them"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := hostbox.New(tt.box, tt.constructor)
			require.ErrorContains(t, err, tt.want)
		})
	}
}

// TestConcurrency: births, calls and finis of many goroutines, each with its own instances.
func TestConcurrency(t *testing.T) {
	var closed atomic.Int64
	b := newBox(t, func(n int64) *counted { return &counted{n: n, closed: &closed} })
	const goroutines, rounds = 8, 300
	get, small := b.id("get"), b.id("small")
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			var mine []uint32
			for i := range rounds {
				answer, code := b.Call(t.Context(), abi.MethodBirth, 0, encode(t, tlv.Int64(int64(g*rounds+i))), nil)
				if !assert.Equal(t, abi.OK, code) {
					return
				}
				mine = append(mine, uint32(answer[0])|uint32(answer[1])<<8|uint32(answer[2])<<16)
				for k, id := range mine {
					for _, method := range []uint32{get, small} {
						answer, _ := b.Call(t.Context(), method, id, encode(t), nil)
						v, err := tlv.DecodeOne(answer)
						n, _ := v.Int()
						if !assert.NoError(t, err) || !assert.EqualValues(t, g*rounds+i-len(mine)+1+k, n) {
							return
						}
					}
				}
				if len(mine) == 5 {
					_, code := b.Call(t.Context(), abi.MethodFini, mine[0], encode(t), nil)
					assert.Equal(t, abi.OK, code)
					mine = mine[1:]
				}
			}
		})
	}
	wg.Wait()
	assert.EqualValues(t, goroutines*(rounds-4), closed.Load())
}

type counted struct {
	n      int64
	closed *atomic.Int64
}

func (c *counted) Get() int64   { return c.n }
func (c *counted) Small() int32 { return int32(c.n) }
func (c *counted) Close() error { c.closed.Add(1); return nil }

// TestInstances: numbers begin at 1, differ while their instances live, and are given again
// later.
func TestInstances(t *testing.T) {
	b := newBox(t, func(n int64) *counted { return &counted{n: n, closed: new(atomic.Int64)} })
	const many = 5000
	for n := uint32(1); n <= many; n++ {
		require.Equal(t, n, b.birth(tlv.Int64(int64(n))))
	}
	for n := uint32(1); n <= many; n++ {
		v, _ := b.call(n, b.id("get"))
		require.Equal(t, tlv.Int64(int64(n)), v)
	}
	b.call(7, abi.MethodFini)
	b.call(3, abi.MethodFini)
	assert.EqualValues(t, 7, b.birth(tlv.Int64(1)))
	assert.EqualValues(t, 3, b.birth(tlv.Int64(2)))
	assert.EqualValues(t, many+1, b.birth(tlv.Int64(3)))
}

func TestAllocs(t *testing.T) {
	b := newBox(t, new(benched))
	id := b.birth()
	room := make([]byte, 0, 128)
	for _, tt := range calls(t) {
		t.Run(tt.method, func(t *testing.T) {
			method := b.id(tt.method)
			got := testing.AllocsPerRun(200, func() {
				if _, code := b.Call(context.Background(), method, id, tt.args, room); code != abi.OK {
					t.Error(code)
				}
			})
			if tt.allocs >= 0 {
				assert.EqualValues(t, tt.allocs, got)
			}
		})
	}
}

// benched has methods with common signatures, and one that goes through package reflect.
type benched struct{ n int64 }

func (b *benched) Add(x, y int64) int64                               { return x + y + b.n }
func (b *benched) AddIn(_ context.Context, x, y int64) (int64, error) { return x + y, nil }
func (b *benched) AddThree(x, y, z uint64) uint64                     { return x + y + z }
func (b *benched) AddFloats(x, y, z float64) float64                  { return x + y + z }
func (b *benched) AddReflected(x, y int32) int32                      { return x + y }
func (b *benched) Nothing()                                           {}
func (b *benched) Not(v bool) bool                                    { return !v }
func (b *benched) Name() string                                       { return "name" }
func (b *benched) Echo(text string) string                            { return text }
func (b *benched) Write(_ string, data []byte) (int64, error)         { return int64(len(data)), nil }

type benchCall struct {
	method string
	args   []byte
	allocs int // -1 for any number
}

func calls(t testing.TB) []benchCall {
	one, text := tlv.Int64(1), tlv.String("some text")
	return []benchCall{
		{"nothing", encode(t), 0},
		{"add", encode(t, one, one), 0},
		{"addIn", encode(t, one, one), 0},
		{"addThree", encode(t, one, one, one), 0},
		{"addFloats", encode(t, tlv.Float64(1), tlv.Float64(1), tlv.Float64(1)), 0},
		{"not", encode(t, tlv.Bool(true)), 0},
		{"name", encode(t), 0},
		{"echo", encode(t, text), 1},
		{"write", encode(t, text, tlv.Bytes([]byte{1})), 2},
		{"addReflected", encode(t, tlv.Int32(1), tlv.Int32(1)), -1},
	}
}

// BenchmarkCall measures calls through functions of the methods' own types, and the last
// through package reflect.
func BenchmarkCall(b *testing.B) {
	box := newBox(b, new(benched))
	id := box.birth()
	room := make([]byte, 0, 128)
	for _, tt := range calls(b) {
		b.Run(tt.method, func(b *testing.B) {
			method := box.id(tt.method)
			b.ReportAllocs()
			for b.Loop() {
				if _, code := box.Call(context.Background(), method, id, tt.args, room); code != abi.OK {
					b.Fatal(code)
				}
			}
		})
	}
}
