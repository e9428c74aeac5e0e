package cmem_test

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/cmem"
)

func TestCString(t *testing.T) {
	text := []byte("naïve\x00and more\x00")
	addr := uintptr(unsafe.Pointer(&text[0]))
	s, err := cmem.CString(addr, 100)
	require.NoError(t, err)
	assert.Equal(t, "naïve", s)

	_, err = cmem.CString(addr, 3)
	require.ErrorContains(t, err, "no NUL within 3 bytes")
}

// wild are addresses that cannot be read.
var wild = []uintptr{0, 1, 64, 4096, 0x41414141, 1 << 45, 1<<63 + 5, ^uintptr(0)}

func TestWildPointers(t *testing.T) { testWildPointers(t) }

func testWildPointers(t assert.TestingT) {
	for _, addr := range wild {
		_, err := cmem.CString(addr, 100)
		var fault *cmem.FaultError
		if assert.ErrorAs(t, err, &fault, "%#x", addr) {
			assert.Equal(t, addr, fault.Addr)
			assert.True(t, strings.HasSuffix(err.Error(), "cannot be read"))
		}
		var to [16]byte
		assert.ErrorAs(t, cmem.Copy(unsafe.Pointer(&to), addr, 16), &fault, "%#x", addr)
		assert.ErrorAs(t, cmem.Probe(addr, 1), &fault, "%#x", addr)
	}
}

func TestCopy(t *testing.T) {
	from := []byte("0123456789abcdef")
	var to [8]byte
	require.NoError(t, cmem.Copy(unsafe.Pointer(&to), uintptr(unsafe.Pointer(&from[3])), 8))
	assert.Equal(t, "3456789a", string(to[:]))
}

func TestGuardLeavesOtherPanicsAlone(t *testing.T) {
	assert.PanicsWithValue(t, "mine", func() {
		var err error
		defer cmem.GuardForTest(1, &err)()
		panic("mine")
	})
}
