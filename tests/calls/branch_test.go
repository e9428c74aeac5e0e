package calls

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// fan is a host function that makes several calls at once.
type fan struct{ of *loader.Box }

func (f *fan) Out(ctx context.Context, n int) (right int) {
	var all sync.WaitGroup
	var mu sync.Mutex
	for range n {
		all.Go(func() {
			if _, err := f.of.Call(ctx, "ask", "TimeBox", "sleep", 2); err == nil {
				mu.Lock()
				right++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return right
}

// TestBranches: calls that are made at once in one chain wait for each other.
func TestBranches(t *testing.T) {
	inEachWay(t, func(t *testing.T, keys string, channel loader.Option) {
		f := new(fan)
		h := open(t, []entry{{name: "A", uses: []string{"Fan"}, keys: keys}, {name: "B", uses: []string{"TimeBox", "Fan"}, keys: keys + "\nthreads = \"serial\""}}, channel, loader.WithBox("Fan", f))
		f.of = hosttest.New(t, h, "B")
		assert.EqualValues(t, 8, hosttest.CallInt(t, hosttest.New(t, h, "A"), "ask", "Fan", "out", 8))
		assert.Zero(t, hosttest.CallInt(t, f.of, "ask", "Fan", "out", 8), "B would wait for itself")
	})
}

// TestSingleton_Makes: what a method of a singleton makes is held like any other box.
func TestSingleton_Makes(t *testing.T) {
	inEachWay(t, func(t *testing.T, keys string, channel loader.Option) {
		h := open(t, []entry{{name: "A", uses: []string{"S"}, keys: keys}, {name: "S", keys: keys + "\nsingleton = true"}}, channel)
		a, s := hosttest.New(t, h, "A"), hosttest.New(t, h, "S")
		made := boxOf(t, hosttest.Call(t, a, "ask", "S", "make"))
		assert.EqualValues(t, 5, hosttest.CallInt(t, made, "add", 2, 3))
		require.NoError(t, made.Close())
		hosttest.Eventually(func() bool { return hosttest.CallInt(t, s, "finis") == 1 })
		require.NoError(t, s.Close(), "which does nothing")
		works(t, a, "S")
	})
}

// TestSingleton_Lost: nobody closes a singleton, and no one is told to.
func TestSingleton_Lost(t *testing.T) {
	var log lines
	h := open(t, []entry{{name: "S", keys: restarting + "\nsingleton = true"}}, log.option())
	_, err := hosttest.New(t, h, "S").Call(t.Context(), "crash")
	require.ErrorIs(t, err, loader.ErrPluginCrashed)
	s := hosttest.New(t, h, "S")
	for range 3 { // the second runs the cleanups that the first has found
		runtime.GC()
		hosttest.Call(t, s, "add", 1, 2)
	}
	assert.NotContains(t, log.String(), "without Close")
}

// TestInit_Stuck: what a worker's start may take holds for host functions that it calls, also
// for those that look at no context.
func TestInit_Stuck(t *testing.T) {
	for _, way := range ways[1:] {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			stuck := make(chan struct{})
			h := open(t, []entry{{name: "A", uses: []string{"Stuck"}, keys: way.keys + "\nload_timeout = \"300ms\"", flags: []string{"-DINIT_BOX=\"Stuck\""}}},
				loader.WithWorkerChannel(way.channel), loader.WithBox("Stuck", func() *adder { <-stuck; return nil }))
			t.Cleanup(func() { close(stuck) })
			_, err := h.New(context.Background(), "A")
			require.ErrorContains(t, err, "load_timeout")
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			defer cancel()
			_ = h.Shutdown(ctx) // returns
		})
	}
}

// TestCallerDies_Target: a plugin whose calls are under way when the worker that made them
// dies goes on with them, and is not killed for it.
func TestCallerDies_Target(t *testing.T) {
	for _, way := range ways[1:] {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, []entry{{name: "A", uses: []string{"B"}, keys: restarting}, {name: "B", keys: way.keys + "\ncancel_grace = \"1ms\""}}, loader.WithWorkerChannel(way.channel))
			a, b := hosttest.New(t, h, "A"), hosttest.New(t, h, "B")
			var lost sync.WaitGroup
			for range 20 {
				lost.Go(func() {
					_, err := a.Call(context.Background(), "ask", "B", "block")
					assert.ErrorIs(t, err, loader.ErrPluginCrashed)
				})
			}
			hosttest.Eventually(func() bool { return hosttest.CallInt(t, b, "waiting") == 20 })
			_, err := a.Call(t.Context(), "crash")
			require.ErrorIs(t, err, loader.ErrPluginCrashed)
			lost.Wait()
			assert.EqualValues(t, 20, hosttest.CallInt(t, b, "waiting"))
			hosttest.Call(t, b, "release", 1)
			hosttest.Eventually(func() bool { return hosttest.CallInt(t, b, "finis") == 20 })
		})
	}
}

// TestBatch_Abandoned: a batch whose first call is abandoned, while the frame of that call is
// used for others. The race detector sees who reads it.
func TestBatch_Abandoned(t *testing.T) {
	h := open(t, []entry{{name: "A", uses: []string{"TimeBox"}, keys: isolated}})
	a := hosttest.New(t, h, "A")
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 100 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*20*time.Microsecond)
				b := a.Batch()
				for range 3 {
					assert.NoError(t, b.Add("ask", "TimeBox", "sleep", 1))
				}
				results, _ := b.Run(ctx)
				for _, r := range results {
					if r.Err != nil {
						assert.True(t, errors.Is(r.Err, context.DeadlineExceeded) || errors.Is(r.Err, abi.ErrPlugin), r.Err)
					}
				}
				cancel()
			}
		})
	}
	all.Wait()
}
