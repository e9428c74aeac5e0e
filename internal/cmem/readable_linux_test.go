package cmem_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/cmem"
)

// TestReadable_Kinds: memory that is mapped is not always readable, and some is that the
// kernel does not populate.
func TestReadable_Kinds(t *testing.T) {
	page := os.Getpagesize()
	m, err := syscall.Mmap(-1, 0, 4*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	require.NoError(t, err)
	defer syscall.Munmap(m)
	require.NoError(t, syscall.Mprotect(m[2*page:], syscall.PROT_NONE))
	addr := cmem.Address(m)
	assert.True(t, cmem.Readable(addr, uint64(2*page)))
	assert.False(t, cmem.Readable(addr, uint64(2*page)+1))
	assert.False(t, cmem.Readable(addr+uint64(3*page), 1))

	file := filepath.Join(t.TempDir(), "short")
	require.NoError(t, os.WriteFile(file, []byte("short"), 0o600))
	f, err := os.Open(file)
	require.NoError(t, err)
	defer f.Close()
	short, err := syscall.Mmap(int(f.Fd()), 0, 2*page, syscall.PROT_READ, syscall.MAP_PRIVATE)
	require.NoError(t, err)
	defer syscall.Munmap(short)
	assert.True(t, cmem.Readable(cmem.Address(short), 5))
	assert.False(t, cmem.Readable(cmem.Address(short)+uint64(page), 1), "behind the end of a file")
}
