//go:build unix

package files_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/files"
)

// Nothing is waited for, and nothing without an end is read.
func TestReadRegular_Others(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o644))
	for _, path := range []string{pipe, "/dev/zero"} {
		_, err := files.ReadRegular(path, 1<<20)
		assert.ErrorIs(t, err, files.ErrNotRegular, path)
	}
	if runtime.GOOS == "linux" {
		data, err := files.ReadRegular("/proc/self/pagemap", 1<<20)
		require.NoError(t, err)
		assert.Empty(t, data)
	}
	_, err := files.Read("/dev/zero", 1<<20)
	assert.ErrorContains(t, err, "it is larger than 1 MiB")
}

// A pipe is read to its end, and one that nobody writes to is not waited for.
func TestRead_Pipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o644))
	_, err := files.Read(pipe, 1<<20)
	require.EqualError(t, err, "read "+pipe+": a pipe that nothing was written to")

	// Both ends are open here, as a shell has them for <(COMMAND).
	both, err := os.OpenFile(pipe, os.O_RDWR, 0)
	require.NoError(t, err)
	defer both.Close()
	text := bytes.Repeat([]byte("text"), 1<<17) // more than a pipe holds
	written := make(chan error, 1)
	go func() {
		_, err := both.Write(text)
		written <- errors.Join(err, both.Close())
	}()
	data, err := files.Read(pipe, 1<<20)
	require.NoError(t, errors.Join(err, <-written))
	assert.Equal(t, text, data)
}
