package loader_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// Types that a program defines.
type (
	flag  bool
	count uint16
	ratio float32
	name  string
	data  []byte
)

// echoed is what a call returns as a T: the plugin answers what it is given.
func echoed[T loader.ResultType](box *loader.Box, v any) (any, error) {
	byName, err := loader.Call[T](context.Background(), box, "echo", v)
	if err != nil {
		return byName, err
	}
	m, err := box.Method("echo")
	if err != nil {
		return nil, err
	}
	resolved, err := loader.Invoke[T](context.Background(), m, v)
	if fmt.Sprint(byName) != fmt.Sprint(resolved) {
		return nil, fmt.Errorf("Call returns %v, and Invoke %v", byName, resolved)
	}
	return resolved, err
}

func TestCall_ResultType(t *testing.T) {
	box := newBox(t, openProbe(t), "Probe")
	tests := []struct {
		call func(*loader.Box, any) (any, error)
		give any
		want any // or the error's text behind "Probe.echo: "
	}{
		{echoed[bool], true, true},
		{echoed[int], tlv.Int32(-5), -5},
		{echoed[int], math.MinInt, math.MinInt},
		{echoed[int8], -128, int8(-128)},
		{echoed[int16], 32767, int16(32767)},
		{echoed[int32], tlv.Int64(7), int32(7)},
		{echoed[int64], math.MaxInt64, int64(math.MaxInt64)},
		{echoed[uint], 8, uint(8)},
		{echoed[uint8], 255, uint8(255)},
		{echoed[uint16], 65535, uint16(65535)},
		{echoed[uint32], math.MaxUint32, uint32(math.MaxUint32)},
		{echoed[uint64], math.MaxInt64, uint64(math.MaxInt64)},
		{echoed[float32], 0.1, float32(0.1)},
		{echoed[float32], math.Inf(-1), float32(math.Inf(-1))},
		{echoed[float64], tlv.Float32(0.5), 0.5},
		{echoed[string], "é", "é"},
		{echoed[[]byte], []byte{0, 255}, []byte{0, 255}},
		{echoed[flag], true, flag(true)},
		{echoed[count], 65535, count(65535)},
		{echoed[time.Duration], 1500, 1500 * time.Nanosecond},
		{echoed[ratio], 0.1, ratio(0.1)},
		{echoed[name], "é", name("é")},
		{echoed[data], []byte("x"), data("x")},

		{echoed[int8], 128, "the result, i64 128, does not fit int8"},
		{echoed[int16], -32769, "the result, i64 -32769, does not fit int16"},
		{echoed[int32], 1 << 31, "the result, i64 2147483648, does not fit int32"},
		{echoed[uint], -1, "the result, i64 -1, does not fit uint"},
		{echoed[uint8], tlv.Int32(256), "the result, i32 256, does not fit uint8"},
		{echoed[uint16], 65536, "the result, i64 65536, does not fit uint16"},
		{echoed[uint32], -1, "the result, i64 -1, does not fit uint32"},
		{echoed[uint64], math.MinInt64, "the result, i64 -9223372036854775808, does not fit uint64"},
		{echoed[count], -1, "the result, i64 -1, does not fit loader_test.count"},
		{echoed[count], 65536, "the result, i64 65536, does not fit loader_test.count"},
		{echoed[float32], 1e39, "the result, f64 1e+39, does not fit float32"},
		{echoed[bool], 1, "the result is i64, and the caller asks for bool"},
		{echoed[int], 1.0, "the result is f64, and the caller asks for int"},
		{echoed[float64], 1, "the result is i64, and the caller asks for float64"},
		{echoed[string], []byte("x"), "the result is bytes, and the caller asks for string"},
		{echoed[[]byte], "x", "the result is string, and the caller asks for []uint8"},
		{echoed[int], nil, "the result is void, and the caller asks for int"},
		{echoed[*loader.Box], 1, "the result is i64, and the caller asks for *loader.Box"},
		{echoed[*loader.Blob], "x", "the result is string, and the caller asks for *loader.Blob"},
		{echoed[flag], "x", "the result is string, and the caller asks for loader_test.flag"},
		{echoed[name], 1, "the result is i64, and the caller asks for loader_test.name"},
		{echoed[data], 1, "the result is i64, and the caller asks for loader_test.data"},
		{echoed[ratio], 1, "the result is i64, and the caller asks for loader_test.ratio"},
		{echoed[time.Duration], true, "the result is bool, and the caller asks for time.Duration"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%v as %T", tt.give, tt.want), func(t *testing.T) {
			got, err := tt.call(box, tt.give)
			if err == nil {
				assert.Equal(t, tt.want, got)
				return
			}
			assert.EqualError(t, err, fmt.Sprintf("Probe.echo: %v", tt.want))
			assert.Zero(t, got)
			var call *loader.CallError
			require.ErrorAs(t, err, &call)
			assert.Equal(t, []string{"Probe", "echo"}, []string{call.Box, call.Method})
			var result *loader.ResultError
			require.ErrorAs(t, err, &result)
			assert.Equal(t, reflect.TypeOf(got), result.Type)
		})
	}
}

