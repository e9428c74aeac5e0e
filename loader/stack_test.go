package loader_test

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
)

// deep is a log handler that needs a great deal of stack.
type deep struct{ slog.Handler }

func (d deep) WithAttrs([]slog.Attr) slog.Handler { return d }

func (d deep) Handle(context.Context, slog.Record) error {
	recurse(2000)
	return nil
}

//go:noinline
func recurse(n int) [128]byte {
	var room [128]byte
	if n > 0 {
		room = recurse(n - 1)
	}
	room[n%len(room)]++
	return room
}

// TestBox_Call_StackMoves has the goroutine's stack grow, and so move, while
// the plugin runs: it logs, and the handler recurses deeply.
func TestBox_Call_StackMoves(t *testing.T) {
	h := openProbe(t, loader.WithLogger(slog.New(deep{slog.NewTextHandler(io.Discard, nil)})))
	var wg sync.WaitGroup
	for range 50 { // each on a goroutine with a small stack of its own
		wg.Go(func() {
			box, err := h.New(t.Context(), "Probe")
			if !assert.NoError(t, err) {
				return
			}
			for i := range 20 {
				_, err := box.Call(t.Context(), "say")
				assert.NoError(t, err)
				r, err := box.Call(t.Context(), "add", i, 1)
				assert.NoError(t, err)
				n, err := r.Int()
				assert.NoError(t, err)
				assert.EqualValues(t, i+1, n)
			}
		})
	}
	wg.Wait()
	require.NoError(t, h.Close())
}
