package calls

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHandles(t *testing.T) {
	var ids IDs
	h := NewHandles[string](&ids, 100)
	first := h.Name("a")
	require.NotZero(t, first)
	assert.Equal(t, first, h.Name("a"), "an instance keeps its number")
	_, ok := h.Find(first)
	assert.False(t, ok, "a number alone permits nothing")

	require.True(t, h.Lend("a"))
	require.True(t, h.Lend("a"))
	h.Return("a")
	x, ok := h.Find(first)
	require.True(t, ok)
	assert.Equal(t, "a", x)
	assert.False(t, h.Holds("a"))
	assert.False(t, h.GiveUp("a"), "what is lent is not held")
	h.Return("a")
	_, ok = h.Find(first)
	assert.False(t, ok)

	id, err := h.Hold("a", false)
	require.NoError(t, err)
	assert.Equal(t, first, id)
	_, _ = h.Hold("a", false)
	assert.True(t, h.GiveUp("a"))
	assert.True(t, h.Holds("a"))
	assert.True(t, h.GiveUp("a"))
	assert.False(t, h.GiveUp("a"), "each hold is given up once")

	h.Forget("a")
	second := h.Name("a")
	assert.NotEqual(t, first, second, "a number is never used twice")
	_, ok = h.Find(first)
	assert.False(t, ok)
}

func TestHandles_Own(t *testing.T) {
	h := NewHandles[string](new(IDs), 100)
	id, err := h.Hold("own", true)
	require.NoError(t, err)
	assert.Zero(t, id, "it has a number of its own")
	_, ok := h.Find(0)
	assert.False(t, ok)
	assert.True(t, h.Holds("own"))
	assert.True(t, h.GiveUp("own"))
}

func TestHandles_TooMany(t *testing.T) {
	h := NewHandles[string](new(IDs), 2)
	hold := func(x string) error {
		_, err := h.Hold(x, x == "own")
		return err
	}
	require.NoError(t, hold("a"))
	require.NoError(t, hold("own"))
	require.NoError(t, hold("a"), "it is held already")
	require.ErrorIs(t, hold("b"), ErrTooMany)
	assert.True(t, h.Lend("b"), "it can be lent")
	assert.True(t, h.GiveUp("a"))
	require.ErrorIs(t, hold("b"), ErrTooMany)
	assert.True(t, h.GiveUp("a"))
	require.NoError(t, hold("b"))
	h.Forget("b")
	require.NoError(t, hold("c"))
	require.ErrorIs(t, hold("d"), ErrTooMany)
}

func TestHandles_End(t *testing.T) {
	var ids IDs
	h := NewHandles[string](&ids, 100)
	_, _ = h.Hold("a", false)
	_, _ = h.Hold("a", false)
	_, _ = h.Hold("own", true)
	h.Lend("b")
	held, lent := h.Counts()
	assert.Equal(t, []int{3, 1}, []int{held, lent})
	assert.Equal(t, map[string]int{"a": 2, "own": 1}, h.End())
	assert.Empty(t, h.End())
	assert.False(t, h.Lend("a"))
	assert.Zero(t, h.Name("c"))
	_, err := h.Hold("c", false)
	assert.ErrorIs(t, err, ErrNoNumber, "a life that has ended holds nothing")
	next := NewHandles[string](&ids, 100)
	assert.Greater(t, next.Name("a"), uint32(2), "nor are its numbers those of the next")
}

func TestIDs_RunOut(t *testing.T) {
	var ids IDs
	ids.last.Store(1<<32 - 2)
	h := NewHandles[string](&ids, 100)
	assert.Equal(t, uint32(1<<32-1), h.Name("a"))
	assert.Zero(t, h.Name("b"))
	assert.False(t, h.Lend("b"))
	assert.True(t, h.Lend("a"))
}

func TestHandles_Concurrent(t *testing.T) {
	h := NewHandles[int](new(IDs), 100)
	var all sync.WaitGroup
	for g := range 8 {
		all.Go(func() {
			for i := range 1000 {
				x := i % 7
				id, err := h.Hold(x, false)
				if got, found := h.Find(id); err != nil || !found || got != x {
					t.Errorf("goroutine %d: %d is %d, %v", g, id, got, found)
				}
				if !h.GiveUp(x) {
					t.Error("the hold is gone")
				}
			}
		})
	}
	all.Wait()
	held, lent := h.Counts()
	assert.Zero(t, held+lent)
}
