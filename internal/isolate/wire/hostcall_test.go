package wire

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
)

// TestHostCalls_Lanes: a thread waits for a lane, but not for ever.
func TestHostCalls_Lanes(t *testing.T) {
	var h HostCalls
	h.Init()
	h.wait = time.Millisecond
	taken := make(map[int]bool)
	for range Lanes {
		i, lane, err := h.Begin(t.Context())
		require.NoError(t, err)
		assert.True(t, lane)
		assert.GreaterOrEqual(t, i, Slots)
		taken[i] = true
	}
	assert.Len(t, taken, Lanes)
	_, _, err := h.Begin(t.Context())
	var refused *CallError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, abi.ErrPlugin, refused.Code)

	outer := NewOuter(7)
	i, lane, err := h.Begin(&outer)
	require.NoError(t, err)
	assert.Equal(t, 7, i)
	assert.False(t, lane, "a call within a request has a place of its own")

	h.wait = time.Hour
	got := make(chan int)
	go func() {
		i, _, _ := h.Begin(context.Background())
		got <- i
	}()
	h.End(Slots + 3)
	assert.Equal(t, Slots+3, <-got)
}
