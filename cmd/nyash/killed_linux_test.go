package main_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// start runs the program and returns what it prints as it comes.
func (c *command) start(t *testing.T, args ...string) (lines *bufio.Scanner, wait func() (stderr string, status int)) {
	t.Helper()
	cmd := exec.Command(c.bin, args...)
	cmd.Dir = c.dir
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return bufio.NewScanner(out), func() (string, int) {
		_ = cmd.Wait()
		return errs.String(), cmd.ProcessState.ExitCode()
	}
}

// workerOf finds the process that a running command has started.
func workerOf(t *testing.T, bin string) int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/exe")
	require.NoError(t, err)
	for _, exe := range stats {
		target, err := os.Readlink(exe)
		if err != nil || target != bin {
			continue
		}
		environ, err := os.ReadFile(filepath.Join(filepath.Dir(exe), "environ"))
		if err == nil && strings.Contains(string(environ), "NYASH_WORKER=") {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(exe)))
			require.NoError(t, err)
			return pid
		}
	}
	t.Fatal("no worker runs")
	return 0
}

func TestKilledWorker(t *testing.T) {
	c := newCommand(t)
	// The script goes on once its file is there.
	const script = `file = FileBox()
file.open("data.txt", "w")
print("ready")
def wait():
    for _ in range(1000000000):
        if not file.exists("data.txt"):
            return
`
	run := func(t *testing.T, text string) (lines *bufio.Scanner, wait func() (string, int)) {
		c.write(t, "long.star", text)
		lines, wait = c.start(t, "--isolation", "process", "run", "long.star")
		require.True(t, lines.Scan())
		require.Equal(t, "ready", lines.Text())
		require.NoError(t, syscall.Kill(workerOf(t, c.bin), syscall.SIGKILL))
		return lines, wait
	}
	t.Run("ends a script", func(t *testing.T) {
		lines, wait := run(t, script+"wait()\n")
		assert.False(t, lines.Scan())
		stderr, status := wait()
		assert.Equal(t, 1, status)
		assert.Contains(t, stderr, "FileBox.exists: ")
		assert.Regexp(t, "plugin crashed: SIGKILL|instance lost", stderr)
		assert.Contains(t, stderr, "long.star:6:")
	})
	t.Run("or is caught", func(t *testing.T) {
		lines, wait := run(t, script+`_, err = catch(wait)
print("caught:", err)
again = FileBox()
again.open("data.txt", "w")
print("wrote", again.write("more"))
again.close()
`)
		require.True(t, lines.Scan())
		assert.Contains(t, lines.Text(), "caught: ")
		require.True(t, lines.Scan())
		assert.Equal(t, "wrote 4", lines.Text())
		stderr, status := wait()
		assert.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
		assert.Contains(t, stderr, "the plugin's process has ended or could not be started: plugin crashed: SIGKILL (killed)")
		assert.Zero(t, status)
	})
	t.Run("shown live", func(t *testing.T) {
		lines, _ := c.start(t, "--isolation", "process", "list", "--live")
		for lines.Scan() && !strings.Contains(lines.Text(), "FileBox          process   ready") {
		}
		require.NoError(t, syscall.Kill(workerOf(t, c.bin), syscall.SIGKILL))
		for lines.Scan() && !strings.Contains(lines.Text(), "failed") {
			assert.NotContains(t, lines.Text(), "loading", "what was before is told once")
		}
		assert.Contains(t, lines.Text(), "plugin crashed: SIGKILL (killed)")
	})
}
