//go:build unix

package native_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/files"
	"github.com/nyash-plugins/nyash-go/internal/native"
)

// Whatever path leads to a library, it is one file with one path, of which nothing is asked
// again when it is opened.
func TestLook(t *testing.T) {
	data, err := os.ReadFile(connecting(t))
	require.NoError(t, err)
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	file := filepath.Join(dir, "real", "library.so")
	require.NoError(t, os.Mkdir(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, data, 0o755))
	link, folder := filepath.Join(dir, "link.so"), filepath.Join(dir, "folder")
	require.NoError(t, os.Symlink(file, link))
	require.NoError(t, os.Symlink(filepath.Dir(file), folder))
	identity, err := files.Identify(file)
	require.NoError(t, err)
	for name, path := range map[string]string{
		"itself": file, "a link": link, "in a folder that is a link": filepath.Join(folder, "library.so"),
	} {
		t.Run(name, func(t *testing.T) {
			resolved, err := native.Inspect(path)
			require.NoError(t, err)
			assert.Equal(t, file, resolved)
			seen := native.Look(path)
			assert.True(t, seen.Exists())
			lib := open(t, native.Config{File: path, Seen: seen, Sink: quiet{}, Calls: &host{}})
			assert.Equal(t, file, lib.File())
			assert.Equal(t, identity, lib.Identity())
			require.NoError(t, lib.Close())
		})
	}
	other := filepath.Join(dir, "other.so")
	require.NoError(t, os.WriteFile(other, data, 0o755))
	lib := open(t, native.Config{File: other, Seen: native.Look(file), Sink: quiet{}, Calls: &host{}})
	assert.Equal(t, other, lib.File(), "what was seen of another file is no good")
	assert.NotEqual(t, identity, lib.Identity())
}

func TestLook_NoLibrary(t *testing.T) {
	dir := t.TempDir()
	text, loop := filepath.Join(dir, "text.so"), filepath.Join(dir, "loop.so")
	require.NoError(t, os.WriteFile(text, []byte("no library"), 0o644))
	require.NoError(t, os.Symlink(loop, loop))
	for path, exists := range map[string]bool{
		dir: true, text: true, loop: false, filepath.Join(dir, "missing.so"): false, filepath.Join(text, "below.so"): false,
	} {
		seen := native.Look(path)
		assert.Equal(t, exists, seen.Exists(), path)
		_, err := native.Open(t.Context(), native.Config{File: path, Seen: seen, Sink: quiet{}})
		require.ErrorContains(t, err, path)
		if exists {
			require.ErrorIs(t, err, native.ErrNotLibrary)
		}
	}
}
