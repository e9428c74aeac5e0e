//go:build unix

package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// TestCommand_NoFiles: a pipe that nobody writes to is not waited for, and a device is not read
// without an end.
func TestCommand_NoFiles(t *testing.T) {
	library := build(t, "good")
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o644))
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"a pipe as library":   {[]string{"check", pipe}, pipe + " is no regular file"},
		"a device as library": {[]string{"check", "/dev/zero"}, "/dev/zero is no regular file"},
		"a pipe as script":    {[]string{"explore", library, "--replay", pipe}, "read " + pipe + ": a pipe that nothing was written to"},
		"a device as script":  {[]string{"explore", library, "--replay", "/dev/zero"}, "/dev/zero: it is larger than 64 MiB; is it the right file?"},
		"a pipe to describe":  {[]string{"check", library, "--config", pipe}, "read " + pipe + ": a pipe that nothing was written to"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := run(t, tt.args...)
			require.ErrorIs(t, err, plugintest.ErrCannotRun)
			assert.ErrorContains(t, err, tt.want)
		})
	}
}

// TestCommand_ReportPipe: a report that nobody reads is an error, and not lost.
func TestCommand_ReportPipe(t *testing.T) {
	library := build(t, "good")
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o644))
	for _, flag := range []string{"--junit", "--sarif", "--html"} {
		_, err := run(t, "check", library, flag, pipe)
		require.EqualError(t, err, "cannot write a report: write "+pipe+": a pipe that nobody reads")
	}
}

// TestCommand_WatchPipe: a pipe in the library's place is told, and the watch goes on.
func TestCommand_WatchPipe(t *testing.T) {
	good, faulty := read(t, build(t, "good")), read(t, build(t, "duplicate_id"))
	library := filepath.Join(t.TempDir(), "libcounter.so")
	require.NoError(t, os.WriteFile(library, faulty, 0o755))
	w := startWatching(t, "check", library)
	w.until("error[duplicate-id]")
	w.until("watching ")

	require.NoError(t, os.Remove(library))
	require.NoError(t, syscall.Mkfifo(library, 0o644))
	w.until("libcounter.so is no regular file")
	w.until("watching ")

	other := filepath.Join(filepath.Dir(library), "other")
	require.NoError(t, os.WriteFile(other, good, 0o755))
	require.NoError(t, os.Rename(other, library))
	assert.NotContains(t, w.until("no findings"), "error[")
	w.until("watching ")
	require.NoError(t, w.end())
}
