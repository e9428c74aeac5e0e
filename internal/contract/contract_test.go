package contract_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/tlv"
)

func TestPrintable(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"nothing":              {"", ""},
		"plain":                {"no such file: /tmp/x", "no such file: /tmp/x"},
		"words of the world":   {"käse, チーズ, сыр, 👩‍🔬", "käse, チーズ, сыр, 👩‍🔬"},
		"a Persian word":       {"می\u200cخواهم", "می\u200cخواهم"},
		"a title and a bell":   {"\x1b]0;owned\a", `\x1b]0;owned\x07`},
		"colours":              {"\x1b[31mred", `\x1b[31mred`},
		"lines":                {"a\r\nnyash: success\tb", `a\r\nnyash: success\tb`},
		"NUL and DEL":          {"a\x00b\x7f", `a\x00b\x7f`},
		"C1":                   {"a\u009b31m\u0085", `a\u009b31m\u0085`},
		"a C1 byte":            {"a\x9b31m", "a\uFFFD31m"},
		"backwards":            {"exe.\u202egnp", `exe.\u202egnp`},
		"isolates and marks":   {"\u2066a\u2069\u200e\u200f\u061c", `\u2066a\u2069\u200e\u200f\u061c`},
		"separators":           {"a\u2028b\u2029", `a\u2028b\u2029`},
		"unseen":               {"\ufeffa\u200bb\u2060c\u00ad", `\ufeffa\u200bb\u2060c\u00ad`},
		"tags":                 {"a\U000e0041", `a\U000e0041`},
		"not UTF-8":            {"caf\xe9", "caf\uFFFD"},
		"what was not UTF-8":   {"caf\uFFFD", "caf\uFFFD"},
		"a backslash":          {`C:\new`, `C:\new`},
		"fillers":              {"a\u3164\u115f\u034f\u180b\ufe00\U000e0101", `a\u3164\u115f\u034f\u180b\ufe00\U000e0101`},
		"a red heart":          {"❤️", "❤️"},
		"a backslash and more": {"C:\\new\n", `C:\new\n`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, contract.Printable(tt.text))
			assert.Equal(t, tt.want, contract.Printable(tt.want), "and again")
		})
	}
	assert.Equal(t, "a\n\tb\\x1b\\r", contract.PrintableLines("a\n\tb\x1b\r"))
}

func TestPrintableAllocatesNothing(t *testing.T) {
	for _, text := range []string{"no such file: /tmp/x", "チーズ 👩‍🔬 \uFFFD"} {
		assert.Zero(t, testing.AllocsPerRun(100, func() { contract.Printable(text) }))
	}
}

func TestExcerpt(t *testing.T) {
	assert.Equal(t, `a\n`, contract.Excerpt("a\n"))
	assert.Equal(t, strings.Repeat("x", contract.MaxText)+" … (5 bytes more)", contract.Excerpt(strings.Repeat("x", contract.MaxText+5)))
	assert.Equal(t, strings.Repeat("チ", contract.MaxText/3)+" … (29 bytes more)", contract.Excerpt(strings.Repeat("チ", contract.MaxText/3)+"チ"+strings.Repeat("x", 26)), "not through a character")
	assert.LessOrEqual(t, len(contract.Excerpt(strings.Repeat("\x80", 1<<20))), 8*contract.MaxText)
}

func FuzzPrintable(f *testing.F) {
	for _, text := range []string{"plain", "\x1b[31m", "a\n\u202e\xff\uFFFD", "\U000e0041\u200d"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := contract.Printable(text)
		require.True(t, utf8.ValidString(got))
		bad := func(r rune) bool {
			return unicode.IsControl(r) || unicode.In(r, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
		}
		require.False(t, strings.ContainsFunc(got, bad), "%q", got)
		require.Equal(t, got, contract.Printable(got))
		if utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
			return bad(r) || unicode.In(r, unicode.Cf, unicode.Cn, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
		}) {
			require.Equal(t, text, got)
		}
		lines := contract.PrintableLines(text)
		require.Equal(t, strings.Count(text, "\n"), strings.Count(lines, "\n"))
		require.False(t, strings.ContainsFunc(strings.Map(func(r rune) rune {
			if r == '\n' || r == '\t' {
				return -1
			}
			return r
		}, lines), bad))
		require.LessOrEqual(t, len(contract.Excerpt(text)), 8*contract.MaxText)
	})
}

