package restart_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/restart"
)

func TestHistory(t *testing.T) {
	policy := restart.Policy{Max: 2, Within: time.Minute, Backoff: time.Second}
	synctest.Test(t, func(t *testing.T) {
		var h restart.History
		waits := func(want time.Duration) {
			t.Helper()
			began := time.Now()
			again, err := h.Wait(t.Context(), policy)
			require.NoError(t, err)
			assert.True(t, again)
			assert.Equal(t, want, time.Since(began))
		}
		again, err := h.Wait(t.Context(), policy)
		require.NoError(t, err)
		assert.False(t, again, "the first life takes nobody's place")
		h.Failed()
		waits(time.Second)
		h.Failed()
		waits(2 * time.Second)
		h.Failed()
		why := errors.New("the last one")
		h.Note(why)
		_, err = h.Wait(t.Context(), policy)
		require.ErrorIs(t, err, restart.ErrBroken)
		require.ErrorIs(t, err, why)
		h.Reset()
		again, err = h.Wait(t.Context(), policy)
		require.NoError(t, err)
		assert.False(t, again)

		h.Failed()
		time.AfterFunc(100*time.Millisecond, h.Reset)
		waits(100 * time.Millisecond)

		h.Failed()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err = h.Wait(ctx, policy)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}
