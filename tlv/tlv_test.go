package tlv_test

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

func TestAppendMakesWhatEncodeMakes(t *testing.T) {
	msg := tlv.AppendHeader(nil)
	msg = tlv.AppendBool(msg, true)
	msg = tlv.AppendInt32(msg, -1)
	msg = tlv.AppendInt64(msg, math.MinInt64)
	msg = tlv.AppendFloat32(msg, 1.5)
	msg = tlv.AppendFloat64(msg, -0.25)
	msg, err := tlv.AppendString(msg, "é")
	require.NoError(t, err)
	msg, err = tlv.AppendBytes(msg, []byte{1, 2})
	require.NoError(t, err)
	msg = tlv.AppendHandle(msg, tlv.Handle{Type: 6, Instance: 9})
	msg = tlv.AppendVoid(msg)
	msg = tlv.AppendBlob(msg, 16, 32)
	require.NoError(t, tlv.PatchArgc(msg, 10))

	want, err := tlv.Encode(tlv.Bool(true), tlv.Int32(-1), tlv.Int64(math.MinInt64), tlv.Float32(1.5), tlv.Float64(-0.25),
		tlv.String("é"), tlv.Bytes([]byte{1, 2}),
		tlv.HandleValue(tlv.Handle{Type: 6, Instance: 9}), tlv.Void(), tlv.Blob(16, 32))
	require.NoError(t, err)
	assert.Equal(t, want, msg)
}

func TestRefusedAppendLeavesTheBufferAlone(t *testing.T) {
	dst := []byte("before")
	long := strings.Repeat("x", tlv.MaxPayload+1)
	tests := map[string]struct {
		got  func() ([]byte, error)
		want error
	}{
		"long string":       {func() ([]byte, error) { return tlv.AppendString(dst, long) }, tlv.ErrTooLarge},
		"long bytes":        {func() ([]byte, error) { return tlv.AppendBytes(dst, []byte(long)) }, tlv.ErrTooLarge},
		"long bytes value":  {func() ([]byte, error) { return tlv.AppendValue(dst, tlv.Bytes([]byte(long))) }, tlv.ErrTooLarge},
		"not UTF-8":         {func() ([]byte, error) { return tlv.AppendString(dst, "\xff") }, tlv.ErrUTF8},
		"the plugin's code": {func() ([]byte, error) { return tlv.AppendString(dst, "\xff") }, abi.ErrInvalidUTF8},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := tt.got()
			require.ErrorIs(t, err, tt.want)
			assert.Equal(t, []byte("before"), got)
		})
	}
	assert.ErrorIs(t, tlv.PatchArgc(tlv.AppendHeader(nil), -1), tlv.ErrTooMany)
}

func TestDecodeOne(t *testing.T) {
	two, err := tlv.Encode(tlv.Int32(1), tlv.Int32(2))
	require.NoError(t, err)
	_, err = tlv.DecodeOne(two)
	require.ErrorIs(t, err, tlv.ErrTrailing)
	assert.EqualError(t, err, "decode TLV: byte 2: the message has 2 entries, one was expected")

	v, err := tlv.DecodeOne(tlv.AppendHeader(nil))
	require.NoError(t, err)
	assert.True(t, v.IsVoid())
}

