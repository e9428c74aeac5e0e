package script_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/interrupt"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
	"github.com/nyash-plugins/nyash-go/tools/script"
)

// host opens a host with the FileBox of this repository.
func host(t *testing.T) *loader.Host {
	t.Helper()
	return hosttest.Open(t, hosttest.PluginTOML(t, "filebox", ccbuild.Plugin(t, "filebox")))
}

func run(t *testing.T, ctx context.Context, text string) (string, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "files.star")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	var out bytes.Buffer
	err := script.New(host(t), &out).Run(ctx, file)
	return out.String(), err
}

func TestScript(t *testing.T) {
	text, err := os.ReadFile("testdata/files.star")
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "data.txt")
	out, err := run(t, t.Context(), fmt.Sprintf("path = %q\n%s", path, text))
	require.NoError(t, err, "%+v", err)
	assert.Equal(t, "done\n", out)
}

func TestErrors(t *testing.T) {
	text, err := os.ReadFile("testdata/errors.star")
	require.NoError(t, err)
	for i, chunk := range strings.Split(string(text), "\n---\n") {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			_, want, ok := strings.Cut(chunk, "### ")
			require.True(t, ok)
			want, _, _ = strings.Cut(want, "\n")
			_, err := run(t, t.Context(), chunk)
			require.Error(t, err)
			assert.Regexp(t, regexp.MustCompile(strings.TrimSpace(want)), err.Error())
			// The line is that of the comment, whatever the pattern says.
			line := strings.Count(chunk[:strings.Index(chunk, "###")], "\n") + 1
			assert.Contains(t, err.Error(), fmt.Sprintf("files.star:%d:", line))
		})
	}
}

// TestMissingMethods: what asks whether there is a method gets an answer, and what
// catches the error can read it.
func TestMissingMethods(t *testing.T) {
	out, err := run(t, t.Context(), `f = FileBox()
print(hasattr(f, "open"), hasattr(f, "opem"), getattr(f, "opem", "none"))
def call():
    f.opem()
_, e = catch(call)
print(e, e.box, e.method)
`)
	require.NoError(t, err)
	assert.Equal(t, "True False none\nFileBox.opem: no such method (did you mean open?) FileBox opem\n", out)
}

// notes is a box of a program that runs scripts.
type notes struct{ all []string }

func (n *notes) Put(text string) int { n.all = append(n.all, text); return len(n.all) }

func (n *notes) At(i int) (string, error) {
	if i < 0 || i >= len(n.all) {
		return "", fmt.Errorf("there is no note %d", i)
	}
	return n.all[i], nil
}

// TestBoxOfTheProgram: a script uses a Go type of the program as it uses a plugin.
func TestBoxOfTheProgram(t *testing.T) {
	file := filepath.Join(t.TempDir(), "notes.star")
	require.NoError(t, os.WriteFile(file, []byte(`n = NotesBox("first")
print(n.put("second"), n.at(0), n.at(1))
_, e = catch(n.at, 2)
print(e.box, e.method, e.code, e.message)
`), 0o644))
	h := hosttest.Open(t, "", loader.WithBox("NotesBox", func(first string) *notes { return &notes{[]string{first}} }))
	var out bytes.Buffer
	require.NoError(t, script.New(h, &out).Run(t.Context(), file))
	assert.Equal(t, "2 first second\nNotesBox at -5 there is no note 2\n", out.String())
}

func TestErrorShowsHowItGotThere(t *testing.T) {
	_, err := run(t, t.Context(), "def inner():\n    FileBox().size()\ninner()\n")
	var scriptErr *script.Error
	require.ErrorAs(t, err, &scriptErr)
	assert.Contains(t, fmt.Sprintf("%+v", err), "in inner")
	var call *loader.CallError
	require.ErrorAs(t, err, &call)
	assert.Equal(t, "size", call.Method)
}

