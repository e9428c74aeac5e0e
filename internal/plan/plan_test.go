package plan_test

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/plan"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// planOf makes the plan of a method that nyash.toml declares with the given keys.
func planOf(t testing.TB, keys string) *plan.Plan {
	t.Helper()
	text := fmt.Sprintf("[plugins.Box]\nlibrary = \"x\"\nmethods = { m = { method_id = 1, %s } }", keys)
	c, err := registry.Parse("nyash.toml", []byte(text))
	require.NoError(t, err)
	m := c.Boxes[0].Methods[0]
	return plan.New("Box", m.Name, m.ID, m.Signature)
}

func arg(from, to string) string {
	var keys []string
	if from != "" {
		keys = append(keys, fmt.Sprintf("from = %q", from))
	}
	if to != "" {
		keys = append(keys, fmt.Sprintf("to = %q", to))
	}
	return "args = [ { " + strings.Join(append(keys, `name = "x"`), ", ") + " } ]"
}

func TestConversions(t *testing.T) {
	type myInt int16
	type myBytes []byte
	handle := tlv.Handle{Type: 6, Instance: 3}
	tests := []struct {
		from, to string
		arg      any
		want     any // a tlv.Value, or the text of an error
	}{
		{"string", "string", "é", tlv.String("é")},
		{"string", "bytes", "\xff", tlv.Bytes([]byte{0xff})},
		{"string", "", "x", tlv.String("x")},
		{"string", "string", "\xff", "encode TLV: string is not UTF-8"},
		{"string", "string", []byte("x"), "it must be a string, and this is bytes"},
		{"bytes", "bytes", []byte{0}, tlv.Bytes([]byte{0})},
		{"bytes", "string", []byte("é"), tlv.String("é")},
		{"bytes", "string", []byte{0xff}, "encode TLV: string is not UTF-8"},
		{"bytes", "bytes", myBytes("x"), tlv.Bytes([]byte("x"))},
		{"bytes", "bytes", "x", "it must be bytes, and this is a string"},
		{"integer", "i32", math.MaxInt32, tlv.Int32(math.MaxInt32)},
		{"integer", "i32", math.MinInt32, tlv.Int32(math.MinInt32)},
		{"integer", "i32", math.MaxInt32 + 1, "2147483648 does not fit an i32"},
		{"integer", "i32", math.MinInt32 - 1, "-2147483649 does not fit an i32"},
		{"integer", "i32", uint64(math.MaxUint64), "18446744073709551615 does not fit an i32"},
		{"integer", "i64", math.MinInt64, tlv.Int64(math.MinInt64)},
		{"integer", "i64", uint64(math.MaxInt64), tlv.Int64(math.MaxInt64)},
		{"integer", "i64", uint64(math.MaxInt64) + 1, "9223372036854775808 does not fit an i64"},
		{"integer", "i64", myInt(-3), tlv.Int64(-3)},
		{"integer", "i64", 1.0, "it must be an integer, and this is a float"},
		{"integer", "", int32(5), tlv.Int64(5)},
		{"integer", "f64", 1 << 53, tlv.Float64(1 << 53)},
		{"integer", "f64", 1<<53 + 1, "9007199254740993 has no exact f64"},
		{"integer", "f64", math.MaxInt64, "9223372036854775807 has no exact f64"},
		{"integer", "f64", uint64(1) << 63, tlv.Float64(1 << 63)},
		{"integer", "f64", uint64(math.MaxUint64), "18446744073709551615 has no exact f64"},
		{"integer", "f32", 1 << 24, tlv.Float32(1 << 24)},
		{"integer", "f32", 1<<24 + 1, "16777217 has no exact f32"},
		{"float", "f64", 0.1, tlv.Float64(0.1)},
		{"float", "f64", float32(0.5), tlv.Float64(0.5)},
		{"float", "f64", 2, tlv.Float64(2)},
		{"float", "f64", 1<<53 + 1, "9007199254740993 has no exact f64"},
		{"float", "f32", 0.1, tlv.Float32(0.1)},
		{"float", "f32", 1e39, "1e+39 does not fit an f32"},
		{"float", "f32", math.Inf(-1), tlv.Float32(float32(math.Inf(-1)))},
		{"float", "", 0.1, tlv.Float64(0.1)},
		{"float", "f64", "1", "it must be a float, and this is a string"},
		{"bool", "bool", true, tlv.Bool(true)},
		{"bool", "bool", 1, "it must be a bool, and this is an integer"},
		{"box", "handle", handle, tlv.HandleValue(handle)},
		{"box", "handle", nil, "it must be a box, and this is nil"},
		{"any", "i32", 5, tlv.Int32(5)},
		{"any", "i32", "5", "a string cannot become i32"},
		{"any", "string", []byte("x"), tlv.String("x")},
		{"any", "bytes", "x", tlv.Bytes([]byte("x"))},
		{"any", "bool", 1, "an integer cannot become bool"},
		{"any", "handle", handle, tlv.HandleValue(handle)},
		{"any", "handle", 6, "an integer cannot become handle"},
		{"any", "f64", 0.5, tlv.Float64(0.5)},
		{"", "i64", 7, tlv.Int64(7)},
		{"any", "", int32(7), tlv.Int32(7)},
		{"any", "", nil, tlv.Void()},
		{"any", "", tlv.Float32(2), tlv.Float32(2)},
		{"any", "", struct{}{}, "values of type struct {} cannot be passed"},
		{"integer", "i64", tlv.Int32(4), tlv.Int64(4)},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s to %s: %T %v", tt.from, tt.to, tt.arg, tt.arg), func(t *testing.T) {
			before := tlv.AppendHeader(nil)
			got, err := planOf(t, arg(tt.from, tt.to)).AppendArg(before, 0, tt.arg)
			if want, bad := tt.want.(string); bad {
				require.ErrorIs(t, err, abi.ErrInvalidArgs)
				assert.True(t, strings.HasPrefix(err.Error(), "argument 1 (x): "+want), err)
				assert.Equal(t, before, got)
				return
			}
			require.NoError(t, err)
			require.NoError(t, tlv.PatchArgc(got, 1))
			v, err := tlv.DecodeOne(got)
			require.NoError(t, err)
			assert.Equal(t, tt.want, v)
		})
	}
}

