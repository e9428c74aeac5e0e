//go:build unix

package main_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestNoFiles: a pipe that nobody writes to is not waited for, and a device is not read without an end.
func TestNoFiles(t *testing.T) {
	c := newCommand(t)
	c.write(t, "loads.star", "load('pipe', 'x')\n")
	require.NoError(t, syscall.Mkfifo(filepath.Join(c.dir, "pipe"), 0o644))
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"a pipe as script":     {[]string{"run", "pipe"}, "run script: read pipe: a pipe that nothing was written to"},
		"a device as script":   {[]string{"run", "/dev/zero"}, "run script: /dev/zero: it is larger than 64 MiB"},
		"a pipe to load":       {[]string{"run", "loads.star"}, "read pipe: a pipe that nothing was written to"},
		"a pipe as argument":   {[]string{"call", "FileBox.writeAll", "@pipe"}, "read pipe: a pipe that nothing was written to"},
		"a device as argument": {[]string{"call", "FileBox.writeAll", "@/dev/zero"}, "/dev/zero: it is larger than 256 MiB"},
	} {
		t.Run(name, func(t *testing.T) {
			_, stderr, status := c.run(t, tt.args...)
			assert.NotZero(t, status)
			assert.Contains(t, stderr, tt.want)
		})
	}
}

// TestOutputFull: what a script prints and cannot be written is an error.
func TestOutputFull(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("this system has no /dev/full")
	}
	require.NoError(t, err)
	defer full.Close()
	c := newCommand(t)
	for name, tt := range map[string]struct {
		args  []string
		input string
	}{
		"run":     {[]string{"run", "-e", "print(1)"}, ""},
		"session": {[]string{"repl"}, "print(1)\n"},
		"value":   {[]string{"repl"}, "1\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr strings.Builder
			cmd := exec.Command(c.bin, tt.args...)
			cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = c.dir, strings.NewReader(tt.input), full, &stderr
			require.Error(t, cmd.Run())
			assert.Equal(t, 1, cmd.ProcessState.ExitCode())
			assert.Contains(t, stderr.String(), "cannot write the output: write /dev/stdout: no space left on device")
		})
	}
}
