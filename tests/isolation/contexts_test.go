//go:build linux

package isolation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

const stubbornMethods = `
birth    = { method_id = 0 }
add      = { method_id = 1, args = [ { name = "a", from = "integer", to = "i64" }, { name = "b", from = "integer", to = "i64" } ], returns = "i64" }
rest     = { method_id = 2, args = [ { name = "ms", from = "integer", to = "i64" } ], returns = "i64" }
flip     = { method_id = 3, args = [], returns = "i64" }
leave    = { method_id = 4, args = [] }
whoami   = { method_id = 5, args = [ { name = "box", from = "box", to = "handle" } ], returns = "i64" }
id       = { method_id = 6, args = [], returns = "i64" }
forge    = { method_id = 7, args = [ { name = "type", from = "integer", to = "i64" }, { name = "id", from = "integer", to = "i64" } ] }
births   = { method_id = 8, args = [], returns = "i64" }
finis    = { method_id = 9, args = [], returns = "i64" }
make     = { method_id = 10, args = [ { name = "ms", from = "integer", to = "i64" } ] }
give     = { method_id = 11, args = [ { name = "ms", from = "integer", to = "i64" }, { name = "bytes", from = "integer", to = "i64" } ], returns = "blob" }
terminal = { method_id = 12, args = [], returns = "i64" }
crash    = { method_id = 13, args = [] }
hoard    = { method_id = 14, args = [ { name = "bytes", from = "integer", to = "i64" } ], returns = "i64" }
want     = { method_id = 15, args = [ { name = "ms", from = "integer", to = "i64" } ], returns = "i64" }
resting  = { method_id = 16, args = [], returns = "i64" }
freeze   = { method_id = 19, args = [] }
huge     = { method_id = 22, args = [ { name = "first", from = "integer", to = "i64" }, { name = "then", from = "integer", to = "i64" } ], returns = "i64" }
twice    = { method_id = 23, args = [], returns = "blob" }
sumBlob  = { method_id = 24, args = [ { name = "data", from = "bytes", to = "blob" }, { name = "ms", from = "integer", to = "i64" } ], returns = "i64" }
nag      = { method_id = 25, args = [], returns = "i64" }
detach   = { method_id = 26, args = [], returns = "i64" }
edge     = { method_id = 27, args = [], returns = "blob" }
rests    = { method_id = 28, args = [], returns = "i64" }
fill     = { method_id = 20, args = [], returns = "i64" }
say      = { method_id = 21, args = [ { name = "lines", from = "integer", to = "i64" } ], returns = "i64" }
restBeside = { method_id = 2, args = [ { name = "ms", from = "integer", to = "i64" }, { name = "box", from = "box", to = "handle" } ], returns = "i64" }
`

func stubborn(t testing.TB, flags ...string) string {
	return ccbuild.Library(t, "testdata/stubborn.c", append([]string{"-Wno-unused-function"}, flags...)...)
}

// stubbornTOML declares the plugin with further keys. The [libraries] form allows two
// names for a method.
func stubbornTOML(library, keys string) string {
	return fmt.Sprintf("[libraries.stubborn]\nboxes = [\"Stubborn\"]\npath = %q\nisolation = \"process\"\n%s\n[libraries.stubborn.Stubborn]\ntype_id = 730\n[libraries.stubborn.Stubborn.methods]%s", library, keys, stubbornMethods)
}

func newStubborn(t testing.TB, h *loader.Host, args ...any) *loader.Box {
	t.Helper()
	box, err := h.New(ctx, "Stubborn", args...)
	require.NoError(t, err)
	return box
}

func ask(t testing.TB, box *loader.Box, method string, args ...any) int64 {
	t.Helper()
	r, err := box.Call(ctx, method, args...)
	return hosttest.Int(t, r, err)
}

// leave calls a method and gives up when it is under way.
func leave(t testing.TB, box, other *loader.Box, method string, args ...any) {
	t.Helper()
	before := ask(t, other, "rests") // and not resting: an earlier one may end meanwhile
	short, cancel := context.WithCancel(ctx)
	left := make(chan error)
	go func() {
		_, err := box.Call(short, method, args...)
		left <- err
	}()
	hosttest.Eventually(func() bool { return ask(t, other, "rests") > before })
	cancel()
	require.ErrorIs(t, <-left, context.Canceled)
}

