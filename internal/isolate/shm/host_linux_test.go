package shm

import (
	"context"
	"fmt"
	"math"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
)

// yielding is a host whose worker, a goroutine of the test, does whatever it is asked to
// and says so.
type yielding struct {
	*Host
	peer  *transport.Peer
	end   context.CancelFunc
	ended chan struct{} // closed when the worker has
}

func newYielding(t testing.TB) *yielding {
	t.Helper()
	peer := &transport.Peer{
		Kill: func(cause error) { assert.NoError(t, cause) },
		Line: func(uint32, []byte) bool { return true }, Flush: func(context.Context) {},
		Complain:  func(text string) { assert.Empty(t, text) },
		Contended: func() bool { return false }, Closing: func() bool { return false },
		Lost: new(atomic.Uint64),
	}
	peer.Init()
	link, theirs, err := New(peer)
	require.NoError(t, err)
	peer.Transport = link
	mem, err := Map(int(theirs.Files[1].Fd()))
	require.NoError(t, err)
	theirs.Close()
	alive, end := context.WithCancel(context.Background())
	y := &yielding{Host: link.(*Host), peer: peer, end: end, ended: make(chan struct{})}
	go func() {
		defer close(y.ended)
		defer mem.Unmap()
		for alive.Err() == nil {
			if i, ok := takeBit(mem.Pending()); ok {
				mem.Slot(i).Code = 0
				mem.Slot(i).State.Store(Done)
				mem.Completions().Add(1)
				Wake(mem.Completions(), 1)
			}
			Pause(4)
		}
	}()
	t.Cleanup(y.die)
	return y
}

// die ends the worker, as its session does.
func (y *yielding) die() {
	if y.peer.Dead.Load() {
		return
	}
	y.end()
	<-y.ended
	y.peer.Crash.Store(&transport.CrashError{Status: 1})
	y.peer.Dead.Store(true)
	close(y.peer.Ended)
	y.Close()
}

// mapped reports whether the host still has the memory.
func (y *yielding) mapped() bool {
	y.lines.Lock()
	defer y.lines.Unlock()
	return !y.unmapped
}

// TestAdopt_AnyPlace: what a worker says of a blob is either refused, or a part of the
// arena that outlives it.
func TestAdopt_AnyPlace(t *testing.T) {
	tests := []struct {
		offset, length uint64
		ok             bool
	}{
		{WorkerArena, 0, true},
		{WorkerArena, ArenaSize, true},
		{WorkerArena + 1, ArenaSize - 1, true},
		{Size - PageSize, 0, true},
		{Size - PageSize, PageSize, true},
		{Size - 1, 0, true},
		{Size - 1, 1, true},
		{Size, 0, false},
		{Size, 1, false},
		{Size - 1, 2, false},
		{Size + 1, 0, false},
		{Size + PageSize, 0, false},
		{Size - PageSize, PageSize + 1, false},
		{WorkerArena - 1, 1, false},
		{WorkerArena - 1, 0, false},
		{HostArena, 1, false},
		{0, 0, false},
		{0, Size, false},
		{WorkerArena, ArenaSize + 1, false},
		{WorkerArena, math.MaxUint64, false},
		{WorkerArena + 1, math.MaxUint64, false},
		{Size, math.MaxUint64, false},
		{math.MaxUint64, 0, false},
		{math.MaxUint64, 1, false},
		{math.MaxUint64, math.MaxUint64, false},
	}
	for _, base := range []uint64{0, 0x7f00_0000_0000, math.MaxUint64 - PageSize} {
		for _, tt := range tests {
			t.Run(fmt.Sprintf("%#x/%#x+%#x", base, tt.offset, tt.length), func(t *testing.T) {
				y := newYielding(t)
				y.base = base
				data, release, err := y.Adopt(t.Context(), base+tt.offset, tt.length)
				if !tt.ok {
					require.ErrorContains(t, err, "are not in the memory that the plugin's alloc takes from")
					y.die()
					assert.False(t, y.mapped())
					return
				}
				require.NoError(t, err)
				require.Len(t, data, int(tt.length))
				require.EqualValues(t, tt.length, cap(data))
				if tt.length > 0 {
					assert.Equal(t, unsafe.Pointer(&y.mem.mem[tt.offset]), unsafe.Pointer(&data[0]))
					data[0], data[tt.length-1] = 1, 1
				}
				y.die()
				require.True(t, y.mapped())
				if tt.length > 0 {
					assert.EqualValues(t, 1, data[0])
					assert.EqualValues(t, 1, data[tt.length-1])
				}
				release()
				assert.False(t, y.mapped())
			})
		}
	}
}

// TestAdopt_SeveralAtTheEnd: blobs of a dead worker keep their own pages, in any order
// and on top of each other, and nothing else.
func TestAdopt_SeveralAtTheEnd(t *testing.T) {
	y := newYielding(t)
	var all []func()
	for _, at := range []struct{ offset, length uint64 }{{Size - 1, 0}, {Size - 3*PageSize, 2 * PageSize}, {Size - 2*PageSize, 0}, {WorkerArena, 1}, {Size - PageSize - 1, PageSize + 1}} {
		data, release, err := y.Adopt(t.Context(), at.offset, at.length)
		require.NoError(t, err)
		for i := range data {
			data[i] = 7
		}
		all = append(all, func() {
			for i := range data {
				require.EqualValues(t, 7, data[i])
			}
			release()
		})
	}
	y.mem.Bytes(WorkerArena+PageSize, 100*PageSize)[50*PageSize] = 7
	y.die()
	assert.Zero(t, y.mem.Bytes(WorkerArena+PageSize, 100*PageSize)[50*PageSize])
	for _, end := range all {
		require.True(t, y.mapped())
		end()
	}
	assert.False(t, y.mapped())
}

// TestLend_EndsWithWorker: what was lent and not taken back keeps nothing of a dead worker.
func TestLend_EndsWithWorker(t *testing.T) {
	y := newYielding(t)
	addr, err := y.Lend(t.Context(), make([]byte, 1000))
	require.NoError(t, err)
	large, err := y.Lend(t.Context(), make([]byte, keptPages+1))
	require.NoError(t, err)
	_, release, err := y.Adopt(t.Context(), y.base+WorkerArena, 10)
	require.NoError(t, err)
	y.die()
	require.True(t, y.mapped(), "for the blob that the host has")
	allocated, err := y.mem.Allocated()
	require.NoError(t, err)
	assert.LessOrEqual(t, allocated, uint64(PageSize))
	y.TakeBack(large, keptPages+1)
	release()
	assert.False(t, y.mapped())
	y.TakeBack(addr, 1000)
	_, err = y.Lend(t.Context(), make([]byte, 1000))
	require.ErrorIs(t, err, transport.ErrLost)
}
