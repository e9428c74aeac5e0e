package shm

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
)

const (
	hostileRoom = 24
	canary      = 0xc9
)

// batch are ten calls whose rooms have a byte behind each that must stay.
func batch() (calls []abi.Call, intact func() bool) {
	const n = 10
	calls, rooms := make([]abi.Call, n), make([][]byte, n)
	for i := range calls {
		rooms[i] = make([]byte, hostileRoom+1)
		rooms[i][hostileRoom] = canary
		calls[i].SetArgs(make([]byte, i%30))
		calls[i].SetResultBuffer(rooms[i][:hostileRoom])
	}
	return calls, func() bool {
		for _, room := range rooms {
			if room[hostileRoom] != canary {
				return false
			}
		}
		return true
	}
}

type batchOutcome struct {
	made int
	err  error
}

// startBatch begins a batch in a goroutine, and returns its slot when the worker has it.
func (h *hostile) startBatch(ctx context.Context, calls []abi.Call) (slot int, done <-chan batchOutcome) {
	ended := make(chan batchOutcome, 1)
	go func() {
		made, err := h.Batch(ctx, calls)
		ended <- batchOutcome{made, err}
	}()
	ok := false
	until(func() bool { slot, ok = takeBit(h.worker.Pending()); return ok })
	h.worker.Slot(slot).State.Store(Running)
	return slot, ended
}

// TestBatch_Lies: whatever a worker says of a batch, no more calls were made than there are, and
// nothing is written but to their rooms.
func TestBatch_Lies(t *testing.T) {
	tests := map[string]struct {
		made    uint32
		answers []uint64 // words
		want    int
	}{
		"none":                    {0, nil, 0},
		"one":                     {1, []uint64{8 << 32, 42}, 1},
		"more than there are":     {math.MaxUint32, nil, 10},
		"results that are long":   {10, []uint64{math.MaxUint32 << 32, math.MaxUint64, 1, 2, 3, 1 << 40}, 10},
		"a length that is one up": {2, []uint64{(hostileRoom + 1) << 32}, 2},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHostile(t, asked{})
			calls, intact := batch()
			slot, done := h.startBatch(t.Context(), calls)
			s := h.worker.Slot(slot)
			assert.EqualValues(t, 10, s.Method)
			assert.Equal(t, AnswersOffset(slot), s.Room)
			for i, word := range tt.answers {
				h.worker.long(int(s.Room) + 8*i).Store(word)
			}
			s.Made.Store(tt.made)
			// What a request says is the host's to know, and not asked again.
			s.Method, s.Length, s.Room, s.RoomLength = math.MaxUint32, math.MaxUint64, math.MaxUint64, math.MaxUint64
			h.finish(slot)
			got := <-done
			require.NoError(t, got.err)
			assert.Equal(t, tt.want, got.made)
			assert.True(t, intact())
			assert.Zero(t, h.Active())
		})
	}
}

// TestBatch_Changed: a worker that writes all the time while the host reads.
func TestBatch_Changed(t *testing.T) {
	h := newHostile(t, asked{})
	var stop atomic.Bool
	var scribbler sync.WaitGroup
	scribbler.Go(func() {
		random := rand.New(rand.NewPCG(5, 6))
		for !stop.Load() {
			slot := transport.ControlSlots
			h.worker.long(int(AnswersOffset(slot)) + 8*random.IntN(100)).Store(random.Uint64() >> random.IntN(64))
			h.worker.Slot(slot).Made.Store(random.Uint32N(20))
		}
	})
	calls, intact := batch()
	for range 2000 {
		for i := range calls {
			calls[i].ResultLength = hostileRoom
		}
		slot, done := h.startBatch(t.Context(), calls)
		h.finish(slot)
		got := <-done
		require.NoError(t, got.err)
		require.LessOrEqual(t, got.made, len(calls))
	}
	stop.Store(true)
	scribbler.Wait()
	assert.True(t, intact())
}

// TestBatch_Ends: by the end of its context, and of its worker.
func TestBatch_Ends(t *testing.T) {
	answer := func(h *hostile, slot, n int) {
		for i := range n {
			h.worker.long(int(AnswersOffset(slot)) + 8*i).Store(0)
		}
		h.worker.Slot(slot).Made.Store(uint32(n))
	}
	t.Run("context", func(t *testing.T) {
		h := newHostile(t, asked{})
		ctx, cancel := context.WithCancel(t.Context())
		calls, _ := batch()
		slot, done := h.startBatch(ctx, calls)
		answer(h, slot, 3)
		cancel()
		got := <-done
		assert.Equal(t, 3, got.made)
		var late *transport.AbandonedError
		require.ErrorAs(t, got.err, &late)
		assert.EqualValues(t, 1, h.worker.Slot(slot).Stop.Load(), "no further call is to be made")
		answer(h, slot, 5)
		h.finish(slot)
		require.NoError(t, late.Wait())
		assert.Equal(t, 2, late.Made)
		assert.Zero(t, h.Active())
	})
	t.Run("worker", func(t *testing.T) {
		h := newHostile(t, asked{})
		calls, _ := batch()
		slot, done := h.startBatch(t.Context(), calls)
		answer(h, slot, 4)
		h.die()
		got := <-done
		assert.Equal(t, 4, got.made)
		require.ErrorIs(t, got.err, transport.ErrCrashed)
	})
	t.Run("both", func(t *testing.T) {
		h := newHostile(t, asked{})
		ctx, cancel := context.WithCancel(t.Context())
		calls, _ := batch()
		slot, done := h.startBatch(ctx, calls)
		cancel()
		var late *transport.AbandonedError
		require.ErrorAs(t, (<-done).err, &late)
		answer(h, slot, 20) // and there are 10
		h.die()
		require.ErrorIs(t, late.Wait(), transport.ErrCrashed)
		assert.Equal(t, 10, late.Made)
	})
}
