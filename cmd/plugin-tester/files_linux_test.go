package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// TestCommand_Unreadable: a library that may not be read cannot be tested, and has no fault.
func TestCommand_Unreadable(t *testing.T) {
	library := filepath.Join(t.TempDir(), "libgood.so")
	require.NoError(t, os.WriteFile(library, read(t, build(t, "good")), 0o644))
	for folder := filepath.Dir(library); folder != filepath.Clean(os.TempDir()); folder = filepath.Dir(folder) {
		require.NoError(t, os.Chmod(folder, 0o755)) // the library is the only thing that is closed
	}
	require.NoError(t, os.Chmod(library, 0))
	asNobody(t)
	for _, name := range []string{"check", "all"} {
		_, err := run(t, name, library)
		require.ErrorIs(t, err, plugintest.ErrCannotRun)
		require.ErrorIs(t, err, fs.ErrPermission)
		assert.EqualError(t, err, "cannot test: open "+library+": permission denied")
	}
}

// asNobody has the test's thread open files as a user who is not root.
func asNobody(t *testing.T) {
	const nobody = 65534
	if os.Geteuid() != 0 {
		return
	}
	runtime.LockOSThread()
	require.NoError(t, unix.Setfsuid(nobody))
	t.Cleanup(func() {
		require.NoError(t, unix.Setfsuid(0))
		runtime.UnlockOSThread()
	})
}