func TestBlobArgs(t *testing.T) {
	type myBytes []byte
	data := []byte("data")
	tests := []struct {
		from string
		arg  any
		want string // or the error behind "argument 1 (x): "
	}{
		{"bytes", data, "data"},
		{"string", "é", "é"},
		{"any", "text", "text"},
		{"any", []byte{}, ""},
		{"bytes", myBytes("own"), "own"},
		{"any", tlv.String("value"), "value"},
		{"any", tlv.Bytes([]byte("value")), "value"},
		{"bytes", "x", "it must be bytes, and this is a string"},
		{"string", tlv.Bytes(nil), "it must be a string, and this is bytes"},
		{"any", 5, "an integer cannot become a blob"},
		{"any", nil, "nil cannot become a blob"},
		{"any", struct{}{}, "values of type struct {} cannot be passed; pass a string, integer, float, bool, []byte or a box"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprintf("%s: %T %v", tt.from, tt.arg, tt.arg), func(t *testing.T) {
			p := planOf(t, arg(tt.from, "blob"))
			require.True(t, p.IsBlob(0))
			got, err := p.BlobArg(0, tt.arg)
			if err != nil {
				require.ErrorIs(t, err, abi.ErrInvalidArgs)
				assert.EqualError(t, err, "argument 1 (x): "+tt.want)
				return
			}
			assert.Equal(t, tt.want, string(got))
		})
	}
	got, err := planOf(t, arg("any", "blob")).BlobArg(0, data)
	require.NoError(t, err)
	assert.Same(t, &data[0], &got[0], "the caller's own memory")
	assert.False(t, planOf(t, `args = ["x"]`).IsBlob(0))
	assert.False(t, planOf(t, `returns = "blob"`).IsBlob(0), "undeclared arguments are never blobs")
}

