//go:build unix

package files_test

import (
	"bytes"
	"errors"
	"io"
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

// A pipe is written to where somebody reads it, and else is not waited for.
func TestCreate_Pipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(pipe, 0o644))
	_, err := files.Create(pipe)
	require.EqualError(t, err, "write "+pipe+": a pipe that nobody reads")

	reader, err := os.OpenFile(pipe, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	require.NoError(t, err)
	defer reader.Close()
	f, err := files.Create(pipe)
	require.NoError(t, err)
	text := bytes.Repeat([]byte("text"), 1<<17) // more than a pipe holds
	written := make(chan error, 1)
	go func() {
		_, err := f.Write(text)
		written <- errors.Join(err, f.Close())
	}()
	data, err := io.ReadAll(reader)
	require.NoError(t, errors.Join(err, <-written))
	assert.Equal(t, text, data)
}

// What was in a file is gone.
func TestCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, text := range []string{"a long text", "short"} {
		f, err := files.Create(path)
		require.NoError(t, err)
		_, err = f.WriteString(text)
		require.NoError(t, errors.Join(err, f.Close()))
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Equal(t, text, string(data))
	}
}
