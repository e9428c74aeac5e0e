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
		end, err := w.Begin(Position{chain, 1}, l)
		require.NoError(t, err)
		return end
	}
	refused := func(chain uint64, l *Lock) {
		t.Helper()
		_, err := w.Begin(Position{chain, 1}, l)
		require.ErrorIs(t, err, ErrCircle)
	}
	begin(1, &a)() // nobody has it
	w.Own(Position{1, 0}, &a)
	refused(1, &a)
	w.Own(Position{2, 0}, &b)
	w.Own(Position{3, 0}, &c)
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
	w.Own(Position{1, 0}, &a)
	w.waiting = map[uint64][]*Lock{1: {&a, &b}, 2: {&c}}
	refused(3, &b)
	begin(4, &a)()
}

// TestWaits_Branches: a call of a chain waits for one that is beside it, and for none that is
// around it.
func TestWaits_Branches(t *testing.T) {
	var w Waits
	var a, b Lock
	w.Own(Position{1, 2}, &a)
	for depth, want := range map[int]error{1: nil, 2: nil, 3: ErrCircle} {
		end, err := w.Begin(Position{1, depth}, &a)
		require.ErrorIs(t, err, want, depth)
		if err == nil {
			end()
		}
	}
	w.Own(Position{2, 0}, &b)
	_, err := w.Begin(Position{2, 1}, &a)
	require.NoError(t, err)
	_, err = w.Begin(Position{1, 2}, &b) // ends, when the other call at this depth has
	require.NoError(t, err)
	_, err = w.Begin(Position{1, 3}, &b)
	require.ErrorIs(t, err, ErrCircle)
}

func TestTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w Waits
		turn := NewTurn()
		require.NoError(t, w.Take(t.Context(), Position{1, 0}, turn))
		require.ErrorIs(t, w.Take(t.Context(), Position{1, 1}, turn), ErrCircle)

		ctx, cancel := context.WithCancelCause(t.Context())
		over := errors.New("over")
		ended := make(chan error)
		go func() { ended <- w.Take(ctx, Position{2, 0}, turn) }()
		synctest.Wait()
		assert.Equal(t, 1, turn.Queue())
		cancel(over)
		require.ErrorIs(t, <-ended, over)
		assert.Zero(t, turn.Queue())
		assert.Empty(t, w.waiting)

		go func() { ended <- w.Take(t.Context(), Position{3, 0}, turn) }()
		synctest.Wait()
		w.Pass(turn)
		require.NoError(t, <-ended)
		require.ErrorIs(t, w.Take(t.Context(), Position{3, 1}, turn), ErrCircle, "it is the turn of who has waited")
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
				if w.Take(context.Background(), Position{chain, 0}, turns[g%2]) != nil {
					t.Error("a chain that has nothing is refused")
					return
				}
				if err := w.Take(context.Background(), Position{chain, 1}, turns[1-g%2]); err == nil {
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