func TestAccessors(t *testing.T) {
	values := map[string]tlv.Value{
		"bool": tlv.Bool(true), "i32": tlv.Int32(-5), "i64": tlv.Int64(5), "f32": tlv.Float32(0.5), "f64": tlv.Float64(2.5),
		"string": tlv.String("text"), "bytes": tlv.Bytes([]byte{1}), "handle": tlv.HandleValue(tlv.Handle{Type: 1, Instance: 2}),
		"void": {}, "blob": tlv.Blob(3, 4),
	}
	get := map[string]func(tlv.Value) (any, error){
		"Bool":   func(v tlv.Value) (any, error) { return v.Bool() },
		"Int":    func(v tlv.Value) (any, error) { return v.Int() },
		"Float":  func(v tlv.Value) (any, error) { return v.Float() },
		"Text":   func(v tlv.Value) (any, error) { return v.Text() },
		"Bytes":  func(v tlv.Value) (any, error) { return v.Bytes() },
		"Handle": func(v tlv.Value) (any, error) { return v.Handle() },
		"Blob":   func(v tlv.Value) (any, error) { a, n, err := v.Blob(); return [2]uint64{a, n}, err },
	}
	want := map[string]map[string]any{
		"bool": {"Bool": true}, "i32": {"Int": int64(-5)}, "i64": {"Int": int64(5)}, "f32": {"Float": 0.5}, "f64": {"Float": 2.5},
		"string": {"Text": "text"}, "bytes": {"Bytes": []byte{1}},
		"handle": {"Handle": tlv.Handle{Type: 1, Instance: 2}}, "void": {}, "blob": {"Blob": [2]uint64{3, 4}},
	}
	for tag, v := range values {
		assert.Equal(t, tag, v.Tag().String())
		assert.Equal(t, tag == "void", v.IsVoid())
		for name, f := range get {
			got, err := f(v)
			if want[tag][name] != nil {
				require.NoError(t, err)
				assert.Equal(t, want[tag][name], got)
				continue
			}
			var mismatch *tlv.TypeError
			require.ErrorAs(t, err, &mismatch, "%s.%s", tag, name)
			assert.Equal(t, v.Tag(), mismatch.Have)
		}
	}
}

func TestAnyAndString(t *testing.T) {
	tests := []struct {
		v    tlv.Value
		any  any
		text string
	}{
		{tlv.Bool(false), false, "false"},
		{tlv.Int32(-7), int32(-7), "-7"},
		{tlv.Int64(math.MaxInt64), int64(math.MaxInt64), "9223372036854775807"},
		{tlv.Float32(0.1), float32(0.1), "0.1"},
		{tlv.Float64(0.1), 0.1, "0.1"},
		{tlv.String("a\x00b"), "a\x00b", `"a\x00b"`},
		{tlv.Bytes([]byte{0, 255}), []byte{0, 255}, "bytes[00 ff]"},
		{tlv.Bytes(make([]byte, 20)), make([]byte, 20), "bytes[00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 … 20 bytes]"},
		{tlv.HandleValue(tlv.Handle{Type: 6, Instance: 3}), tlv.Handle{Type: 6, Instance: 3}, "handle(6:3)"},
		{tlv.Void(), nil, "void"},
		{tlv.Blob(16, 5), tlv.Blob(16, 5), "blob(0x10, 5 bytes)"},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.any, tt.v.Any())
		assert.Equal(t, tt.text, tt.v.String())
	}
}

func TestValuesCompare(t *testing.T) {
	nan := math.NaN()
	one, other := tlv.Float64(nan), tlv.Float64(nan)
	assert.True(t, one == other, "a NaN is a NaN")
	assert.False(t, tlv.Float64(0) == tlv.Float64(math.Copysign(0, -1)))
	assert.False(t, tlv.Int32(1) == tlv.Int64(1))
	assert.True(t, tlv.Void() == tlv.Value{})
	assert.Equal(t, "tag 77", tlv.Tag(77).String())
	assert.Equal(t, "option", tlv.Tag(21).String())
}

func TestValueIsACopy(t *testing.T) {
	data := []byte{1, 2}
	v := tlv.Bytes(data)
	data[0] = 9
	got, err := v.Bytes()
	require.NoError(t, err)
	assert.Equal(t, []byte{1, 2}, got)
	got[1] = 9
	again, err := v.Bytes()
	require.NoError(t, err)
	assert.Equal(t, []byte{1, 2}, again)
}