// TestAbandoned_WorkerLives: a caller that leaves ends neither the worker nor another's box.
func TestAbandoned_WorkerLives(t *testing.T) {
	h := hosttest.Open(t, stubbornTOML(stubborn(t), `restart = { max = 0, within = "1h", backoff = "0ms" }`+"\ncancel_grace = \"10s\""))
	box := newStubborn(t, h)
	pid := h.Plugins()[0].PID
	for range 10 { // each alone would have broken the plugin
		leave(t, box, box, "rest", 500)
	}
	assert.EqualValues(t, 3, ask(t, box, "add", 1, 2))
	assert.Equal(t, pid, h.Plugins()[0].PID)
	assert.Zero(t, h.Plugins()[0].Restarts)
	hosttest.Eventually(func() bool { return ask(t, box, "resting") == 0 })
}

func TestAbandoned_ReturnsAtOnce(t *testing.T) {
	h := hosttest.Open(t, stubbornTOML(stubborn(t), "cancel_grace = \"50ms\""))
	box := newStubborn(t, h)
	short, cancel := context.WithTimeoutCause(ctx, 20*time.Millisecond, errors.New("enough"))
	defer cancel()
	start := time.Now()
	_, err := box.Call(short, "rest", 100_000)
	require.EqualError(t, err, "Stubborn.rest: enough")
	assert.Less(t, time.Since(start), 5*time.Second)
}

// TestCallTimeout_EndedContext: a context that ends does not shorten the call timeout.
func TestCallTimeout_EndedContext(t *testing.T) {
	h := hosttest.Open(t, stubbornTOML(stubborn(t), never+"\ncall_timeout = \"1s\"\ncancel_grace = \"0s\""))
	box := newStubborn(t, h)
	leave(t, box, box, "rest", 300) // ends in time
	hosttest.Eventually(func() bool { return ask(t, box, "resting") == 0 })
	leave(t, box, box, "rest", 100_000)
	assert.EqualValues(t, 3, ask(t, box, "add", 1, 2), "it lives")
	hosttest.Eventually(func() bool {
		_, err := box.Call(ctx, "add", 1, 2)
		return errors.Is(err, loader.ErrInstanceLost) || errors.Is(err, loader.ErrPluginCrashed)
	})
	assert.ErrorContains(t, h.Plugins()[0].Err, "a call took longer than call_timeout (1s)")
	newStubborn(t, h)
	assert.Equal(t, 1, h.Plugins()[0].Restarts, "and that counts")
}

func TestCancelGrace(t *testing.T) {
	library := stubborn(t)
	t.Run("holds nobody up", func(t *testing.T) {
		h := hosttest.Open(t, stubbornTOML(library, "cancel_grace = \"500ms\""))
		box := newStubborn(t, h)
		leave(t, box, box, "rest", 1500)
		for ask(t, box, "resting") == 1 { // the worker answers: it is left alone
		}
		assert.Zero(t, h.Plugins()[0].Restarts)
	})
	t.Run("answers nothing", func(t *testing.T) {
		h := hosttest.Open(t, stubbornTOML(library, never+"\ncancel_grace = \"100ms\""))
		box := newStubborn(t, h)
		leave(t, box, box, "rest", 100_000)
		hosttest.Eventually(func() bool { return h.Plugins()[0].State == loader.PluginFailed })
		assert.ErrorContains(t, h.Plugins()[0].Err, "a call did not end after its context had ended: cancel_grace is 100ms")
	})
	t.Run("holds the turn", func(t *testing.T) {
		h := hosttest.Open(t, stubbornTOML(library, never+"\nthreads = \"serial\"\ncancel_grace = \"300ms\""))
		box := newStubborn(t, h)
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		_, err := box.Call(short, "rest", 100_000)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		_, err = box.Call(ctx, "add", 1, 2)
		require.True(t, errors.Is(err, loader.ErrPluginCrashed) || errors.Is(err, loader.ErrInstanceLost), err)
		assert.EqualValues(t, 3, ask(t, newStubborn(t, h), "add", 1, 2))
		assert.Zero(t, h.Plugins()[0].Restarts)
	})
	t.Run("holds a place in the host", func(t *testing.T) {
		h := hosttest.Open(t, stubbornTOML(library, never+"\ncancel_grace = \"100ms\""), loader.WithMaxInFlight(2))
		box := newStubborn(t, h)
		leave(t, box, box, "rest", 100_000)
		var callers sync.WaitGroup
		for range 4 { // for the one place that is left
			callers.Go(func() {
				var err error
				for err == nil { // the worker answers all the time
					_, err = box.Call(ctx, "rest", 5)
				}
				assert.True(t, errors.Is(err, loader.ErrPluginCrashed) || errors.Is(err, loader.ErrInstanceLost), err)
			})
		}
		callers.Wait()
		assert.ErrorContains(t, h.Plugins()[0].Err, "cancel_grace is 100ms")
		assert.EqualValues(t, 3, ask(t, newStubborn(t, h), "add", 1, 2))
	})
	t.Run("none", func(t *testing.T) {
		h := hosttest.Open(t, stubbornTOML(library, never+"\ncancel_grace = \"0s\""))
		box := newStubborn(t, h)
		leave(t, box, box, "rest", 100_000)
		hosttest.Eventually(func() bool { return h.Plugins()[0].PID == 0 })
	})
}

