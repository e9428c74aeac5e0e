//go:build linux

package shm

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

func create(t testing.TB) *Memory {
	t.Helper()
	m, file, err := Create()
	require.NoError(t, err)
	require.NoError(t, file.Close())
	t.Cleanup(m.Unmap)
	return m
}

func TestMemoryCannotShrink(t *testing.T) {
	m, file, err := Create()
	require.NoError(t, err)
	defer file.Close()
	defer m.Unmap()
	require.ErrorIs(t, file.Truncate(0), unix.EPERM)
	_, err = unix.FcntlInt(file.Fd(), unix.F_ADD_SEALS, 0)
	require.ErrorIs(t, err, unix.EPERM)
	other, err := Map(int(file.Fd()))
	require.NoError(t, err)
	defer other.Unmap()
	m.Bytes(HostArena, 1)[0] = 7
	assert.Equal(t, byte(7), other.Bytes(HostArena, 1)[0])
}

func TestLayout(t *testing.T) {
	m := create(t)
	for i := range wire.Slots {
		assert.Zero(t, GuardOffset(i)%PageSize)
		m.Slot(i).Length = uint64(i)
	}
	assert.EqualValues(t, wire.Slots-1, m.Slot(wire.Slots-1).Length)
	assert.LessOrEqual(t, GuardOffset(wire.Slots-1)+PageSize, AnswersOffset(0))
	assert.LessOrEqual(t, AnswersOffset(wire.Slots-1)+BufferSize, uint64(offHostCalls))
	assert.LessOrEqual(t, CallResultOffset(wire.MaxHostCalls-1)+BufferSize, HostArena)
	for i := range wire.MaxHostCalls {
		m.HostCall(i).Length = uint64(i)
	}
	assert.EqualValues(t, wire.MaxHostCalls-1, m.HostCall(wire.MaxHostCalls-1).Length)
	assert.Zero(t, m.Bytes(CallArgsOffset(0), 1)[0])
	// As docs/process.md has them.
	assert.EqualValues(t, []int{0x43000, 0x903000, 0xd43000, 0xd46000}, []int{offBuffers, offAnswers, offHostCalls, offHostCallBuffers})
	assert.Zero(t, HostArena%PageSize)
	assert.GreaterOrEqual(t, BufferSize, 4+4+65535)
}

type line struct {
	kind uint32
	text string
}

func read(t testing.TB, m *Memory) (all []line) {
	t.Helper()
	require.NoError(t, m.ReadLines(func(kind uint32, text []byte) { all = append(all, line{kind, string(text)}) }))
	return all
}

func TestRing(t *testing.T) {
	m := create(t)
	assert.False(t, m.HasLines())
	for round := range 2000 { // many times around
		text := fmt.Sprintf("%d %s", round, bytes.Repeat([]byte("x"), round))
		ok, first := m.AppendLine(1, []byte(text))
		require.True(t, ok)
		assert.True(t, first)
		ok, first = m.AppendLine(wire.LineWake, nil)
		require.True(t, ok)
		assert.False(t, first, "the reader has been told")
		assert.Equal(t, []line{{1, text}, {wire.LineWake, ""}}, read(t, m))
	}
	full := 0
	for ; ; full++ {
		if ok, _ := m.AppendLine(2, make([]byte, 1000)); !ok {
			break
		}
	}
	assert.Len(t, read(t, m), full, "none of those that were taken is lost")
	assert.Equal(t, LogSize/1008, full)
	ok, _ := m.AppendLine(3, make([]byte, 2*wire.MaxLine))
	require.True(t, ok)
	assert.Len(t, read(t, m)[0].text, wire.MaxLine, "cut")
}

