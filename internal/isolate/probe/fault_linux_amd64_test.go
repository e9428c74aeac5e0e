package probe

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/internal/cmem"
	"github.com/nyash-plugins/nyash-go/internal/native"
)

// TestStub calls a stub in the place of write, in all modes.
func TestStub(t *testing.T) {
	tests := map[string]struct {
		number uint64
		mode   FaultMode
		want   []int64 // that three calls of 8 bytes answer
	}{
		"no fault":        {NoFault, FaultError, []int64{8, 8, 8}},
		"the first":       {0, FaultError, []int64{-1, 8, 8}},
		"the third":       {2, FaultError, []int64{8, 8, -1}},
		"interrupted":     {1, FaultInterrupted, []int64{8, -1, 8}},
		"a part":          {1, FaultPart, []int64{8, 4, 8}},
		"all from one on": {1, FaultForGood, []int64{8, -1, -1}},
	}
	write, errno := native.System("write"), native.System("__errno_location")
	require.NotZero(t, write)
	require.NotZero(t, errno)
	null, err := unix.Open("/dev/null", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer func() { assert.NoError(t, unix.Close(null)) }()
	state, err := mapPages(8192)
	require.NoError(t, err)
	defer unmapPages(state)
	f := &faults{names: []string{"write"}, state: stateAt(state)}
	code, err := mapPages(4096)
	require.NoError(t, err)
	defer unmapPages(code)
	writeStub(code[:stubRoom], systemFunctions["write"], stubAddresses{state: cmem.Address(state), function: uint64(write), errno: uint64(errno)}, 0)
	require.NoError(t, unix.Mprotect(code, unix.PROT_READ|unix.PROT_EXEC))
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f.arm(tt.number, tt.mode)
			var got []int64
			for range tt.want {
				n := native.CallSystem(uintptr(cmem.Address(code)), uintptr(null), uintptr(cmem.Address(state)), 8)
				got = append(got, int64(int32(n)))
			}
			assert.Equal(t, tt.want, got)
			seen := f.seen()
			assert.Equal(t, []string{"write", "write", "write"}, seen.Calls)
			assert.Equal(t, tt.number != NoFault, seen.Fired != "")
			assert.Empty(t, seen.At, "no library calls it")
			if tt.number != NoFault {
				assert.NotZero(t, f.state.stack[0])
			}
		})
	}
	assert.LessOrEqual(t, stubLength(code), stubRoom)
}

// TestStub_Late calls a stub in the place of close, which closes and fails.
func TestStub_Late(t *testing.T) {
	closes, errno := native.System("close"), native.System("__errno_location")
	require.NotZero(t, closes)
	state, err := mapPages(8192)
	require.NoError(t, err)
	defer unmapPages(state)
	f := &faults{names: []string{"close"}, state: stateAt(state)}
	code, err := mapPages(4096)
	require.NoError(t, err)
	defer unmapPages(code)
	writeStub(code[:stubRoom], systemFunctions["close"], stubAddresses{state: cmem.Address(state), function: uint64(closes), errno: uint64(errno)}, 0)
	require.NoError(t, unix.Mprotect(code, unix.PROT_READ|unix.PROT_EXEC))
	for number, want := range map[uint64]int32{NoFault: 0, 0: -1} {
		fd, err := unix.Open("/dev/null", unix.O_WRONLY|unix.O_CLOEXEC, 0)
		require.NoError(t, err)
		f.arm(number, FaultLate)
		assert.Equal(t, want, int32(native.CallSystem(uintptr(cmem.Address(code)), uintptr(fd), 0, 0)))
		assert.Equal(t, want < 0, f.seen().Fired == "close")
		_, err = unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		assert.ErrorIs(t, err, unix.EBADF)
	}
}

// stubLength is up to where a stub's code goes, which ends in a return.
func stubLength(code []byte) int {
	for i := len(code) - 1; i >= 0; i-- {
		if code[i] != 0 {
			return i + 1
		}
	}
	return 0
}

// TestStub_Room looks whether the longest code of all has room.
func TestStub_Room(t *testing.T) {
	for name, f := range systemFunctions {
		out := make([]byte, 1024)
		writeStub(out, f, stubAddresses{1, 2, 3}, 1)
		assert.LessOrEqual(t, stubLength(out), stubRoom, name)
		assert.Equal(t, byte(0xc3), out[stubLength(out)-1], name)
		assert.Equal(t, f.answer, binary.LittleEndian.Uint64(out[stubLength(out)-9:]), name)
	}
}