func methods(names ...string) abi.Description {
	d := abi.Description{TypeID: 7, TypeName: "Box"}
	for i, name := range names {
		d.Methods = append(d.Methods, abi.Method{ID: uint32(i + 1), Name: name})
	}
	return d
}

func TestCheckDescription(t *testing.T) {
	long := strings.Repeat("x", contract.MaxName)
	tests := map[string]struct {
		d   abi.Description
		err string
	}{
		"nothing":            {abi.Description{}, ""},
		"ordinary":           {methods("birth", "öffne", "閉じる"), ""},
		"the longest name":   {methods(long), ""},
		"as many as can be":  {methods(slices.Repeat([]string{"m"}, contract.MaxMethods)...), ""},
		"one more":           {methods(slices.Repeat([]string{"m"}, contract.MaxMethods+1)...), "method_count is 65537, more than the 65536 that are read"},
		"an empty name":      {methods("a", ""), "method 2 of 2 (method_id 2): name: it is empty"},
		"a longer name":      {methods("a", long+"x"), "method 2 of 2 (method_id 2): name: it has 1025 bytes, more than the 1024 that are read"},
		"too much in all":    {methods(slices.Repeat([]string{long}, 1024)...), "method 1024 of 1024 (method_id 1024): the names up to here have 1048579 bytes, and 1048576 are allowed for all"},
		"not UTF-8":          {methods("caf\xe9"), `method 1 of 1 (method_id 1): name: "caf\xe9" is not UTF-8`},
		"an escape":          {methods("a", "b\x1b[31m"), `method 2 of 2 (method_id 2): name: "b\x1b[31m" has the control character U+001B at byte 1`},
		"a line":             {methods("read\nnyash: fake"), `has the control character U+000A at byte 4`},
		"backwards":          {methods("\u202edaer"), `has the control character U+202E at byte 0`},
		"a type's name":      {abi.Description{TypeName: "Box\a"}, `type_name: "Box\a" has the control character U+0007 at byte 3`},
		"a long type's name": {abi.Description{TypeName: long + "x"}, `type_name: it has 1025 bytes`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := contract.CheckDescription(tt.d)
			if tt.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.err)
			assert.Equal(t, contract.Printable(err.Error()), err.Error())
		})
	}
	require.ErrorIs(t, contract.CheckDescription(methods("\xff")), abi.ErrInvalidUTF8)
	require.ErrorContains(t, contract.CheckMethodCount(1<<32), fmt.Sprint("method_count is ", 1<<32))
	require.NoError(t, contract.CheckMethodCount(contract.MaxMethods))
}

func TestParseBirth(t *testing.T) {
	message := func(v tlv.Value) []byte {
		data, err := tlv.Encode(v)
		require.NoError(t, err)
		return data
	}
	for name, tt := range map[string]struct {
		result []byte
		id     uint32
		err    string
	}{
		"u32":          {[]byte{7, 1, 0, 0}, 263, ""},
		"handle":       {message(tlv.HandleValue(tlv.Handle{Type: 6, Instance: 9})), 9, ""},
		"id 0":         {[]byte{0, 0, 0, 0}, 0, "instance id 0"},
		"handle of 0":  {message(tlv.HandleValue(tlv.Handle{Type: 6})), 0, "instance id 0"},
		"another type": {message(tlv.HandleValue(tlv.Handle{Type: 5, Instance: 9})), 0, "handle of type 5, and the box has type_id 6"},
		"a string":     {message(tlv.String("x")), 0, `it answered string "x"`},
		"nothing":      {nil, 0, "it answered 0 bytes"},
		"8 bytes":      {make([]byte, 8), 0, "it answered 8 bytes: 00 00"},
	} {
		t.Run(name, func(t *testing.T) {
			id, err := contract.ParseBirth(tt.result, 6)
			assert.Equal(t, tt.id, id)
			if tt.err == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, tt.err)
			}
		})
	}
}

