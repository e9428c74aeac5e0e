//go:build unix

package main_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

// session is a `nyash repl` at a terminal.
type session struct {
	cmd    *exec.Cmd
	tty    *os.File
	output chan []byte // closed at the end
	seen   bytes.Buffer
}

const (
	tab      = "\t"
	enter    = "\r"
	up       = "\x1b[A"
	controlC = "\x03"
	controlD = "\x04"
	prompt   = ">>> "
	more     = "... "
)

// terminal starts the command at a terminal of its own. env is beside what every test has.
func (c *command) terminal(t *testing.T, env []string, args ...string) *session {
	t.Helper()
	s := &session{cmd: exec.Command(c.bin, args...), output: make(chan []byte)}
	s.cmd.Dir = c.dir
	s.cmd.Env = append(append(os.Environ(), "TERM=xterm", "NO_COLOR=1", "NYASH_HISTORY="+filepath.Join(c.dir, "history")), env...)
	tty, err := pty.StartWithSize(s.cmd, &pty.Winsize{Rows: 40, Cols: 100})
	require.NoError(t, err)
	s.tty = tty
	go func() {
		defer close(s.output)
		for {
			data := make([]byte, 4096)
			n, err := tty.Read(data)
			if n > 0 {
				s.output <- data[:n]
			}
			if err != nil {
				return // a terminal that nobody has open any more
			}
		}
	}()
	t.Cleanup(func() {
		_ = s.cmd.Process.Kill() // which has ended, if the test was well
		for range s.output {
			continue
		}
		tty.Close()
	})
	return s
}

// shows waits for text, and forgets what came before its end.
func (s *session) shows(t *testing.T, text string) {
	t.Helper()
	limit := time.After(30 * time.Second)
	for {
		if i := bytes.Index(s.seen.Bytes(), []byte(text)); i >= 0 {
			s.seen.Next(i + len(text))
			return
		}
		select {
		case data, ok := <-s.output:
			require.True(t, ok, "it ended before it showed %q: %q", text, s.seen.String())
			s.seen.Write(data)
		case <-limit:
			require.FailNow(t, "it never showed "+text, "%q", s.seen.String())
		}
	}
}

// types waits for a prompt and answers it.
func (s *session) types(t *testing.T, prompt, keys string) {
	t.Helper()
	s.shows(t, prompt)
	s.press(t, keys)
}

func (s *session) press(t *testing.T, keys string) {
	t.Helper()
	_, err := io.WriteString(s.tty, keys)
	require.NoError(t, err)
}

// ends waits for the end, and gives the exit status.
func (s *session) ends(t *testing.T) int {
	t.Helper()
	for data := range s.output {
		s.seen.Write(data)
	}
	_ = s.cmd.Wait() // the status is in ProcessState
	return s.cmd.ProcessState.ExitCode()
}

// TestREPL_Terminal: completion, blocks, errors and help at a terminal, and the lines of one run in the next.
func TestREPL_Terminal(t *testing.T) {
	c := newCommand(t)
	s := c.terminal(t, nil, "repl")
	s.types(t, prompt, "f = Fi"+tab)
	s.types(t, "FileBox(", ")"+enter)
	s.types(t, prompt, "f.ex"+tab)
	s.types(t, "f.exists(", "pa"+tab)
	s.types(t, "path=", "'nyash.toml')"+enter)
	s.shows(t, "True\r\n")
	s.types(t, prompt, "f.w"+tab+tab) // two that begin so
	s.shows(t, "write(")
	s.types(t, "writeAll(", controlC)

	s.types(t, prompt, "def g(x):"+enter)
	s.types(t, more, tab+"return x * 2"+enter)
	s.types(t, more, enter)
	s.types(t, prompt, "g("+enter) // a bracket that is open
	s.types(t, more, "21)"+enter)
	s.shows(t, "42\r\n")

	s.types(t, prompt, "f.raed()"+enter)
	s.shows(t, "error: FileBox.raed: no such method (did you mean read?)\r\n(why explains it)\r\n")
	s.types(t, prompt, "why"+enter)
	s.shows(t, "  1 | f.raed()\r\n    |  ^\r\n")
	s.shows(t, "FileBox has open, read, ")
	s.types(t, prompt, "FilBox()"+enter)
	s.shows(t, "error: undefined: FilBox (did you mean FileBox?)\r\n")
	s.types(t, prompt, "ConsoleBox().print('\\x1b[31mred')"+enter) // without an end of its line
	s.shows(t, `\x1b[31mred`)
	s.types(t, prompt, "help(f.open)"+enter)
	s.shows(t, "FileBox.open(path string, mode string) → void\r\n")
	s.types(t, prompt, "exit"+enter)
	assert.Zero(t, s.ends(t))

	file := filepath.Join(c.dir, "history")
	info, err := os.Stat(file)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	lines, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(string(lines), "f = FileBox()\nf.exists(path='nyash.toml')\ndef g(x):\n    return x * 2\n"), "%s", lines)

	s = c.terminal(t, nil, "repl")
	s.types(t, prompt, up)
	s.types(t, "exit", up)
	s.types(t, "help(f.open)", controlC)
	s.types(t, prompt, "\x12f.ex") // Ctrl-R
	s.types(t, "f.exists(path='nyash.toml')", controlC)
	s.types(t, prompt, controlD)
	assert.Zero(t, s.ends(t))
}

