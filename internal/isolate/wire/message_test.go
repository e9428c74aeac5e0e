package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
)

func message(text string) []byte {
	return append(binary.LittleEndian.AppendUint32(nil, uint32(len(text))), text...)
}

func FuzzReceive(f *testing.F) {
	for _, text := range []string{
		"{}", `{"Version":1,"Base":18446744073709551615,"Description":{"TypeID":7,"TypeName":"B","Methods":[{"ID":1,"Name":"a"},{}]}}`,
		`{"Error":{"Text":"x","Code":-5}}`, `{"Description":{"Methods":null}}`, `{"Description":{"Methods":{}}}`, `{"Description":{"Methods":[1]}}`,
	} {
		f.Add(message(text))
	}
	f.Add(binary.LittleEndian.AppendUint32(nil, MaxMessage+1))
	f.Add([]byte{255, 255, 0, 0, '{'})
	f.Fuzz(func(t *testing.T, data []byte) {
		var answer Loaded
		if err := Receive(bytes.NewReader(data), &answer); err != nil {
			require.False(t, strings.ContainsFunc(err.Error(), unicode.IsControl), "%q", err)
			require.Less(t, len(err.Error()), 10*contract.MaxText)
			return
		}
		require.LessOrEqual(t, len(answer.Description.Methods), contract.MaxMethods)
		var again Loaded
		var buf bytes.Buffer
		require.NoError(t, Send(&buf, answer))
		require.NoError(t, Receive(&buf, &again))
		require.Equal(t, answer, again)
	})
}

func TestMessages(t *testing.T) {
	code := abi.ErrPlugin
	for _, want := range []Loaded{
		{Version: 1, Base: 5, Error: &LoadError{Text: "x", Code: &code}},
		{Description: abi.Description{TypeID: 7, TypeName: "<Box>", Methods: []abi.Method{{ID: 1, Name: "a&b", Signature: 3}, {ID: 2, Name: "c"}}}},
		{},
	} {
		var buf bytes.Buffer
		require.NoError(t, Send(&buf, want))
		var got Loaded
		require.NoError(t, Receive(&buf, &got))
		assert.Equal(t, want, got)
	}
}

func TestBadMessages(t *testing.T) {
	methods := func(text string, n int) string {
		return `{"Version":1,"Description":{"Methods":[` + strings.TrimSuffix(strings.Repeat(text+",", n), ",") + `]}}`
	}
	tests := map[string]struct {
		sent []byte
		err  string
	}{
		"announced and not sent": {binary.LittleEndian.AppendUint32(nil, MaxMessage), io.ErrUnexpectedEOF.Error()},
		"cut short":              {message(`{"Version":1}`)[:9], io.ErrUnexpectedEOF.Error()},
		"no message":             {nil, io.EOF.Error()},
		"too large":              {binary.LittleEndian.AppendUint32(nil, 1<<31), "a message of 2147483648 bytes, and the largest is 8388608"},
		"empty":                  {message(""), "its message cannot be understood: unexpected end of JSON input"},
		"an escape":              {message("\x1b[31m"), `its message cannot be understood: invalid character '\x1b'`},
		"another type":           {message(`{"Version":"x"}`), "cannot unmarshal string"},
		"another Base":           {message(`{"Base":-1}`), "cannot unmarshal number -1"},
		"a number without end":   {message(`{"Base":` + strings.Repeat("9", 1<<20) + `}`), "bytes more)"},
		"no list":                {message(`{"Description":{"Methods":{}}}`), "the methods are no list"},
		"no methods":             {message(methods("7", 3)), "method 1: json: cannot unmarshal number"},
		"millions of methods":    {message(methods("{}", 2_700_000)), "method_count is 65537, more than the 65536 that are read"},
		"deep":                   {message(strings.Repeat("[", 1<<20)), "exceeded max depth"},
		"the same over and over": {message(`{"Description":` + strings.Repeat(`{"Methods":[{}]},"Description":`, 1<<17) + `{}}`), "a list comes twice"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			var answer Loaded
			require.ErrorContains(t, Receive(bytes.NewReader(tt.sent), &answer), tt.err)
			runtime.ReadMemStats(&after)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(100<<20))
		})
	}
	var answer Loaded
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	require.Error(t, Receive(bytes.NewReader(tests["announced and not sent"].sent), &answer))
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20), "a number alone costs nothing")
}

// TestTheLargestDescription: what a worker lets through has room in a message.
func TestTheLargestDescription(t *testing.T) {
	names := contract.MaxNames / contract.MaxMethods
	d := abi.Description{TypeID: 1<<32 - 1, Methods: slices.Repeat([]abi.Method{{ID: 1<<32 - 1, Name: strings.Repeat(`"`, names), Signature: 1<<32 - 1}}, contract.MaxMethods)}
	require.NoError(t, contract.CheckDescription(d))
	var buf bytes.Buffer
	require.NoError(t, Send(&buf, Loaded{Description: d}))
	var got Loaded
	require.NoError(t, Receive(&buf, &got), fmt.Sprint(buf.Len()))
	assert.Equal(t, d, got.Description)
}