// FuzzRing has the host read what a hostile worker has written.
func FuzzRing(f *testing.F) {
	f.Add(uint64(0), uint64(16), []byte{8, 0, 0, 0, 1, 0, 0, 0, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'})
	f.Add(uint64(1<<40), uint64(7), []byte{255, 255, 255, 255})
	f.Add(uint64(LogSize-4), uint64(LogSize+1), []byte{1})
	m := create(f)
	f.Fuzz(func(t *testing.T, tail, length uint64, noise []byte) {
		for at := 0; at < LogSize; at += max(len(noise), 1) {
			if copy(m.mem[offLog+at:offLog+LogSize], noise) == 0 {
				break
			}
		}
		m.long(offLogTail).Store(tail)
		m.long(offLogHead).Store(tail + length)
		total := 0
		_ = m.ReadLines(func(_ uint32, text []byte) {
			require.LessOrEqual(t, len(text), wire.MaxLine)
			total += lineHead + len(text)
		})
		require.LessOrEqual(t, total, LogSize)
		require.False(t, m.HasLines(), "the ring is usable again")
	})
}

// TestRing_WrittenMeanwhile: a line whose writer need not tell the host is read by who reads
// the one before; but nobody reads for ever.
func TestRing_WrittenMeanwhile(t *testing.T) {
	m := create(t)
	_, first := m.AppendLine(1, []byte("one"))
	require.True(t, first)
	var all []string
	require.NoError(t, m.ReadLines(func(_ uint32, text []byte) {
		all = append(all, string(text))
		if len(all) == 1 {
			ok, first := m.AppendLine(1, []byte("two"))
			require.True(t, ok)
			require.False(t, first)
		}
	}))
	assert.Equal(t, []string{"one", "two"}, all)
	assert.False(t, m.HasLines())

	m.AppendLine(1, nil)
	n := 0
	require.NoError(t, m.ReadLines(func(uint32, []byte) {
		n++
		m.AppendLine(1, make([]byte, wire.MaxLine/2))
	}))
	assert.Less(t, n, 20)
	assert.True(t, m.HasLines())
}

func TestArena(t *testing.T) {
	dropped := uint64(0)
	a := NewArena(PageSize, 100*PageSize, func(_, length uint64) { dropped += length })
	var offsets []uint64
	for i := range 50 {
		at, ok := a.Alloc(uint64(i%2)*PageSize + 1)
		require.True(t, ok)
		offsets = append(offsets, at)
	}
	_, ok := a.Alloc(30 * PageSize)
	require.False(t, ok)
	for _, i := range []int{0, 2, 4, 1, 3, 49, 48} {
		a.Free(offsets[i], uint64(i%2)*PageSize+1)
		offsets[i] = 0
	}
	seen := map[uint64]bool{}
	for i, at := range offsets {
		if at != 0 {
			assert.False(t, seen[at])
			seen[at] = true
			a.Free(at, uint64(i%2)*PageSize+1)
		}
	}
	at, ok := a.Alloc(100 * PageSize)
	require.True(t, ok, "all of it is one block again")
	assert.EqualValues(t, PageSize, at)
	assert.Zero(t, dropped)
	_, ok = a.Alloc(ArenaSize + 1)
	require.False(t, ok)
}

func TestArenaGivesMemoryBack(t *testing.T) {
	m := create(t)
	a := NewArena(HostArena, ArenaSize, m.Drop)
	at, ok := a.Alloc(2 * keptPages)
	require.True(t, ok)
	m.Bytes(at, 1)[0] = 1
	a.Free(at, 2*keptPages)
	assert.Zero(t, m.Bytes(at, 1)[0], "the system has taken the page")
}

// TestHeldIsWhatThereIs: what a host lends, in any order, is never more of the memory
// than it says, and it says no more than it needs.
func TestHeldIsWhatThereIs(t *testing.T) {
	m := create(t)
	a := NewArena(HostArena, ArenaSize, m.Drop)
	allocated := func() uint64 {
		all, err := m.Allocated()
		require.NoError(t, err)
		return all
	}
	before, used := allocated(), uint64(0)
	type block struct{ offset, length uint64 }
	var blocks []block
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		if len(blocks) > 0 && random.IntN(2) == 0 {
			i := random.IntN(len(blocks))
			a.Free(blocks[i].offset, blocks[i].length)
			used -= Pages(blocks[i].length)
			blocks = slices.Delete(blocks, i, i+1)
		} else {
			length := uint64(random.IntN(keptPages / 2))
			at, ok := a.Alloc(length)
			require.True(t, ok)
			for page := range length / (64 * PageSize) {
				m.Bytes(at+page*64*PageSize, 1)[0] = 1
			}
			for _, b := range blocks {
				require.True(t, at+Pages(length) <= b.offset || at >= b.offset+Pages(b.length), "two blocks at one place")
			}
			blocks = append(blocks, block{at, length})
			used += Pages(length)
		}
		require.LessOrEqual(t, allocated()-before, a.Held())
		require.LessOrEqual(t, a.Held(), used+keptPages)
		require.GreaterOrEqual(t, a.Held(), used)
	}
	for _, b := range blocks {
		a.Free(b.offset, b.length)
	}
	at, ok := a.Alloc(ArenaSize)
	require.True(t, ok, "all of it is one block again")
	assert.Equal(t, HostArena, at)
}
