package calls

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWaits_Circle(t *testing.T) {
	var w Waits
	var a, b, c Lock
	begin := func(chain uint64, l *Lock) func() {
		t.Helper()
		end, err := w.Begin(chain, l)
		require.NoError(t, err)
		return end
	}
	refused := func(chain uint64, l *Lock) {
		t.Helper()
		_, err := w.Begin(chain, l)
		require.ErrorIs(t, err, ErrCircle)
	}
	begin(1, &a)() // nobody has it
	w.Own(1, &a)
	refused(1, &a)
	w.Own(2, &b)
	w.Own(3, &c)
	endFirst := begin(1, &b)
	endSecond := begin(2, &c)
	refused(3, &a)
	refused(3, &b)
	endOther := begin(4, &a)
	endSecond()
	begin(3, &a)() // 2 waits no more
	endFirst()
	endOther()
	assert.Empty(t, w.waiting)

	// A chain with two branches may wait for what one of them has without end.
	w.Own(1, &a)
	w.waiting = map[uint64][]*Lock{1: {&a, &b}, 2: {&c}}
	refused(3, &b)
	begin(4, &a)()
}

func TestTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w Waits
		turn := NewTurn()
		require.NoError(t, w.Take(t.Context(), 1, turn))
		require.ErrorIs(t, w.Take(t.Context(), 1, turn), ErrCircle)

		ctx, cancel := context.WithCancelCause(t.Context())
		over := errors.New("over")
		ended := make(chan error)
		go func() { ended <- w.Take(ctx, 2, turn) }()
		synctest.Wait()
		assert.Equal(t, 1, turn.Queue())
		cancel(over)
		require.ErrorIs(t, <-ended, over)
		assert.Zero(t, turn.Queue())
		assert.Empty(t, w.waiting)

		go func() { ended <- w.Take(t.Context(), 3, turn) }()
		synctest.Wait()
		w.Pass(turn)
		require.NoError(t, <-ended)
		require.ErrorIs(t, w.Take(t.Context(), 3, turn), ErrCircle, "it is the turn of who has waited")
		w.Pass(turn)
	})
}

// TestTurn_Crossing: of chains that take two turns in both orders, each gets both or an
// error, and none waits for ever.
func TestTurn_Crossing(t *testing.T) {
	var w Waits
	turns := []*Turn{NewTurn(), NewTurn()}
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for range 1000 {
				chain := NewChain()
				if w.Take(context.Background(), chain, turns[g%2]) != nil {
					t.Error("a chain that has nothing is refused")
					return
				}
				if err := w.Take(context.Background(), chain, turns[1-g%2]); err == nil {
					w.Pass(turns[1-g%2])
				} else if !errors.Is(err, ErrCircle) {
					t.Error(err)
				}
				w.Pass(turns[g%2])
			}
		})
	}
	all.Wait()
	assert.Empty(t, w.waiting)
}
