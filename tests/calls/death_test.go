package calls

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// restarting is isolation with which a plugin that crashes starts again at once.
const restarting = isolated + "\nrestart = { max = 1000, within = \"1s\", backoff = \"0s\" }"

// TestStaleHandle: a box whose worker has died is an invalid handle, whatever number a later
// one has.
func TestStaleHandle(t *testing.T) {
	inEachWay(t, func(t *testing.T, keys string, channel loader.Option) {
		h := open(t, []entry{{name: "A", uses: []string{"B"}, keys: keys}, {name: "B", keys: restarting}}, channel)
		a := hosttest.New(t, h, "A")
		hosttest.Call(t, a, "hold", 1, "B")
		_, err := a.Call(t.Context(), "held", 1, "crash")
		require.Error(t, err)
		failsWith(t, a, abi.ErrInvalidHandle, "", "held", 1, "add", 1, 2)
		works(t, a, "B")
		hosttest.Call(t, a, "hold", 2, "B")
		failsWith(t, a, abi.ErrInvalidHandle, "", "held", 1, "add", 1, 2)
		assert.EqualValues(t, 3, hosttest.CallInt(t, a, "held", 2, "add", 1, 2))
		failsWith(t, a, abi.ErrInvalidHandle, "", "drop", 1)
		hosttest.Call(t, a, "drop", 2)
	})
}

// TestCallerDies: a worker dies while a call that its plugin makes runs.
func TestCallerDies(t *testing.T) {
	for _, way := range ways[1:] {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, []entry{{name: "A", uses: []string{"B"}, keys: restarting}, {name: "B"}}, loader.WithWorkerChannel(way.channel))
			a, b := hosttest.New(t, h, "A"), hosttest.New(t, h, "B")
			hosttest.Call(t, a, "hold", 1, "B")
			var lost sync.WaitGroup
			lost.Go(func() {
				_, err := a.Call(context.Background(), "ask", "B", "block")
				assert.ErrorIs(t, err, loader.ErrPluginCrashed)
			})
			hosttest.Eventually(func() bool { return hosttest.CallInt(t, b, "waiting") == 1 })
			_, err := a.Call(t.Context(), "crash")
			require.ErrorIs(t, err, loader.ErrPluginCrashed)
			lost.Wait() // though B goes on with the call
			hosttest.Call(t, b, "release", 1)
			hosttest.Eventually(func() bool { return hosttest.CallInt(t, b, "finis") == 2 }) // what A held
			works(t, hosttest.New(t, h, "A"), "B")
		})
	}
}

// TestCallerDies_OftenInCalls: the calls of dead workers that go on leave room for those of
// others.
func TestCallerDies_OftenInCalls(t *testing.T) {
	h := open(t, []entry{{name: "A", uses: []string{"B"}, keys: restarting}, {name: "B"}, {name: "C", uses: []string{"B"}}})
	b, c := hosttest.New(t, h, "B"), hosttest.New(t, h, "C")
	const most = 256 // that calls of one plugin have
	for life := range 28 {
		a := hosttest.New(t, h, "A")
		var lost sync.WaitGroup
		for range 40 {
			lost.Go(func() { _, _ = a.Call(context.Background(), "ask", "B", "block") })
		}
		hosttest.Eventually(func() bool { return hosttest.CallInt(t, b, "waiting") == int64(min(40*(life+1), most)) })
		_, err := a.Call(t.Context(), "crash")
		require.ErrorIs(t, err, loader.ErrPluginCrashed)
		lost.Wait()
	}
	works(t, c, "B")
	hosttest.Call(t, b, "release", 1)
	hosttest.Eventually(func() bool { return hosttest.CallInt(t, b, "waiting") == 0 })
	works(t, hosttest.New(t, h, "A"), "B")
}

const tenMinutes = 600_000 // ms

// TestCallerDies_HostFunction: a host function is told of the end of the worker that calls it.
func TestCallerDies_HostFunction(t *testing.T) {
	for _, way := range ways[1:] {
		for _, ask := range []string{"ask", "thread"} {
			t.Run(way.name+" "+ask, func(t *testing.T) {
				t.Parallel()
				sleeping, ended := make(chan struct{}), make(chan error, 1)
				h := open(t, []entry{{name: "A", uses: []string{"Bed"}, keys: way.keys}}, loader.WithWorkerChannel(way.channel),
					loader.WithBox("Bed", func() *bed { return &bed{sleeping, ended} }))
				a := hosttest.New(t, h, "A")
				lost := make(chan error, 1)
				go func() {
					_, err := a.Call(context.Background(), ask, "Bed", "sleep")
					lost <- err
				}()
				<-sleeping
				_, err := a.Call(t.Context(), "crash")
				require.ErrorIs(t, err, loader.ErrPluginCrashed)
				require.ErrorIs(t, <-lost, loader.ErrPluginCrashed)
				require.ErrorIs(t, <-ended, loader.ErrPluginCrashed, "the cause of the context's end")
			})
		}
	}
}

// bed is a host function that returns when its context ends.
type bed struct {
	sleeping chan<- struct{}
	ended    chan<- error
}

func (b *bed) Sleep(ctx context.Context) {
	close(b.sleeping)
	<-ctx.Done()
	b.ended <- context.Cause(ctx)
}

