package files_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/files"
)

func TestReadRegular(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, make([]byte, 1<<20), 0o644))
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(file, link))
	for _, path := range []string{file, link} {
		data, err := files.ReadRegular(path, 1<<20)
		require.NoError(t, err)
		assert.Len(t, data, 1<<20)
	}
	_, err := files.ReadRegular(dir, 1<<20)
	require.ErrorIs(t, err, files.ErrNotRegular)
	assert.EqualError(t, err, "read "+dir+": not a regular file")
	_, err = files.ReadRegular(filepath.Join(dir, "none"), 1<<20)
	require.ErrorIs(t, err, os.ErrNotExist)

	require.NoError(t, os.WriteFile(file, make([]byte, 1<<20+1), 0o644))
	for _, read := range []func(string, int64) ([]byte, error){files.Read, files.ReadRegular} {
		_, err = read(link, 1<<20)
		assert.EqualError(t, err, link+": it is larger than 1 MiB; is it the right file?")
	}
}
