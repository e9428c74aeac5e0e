//go:build unix

package files

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestRemoveAll_Deep: folders that are in one another more often than there are descriptors.
func TestRemoveAll_Deep(t *testing.T) {
	const levels = 3000
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	few := limit
	few.Cur = 500
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &few))
	t.Cleanup(func() { assert.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)) })

	dir := filepath.Join(t.TempDir(), "top")
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "beside", "it"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "beside", "file"), nil, 0o600))
	at, err := unix.Open(dir, unix.O_DIRECTORY, 0)
	require.NoError(t, err)
	for range levels {
		require.NoError(t, unix.Mkdirat(at, "level", 0o700))
		next, err := unix.Openat(at, "level", unix.O_DIRECTORY, 0)
		require.NoError(t, err)
		require.NoError(t, unix.Close(at))
		at = next
	}
	require.NoError(t, unix.Close(at))
	require.Error(t, os.RemoveAll(dir), "there are descriptors for all of them")
	require.NoError(t, RemoveAll(dir))
	assert.NoDirExists(t, dir)
	assert.NoError(t, RemoveAll(dir), "it is not there")
}
