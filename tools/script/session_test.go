package script_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
	"github.com/nyash-plugins/nyash-go/tools/script"
)

// converse runs all statements of text in one session, and returns what that showed, errors among it.
func converse(t *testing.T, s *script.Session, out *bytes.Buffer, text string) string {
	t.Helper()
	lines := strings.Split(text, "\n")
	for {
		stmt, err := s.Read(func(bool) (string, error) {
			if len(lines) == 0 {
				return "", io.EOF
			}
			line := lines[0]
			lines = lines[1:]
			return line, nil
		})
		if errors.Is(err, io.EOF) {
			return out.String()
		}
		require.NoError(t, err)
		err = s.Run(t.Context(), stmt)
		if errors.Is(err, script.ErrExit) {
			return out.String() + "exit\n"
		}
		if err != nil {
			out.WriteString("error: " + s.Brief(err) + "\n")
		}
	}
}

func newSession(t *testing.T) (*script.Session, *bytes.Buffer) {
	t.Helper()
	out := &bytes.Buffer{}
	return script.New(host(t), out).NewSession(), out
}

func TestSession(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"a value":               {"1 + 1\n_ * 2\nNone\n'a' + '\\x1b'", "2\n4\n\"a\\x1b\"\n"},
		"a reserved word":       {"f = FileBox()\nf.load(1)", "error: load is a reserved word of Starlark; write getattr(f, \"load\")\n"},
		"printed text":          {"print('a\\x1b')", "a\\x1b\n"},
		"names stay":            {"x = 1\nx += 1\nx", "2\n"},
		"a block":               {"def f(x):\n  return x\n\nf(3)", "3\n"},
		"a block without a gap": {"def f(x):\n  if x:\n    return 1\n  else:\n    return 2\nf(0)\nf(1)", "2\n1\n"},
		"a block at the end":    {"for i in [7]:\n  print(i)", "7\n"},
		"open brackets":         {"[1,\n\n2]", "[1, 2]\n"},
		"a long string":         {"len('''a\nb\n''')", "4\n"},
		"an unfinished one":     {"[1,", "error: the input ends within a statement\n"},
		"no Starlark":           {"1 +\n2", "error: got newline, want primary expression\n2\n"},
		"no such name":          {"FilBox", "error: undefined: FilBox (did you mean FileBox?)\n"},
		"no such method":        {"FileBox().raed()", "error: FileBox.raed: no such method (did you mean read?)\n"},
		"within a function":     {"def f():\n  FileBox().raed()\n\nf()", "error: [1]:2:12: FileBox.raed: no such method (did you mean read?)\n"},
		"exit":                  {"exit\n1", "exit\n"},
		"exit as a call":        {"exit()\n1", "exit\n"},
		"nothing to explain":    {"why", "nothing has failed\n"},
		"a command's own name":  {"exit = 3\nexit", "3\n"},
		"a dead box":            {"f = FileBox()\nf.fini()\nf.size()\nwhy", "error: FileBox.size: closed\n[3]:1:7: FileBox.size: closed\n\n  1 | f.size()\n    |       ^\n\nIt is declared as FileBox.size() → i64.\nThe length of the open file in bytes.\nfini() has ended this box, or the host is closed. Make another box.\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s, out := newSession(t)
			assert.Equal(t, tt.want, converse(t, s, out, tt.text))
		})
	}
}

// TestSession_Why: an error is explained by its line, its calls, the plugin's log and its declaration.
func TestSession_Why(t *testing.T) {
	s, out := newSession(t)
	text := converse(t, s, out, "def f(box):\n  box.open('/no/such', 'r')\n\nf(FileBox())\nwhy()")
	for _, want := range []string{
		"error: [1]:2:11: FileBox.open: plugin error (-5): no such file or directory: /no/such\n",
		"\n  2 |   box.open('/no/such', 'r')\n    |           ^\n",
		"\n  [2]:1:2: in <expr>\n  [1]:2:11: in f\n",
		"\nThe library's last log lines, which need not be of this call:\n  FileBox is ready\n",
		"\nIt is declared as FileBox.open(path string, mode string) → void.\nOpens a file; ",
		"\nThe message is the plugin's own.\n",
	} {
		assert.Contains(t, text, want)
	}
}