// TestAbandoned_TooMany: beside many abandoned calls new ones wait, until their own contexts end.
func TestAbandoned_TooMany(t *testing.T) {
	h := hosttest.Open(t, stubbornTOML(stubborn(t), "cancel_grace = \"1m\""))
	box := newStubborn(t, h)
	short, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			_, err := box.Call(short, "rest", 1500)
			assert.ErrorIs(t, err, context.Canceled)
		})
	}
	hosttest.Eventually(func() bool { return ask(t, box, "resting") == 16 })
	cancel()
	wg.Wait()
	brief, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, err := box.Call(brief, "add", 1, 2)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	for range 200 { // all of them go on, not one for each that ends, nor one for each place
		wg.Go(func() { assert.EqualValues(t, 3, ask(t, box, "add", 1, 2)) })
	}
	wg.Wait()
	assert.Zero(t, h.Plugins()[0].Restarts)
}

// TestAbandoned_LateResults: births, handles, blobs and short buffers that come late are cleared away.
func TestAbandoned_LateResults(t *testing.T) {
	h := hosttest.Open(t, stubbornTOML(stubborn(t), "cancel_grace = \"1m\""), loader.WithMemoryTracking())
	box := newStubborn(t, h)
	t.Run("a birth is finalised", func(t *testing.T) {
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		_, err := h.New(short, "Stubborn", 300)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.EqualValues(t, 1, ask(t, box, "births"))
		hosttest.Eventually(func() bool { return ask(t, box, "births") == 2 && ask(t, box, "finis") == 1 })
	})
	t.Run("a handle is given back", func(t *testing.T) {
		leave(t, box, box, "make", 200)
		hosttest.Eventually(func() bool { return ask(t, box, "finis") == 2 })
	})
	t.Run("a blob is freed", func(t *testing.T) {
		leave(t, box, box, "give", 200, 1<<20)
		hosttest.Eventually(func() bool { return ask(t, box, "resting") == 0 })
		hosttest.Eventually(func() bool { m := h.Memory(); return m["Stubborn"].Allocs == 1 && m["Stubborn"].Blocks == 0 })
	})
	t.Run("more room is not given", func(t *testing.T) {
		calls := func() uint64 { return h.Plugins()[0].Calls }
		leave(t, box, box, "want", 200)
		hosttest.Eventually(func() bool { return ask(t, box, "resting") == 0 })
		before := calls()
		ask(t, box, "id")
		assert.Equal(t, before+1, calls())
	})
	t.Run("a live box stays", func(t *testing.T) {
		finis := ask(t, box, "finis")
		leave(t, box, box, "restBeside", 300, box)
		hosttest.Eventually(func() bool { return ask(t, box, "resting") == 0 })
		assert.Equal(t, finis, ask(t, box, "finis"))
	})
}

// TestAbandoned_SingletonBirth: everybody gets the singleton that was born late, and there is no second.
func TestAbandoned_SingletonBirth(t *testing.T) {
	toml := strings.Replace(stubbornTOML(stubborn(t), "cancel_grace = \"1m\""), "type_id = 730\n", "type_id = 730\nsingleton = true\n", 1)
	h := hosttest.Open(t, toml)
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, err := h.New(short, "Stubborn", 300)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	box := newStubborn(t, h, 0)
	assert.EqualValues(t, 1, ask(t, box, "births"), "never a second beside it")
	assert.Same(t, box, newStubborn(t, h))
}