func TestResults(t *testing.T) {
	encode := func(v tlv.Value) []byte {
		msg, err := tlv.Encode(v)
		require.NoError(t, err)
		return msg
	}
	tests := map[string]struct {
		keys string
		msg  []byte
		want any
	}{
		"declared":             {`returns = "i32"`, encode(tlv.Int32(1)), tlv.Int32(1)},
		"other type":           {`returns = "i32"`, encode(tlv.Int64(1)), "the result is i64, and is declared as i32"},
		"undeclared":           {`args = []`, encode(tlv.Int64(1)), tlv.Int64(1)},
		"void by silence":      {`returns = "void"`, nil, tlv.Void()},
		"void by TLV":          {`returns = "void"`, encode(tlv.Void()), tlv.Void()},
		"nothing for a type":   {`returns = "i32"`, nil, "the result is void, and is declared as i32"},
		"malformed":            {`returns = "i32"`, []byte{9}, "the result is malformed: decode TLV: byte 1: the header needs 4 bytes"},
		"two values":           {`args = []`, append(encode(tlv.Void())[:2], append([]byte{2, 0}, append(encode(tlv.Void())[4:], encode(tlv.Void())[4:]...)...)...), "the result is malformed"},
		"error message":        {`returns_result = true`, encode(tlv.String("no")), "no"},
		"value of a result":    {`returns_result = true`, encode(tlv.Int32(1)), tlv.Int32(1)},
		"checked result value": {`returns_result = true, returns = "i64"`, encode(tlv.Int32(1)), "the result is i32, and is declared as i64"},
		"blob unasked":         {`args = []`, encode(tlv.Blob(1, 2)), "the result is a blob"},
		"blob declared":        {`returns = "blob"`, encode(tlv.Blob(1, 2)), tlv.Blob(1, 2)},
		"no blob":              {`returns = "blob"`, encode(tlv.Bytes(nil)), "the result is bytes, and is declared as blob"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			v, err := planOf(t, tt.keys).Result(tt.msg)
			if want, bad := tt.want.(string); bad {
				require.Error(t, err)
				assert.True(t, strings.HasPrefix(err.Error(), want), err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.want, v)
		})
	}
	var message *plan.ResultMessage
	_, err := planOf(t, "returns_result = true").Result(encode(tlv.String("no")))
	require.ErrorAs(t, err, &message)
	assert.Equal(t, "no", message.Text)
	_, err = planOf(t, "returns_result = true").Result(encode(tlv.String("")))
	require.ErrorAs(t, err, &message)
	assert.Empty(t, message.Text)
	assert.EqualError(t, err, "it failed, and its message is empty")
}

func TestCheckCount(t *testing.T) {
	require.NoError(t, planOf(t, `returns = "void"`).CheckCount(17), "undeclared")
	p := planOf(t, `args = ["a", "b"]`)
	require.NoError(t, p.CheckCount(2))
	require.EqualError(t, p.CheckCount(3), "it takes 2 (a, b), and got 3")
	require.EqualError(t, planOf(t, `args = []`).CheckCount(1), "it takes no arguments, and got 1")
}