// TestREPL_Interrupt: Ctrl-C ends what runs, and the session goes on.
func TestREPL_Interrupt(t *testing.T) {
	c := newCommand(t)
	library := ccbuild.Source(t, "hangs", hangs)
	c.write(t, "hangs.toml", "[plugins.Hangs]\nlibrary = \""+library+"\"\nisolation = \"process\"\ncancel_grace = \"100ms\"\n[plugins.Hangs.methods]\nhang = { method_id = 1 }\n")
	s := c.terminal(t, []string{"NYASH_HISTORY="}, "--config", "hangs.toml", "repl")
	s.types(t, prompt, "h = Hangs()"+enter)
	s.types(t, prompt, "h.hang()"+enter)
	s.types(t, "it hangs", controlC)
	s.shows(t, "error: interrupted")
	s.types(t, prompt, "def spin():"+enter)
	s.types(t, more, "  print('spi' + 'ns')"+enter)
	s.types(t, more, "  while True: pass"+enter)
	s.types(t, more, enter)
	s.types(t, prompt, "spin()"+enter)
	s.types(t, "spins", controlC)
	s.shows(t, "interrupted")
	for range 50 { // from the moment it is seen, a prompt takes Ctrl-C as a key
		s.types(t, prompt, "1 +"+controlC) // a line that is dropped
		s.shows(t, "^C\r\n")
	}
	s.types(t, prompt, "40 + 2"+enter)
	s.shows(t, "42\r\n")
	s.types(t, prompt, controlD)
	assert.Zero(t, s.ends(t))
	assert.NoFileExists(t, filepath.Join(c.dir, "history"))
}

// TestREPL_Stuck: native code in this process cannot be made to return, and the second Ctrl-C ends the process.
func TestREPL_Stuck(t *testing.T) {
	c := newCommand(t)
	library := ccbuild.Source(t, "hangs", hangs)
	c.write(t, "hangs.toml", "[plugins.Hangs]\nlibrary = \""+library+"\"\n[plugins.Hangs.methods]\nhang = { method_id = 1 }\n")
	s := c.terminal(t, nil, "--config", "hangs.toml", "repl")
	s.types(t, prompt, "Hangs().hang()"+enter)
	s.types(t, "it hangs", controlC)
	s.types(t, "a call in this process cannot be ended; Ctrl-C once more ends nyash", controlC)
	assert.Equal(t, -1, s.ends(t), "it was killed")
}

// TestProgress_Terminal: what takes long says where it is at a terminal, and leaves no colours where
// NO_COLOR is set. Into a pipe it writes nothing but its result.
func TestProgress_Terminal(t *testing.T) {
	c := newCommand(t)
	const library = "plugins/filebox/build/libnyash_filebox_plugin.so"
	tester := &command{bin: ccbuild.Built(t, "plugin-tester"), dir: c.dir}
	for _, tt := range []struct {
		command *command
		args    []string
		shows   string
	}{
		{c, []string{"list"}, "\x1b[Kloading FileBox …\r"},
		{c, []string{"gen", "go"}, "\x1b[Kloading the libraries of nyash.toml …\r\x1b[K"},
		{c, []string{"inspect", library}, "\x1b[Kloading " + library + " …\r\x1b[K"},
		{tester, []string{"check", library}, "check …\r"},
	} {
		s := tt.command.terminal(t, nil, tt.args...)
		s.shows(t, tt.shows)
		assert.Zero(t, s.ends(t))
		assert.NotRegexp(t, `\x1b\[[0-9;]+m`, s.seen.String(), "NO_COLOR")
		stdout, stderr, status := tt.command.run(t, tt.args...)
		assert.Zero(t, status)
		assert.Empty(t, stderr)
		assert.NotContains(t, stdout, "\x1b")
		assert.NotContains(t, stdout, "\r")
	}
	s := tester.terminal(t, []string{"NO_COLOR="}, "check", library)
	s.shows(t, "\x1b[32mok\x1b[0m")
	assert.Zero(t, s.ends(t))
}