// TestBoxClose_AbandonedCalls: Close does not wait for abandoned calls, and fini follows them.
func TestBoxClose_AbandonedCalls(t *testing.T) {
	h := hosttest.Open(t, stubbornTOML(stubborn(t), "cancel_grace = \"1m\""))
	box, lent, other := newStubborn(t, h), newStubborn(t, h), newStubborn(t, h)
	leave(t, box, other, "restBeside", 1000, lent)
	require.NoError(t, box.Close())
	require.NoError(t, lent.Close())
	assert.EqualValues(t, 1, ask(t, other, "resting"))
	assert.EqualValues(t, 0, ask(t, other, "finis"))
	_, err := box.Call(ctx, "id")
	require.ErrorIs(t, err, loader.ErrClosed)
	hosttest.Eventually(func() bool { return ask(t, other, "finis") == 2 })
	assert.EqualValues(t, 0, ask(t, other, "resting"))
}

func TestBoxShutdown(t *testing.T) {
	h := hosttest.Open(t, stubbornTOML(stubborn(t), ""))
	box, other := newStubborn(t, h), newStubborn(t, h)
	done := make(chan error)
	go func() {
		_, err := box.Call(ctx, "rest", 500)
		done <- err
	}()
	hosttest.Eventually(func() bool { return ask(t, other, "resting") == 1 })
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	err := box.Shutdown(short)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.EqualError(t, err, "close Stubborn(1): context deadline exceeded")
	assert.EqualValues(t, 0, ask(t, other, "finis"))
	_, err = box.Call(ctx, "id")
	require.ErrorIs(t, err, loader.ErrClosed)
	require.NoError(t, <-done)
	require.NoError(t, box.Close(), "which waits for fini")
	assert.EqualValues(t, 1, ask(t, other, "finis"))
}

// TestBatch_EndedContext: a batch makes no further call when its context ends.
func TestBatch_EndedContext(t *testing.T) {
	h := hosttest.Open(t, stubbornTOML(stubborn(t), "cancel_grace = \"1m\""))
	box, other := newStubborn(t, h), newStubborn(t, h)
	batch := box.Batch()
	require.NoError(t, batch.Add("add", 1, 2))
	require.NoError(t, batch.Add("restBeside", 300, other))
	require.NoError(t, batch.Add("make", 0))
	short, cancel := context.WithCancel(ctx)
	go func() {
		hosttest.Eventually(func() bool { return ask(t, box, "resting") == 1 })
		cancel()
	}()
	results, err := batch.Run(short)
	require.NoError(t, err)
	n, err := results[0].Int()
	require.NoError(t, err)
	assert.EqualValues(t, 3, n)
	require.ErrorIs(t, results[1].Err, context.Canceled)
	require.ErrorIs(t, results[2].Err, context.Canceled)
	require.NoError(t, other.Close())
	assert.EqualValues(t, 0, ask(t, box, "finis"), "it is lent until the call ends")
	hosttest.Eventually(func() bool { return ask(t, box, "finis") == 1 })
	// The batch is usable again, and its memory is its own.
	for range 50 {
		require.NoError(t, batch.Add("add", 20, 22))
	}
	results, err = batch.Run(ctx)
	require.NoError(t, err)
	for _, r := range results {
		n, err := r.Int()
		require.NoError(t, err)
		assert.EqualValues(t, 42, n)
	}
}

// TestBatch_EndedContextInOneCrossing: nobody can tell how far the library has come. It goes on,
// and what it makes for nobody is given up.
func TestBatch_EndedContextInOneCrossing(t *testing.T) {
	h := hosttest.Open(t, stubbornTOML(stubborn(t, "-DBATCH"), "cancel_grace = \"1m\""))
	box, other := newStubborn(t, h), newStubborn(t, h)
	batch := box.Batch()
	require.NoError(t, batch.Add("add", 1, 2))
	require.NoError(t, batch.Add("restBeside", 300, other))
	require.NoError(t, batch.Add("make", 0))
	require.NoError(t, batch.Add("give", 0, 1<<20))
	require.Error(t, batch.Add("crash", "an argument that it does not have"))
	short, cancel := context.WithCancel(ctx)
	go func() {
		hosttest.Eventually(func() bool { return ask(t, box, "resting") == 1 })
		cancel()
	}()
	results, err := batch.Run(short)
	require.NoError(t, err)
	for _, r := range results {
		require.ErrorIs(t, r.Err, context.Canceled)
	}
	require.NoError(t, other.Close())
	assert.EqualValues(t, 0, ask(t, box, "finis"), "it is lent until the batch ends")
	for range 50 { // its memory is not that of the one that goes on
		require.NoError(t, batch.Add("add", 20, 22))
	}
	results, err = batch.Run(ctx)
	require.NoError(t, err)
	for _, r := range results {
		n, err := r.Int()
		require.NoError(t, err)
		assert.EqualValues(t, 42, n)
	}
	hosttest.Eventually(func() bool { return ask(t, box, "finis") == 2 })
}