func TestAllocs(t *testing.T) {
	buf := make([]byte, 0, 256)
	number, text, data := 123456, strings.Repeat("x", 20), []byte("data")
	tests := map[string]struct {
		keys string
		run  func(p *plan.Plan) error
	}{
		"integer": {arg("integer", "i64"), func(p *plan.Plan) error { _, err := p.AppendArg(buf, 0, number); return err }},
		"float":   {arg("float", "f64"), func(p *plan.Plan) error { _, err := p.AppendArg(buf, 0, float64(number)); return err }},
		"string":  {arg("string", "bytes"), func(p *plan.Plan) error { _, err := p.AppendArg(buf, 0, text); return err }},
		"bytes":   {arg("bytes", "bytes"), func(p *plan.Plan) error { _, err := p.AppendArg(buf, 0, data); return err }},
		"own":     {"args = [\"x\"]", func(p *plan.Plan) error { _, err := p.AppendArg(buf, 0, int32(number)); return err }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := planOf(t, tt.keys)
			assert.Zero(t, testing.AllocsPerRun(100, func() {
				if err := tt.run(p); err != nil {
					t.Error(err)
				}
			}))
		})
	}
	t.Run("result", func(t *testing.T) {
		p := planOf(t, `returns = "i64"`)
		msg, err := tlv.Encode(tlv.Int64(int64(number)))
		require.NoError(t, err)
		assert.Zero(t, testing.AllocsPerRun(100, func() {
			if _, err := p.Result(msg); err != nil {
				t.Error(err)
			}
		}))
	})
}

// optional is the plan of text(text string, [sep string], n i64 = 3, rest...).
func optional(variadic bool) *plan.Plan {
	return plan.New("Box", "m", 1, registry.Signature{ArgsDeclared: true, Variadic: variadic, Args: []registry.Arg{
		{Name: "text", From: registry.ArgString, To: tlv.TagString},
		{Name: "sep", From: registry.ArgString, To: tlv.TagString, Default: ", "},
		{Name: "n", From: registry.ArgInteger, To: tlv.TagInt64, Default: int64(3)},
		{Name: "mark", From: registry.ArgBool, To: tlv.TagBool, Optional: true},
		{Name: "late", From: registry.ArgBool, To: tlv.TagBool, Default: true},
	}})
}

func TestCheckCount_Optional(t *testing.T) {
	tests := []struct {
		variadic bool
		n        int
		want     string
	}{
		{false, 0, "it takes 1 to 5 (text, sep, n, mark, late), and got 0"},
		{false, 1, ""},
		{false, 5, ""},
		{false, 6, "it takes 1 to 5 (text, sep, n, mark, late), and got 6"},
		{true, 0, "it takes at least 1, and got 0"},
		{true, 9, ""},
	}
	for _, tt := range tests {
		err := optional(tt.variadic).CheckCount(tt.n)
		if tt.want == "" {
			assert.NoError(t, err)
			continue
		}
		assert.EqualError(t, err, tt.want)
	}
}

// What stands for arguments that are left out: those up to one that is not sent.
func TestAppendDefaults(t *testing.T) {
	for n, want := range [][]tlv.Value{
		1: {tlv.String(", "), tlv.Int64(3)},
		2: {tlv.Int64(3)},
		3: {},
		4: {tlv.Bool(true)},
		5: {},
	} {
		if n == 0 {
			continue
		}
		msg, count, err := optional(false).AppendDefaults(tlv.AppendHeader(nil), n)
		require.NoError(t, err)
		require.NoError(t, tlv.PatchArgc(msg, count-n))
		got, err := tlv.Decode(msg)
		require.NoError(t, err)
		assert.Equal(t, len(want), len(got), "%d arguments", n)
		for i := range want {
			assert.Equal(t, want[i], got[i])
		}
	}
}

func TestAppendArg_Variadic(t *testing.T) {
	p := optional(true)
	got, err := p.AppendArg(nil, 7, 5)
	require.NoError(t, err)
	assert.Equal(t, byte(tlv.TagInt64), got[0])
	assert.False(t, p.IsBlob(7))
	_, err = p.AppendArg(nil, 7, struct{}{})
	assert.ErrorContains(t, err, "argument 8: ")
}