func TestCall_Result(t *testing.T) {
	box := newBox(t, openProbe(t), "Probe")
	r, err := loader.Call[loader.Result](t.Context(), box, "echo", 5)
	require.NoError(t, err)
	assert.EqualValues(t, 5, r.Any())
	r, err = loader.Call[loader.Result](t.Context(), box, "nothing")
	require.NoError(t, err)
	assert.True(t, r.IsVoid())
}

// TestCall_OtherTypes holds that a type that no result can become does not compile.
func TestCall_OtherTypes(t *testing.T) {
	types := []string{"[]int", "any", "loader.Box", "map[string]int", "complex128", "error"}
	var program strings.Builder
	fmt.Fprint(&program, "package main\n\nimport \"github.com/nyash-plugins/nyash-go/loader\"\n\nfunc main() {\n")
	for _, name := range types {
		fmt.Fprintf(&program, "\tloader.Call[%s](nil, nil, \"m\")\n", name)
	}
	file := filepath.Join(t.TempDir(), "main.go")
	require.NoError(t, os.WriteFile(file, []byte(program.String()+"}\n"), 0o644))
	out, err := exec.Command("go", "build", "-o", os.DevNull, file).CombinedOutput()
	require.Error(t, err)
	for _, name := range types {
		assert.Contains(t, string(out), name+" does not satisfy loader.ResultType")
	}
}

// TestString holds what %v shows of what a call involves.
func TestString(t *testing.T) {
	probe, blobs := newBox(t, openProbe(t), "Probe"), newBox(t, openBlobs(t), "Blobs")
	add, err := probe.Method("add")
	require.NoError(t, err)
	tests := []struct {
		of   any
		want string
	}{
		{probe, fmt.Sprintf("Probe(%d)", probe.ID())},
		{add, "Probe.add(a integer→i64, b integer→i64) → i64"},
		{call(t, probe, "add", 1, 2), "3"},
		{call(t, probe, "echo", "a\nb"), `"a\nb"`},
		{call(t, probe, "echo", []byte("ab")), "bytes[61 62]"},
		{call(t, probe, "self"), probe.String()},
		{call(t, probe, "nothing"), "void"},
		{call(t, blobs, "echo", []byte("data")), "blob (4 bytes)"},
	}
	for _, tt := range tests {
		assert.Equal(t, tt.want, fmt.Sprint(tt.of))
	}
}

func TestCall_NotSent(t *testing.T) {
	box := newBox(t, openProbe(t), "Probe")
	_, err := loader.Call[int](t.Context(), box, "ad")
	require.ErrorIs(t, err, loader.ErrNoMethod)
	assert.EqualError(t, err, "Probe.ad: no such method (did you mean add?)")
	_, err = loader.Call[int](t.Context(), box, "add", "1", 2)
	var arg *loader.ArgError
	require.ErrorAs(t, err, &arg)
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = loader.Call[int](canceled, box, "add", 1, 2)
	require.ErrorIs(t, err, context.Canceled)
	add, err := box.Method("add")
	require.NoError(t, err)
	require.NoError(t, box.Close())
	_, err = loader.Invoke[int](t.Context(), add, 1, 2)
	require.ErrorIs(t, err, loader.ErrClosed)
}

func TestCall_Box(t *testing.T) {
	box := newBox(t, openProbe(t), "Probe")
	made, err := loader.Call[*loader.Box](t.Context(), box, "make")
	require.NoError(t, err)
	assert.NotEqual(t, box.ID(), made.ID())
	require.NoError(t, made.Close())
	self, err := loader.Call[*loader.Box](t.Context(), box, "self")
	require.NoError(t, err)
	assert.Same(t, box, self)
}

// TestCall_BoxNotTaken holds that a box that nobody wants is finalised, and one that
// the program has is not.
func TestCall_BoxNotTaken(t *testing.T) {
	box := newBox(t, openProbe(t), "Probe")
	finis := callInt(t, box, "finis")
	_, err := loader.Call[int](t.Context(), box, "self")
	require.EqualError(t, err, "Probe.self: the result is handle, and the caller asks for int")
	_, err = loader.Call[*loader.Blob](t.Context(), box, "make")
	require.EqualError(t, err, "Probe.make: the result is handle, and the caller asks for *loader.Blob")
	eventually(func() bool { return callInt(t, box, "finis") == finis+1 })
}

func TestCall_Blob(t *testing.T) {
	h := openBlobs(t, loader.WithMemoryTracking())
	box := newBox(t, h, "Blobs")
	blob, err := loader.Call[*loader.Blob](t.Context(), box, "echo", []byte("data"))
	require.NoError(t, err)
	assert.Equal(t, "data", string(blob.Bytes()))
	blob.Release()
}

// TestCall_BlobNotTaken holds that the memory of a blob that nobody wants is freed.
func TestCall_BlobNotTaken(t *testing.T) {
	h := openBlobs(t, loader.WithMemoryTracking())
	box := newBox(t, h, "Blobs")
	_, err := loader.Call[[]byte](t.Context(), box, "give", 100)
	require.EqualError(t, err, "Blobs.give: the result is blob, and the caller asks for []uint8")
	_, err = loader.Call[*loader.Box](t.Context(), box, "give", 100)
	require.EqualError(t, err, "Blobs.give: the result is blob, and the caller asks for *loader.Box")
	eventually(func() bool { return memoryOf(t, h).Blocks == 0 })
}