// TestBatch_Crash: what was answered before stays, and the rest is lost with the worker.
func TestBatch_Crash(t *testing.T) {
	for name, flags := range map[string][]string{"one by one": nil, "in one crossing": {"-DBATCH"}} {
		t.Run(name, func(t *testing.T) {
			h := hosttest.Open(t, stubbornTOML(stubborn(t, flags...), never))
			box := newStubborn(t, h)
			batch := box.Batch()
			require.NoError(t, batch.Add("add", 1, 2))
			require.NoError(t, batch.Add("crash"))
			require.NoError(t, batch.Add("add", 3, 4))
			results, err := batch.Run(ctx)
			require.NoError(t, err)
			require.Len(t, results, 3)
			if flags == nil {
				assert.EqualValues(t, 3, hosttest.Int(t, results[0].Result, results[0].Err))
			}
			require.ErrorIs(t, results[1].Err, loader.ErrPluginCrashed)
			require.Error(t, results[2].Err)
			_, err = box.Call(ctx, "add", 1, 2)
			require.ErrorIs(t, err, loader.ErrInstanceLost)
			assert.EqualValues(t, 7, ask(t, newStubborn(t, h), "add", 3, 4))
		})
	}
}

// TestCallTimeout_WaitingForTurn: waiting for a serial library's turn is not the call's time.
func TestCallTimeout_WaitingForTurn(t *testing.T) {
	for _, threads := range []string{"serial", "pinned"} {
		t.Run(threads, func(t *testing.T) {
			h := hosttest.Open(t, stubbornTOML(stubborn(t), fmt.Sprintf("threads = %q\ncall_timeout = \"1s\"", threads)))
			box := newStubborn(t, h)
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() { assert.EqualValues(t, 300, ask(t, box, "rest", 300)) })
			}
			wg.Wait()
			assert.Zero(t, h.Plugins()[0].Restarts)
		})
	}
}