// TestInit_Sleeps: load_timeout holds for an init that waits for its host.
func TestInit_Sleeps(t *testing.T) {
	for _, way := range ways[1:] {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, []entry{{
				name: "A", uses: []string{"TimeBox"}, keys: way.keys + "\nload_timeout = \"300ms\"",
				flags: []string{fmt.Sprint("-DINIT_SLEEP=", tenMinutes)},
			}}, loader.WithWorkerChannel(way.channel))
			_, err := h.New(context.Background(), "A")
			require.ErrorContains(t, err, "load_timeout")
			require.NoError(t, h.Close())
		})
	}
}

// TestShutdown_Sleeps: a plugin whose shutdown waits for its host has the time that any
// shutdown has, and holds up nobody for longer.
func TestShutdown_Sleeps(t *testing.T) {
	for _, way := range ways[1:] {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, []entry{{
				name: "A", uses: []string{"TimeBox"}, keys: way.keys, flags: []string{fmt.Sprint("-DSHUTDOWN_SLEEP=", tenMinutes)},
			}}, loader.WithWorkerChannel(way.channel))
			hosttest.New(t, h, "A")
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			require.NoError(t, h.Shutdown(ctx), "a worker is killed")
		})
	}
}

// TestClose_Makers: the host closes while threads have boxes make boxes without end.
func TestClose_Makers(t *testing.T) {
	inEachWay(t, func(t *testing.T, keys string, channel loader.Option) {
		h := open(t, []entry{{name: "A", uses: []string{"B"}, keys: keys}, {name: "B"}}, channel)
		a, b := hosttest.New(t, h, "A"), hosttest.New(t, h, "B")
		hosttest.Call(t, a, "hold", 1, "B")
		hosttest.Call(t, a, "makers", 14, 1)
		hosttest.Eventually(func() bool { return hosttest.CallInt(t, b, "births") > 100 })
		require.NoError(t, h.Close())
	})
}

// TestManyNested: more calls than a worker has slots for call back into the worker that
// they are in. Each gets its answer, or is told that there is no place.
func TestManyNested(t *testing.T) {
	inEachWay(t, func(t *testing.T, keys string, channel loader.Option) {
		h := open(t, []entry{{name: "A", uses: []string{"A", "B"}, keys: keys}, {name: "B", uses: []string{"A"}, keys: keys}}, channel)
		a := hosttest.New(t, h, "A")
		const callers = 65
		var right, refused atomic.Int64
		var all sync.WaitGroup
		for range callers {
			all.Go(func() {
				for range 20 {
					n, err := loader.Call[int64](context.Background(), a, "ask", "A", "ask", "A", "add", 2, 3)
					switch {
					case err == nil && n == 5:
						right.Add(1)
					case errors.Is(err, abi.ErrPlugin):
						refused.Add(1)
					default:
						t.Errorf("%d, %v", n, err)
					}
				}
			})
		}
		all.Wait()
		assert.EqualValues(t, callers*20, right.Load()+refused.Load())
		assert.NotZero(t, right.Load())
		works(t, a, "A")
	})
}

// TestManyNested_Waiting: all of a worker's slots are in calls that wait for their host, and
// what they wait for is a call into the same worker.
func TestManyNested_Waiting(t *testing.T) {
	for _, way := range ways[1:] {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			h := open(t, []entry{{name: "A", uses: []string{"B", "A"}, keys: way.keys}, {name: "B"}}, loader.WithWorkerChannel(way.channel))
			a, b := hosttest.New(t, h, "A"), hosttest.New(t, h, "B")
			var all sync.WaitGroup
			for range 65 {
				all.Go(func() {
					n, err := loader.Call[int64](context.Background(), a, "ask", "B", "block")
					assert.NoError(t, err)
					assert.EqualValues(t, 1, n)
				})
			}
			hosttest.Eventually(func() bool { return hosttest.CallInt(t, b, "waiting") >= 40 })
			// A's slots are taken, and calls that are nested have others.
			hosttest.Call(t, b, "release", 1)
			all.Wait()
			works(t, a, "A")
		})
	}
}

// TestTime: a call that a plugin makes has the time of the call that it is made in.
func TestTime(t *testing.T) {
	for _, caller := range ways {
		for _, target := range []string{"", isolated} {
			t.Run(caller.name+" to "+strings.TrimSpace("B "+target), func(t *testing.T) {
				t.Parallel()
				if target == "" && caller.keys == "" {
					target = isolated // a call in this process cannot be interrupted
				}
				h := open(t, []entry{{name: "A", uses: []string{"B"}, keys: caller.keys}, {name: "B", keys: target}}, loader.WithWorkerChannel(caller.channel))
				a, b := hosttest.New(t, h, "A"), hosttest.New(t, h, "B")
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				defer cancel()
				_, err := a.Call(ctx, "ask", "B", "block")
				require.Error(t, err)
				hosttest.Call(t, b, "release", 1)
				works(t, a, "B")
			})
		}
	}
}

// TestCallTimeout: the call_timeout of a plugin does not run while it waits for its host.
func TestCallTimeout(t *testing.T) {
	for _, way := range ways[1:] {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			keys := way.keys + "\ncall_timeout = \"300ms\""
			h := open(t, []entry{{name: "A", uses: []string{"TimeBox"}, keys: keys}}, loader.WithWorkerChannel(way.channel))
			a := hosttest.New(t, h, "A")
			began := time.Now()
			hosttest.Call(t, a, "ask", "TimeBox", "sleep", 700)
			assert.GreaterOrEqual(t, time.Since(began), 700*time.Millisecond)
			assert.EqualValues(t, 3, hosttest.CallInt(t, a, "add", 1, 2), "the worker lives")
		})
	}
}
