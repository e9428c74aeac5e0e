//go:build unix

package wasm

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFolders_NothingElse: pipes and devices are not opened, which could hold the host's thread up.
func TestFolders_NothingElse(t *testing.T) {
	p := newPlace(t, inAndOut)
	require.NoError(t, syscall.Mkfifo(filepath.Join(p.dir, "out", "pipe"), 0o600))
	assert.Equal(t, "Permission denied", p.do("read", "out/pipe"))
	assert.Equal(t, "Permission denied", p.do("write", "out/pipe"))
}
