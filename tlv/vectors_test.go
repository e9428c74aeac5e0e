package tlv_test

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// vector is a case of tests/vectors; its README describes the fields.
type vector struct {
	Name      string
	Hex       string
	Values    []vectorValue
	Canonical *bool
	Error     string
	Offset    int
}

type vectorValue struct {
	Tag      string
	Value    any
	Bits     string
	Repeat   string
	Count    int
	Type     string
	Instance string
	Address  string
	Length   string
	Times    int
}

var kinds = map[string]error{
	"version": tlv.ErrVersion, "truncated": tlv.ErrTruncated, "tag": tlv.ErrTag,
	"reserved_tag": tlv.ErrReservedTag, "reserved_byte": tlv.ErrReservedByte,
	"size": tlv.ErrSize, "trailing": tlv.ErrTrailing, "utf8": tlv.ErrUTF8,
	"too_large": tlv.ErrTooLarge, "too_many": tlv.ErrTooMany,
}

func vectors(t testing.TB, file string) []vector {
	data, err := os.ReadFile(filepath.Join("..", "tests", "vectors", file))
	require.NoError(t, err)
	var all []vector
	require.NoError(t, json.Unmarshal(data, &all))
	require.NotEmpty(t, all)
	seen := map[string]bool{}
	for _, v := range all {
		require.False(t, seen[v.Name], "two cases are called %q", v.Name)
		seen[v.Name] = true
	}
	return all
}

func (v vector) bytes(t testing.TB) []byte {
	var all []byte
	for word := range strings.FieldsSeq(v.Hex) {
		digits, times, repeated := strings.Cut(word, "*")
		part, err := hex.DecodeString(digits)
		require.NoError(t, err)
		n := 1
		if repeated {
			n, err = strconv.Atoi(times)
			require.NoError(t, err)
		}
		all = append(all, []byte(strings.Repeat(string(part), n))...)
	}
	return all
}

func (v vector) values(t testing.TB) []tlv.Value {
	all := []tlv.Value{}
	for _, one := range v.Values {
		value := one.value(t)
		for range max(1, one.Times) {
			all = append(all, value)
		}
	}
	return all
}

func (v vectorValue) value(t testing.TB) tlv.Value {
	number := func(s string, base, bits int) uint64 {
		n, err := strconv.ParseUint(s, base, bits)
		require.NoError(t, err)
		return n
	}
	integer := func(bits int) int64 {
		n, err := strconv.ParseInt(v.Value.(string), 10, bits)
		require.NoError(t, err)
		return n
	}
	data := func(isHex bool) string {
		text, _ := v.Value.(string)
		if v.Repeat != "" {
			text, isHex = v.Repeat, true
		}
		if isHex {
			raw, err := hex.DecodeString(text)
			require.NoError(t, err)
			text = string(raw)
		}
		return strings.Repeat(text, max(1, v.Count))
	}
	switch v.Tag {
	case "bool":
		return tlv.Bool(v.Value.(bool))
	case "i32":
		return tlv.Int32(int32(integer(32)))
	case "i64":
		return tlv.Int64(integer(64))
	case "f32":
		return tlv.Float32(math.Float32frombits(uint32(number(v.Bits, 16, 32))))
	case "f64":
		return tlv.Float64(math.Float64frombits(number(v.Bits, 16, 64)))
	case "string":
		return tlv.String(data(false))
	case "bytes":
		return tlv.Bytes([]byte(data(true)))
	case "handle":
		return tlv.HandleValue(tlv.Handle{Type: uint32(number(v.Type, 10, 32)), Instance: uint32(number(v.Instance, 10, 32))})
	case "void":
		return tlv.Void()
	case "blob":
		return tlv.Blob(number(v.Address, 10, 64), number(v.Length, 10, 64))
	}
	require.Fail(t, "unknown tag "+v.Tag)
	return tlv.Value{}
}

func TestValidVectors(t *testing.T) {
	for _, v := range vectors(t, "valid.json") {
		t.Run(v.Name, func(t *testing.T) {
			msg, want := v.bytes(t), v.values(t)
			got, err := tlv.Decode(msg)
			require.NoError(t, err)
			require.Len(t, got, len(want))
			for i := range want {
				require.True(t, want[i] == got[i], "entry %d: want %v %v, got %v %v", i, want[i].Tag(), want[i], got[i].Tag(), got[i])
			}
			encoded, err := tlv.Encode(want...)
			require.NoError(t, err)
			if v.Canonical == nil || *v.Canonical {
				require.Equal(t, msg, encoded)
			}
		})
	}
}

func TestInvalidVectors(t *testing.T) {
	for _, v := range vectors(t, "invalid.json") {
		t.Run(v.Name, func(t *testing.T) {
			_, err := tlv.Decode(v.bytes(t))
			var decode *tlv.DecodeError
			require.ErrorAs(t, err, &decode)
			require.Contains(t, kinds, v.Error)
			require.ErrorIs(t, err, kinds[v.Error])
			assert.Equal(t, v.Offset, decode.Offset, err)
			assert.ErrorContains(t, err, "byte "+strconv.Itoa(v.Offset)+": ")
		})
	}
}

func TestUnencodableVectors(t *testing.T) {
	for _, v := range vectors(t, "unencodable.json") {
		t.Run(v.Name, func(t *testing.T) {
			_, err := tlv.Encode(v.values(t)...)
			require.Contains(t, kinds, v.Error)
			require.ErrorIs(t, err, kinds[v.Error])
		})
	}
}

// TestVectorsAreComplete keeps the files as complete as they claim to be.
func TestVectorsAreComplete(t *testing.T) {
	valid, invalid, unencodable := vectors(t, "valid.json"), vectors(t, "invalid.json"), vectors(t, "unencodable.json")
	tags, errs := map[string]bool{}, map[string]bool{}
	for _, v := range valid {
		for _, one := range v.Values {
			tags[one.Tag] = true
		}
	}
	for _, v := range append(invalid, unencodable...) {
		errs[v.Error] = true
	}
	assert.Len(t, tags, 10)
	assert.Len(t, errs, len(kinds))
	assert.GreaterOrEqual(t, len(valid)+len(invalid)+len(unencodable), 60)
}