// TestContext_Waiting: waiting for another's load, birth, back-off or turn ends with the context.
func TestContext_Waiting(t *testing.T) {
	brief := func(t *testing.T, f func(ctx context.Context) error) {
		t.Helper()
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		start := time.Now()
		require.ErrorIs(t, f(short), context.DeadlineExceeded)
		assert.Less(t, time.Since(start), time.Second)
	}
	t.Run("load", func(t *testing.T) {
		h := hosttest.Open(t, stubbornTOML(stubborn(t, "-DINIT=hang()"), never+"\nload_timeout = \"2s\""))
		first := make(chan error)
		go func() {
			_, err := h.New(ctx, "Stubborn")
			first <- err
		}()
		hosttest.Eventually(func() bool { return h.Plugins()[0].State == loader.PluginLoading })
		brief(t, func(ctx context.Context) error { _, err := h.New(ctx, "Stubborn"); return err })
		brief(t, func(ctx context.Context) error { return h.Load(ctx, "Stubborn") })
		require.ErrorContains(t, <-first, "the plugin's process did not answer within load_timeout (2s)")
	})
	t.Run("slow load", func(t *testing.T) {
		// Callers with little time do not keep a library from being loaded.
		h := hosttest.Open(t, stubbornTOML(stubborn(t, "-DINIT=rest(400)"), `restart = { max = 0, within = "1h", backoff = "0ms" }`))
		tries := 0
		hosttest.Eventually(func() bool {
			short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			defer cancel()
			tries++
			_, err := h.New(short, "Stubborn")
			return err == nil
		})
		assert.Greater(t, tries, 1)
	})
	t.Run("back-off", func(t *testing.T) {
		h := hosttest.Open(t, stubbornTOML(stubborn(t), `restart = { max = 5, within = "1h", backoff = "1h" }`))
		_, err := newStubborn(t, h).Call(ctx, "crash")
		require.ErrorIs(t, err, loader.ErrPluginCrashed)
		waiting := make(chan error)
		go func() {
			_, err := h.New(ctx, "Stubborn")
			waiting <- err
		}()
		for range 3 {
			brief(t, func(ctx context.Context) error { _, err := h.New(ctx, "Stubborn"); return err })
		}
		require.NoError(t, h.Reset("Stubborn"))
		require.NoError(t, <-waiting, "Reset ends the waiting")
	})
	t.Run("birth of a singleton", func(t *testing.T) {
		toml := strings.Replace(stubbornTOML(stubborn(t), ""), "type_id = 730\n", "type_id = 730\nsingleton = true\n", 1)
		h := hosttest.Open(t, toml)
		require.NoError(t, h.Load(ctx, "Stubborn"))
		first := make(chan error)
		go func() {
			_, err := h.New(ctx, "Stubborn", 500)
			first <- err
		}()
		hosttest.Eventually(func() bool { return h.Plugins()[0].Calls == 1 })
		brief(t, func(ctx context.Context) error { _, err := h.New(ctx, "Stubborn"); return err })
		require.NoError(t, <-first)
	})
	t.Run("turn", func(t *testing.T) {
		h := hosttest.Open(t, stubbornTOML(stubborn(t), "threads = \"serial\""))
		box := newStubborn(t, h)
		first := make(chan int64)
		go func() { first <- ask(t, box, "rest", 500) }()
		hosttest.Eventually(func() bool { return h.Plugins()[0].Calls == 2 })
		brief(t, func(ctx context.Context) error { _, err := box.Call(ctx, "id"); return err })
		assert.EqualValues(t, 500, <-first)
	})
	t.Run("close ends a load", func(t *testing.T) {
		h := hosttest.OpenUnclosed(t, stubbornTOML(stubborn(t, "-DINIT=hang()"), ""))
		brief(t, func(ctx context.Context) error { _, err := h.New(ctx, "Stubborn"); return err })
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		start := time.Now()
		require.NoError(t, h.Shutdown(short), "a worker can be killed, and nothing is left")
		assert.Less(t, time.Since(start), 10*time.Second)
	})
}

// TestAbandoned_HTTPClients: a server of r.Context() whose clients leave at random goes on
// answering all others, from the same worker.
func TestAbandoned_HTTPClients(t *testing.T) {
	h := hosttest.Open(t, stubbornTOML(stubborn(t), `restart = { max = 0, within = "1h", backoff = "0ms" }`))
	box := newStubborn(t, h)
	pid := h.Plugins()[0].PID
	var answered, gone atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := box.Call(r.Context(), "rest", rand.IntN(5))
		if err == nil {
			_, err = box.Call(r.Context(), "add", 40, 2)
		}
		switch {
		case err == nil:
			fmt.Fprint(w, "42")
		case r.Context().Err() != nil:
			gone.Add(1)
		default:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	client := server.Client()
	client.Transport.(*http.Transport).MaxIdleConnsPerHost = 50
	var wg sync.WaitGroup
	clients := make(chan int)
	for range 50 {
		wg.Go(func() {
			for i := range clients {
				patience := time.Minute
				if i%2 == 0 {
					patience = time.Duration(rand.IntN(8000)) * time.Microsecond
				}
				short, cancel := context.WithTimeout(ctx, patience)
				request, err := http.NewRequestWithContext(short, http.MethodGet, server.URL, nil)
				assert.NoError(t, err)
				response, err := client.Do(request)
				if err == nil {
					assert.Equal(t, http.StatusOK, response.StatusCode)
					answered.Add(1)
					response.Body.Close()
				} else {
					assert.ErrorIs(t, err, context.DeadlineExceeded)
					assert.Zero(t, i%2, "every other one is answered")
				}
				cancel()
			}
		})
	}
	for i := range 1000 {
		clients <- i
	}
	close(clients)
	wg.Wait()
	assert.GreaterOrEqual(t, answered.Load(), int64(500))
	assert.Positive(t, gone.Load())
	assert.EqualValues(t, 42, ask(t, box, "add", 40, 2))
	assert.Equal(t, pid, h.Plugins()[0].PID)
	assert.Zero(t, h.Plugins()[0].Restarts)
}