func TestContradictions(t *testing.T) {
	birth, fini := abi.Method{ID: 0, Name: "birth"}, abi.Method{ID: 4294967295, Name: "fini"}
	read, write := abi.Method{ID: 1, Name: "read"}, abi.Method{ID: 2, Name: "write"}
	tests := map[string]struct {
		methods []abi.Method
		want    []contract.Contradiction
	}{
		"none":                   {[]abi.Method{birth, read, write, fini}, nil},
		"birth's id is its own":  {[]abi.Method{{ID: 3, Name: "birth"}}, []contract.Contradiction{{Kind: contract.WrongReservedID, Method: abi.Method{ID: 3, Name: "birth"}}}},
		"fini's id is its own":   {[]abi.Method{{ID: 0, Name: "fini"}}, []contract.Contradiction{{Kind: contract.WrongReservedID, Method: abi.Method{ID: 0, Name: "fini"}}}},
		"birth's id is taken":    {[]abi.Method{{ID: 0, Name: "new"}}, []contract.Contradiction{{Kind: contract.TakenReservedID, Method: abi.Method{ID: 0, Name: "new"}}}},
		"one name, two ids":      {[]abi.Method{read, {ID: 3, Name: "read"}}, []contract.Contradiction{{Kind: contract.DuplicateName, Method: abi.Method{ID: 3, Name: "read"}, Earlier: read}}},
		"one id, two names":      {[]abi.Method{read, {ID: 1, Name: "get"}}, []contract.Contradiction{{Kind: contract.DuplicateID, Method: abi.Method{ID: 1, Name: "get"}, Earlier: read}}},
		"the same method, twice": {[]abi.Method{read, read}, []contract.Contradiction{{Kind: contract.DuplicateName, Method: read, Earlier: read}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, contract.Contradictions(abi.Description{Methods: tt.methods}))
		})
	}
}

func TestWriteMessage(t *testing.T) {
	const head = tlv.HeaderSize + tlv.EntryHeaderSize
	long := strings.Repeat("x", tlv.MaxPayload)
	tests := map[string]struct {
		text string
		room int
		want string
		none bool
	}{
		"text":                 {"no such file", 100, "no such file", false},
		"empty":                {"", head, "", false},
		"just fits":            {"abc", head + 3, "abc", false},
		"one byte too long":    {"abc", head + 2, "", true},
		"no buffer":            {"abc", 0, "", true},
		"not UTF-8":            {"caf\xe9", 100, "caf\uFFFD", false},
		"the longest":          {long, head + len(long), long, false},
		"longer than an entry": {long + "x", head + len(long) + 1, long[:21_843] + " … " + long[21_848:], false},
		"cut":                  {"0123456789abcdefghijklmnopqrstuvwxyzABCDE", head + 35, "0123456789 … lmnopqrstuvwxyzABCDE", false},
		"cut between runes":    {"x" + strings.Repeat("é", 30) + "the end", head + 35, "x" + strings.Repeat("é", 4) + " … " + strings.Repeat("é", 6) + "the end", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			memory := make([]byte, tt.room+1)
			memory[tt.room] = 0xcc
			n := contract.WriteMessage(memory[:tt.room], tt.text)
			assert.Equal(t, byte(0xcc), memory[tt.room], "the byte behind the buffer")
			if tt.none {
				assert.Zero(t, n)
				assert.Equal(t, make([]byte, tt.room), memory[:tt.room])
				return
			}
			value, err := tlv.DecodeOne(memory[:n])
			require.NoError(t, err)
			text, err := value.Text()
			require.NoError(t, err)
			assert.Equal(t, tt.want, text)
		})
	}
}
