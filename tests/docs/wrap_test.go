package docs

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

var wrap = flag.Bool("wrap", false, "wrap the pages of docs/ and README.md anew")

// columns is how wide prose is. Tables and blocks of code are as wide as they are.
const columns = 120

// wrappedElsewhere are pages that another test writes parts of.
var wrappedElsewhere = map[string]bool{"tester.md": true}

func TestWrapped(t *testing.T) {
	root := ccbuild.Root(t)
	files, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	require.NoError(t, err)
	for _, file := range append(files, filepath.Join(root, "README.md")) {
		if wrappedElsewhere[filepath.Base(file)] {
			continue
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		want := wrapped(string(text))
		if *wrap {
			require.NoError(t, os.WriteFile(file, []byte(want), 0o644))
		} else if want != string(text) {
			have, should := firstDifference(string(text), want)
			assert.Equal(t, should, have, "%s is not wrapped at %d columns; go test ./tests/docs -run=Wrapped -wrap wraps it", file, columns)
		}
	}
}

func TestWrapped_Blocks(t *testing.T) {
	long := strings.Repeat("word ", 30)
	filled := strings.TrimSpace(strings.Repeat("word ", 24)) + "\n" + strings.TrimSpace(strings.Repeat("word ", 6)) + "\n"
	tests := map[string]struct{ in, want string }{
		"paragraph":      {long + "\n", filled},
		"short lines":    {"one\ntwo\n\nthree\n", "one two\n\nthree\n"},
		"list":           {"- " + long + "\n- two\n", "-" + strings.Repeat(" word", 23) + "\n " + strings.Repeat(" word", 7) + "\n- two\n"},
		"code":           {"```c\nint  x;\n\ny\n```\n", "```c\nint  x;\n\ny\n```\n"},
		"table":          {"text\n| a | b |\n|---|---|\n", "text\n| a | b |\n|---|---|\n"},
		"span of code":   {strings.Repeat("x", 118) + " `a b`\n", strings.Repeat("x", 118) + "\n`a b`\n"},
		"no list begins": {strings.Repeat("x", 116) + " ab - c\n", strings.Repeat("x", 116) + "\nab - c\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, tt.want, wrapped(tt.in)) })
	}
}

var item = regexp.MustCompile(`^ *([-*+]|\d+\.) +`)

// wrapped fills the paragraphs and list items of a page, and leaves the rest alone.
func wrapped(page string) string {
	var out, paragraph []string
	prefix := ""
	flush := func() {
		if len(paragraph) > 0 {
			out = append(out, fill(prefix, strings.Join(paragraph, " "))...)
		}
		paragraph, prefix = nil, ""
	}
	fenced := false
	for line := range strings.Lines(page) {
		line = strings.TrimRight(line, " \n")
		fence := strings.HasPrefix(line, "```")
		switch {
		case fence || fenced || line == "" || line[0] == '#' || line[0] == '|':
			flush()
			out = append(out, line)
			fenced = fenced != fence
		case item.MatchString(line):
			flush()
			prefix = item.FindString(line)
			paragraph = append(paragraph, line[len(prefix):])
		default:
			paragraph = append(paragraph, strings.TrimSpace(line))
		}
	}
	flush()
	return strings.Join(out, "\n") + "\n"
}

// block is a word that would begin a list, a heading or a table at a line's start.
var block = regexp.MustCompile(`^([-*+]|\d+[.)]|#+|\|.*|>.*)$`)

// fill breaks text into lines; prefix is how an item of a list begins.
func fill(prefix, text string) (lines []string) {
	words := words(text)
	line := prefix
	indent := strings.Repeat(" ", len(prefix))
	for i, w := range words {
		// A word that must not begin a line takes the one before it along.
		needs := utf8.RuneCountInString(w)
		if i+1 < len(words) && block.MatchString(words[i+1]) {
			needs += 1 + utf8.RuneCountInString(words[i+1])
		}
		switch at := utf8.RuneCountInString(line); {
		case line == prefix && len(lines) == 0 || line == indent:
			line += w
		case at+1+needs <= columns || block.MatchString(w):
			line += " " + w
		default:
			lines = append(lines, line)
			line = indent + w
		}
	}
	return append(lines, line)
}

// words splits at spaces, but for those in a span of code.
func words(text string) (all []string) {
	word := ""
	for _, w := range strings.Fields(text) {
		if word != "" {
			word += " "
		}
		word += w
		if strings.Count(word, "`")%2 == 0 {
			all = append(all, word)
			word = ""
		}
	}
	if word != "" {
		all = append(all, word)
	}
	return all
}

func firstDifference(a, b string) (string, string) {
	as, bs := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(as), len(bs)) {
		if as[i] != bs[i] {
			return as[i], bs[i]
		}
	}
	return "", ""
}