func TestAllocs(t *testing.T) {
	msg, err := tlv.Encode(tlv.Int64(1), tlv.String("text"), tlv.Bytes([]byte{1}), tlv.Bool(true))
	require.NoError(t, err)
	buf := make([]byte, 0, 256)
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		d := tlv.NewDecoder(msg)
		for _, ok := d.Next(); ok; _, ok = d.Next() {
		}
		if d.Err() != nil {
			t.Error(d.Err())
		}
	}), "the decoder")
	assert.Zero(t, testing.AllocsPerRun(100, func() {
		out := tlv.AppendInt64(tlv.AppendHeader(buf), 1)
		out, err := tlv.AppendString(out, "text")
		if err != nil || tlv.PatchArgc(out, 2) != nil {
			t.Error(err)
		}
	}), "the encoder")
}

// exact makes a slice that ends where its memory does, so that the race
// detector and the runtime's bounds checks see every byte read too many.
func exact(data []byte) []byte {
	return append(make([]byte, 0, len(data)), data...)[:len(data):len(data)]
}

func FuzzDecode(f *testing.F) {
	for _, file := range []string{"valid.json", "invalid.json"} {
		for _, v := range vectors(f, file) {
			if data := v.bytes(f); len(data) < 1<<12 {
				f.Add(data)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		msg := exact(data)
		values, err := tlv.Decode(msg)
		if err != nil {
			var decode *tlv.DecodeError
			if !errors.As(err, &decode) || decode.Offset < 0 || decode.Offset > len(data) {
				t.Fatalf("rejected with %v", err)
			}
			return
		}
		encoded, err := tlv.Encode(values...)
		if err != nil {
			t.Fatal(err)
		}
		// Only a Bool has more than one form on the wire.
		d := tlv.NewDecoder(msg)
		for e, ok := d.Next(); ok; e, ok = d.Next() {
			if e.Tag == tlv.TagBool && e.Payload[0] != 0 {
				e.Payload[0] = 1
			}
		}
		if !bytes.Equal(msg, encoded) {
			t.Fatalf("decoded %x and encoded %x", msg, encoded)
		}
	})
}

func FuzzEncode(f *testing.F) {
	f.Add(true, int32(1), int64(2), float32(3), 4.0, "five", []byte("six"), uint32(7), uint32(8), uint64(9), uint64(10))
	f.Fuzz(func(t *testing.T, b bool, i int32, j int64, x float32, y float64, s string, p []byte, typ, instance uint32, addr, length uint64) {
		values := []tlv.Value{tlv.Bool(b), tlv.Int32(i), tlv.Int64(j), tlv.Float32(x), tlv.Float64(y), tlv.String(s), tlv.Bytes(p),
			tlv.HandleValue(tlv.Handle{Type: typ, Instance: instance}), tlv.Void(), tlv.Blob(addr, length)}
		msg, err := tlv.Encode(values...)
		if err != nil {
			if errors.Is(err, tlv.ErrUTF8) || errors.Is(err, tlv.ErrTooLarge) {
				return
			}
			t.Fatal(err)
		}
		got, err := tlv.Decode(exact(msg))
		if err != nil {
			t.Fatal(err)
		}
		for k := range values {
			if got[k] != values[k] {
				t.Fatalf("encoded %v and decoded %v", values[k], got[k])
			}
		}
	})
}

func BenchmarkEncodeTwoInts(b *testing.B) {
	buf := make([]byte, 0, 64)
	for b.Loop() {
		msg := tlv.AppendInt64(tlv.AppendInt64(tlv.AppendHeader(buf), 1000), 2000)
		if tlv.PatchArgc(msg, 2) != nil {
			b.Fatal()
		}
	}
}

func BenchmarkDecodeOneInt(b *testing.B) {
	msg, err := tlv.Encode(tlv.Int64(3000))
	require.NoError(b, err)
	for b.Loop() {
		v, err := tlv.DecodeOne(msg)
		if err != nil || v != tlv.Int64(3000) {
			b.Fatal(err)
		}
	}
}
