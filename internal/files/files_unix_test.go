//go:build unix

package files_test

import (
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
