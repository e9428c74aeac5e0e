package wasm

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTurn: one at a time has the turn, whoever gives the waiting up.
func TestTurn(t *testing.T) {
	var turn turn
	var all sync.WaitGroup
	inside, done := 0, 0
	for i := range 8 {
		all.Go(func() {
			for j := range 500 {
				ctx, cancel := context.WithCancel(t.Context())
				if (i+j)%3 == 0 {
					go cancel()
				}
				if err := turn.take(ctx); err == nil {
					inside++
					if inside != 1 {
						t.Error("two have the turn")
					}
					inside--
					done++
					turn.pass()
				}
				cancel()
			}
		})
	}
	all.Wait()
	assert.Positive(t, done)
	require.True(t, turn.try(), "it is free in the end")
	assert.Empty(t, turn.queue)
}
