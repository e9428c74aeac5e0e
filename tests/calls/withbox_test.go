package calls

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// adder is a Go type with what a relay is asked for.
type adder struct {
	relay func() *loader.Box
	kept  chan context.Context // that a method was given
}

func (a *adder) Add(x, y int64) int64     { return x + y }
func (a *adder) Echo(value any) any       { return value }
func (a *adder) Fail(text string) error   { return errors.New(text) }
func (a *adder) Negate(n int32) int32     { return -n }
func (a *adder) Panic() int               { panic("oops") }
func (a *adder) Forget() error            { return abi.ErrOutOfMemory }
func (a *adder) Sum(of ...int64) int64    { return a.Add(of[0], of[1]) }
func (a *adder) Keep(ctx context.Context) { a.kept <- ctx }

// Again has the plugin that calls it call the box once more, in the same chain.
func (a *adder) Again(ctx context.Context) (int64, error) {
	return loader.Call[int64](ctx, a.relay(), "ask", "GoBox", "add", 20, 3)
}

// openAdder opens a host with a relay that may use a Go type, and makes the relay's box.
func openAdder(t testing.TB, keys string, opts ...loader.Option) (*loader.Host, *loader.Box, *adder) {
	t.Helper()
	var a *loader.Box
	own := &adder{func() *loader.Box { return a }, make(chan context.Context, 1)}
	h := open(t, []entry{{name: "A", uses: []string{"GoBox"}, keys: keys}}, append(opts, loader.WithBox("GoBox", own))...)
	a = hosttest.New(t, h, "A")
	return h, a, own
}

// TestWithBox has a plugin that is reached in each way use a Go type.
func TestWithBox(t *testing.T) {
	for _, caller := range ways {
		t.Run(caller.name, func(t *testing.T) {
			t.Parallel()
			h, a, own := openAdder(t, caller.keys, loader.WithWorkerChannel(caller.channel))
			testPair(t, h, a, "GoBox")
			assert.EqualValues(t, -5, hosttest.CallInt(t, a, "ask", "GoBox", "negate", int32(5)))
			assert.EqualValues(t, 7, hosttest.CallInt(t, a, "ask", "GoBox", "sum", 3, 4))
			failsWith(t, a, abi.ErrInvalidArgs, "", "ask", "GoBox", "negate", 5)
			failsWith(t, a, abi.ErrInvalidArgs, "", "ask", "GoBox", "add", 5)
			failsWith(t, a, abi.ErrInvalidArgs, "argument 1: it is a handle", "ask", "GoBox", "echo", a)
			failsWith(t, a, abi.ErrPlugin, "panic: oops", "ask", "GoBox", "panic")
			failsWith(t, a, abi.ErrOutOfMemory, "", "ask", "GoBox", "forget")
			assert.EqualValues(t, 23, hosttest.CallInt(t, a, "ask", "GoBox", "again"))

			type key struct{}
			ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "value"))
			defer cancel()
			_, err := a.Call(ctx, "ask", "GoBox", "keep")
			require.NoError(t, err)
			works(t, a, "GoBox")
			kept := <-own.kept
			assert.Equal(t, "value", kept.Value(key{}), "it is the caller's")
			if caller.keys == "" { // or else it ends with the plugin's call
				require.NoError(t, kept.Err())
				cancel()
			}
			assert.Equal(t, context.Canceled, kept.Err())
		})
	}
}

// TestWithBox_Allocs: a call of a plugin in the process, with two i64, allocates nothing. The
// portable entry to Go does.
func TestWithBox_Allocs(t *testing.T) {
	_, a, _ := openAdder(t, "")
	hosttest.Call(t, a, "hold", 1, "GoBox")
	loop, err := a.Method("loop")
	require.NoError(t, err)
	ctx := context.Background()
	allocs := func(calls int) float64 {
		return testing.AllocsPerRun(20, func() {
			if n, err := loader.Invoke[int64](ctx, loop, 1, calls, "add", 2, 3); err != nil || n != 5 {
				t.Error(n, err)
			}
		})
	}
	const few, many = 10, 1000
	assert.EqualValues(t, (many-few)*entryAllocs, allocs(many)-allocs(few))
}

// BenchmarkWithBox is [BenchmarkNested] with a Go type: as Go functions, and the last
// through package reflect.
func BenchmarkWithBox(b *testing.B) {
	for _, tt := range []struct {
		method string
		args   []any
	}{{"add", []any{2, 3}}, {"sum", []any{2, 3}}} {
		b.Run(tt.method, func(b *testing.B) {
			_, a, _ := openAdder(b, "")
			hosttest.Call(b, a, "hold", 1, "GoBox")
			b.ReportAllocs()
			b.ResetTimer()
			n, err := loader.Call[int64](b.Context(), a, "loop", append([]any{1, b.N, tt.method}, tt.args...)...)
			require.NoError(b, err)
			require.EqualValues(b, 5, n)
		})
	}
}

// TestWithBox_MaxInFlight: as many calls of a host function as the host makes calls at once,
// each of which calls a plugin.
func TestWithBox_MaxInFlight(t *testing.T) {
	const most = 3
	inEachWay(t, func(t *testing.T, keys string, channel loader.Option) {
		own := new(hooks)
		h := open(t, []entry{{name: "A", keys: keys}}, channel, loader.WithBox("Hooks", own), loader.WithMaxInFlight(most))
		a, hook := hosttest.New(t, h, "A"), hosttest.New(t, h, "Hooks")
		var within, all sync.WaitGroup
		within.Add(most)
		own.first = func(ctx context.Context) error {
			within.Done()
			within.Wait()
			_, err := a.Call(ctx, "add", 1, 2)
			return err
		}
		for range most {
			all.Go(func() { hosttest.Call(t, hook, "first") })
		}
		all.Wait()
		require.NoError(t, hook.Close())
	})
}