func TestSession_Help(t *testing.T) {
	s, out := newSession(t)
	text := converse(t, s, out, "help")
	assert.Contains(t, text, "Boxes:\n  FileBox\n  ConsoleBox (built in)\n")
	assert.Contains(t, text, "exit  ")
	out.Reset()
	box := converse(t, s, out, "help(FileBox)")
	assert.Contains(t, box, "  .open(path string, mode string) → void\n")
	out.Reset()
	assert.Equal(t, box, converse(t, s, out, "f = FileBox()\nhelp(f)"))
	out.Reset()
	assert.Equal(t, box, converse(t, s, out, "help('FileBox')"))
	for line, want := range map[string]string{"?FileBox": box, "FileBox ?": box, "?": text, `"?"`: "\"?\"\n"} {
		out.Reset()
		assert.Equal(t, want, converse(t, s, out, line), line)
	}
	out.Reset()
	assert.True(t, strings.HasPrefix(converse(t, s, out, "help(f.open)"), "FileBox.open(path string, mode string) → void\n  "))
	out.Reset()
	assert.Equal(t, "g(a, b)\n  adds\n", converse(t, s, out, "def g(a, b):\n  'adds'\n  return a + b\n\nhelp(g)"))
}

func TestSession_Complete(t *testing.T) {
	s, out := newSession(t)
	require.Empty(t, converse(t, s, out, "f = FileBox()\ndef double(number, twice = 1):\n  return number\n\nfour = 4\n_, e = catch(f.open, '/no/such', 'r')"))
	for text, want := range map[string][]string{
		"Fi":                  {"FileBox("},
		"x = fo":              {"for", "four"},
		"re":                  {"repr(", "return", "reversed("},
		"exi":                 {"exit"},
		"f.wr":                {"write(", "writeAll("},
		"f.fi":                {"fini("},
		"FileBox().si":        {"size("},
		"e.m":                 {"message", "method"},
		"f.open(":             {"mode=", "path="},
		"f.open('x', ":        {"mode="},
		"f.open('a,b', m":     {"mode=", "max(", "min("},
		"f.open(mode = 'r', ": {"path="},
		"f.open(path = fo":    {"for", "four"},
		"f.open(str(fo":       {"for", "four"},
		"f.open(str(":         nil, // of a function that tells no names: checked below
		"double(":             {"number=", "twice="},
		"double(3, t":         {"twice=", "tuple(", "type("},
		"f.open(\n  'x',\n  ": {"mode="},
		"'Fi":                 nil,
		"'''a\nFi":            nil,
		"x # Fi":              nil,
		"f.size().x":          nil,
		"four.x":              nil,
		"none.x":              nil,
		"def g():\n":          {"    "},
	} {
		from, words := s.Complete(text)
		if text == "f.open(str(" {
			assert.Contains(t, words, "four", text)
			assert.NotContains(t, words, "path=", text)
			continue
		}
		assert.Equal(t, want, words, text)
		for _, word := range words {
			assert.True(t, strings.HasPrefix(word, text[from:]), "%s: %s", text, word)
		}
	}
}

// TestSession_Interrupted: a statement ends with its context, and the session does not.
func TestSession_Interrupted(t *testing.T) {
	s, out := newSession(t)
	read := func(text string) *script.Statement {
		stmt, err := s.Read(func(first bool) (string, error) {
			if first {
				return text, nil
			}
			return "", nil
		})
		require.NoError(t, err)
		return stmt
	}
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupted"))
	err := s.Run(ended, read("while True: pass"))
	require.EqualError(t, errors.Unwrap(err), "interrupted")
	assert.Equal(t, "interrupted", s.Brief(err))
	err = s.Run(ended, read("FileBox()"))
	require.Error(t, err)
	assert.Equal(t, "42\n", converse(t, s, out, "40 + 2"))
}

// TestSession_MaxShown: a value that is long is cut, and print shows all of it.
func TestSession_MaxShown(t *testing.T) {
	s, out := newSession(t)
	s.MaxShown = 4
	assert.Equal(t, "\"aaa … (7 bytes more; print(_) shows all)\naaaaaaaaa\n", converse(t, s, out, "'a' * 9\nprint(_)"))
}

// TestSession_BoxNames: boxes whose names are commands or no names of Starlark do not disturb a session.
func TestSession_BoxNames(t *testing.T) {
	library := ccbuild.Plugin(t, "filebox")
	toml := "[plugins]\nhelp = { library = \"" + library + "\", box = \"FileBox\" }\n\"a-b\" = \"nyash-gone\"\n"
	out := &bytes.Buffer{}
	s := script.New(hosttest.Open(t, toml), out).NewSession()
	path := filepath.Join(t.TempDir(), "none")
	assert.Equal(t, "False\n", converse(t, s, out, "help().exists(\""+path+"\")"))
	_, words := s.Complete("a")
	assert.NotContains(t, words, "a-b(")
}
