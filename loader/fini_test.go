//go:build linux

package loader_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// stubborn is box Stubborn in a process of its own, with further keys.
func stubborn(t testing.TB, keys string, flags ...string) string {
	library := ccbuild.Library(t, "../tests/isolation/testdata/stubborn.c", append(flags, "-Wno-unused-function")...)
	return fmt.Sprintf(`[plugins.Stubborn]
library = %q
isolation = "process"
%s
[plugins.Stubborn.methods]
rest  = { method_id = 2, args = [ { name = "ms", from = "integer", to = "i64" } ], returns = "i64" }
finis = { method_id = 9, args = [], returns = "i64" }
`, library, keys)
}

// TestFini_WaitsForItsTurn: however long others keep the library's turn, or the worker
// has abandoned calls, an instance is finalised. Only fini itself has a time limit.
func TestFini_WaitsForItsTurn(t *testing.T) {
	const rest = 500 // ms
	under := func(h *loader.Host, calls uint64) {
		hosttest.Eventually(func() bool { return h.Plugins()[0].Calls == calls })
	}
	t.Run("turn", func(t *testing.T) {
		loader.SetFiniTimeout(t, 100*time.Millisecond)
		h := open(t, stubborn(t, `threads = "serial"`))
		box, closed := newBox(t, h, "Stubborn"), newBox(t, h, "Stubborn")
		var others sync.WaitGroup
		others.Go(func() { assert.EqualValues(t, rest, callInt(t, box, "rest", rest)) })
		under(h, 3)
		require.NoError(t, closed.Close())
		hosttest.Eventually(func() bool { return callInt(t, box, "finis") == 1 })
		others.Wait()
	})
	t.Run("abandoned calls", func(t *testing.T) {
		loader.SetFiniTimeout(t, 100*time.Millisecond)
		h := open(t, stubborn(t, `cancel_grace = "1m"`))
		box, closed := newBox(t, h, "Stubborn"), newBox(t, h, "Stubborn")
		short, leave := context.WithCancel(t.Context())
		var left sync.WaitGroup
		for range 16 {
			left.Go(func() {
				_, err := box.Call(short, "rest", rest)
				assert.ErrorIs(t, err, context.Canceled)
			})
		}
		under(h, 18)
		leave()
		left.Wait()
		require.NoError(t, closed.Close())
		hosttest.Eventually(func() bool { return callInt(t, box, "finis") == 1 })
	})
	t.Run("its own time", func(t *testing.T) {
		loader.SetFiniTimeout(t, 50*time.Millisecond)
		log := hosttest.NewLog()
		h := open(t, stubborn(t, `cancel_grace = "10ms"`, "-DFINI=rest(100000)"), log.Option())
		box := newBox(t, h, "Stubborn")
		start := time.Now()
		require.NoError(t, box.Close())
		assert.Less(t, time.Since(start), 20*time.Second)
		assert.Contains(t, log.Messages(), "finalise Stubborn instance 1: fini has not returned in 50ms")
	})
}

// TestHold_AfterTheEnd: what a worker asked for, and is carried out after its end, is held by
// nobody: nobody would give it up.
func TestHold_AfterTheEnd(t *testing.T) {
	h := open(t, stubborn(t, "restart = { max = 10, within = \"1s\", backoff = \"0s\" }"))
	caller, other := newBox(t, h, "Stubborn"), newBox(t, h, "TimeBox")
	require.NoError(t, syscall.Kill(h.Plugins()[0].PID, syscall.SIGKILL))
	hosttest.Eventually(func() bool {
		_, err := caller.Call(t.Context(), "finis")
		return errors.Is(err, loader.ErrInstanceLost)
	})
	require.ErrorIs(t, loader.LateHold(caller, other), loader.ErrInstanceLost)
	require.ErrorIs(t, loader.LateAnswer(caller, other), loader.ErrInstanceLost)
	require.ErrorIs(t, loader.LateAnswerOwn(caller), loader.ErrInstanceLost)
	again := newBox(t, h, "Stubborn")
	require.NoError(t, loader.LateHold(again, other), "its next life is another one")
	require.NoError(t, again.Close())
}
