package calls

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// hooks are host functions that a test fills in.
type hooks struct {
	first, second func(context.Context) error
}

func (h *hooks) First(ctx context.Context) error  { return h.first(ctx) }
func (h *hooks) Second(ctx context.Context) error { return h.second(ctx) }

// TestClose_SameTurn: a host function closes another box of the library that calls it, and
// that takes one call at a time.
func TestClose_SameTurn(t *testing.T) {
	closings := map[string]func(context.Context, *loader.Box) error{
		"Close":    func(_ context.Context, b *loader.Box) error { return b.Close() },
		"Shutdown": func(ctx context.Context, b *loader.Box) error { return b.Shutdown(ctx) },
		"Shutdown that ends": func(_ context.Context, b *loader.Box) error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
			defer cancel()
			return b.Shutdown(ctx)
		},
	}
	for _, threads := range []string{"serial", "pinned"} {
		t.Run(threads, func(t *testing.T) {
			inEachWay(t, func(t *testing.T, keys string, channel loader.Option) {
				own := new(hooks)
				h := open(t, []entry{{name: "A", uses: []string{"Hooks"}, keys: keys + "\nthreads = \"" + threads + "\""}}, channel, loader.WithBox("Hooks", own))
				a := hosttest.New(t, h, "A")
				finis := int64(0)
				for name, closes := range closings {
					other := hosttest.New(t, h, "A")
					own.first = func(ctx context.Context) error {
						assert.ErrorIs(t, closes(ctx, other), loader.ErrCircle, name)
						assert.NoError(t, other.Close(), "it is closed already")
						return nil
					}
					hosttest.Call(t, a, "ask", "Hooks", "first")
					_, err := other.Call(t.Context(), "add", 1, 2)
					require.ErrorIs(t, err, loader.ErrClosed, name)
					finis++
					hosttest.Eventually(func() bool { return hosttest.CallInt(t, a, "finis") == finis })
				}
			})
		})
	}
}

// TestClose_Crossing: two libraries take one call at a time, and host functions that each
// calls close and call the other's box.
func TestClose_Crossing(t *testing.T) {
	inEachWay(t, func(t *testing.T, keys string, channel loader.Option) {
		own := new(hooks)
		h := open(t, []entry{
			{name: "A", uses: []string{"Hooks"}, keys: keys + "\nthreads = \"serial\""},
			{name: "B", uses: []string{"Hooks"}, keys: keys + "\nthreads = \"serial\""},
		}, channel, loader.WithBox("Hooks", own))
		a, b := hosttest.New(t, h, "A"), hosttest.New(t, h, "B")
		closed := hosttest.New(t, h, "B")
		var both sync.WaitGroup
		both.Add(2)
		var closing, calling error
		own.first = func(context.Context) error {
			both.Done()
			both.Wait()
			closing = closed.Close()
			return nil
		}
		own.second = func(ctx context.Context) error {
			both.Done()
			both.Wait()
			_, calling = a.Call(ctx, "add", 1, 2)
			return nil
		}
		var all sync.WaitGroup
		all.Go(func() { hosttest.Call(t, a, "ask", "Hooks", "first") })
		all.Go(func() { hosttest.Call(t, b, "ask", "Hooks", "second") })
		all.Wait()
		assert.NotEqual(t, errors.Is(closing, loader.ErrCircle), errors.Is(calling, loader.ErrCircle), "one of %v and %v", closing, calling)
		hosttest.Eventually(func() bool { return hosttest.CallInt(t, b, "finis") == 1 })
	})
}

// TestClose_Lent: a host function closes a box that is lent to the call that it is called in.
func TestClose_Lent(t *testing.T) {
	inEachWay(t, func(t *testing.T, keys string, channel loader.Option) {
		own := new(hooks)
		h := open(t, []entry{{name: "A", uses: []string{"Hooks"}, keys: keys}, {name: "B", keys: keys}}, channel, loader.WithBox("Hooks", own))
		a, b, lent := hosttest.New(t, h, "A"), hosttest.New(t, h, "B"), hosttest.New(t, h, "B")
		own.first = func(context.Context) error { return lent.Close() }
		hosttest.Call(t, a, "with", lent, "Hooks", "first")
		hosttest.Eventually(func() bool { return hosttest.CallInt(t, b, "finis") == 1 })
	})
}

// slowFini opens a host with an isolated A that holds boxes of B, whose fini waits until the
// returned box of B is told to release it.
func slowFini(t *testing.T, held int, channel loader.Option, opts ...loader.Option) (h *loader.Host, a, b *loader.Box) {
	t.Helper()
	h = open(t, []entry{{name: "A", uses: []string{"B"}, keys: restarting}, {name: "B", flags: []string{"-DNO_CONNECT", "-DFINI_BLOCKS"}}}, append(opts, channel)...)
	a, b = hosttest.New(t, h, "A"), hosttest.New(t, h, "B")
	t.Cleanup(func() { hosttest.Call(t, b, "release", 1) })
	for i := range held {
		hosttest.Call(t, a, "hold", i, "B")
	}
	return h, a, b
}

// TestFini_Slow: a fini that takes long holds up no caller for longer than that has time.
func TestFini_Slow(t *testing.T) {
	for _, way := range ways[1:] {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			_, a, b := slowFini(t, 1, loader.WithWorkerChannel(way.channel))
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if _, err := a.Call(ctx, "drop", 0); err != nil { // or the hold was given up just in time
				require.ErrorIs(t, err, context.DeadlineExceeded)
			}
			hosttest.Eventually(func() bool { return hosttest.CallInt(t, b, "waiting") == 1 })
			hosttest.Call(t, b, "release", 1)
			hosttest.Eventually(func() bool { return hosttest.CallInt(t, b, "finis") == 1 })
		})
	}
}

// TestFini_SlowAtDeath: the news of a worker's end does not wait for the fini of what it held.
func TestFini_SlowAtDeath(t *testing.T) {
	for _, way := range ways[1:] {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			const held = 3
			h, a, b := slowFini(t, held, loader.WithWorkerChannel(way.channel))
			_, err := a.Call(context.Background(), "crash")
			require.ErrorIs(t, err, loader.ErrPluginCrashed)
			hosttest.Eventually(func() bool { return hosttest.CallInt(t, b, "waiting") == held })
			assert.EqualValues(t, 3, hosttest.CallInt(t, hosttest.New(t, h, "A"), "add", 1, 2))
			hosttest.Call(t, b, "release", 1)
			hosttest.Eventually(func() bool { return hosttest.CallInt(t, b, "finis") == held })
		})
	}
}
