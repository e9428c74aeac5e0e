package generate

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSpelling(t *testing.T) {
	for name, want := range map[string]struct{ exported, unexported, snake string }{
		"read":      {"Read", "read", "read"},
		"readAll":   {"ReadAll", "readAll", "read_all"},
		"read_all":  {"ReadAll", "readAll", "read_all"},
		"read-all":  {"ReadAll", "readAll", "read_all"},
		"read all!": {"ReadAll", "readAll", "read_all"},
		"_x_":       {"X", "x", "x"},
		"GET":       {"GET", "get", "get"},
		"URLPath":   {"URLPath", "urlPath", "url_path"},
		"parseURL":  {"ParseURL", "parseURL", "parse_url"},
		"i64":       {"I64", "i64", "i64"},
		"vec3Add":   {"Vec3Add", "vec3Add", "vec3_add"},
		"2d":        {"X2d", "x2d", "x2d"},
		"größe":     {"Größe", "größe", "gru00f6u00dfe"},
		"ärger":     {"Ärger", "ärger", "u00e4rger"},
		"文件":        {"X文件", "文件", "u6587u4ef6"},
		"e\u0301t":  {"ET", "eT", "e_t"}, // a mark is no letter of Go's
		"+":         {"X2b", "x2b", "x2b"},
		"\u202e":    {"X202e", "x202e", "x202e"},
		"":          {"X", "x", "x"},
		"\xff":      {"Xfffd", "xfffd", "xfffd"},
	} {
		assert.Equal(t, want.exported, exported(name), "%q", name)
		assert.Equal(t, want.unexported, unexported(name), "%q", name)
		assert.Equal(t, want.snake, snake(name), "%q", name)
	}
}

func TestScope(t *testing.T) {
	prefixed := func(name string) string { return "Call" + name }
	for name, tt := range map[string]struct {
		things []named
		want   []string
	}{
		"apart":                          {[]named{{"a", 1}, {"b", 2}}, []string{"A", "B"}},
		"the lowest id keeps the name":   {[]named{{"read_all", 9}, {"readAll", 3}, {"read all", 5}}, []string{"ReadAll_9", "ReadAll", "ReadAll_5"}},
		"one id for two":                 {[]named{{"a b", 1}, {"a_b", 1}, {"aB", 1}}, []string{"AB", "AB_1", "AB_1_"}},
		"reserved":                       {[]named{{"close", 1}}, []string{"CallClose"}},
		"reserved, and dodged by a name": {[]named{{"close", 2}, {"callClose", 1}}, []string{"CallClose_2", "CallClose"}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, newScope([]string{"Close"}, prefixed).takeAll(tt.things, exported))
		})
	}
}

func TestGoTypeNames(t *testing.T) {
	taken := make(map[string]bool)
	for _, tt := range []struct{ box, want string }{
		{"File", "File"}, {"file", "File_2"}, {"NewFile", "NewFile_3"}, {"as-file", "AsFile_3"}, {"new_new_file", "NewNewFile"},
	} {
		assert.Equal(t, tt.want, goTypeName(tt.box, taken), tt.box)
	}
}

func TestCPPClasses(t *testing.T) {
	taken := make(map[string]bool)
	for _, tt := range []struct{ box, want string }{
		{"File", "File"}, {"file", "File_2"}, {"FileMethods", "FileMethods_2"}, {"NyashBox", "BoxNyashBox"}, {"größe", "Gru00f6u00dfe"},
	} {
		assert.Equal(t, tt.want, cppClass(tt.box, taken), tt.box)
	}
	assert.Equal(t, "box_nyash_box", cPrefix("NyashBox"))
}

func TestCommentLines(t *testing.T) {
	for doc, want := range map[string][]string{
		"":                       {},
		"\n\n":                   {},
		"one":                    {"one"},
		" one \r\n\r\n\ttwo\n":   {"one", "", "two"},
		"a */ b":                 {"a * / b"},
		"*//*":                   {"* // *"},
		"??/":                    {"? ?/"},
		`ends in \`:              {`ends in \.`},
		"+build ignore":          {`\+build ignore`},
		"\x1b[31m\u202e\x00\xff": {`\x1b[31m\u202e\x00` + "\uFFFD"},
		"a\rb":                   {`a\rb`},
	} {
		assert.Equal(t, want, commentLines(doc), "%q", doc)
	}
	for _, line := range commentLines("word " + string(make([]byte, 10)) + " and a great many more words than there is room for in one line of a comment that people read") {
		assert.LessOrEqual(t, len(line), columns)
	}
}

func TestStrings(t *testing.T) {
	for text, want := range map[string]struct{ c, rust string }{
		"plain":        {`"plain"`, `"plain"`},
		`a "b" \n`:     {`"a \"b\" \\n"`, `"a \"b\" \\n"`},
		"a\nb\t":       {`"a\nb\011"`, `"a\nb\u{9}"`},
		"??/":          {`"\?\?/"`, `"??/"`},
		"é文":           {`"é文"`, `"é文"`},
		"\u202e":       {`"\342\200\256"`, `"\u{202e}"`},
		"\x00":         {"\"\uFFFD\"", `"\u{0}"`},
		"\xff1":        {`"\3771"`, "\"\uFFFD1\""},
		"*/ #include ": {`"*/ #include "`, `"*/ #include "`},
	} {
		assert.Equal(t, want.c, cString(text), "%q", text)
		assert.Equal(t, want.rust, rustString(text), "%q", text)
	}
}
