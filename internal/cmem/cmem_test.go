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

func TestCStringSurvivesWildPointers(t *testing.T) {
	for _, addr := range []uintptr{0, 1, 64, 4096, 1 << 45, 1<<63 + 5, ^uintptr(0)} {
		_, err := cmem.CString(addr, 100)
		var fault *cmem.FaultError
		require.ErrorAs(t, err, &fault, "%#x", addr)
		assert.Equal(t, addr, fault.Addr)
		assert.True(t, strings.HasSuffix(err.Error(), "cannot be read"))
	}
}

func TestGuardLeavesOtherPanicsAlone(t *testing.T) {
	assert.PanicsWithValue(t, "mine", func() {
		var err error
		defer cmem.Guard(1, &err)()
		panic("mine")
	})
}