func TestLoadStatement(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
		return path
	}
	write("lib.star", "def double(x):\n    return 2 * x\nprint('once')\n")
	main := write("main.star", "load('lib.star', 'double')\nload('lib.star', twice = 'double')\nprint(double(4), twice(5))\n")
	var out bytes.Buffer
	require.NoError(t, script.New(host(t), &out).Run(t.Context(), main))
	assert.Equal(t, "once\n8 10\n", out.String())

	write("a.star", "load('b.star', 'b')\na = 1\n")
	write("b.star", "load('a.star', 'a')\nb = 1\n")
	loop := write("loop.star", "load('a.star', 'a')\n")
	err := script.New(host(t), &out).Run(t.Context(), loop)
	require.ErrorContains(t, err, "loads itself")
}

// TestOutputFull: what print cannot write ends the script, whatever it would catch.
func TestOutputFull(t *testing.T) {
	full, out := io.Pipe()
	require.NoError(t, full.CloseWithError(syscall.ENOSPC))
	h := host(t)
	want := "print.star:%d: cannot write the output: " + syscall.ENOSPC.Error()
	for text, at := range map[string]string{
		"print(1)":                       "1:6",
		"\ndef f():\n  print(1)\nf()":    "3:8",
		"catch(print, 1)\nfail('later')": "1:6",
	} {
		err := script.New(h, out).RunSource(t.Context(), "print.star", []byte(text))
		require.ErrorIs(t, err, syscall.ENOSPC, text)
		assert.EqualError(t, err, strings.Replace(want, "%d", at, 1), text)
	}
	for _, line := range []string{"print(1)", "1 + 1", "help", "why", "for i in [1]: print(i)"} {
		s := script.New(h, out).NewSession()
		lines := []string{line, ""}
		stmt, err := s.Read(func(bool) (string, error) {
			line := lines[0]
			lines = lines[1:]
			return line, nil
		})
		require.NoError(t, err)
		require.ErrorIs(t, s.Run(t.Context(), stmt), syscall.ENOSPC, line)
	}
}

func TestContextEndsAScript(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := run(t, ctx, "while True:\n    pass\n")
	require.ErrorContains(t, err, "context canceled")
}

// TestInterrupted: a script that is ended says why in plain words.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(interrupt.ErrInterrupted)
	require.EqualError(t, script.New(host(t), io.Discard).RunSource(ctx, "-e", []byte("while True: pass")), "-e:1:1: interrupted")
}

func TestMissingScript(t *testing.T) {
	err := script.New(host(t), &bytes.Buffer{}).Run(t.Context(), "no/such.star")
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestKeywords: arguments may be given by the names that nyash.toml declares, and a script has
// what follows it on the command line.
func TestKeywords(t *testing.T) {
	var out bytes.Buffer
	path := filepath.Join(t.TempDir(), "data.txt")
	e := script.New(host(t), &out, path, "two")
	require.NoError(t, e.RunSource(t.Context(), "keywords.star", []byte(`
f = FileBox()
f.open(mode = "w", path = args[0])
f.write(data = "text")
f.fini()
f = FileBox()
f.open(args[0], mode = "r")
print(f.read(), args[1], len(args))
`)))
	assert.Equal(t, "text two 2\n", out.String())
}

// TestNesting: a chain that Go has no stack for is an error, in a script and in a session.
func TestNesting(t *testing.T) {
	tests := map[string]struct{ source, at string }{
		"operators": {"x = 1\nx" + strings.Repeat("+x", 2_500_000), "2:1"},
		"calls":     {"x = len\nx" + strings.Repeat("()", 2_500_000), "2:1"},
		"elif":      {"if 0:\n pass\n" + strings.Repeat("elif 0:\n pass\n", 200_000), "199997:6"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := run(t, t.Context(), tt.source)
			require.ErrorContains(t, err, ":"+tt.at+": excessive nesting: ")
		})
	}
	out, err := run(t, t.Context(), "print(1"+strings.Repeat("+1", 50_000)+")")
	require.NoError(t, err)
	assert.Equal(t, "50001\n", out)

	s := script.New(host(t), io.Discard).NewSession()
	stmt, err := s.Read(func(bool) (string, error) { return tests["operators"].source[6:], nil })
	require.NoError(t, err)
	require.ErrorContains(t, s.Run(t.Context(), stmt), "excessive nesting")
}