func TestAppendArg_SmallInt32(t *testing.T) {
	p := plan.New("Box", "m", 1, registry.Signature{SmallInt32: true, ArgsDeclared: true, Args: []registry.Arg{
		{Name: "any"}, {Name: "declared", From: registry.ArgInteger, To: tlv.TagInt64},
	}})
	tests := []struct {
		i    int
		arg  any
		want tlv.Tag
	}{
		{0, 5, tlv.TagInt32},
		{0, int64(math.MinInt32), tlv.TagInt32},
		{0, int64(math.MinInt32) - 1, tlv.TagInt64},
		{0, uint32(math.MaxUint32), tlv.TagInt64},
		{0, int32(5), tlv.TagInt32},
		{0, tlv.Int64(5), tlv.TagInt64},
		{0, 5.0, tlv.TagFloat64},
		{0, true, tlv.TagBool},
		{1, 5, tlv.TagInt64},
	}
	for _, tt := range tests {
		got, err := p.AppendArg(nil, tt.i, tt.arg)
		require.NoError(t, err)
		assert.Equal(t, tt.want, tlv.Tag(got[0]), "%v", tt.arg)
	}
	_, err := p.AppendArg(nil, 0, uint64(math.MaxUint64))
	assert.ErrorContains(t, err, "does not fit an i64")
}

// TestData: bytes go the short way in both directions, and as the general way has them.
func TestData(t *testing.T) {
	bytesToBytes := `args = [ { name = "x", from = "bytes", to = "bytes" } ], returns = "bytes"`
	for _, size := range []int{0, 1, 300, tlv.MaxPayload} {
		p, data := planOf(t, bytesToBytes), bytes.Repeat([]byte{7}, size)
		want, err := tlv.Encode(tlv.Bytes(data))
		require.NoError(t, err)
		dst := make([]byte, len(want)+3)
		require.Equal(t, len(want), p.EncodeFixed(dst, []any{data}))
		assert.Equal(t, want, dst[:len(want)])
		assert.Equal(t, len(want), p.EncodeFixed(dst[:len(want)], []any{data}), "just enough room")
		assert.Zero(t, p.EncodeFixed(dst[:len(want)-1], []any{data}), "too little room")
		got, ok := p.Data(want)
		assert.True(t, ok)
		assert.Equal(t, data, got)
		e, err := p.Entry(want)
		require.NoError(t, err)
		assert.Equal(t, e.Payload, got)
		for at := range min(len(want), 8) {
			broken := bytes.Clone(want)
			broken[at] ^= 0x80
			_, ok := p.Data(broken)
			assert.False(t, ok, "byte %d", at)
		}
		_, ok = p.Data(append(want, 0))
		assert.False(t, ok, "a byte too many")
		_, ok = p.Data(want[:len(want)-1])
		assert.False(t, ok, "a byte too few")
	}
	p, dst := planOf(t, bytesToBytes), make([]byte, 1<<17)
	for name, args := range map[string][]any{
		"none": {}, "two": {[]byte{1}, []byte{2}}, "a string": {"x"}, "too long": {make([]byte, tlv.MaxPayload+1)},
	} {
		assert.Zero(t, p.EncodeFixed(dst, args), name)
	}
	_, ok := planOf(t, `returns = "string"`).Data([]byte{1, 0, 1, 0, byte(tlv.TagBytes), 0, 0, 0})
	assert.False(t, ok)
}

func TestPlain(t *testing.T) {
	for keys, want := range map[string]bool{
		"args = [], returns = \"i64\"":                   true,
		"args = [], returns = \"void\"":                  true,
		arg("bytes", "bytes") + ", returns = \"string\"": true,
		arg("bytes", "blob") + ", returns = \"i64\"":     false,
		arg("box", "handle") + ", returns = \"i64\"":     false,
		arg("any", "") + ", returns = \"i64\"":           false,
		"args = [], returns = \"blob\"":                  false,
		"args = []":                                      false,
		"returns = \"i64\"":                              false,
		"args = [], returns = \"handle\"":                false,
	} {
		assert.Equal(t, want, planOf(t, keys).Plain(), keys)
	}
}
