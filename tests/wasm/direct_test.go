package wasm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// plainMethods are methods of testdata/module.c whose messages refer to nothing else: resolved,
// they are called in the module's own memory.
const plainMethods = `
add  = { method_id = 1, args = [ { name = "a", from = "integer", to = "i64" }, { name = "b", from = "integer", to = "i64" } ], returns = "i64" }
echo = { method_id = 2, args = [ { name = "data", from = "bytes", to = "bytes" } ], returns = "bytes" }
text = { method_id = 18, args = [ { name = "data", from = "string", to = "string" } ], returns = "string" }
spin = { method_id = 3, args = [], returns = "void" }
trap = { method_id = 4, args = [], returns = "i64" }
grow = { method_id = 10, args = [ { name = "bytes", from = "integer", to = "i64" } ], returns = "i64" }
mistake = { method_id = 19, args = [ { name = "bytes", from = "integer", to = "i64" } ], returns = "bytes" }
give = { method_id = 12, args = [ { name = "bytes", from = "integer", to = "i64" } ], returns = "blob" }
lie  = { method_id = 13, args = [ { name = "what", from = "integer", to = "i64" } ], returns = "i64" }
`

func plainBox(t *testing.T, keys string, opts ...loader.Option) *loader.Box {
	t.Helper()
	return newBox(t, hosttest.Open(t, plainTOML(moduleFile(t), keys), opts...))
}

func plainTOML(file, keys string) string {
	return fmt.Sprintf("[plugins.Module]\nlibrary = %q\n%s\n[plugins.Module.methods]%s", file, keys, plainMethods)
}

func methodOf(t *testing.T, box *loader.Box, name string) *loader.Method {
	t.Helper()
	m, err := box.Method(name)
	require.NoError(t, err)
	return m
}

// TestDirect: messages and results that are in the module's memory, of all lengths, while that
// memory moves.
func TestDirect(t *testing.T) {
	ctx := t.Context()
	box := plainBox(t, "")
	add, echo, text, grow := methodOf(t, box, "add"), methodOf(t, box, "echo"), methodOf(t, box, "text"), methodOf(t, box, "grow")
	for i, size := range []int{0, 1, 200, 5_000, 3, 4_080, 4_081, 4_088, 4_096, 4_100, 30_000, 7, 65_000, 65_535, 100} {
		data := bytes.Repeat([]byte{byte(i + 1)}, size)
		for range 3 {
			got, err := echo.AppendBytes(ctx, nil, data)
			require.NoError(t, err, size)
			require.True(t, bytes.Equal(data, got), size)
			said, err := loader.Invoke[string](ctx, text, string(data))
			require.NoError(t, err, size)
			require.Equal(t, string(data), said)
			sum, err := loader.Invoke[int](ctx, add, size, i)
			require.NoError(t, err)
			require.Equal(t, size+i, sum)
		}
		for _, by := range []func() (loader.Result, error){
			func() (loader.Result, error) { return grow.Call(ctx, 300_000) },
			func() (loader.Result, error) { return box.Call(ctx, "grow", 300_000) },
			func() (loader.Result, error) { return box.Call(ctx, "give", 300_000) },
		} {
			_, err := by()
			require.NoError(t, err)
			sum, err := loader.Invoke[int](ctx, add, size, i)
			require.NoError(t, err)
			require.Equal(t, size+i, sum)
		}
	}
	_, err := echo.AppendBytes(ctx, nil, box)
	require.Error(t, err, "an argument that is no bytes")
	_, err = echo.AppendBytes(ctx, nil, make([]byte, 65_536))
	require.Error(t, err, "an argument that is too long")
	sum, err := loader.Invoke[int](ctx, add, 2, 3)
	require.NoError(t, err)
	assert.Equal(t, 5, sum)
}

// TestDirect_NoMemory: a message for which the module has no room is its caller's error.
func TestDirect_NoMemory(t *testing.T) {
	ctx := t.Context()
	box := plainBox(t, `limits = { memory = "1MiB" }`)
	add, echo, grow := methodOf(t, box, "add"), methodOf(t, box, "echo"), methodOf(t, box, "grow")
	sum := func() int {
		n, err := loader.Invoke[int](ctx, add, 2, 3)
		require.NoError(t, err)
		return n
	}
	assert.Equal(t, 5, sum())
	for size := 1 << 18; size > 8; {
		got, err := loader.Invoke[int](ctx, grow, size)
		require.NoError(t, err)
		if got == 0 {
			size /= 2
		}
	}
	_, err := echo.AppendBytes(ctx, nil, make([]byte, 60_000))
	require.Error(t, err)
	assert.NotErrorIs(t, err, loader.ErrInstanceLost)
}

// TestDirect_Contended: callers of one module take turns, whichever way they call; none is left
// waiting by another that calls again and again.
func TestDirect_Contended(t *testing.T) {
	ctx := t.Context()
	box := plainBox(t, "")
	own := methodOf(t, box, "add")
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			add, err := box.Method("add")
			if err != nil {
				t.Error(err)
				return
			}
			echo, err := box.Method("echo")
			if err != nil {
				t.Error(err)
				return
			}
			for j := range 300 {
				var sum loader.Result
				switch (i + j) % 3 {
				case 0:
					sum, err = add.Call(ctx, i, j)
				case 1:
					sum, err = box.Call(ctx, "add", i, j)
				default:
					sum, err = own.Call(ctx, i, j)
				}
				n, _ := sum.Int()
				data := bytes.Repeat([]byte{byte(i)}, 40*j)
				got, echoed := echo.AppendBytes(ctx, nil, data)
				if err = errors.Join(err, echoed); err != nil || n != int64(i+j) || !bytes.Equal(got, data) {
					t.Errorf("%d + %d = %d, and %d bytes: %v", i, j, n, len(got), err)
					return
				}
			}
		})
	}
	all.Wait()

	stop, spun := make(chan struct{}), make(chan error, 1)
	go func() {
		var err error
		for err == nil {
			select {
			case <-stop:
				spun <- nil
				return
			default:
				_, err = own.Call(ctx, 1, 2)
			}
		}
		spun <- err
	}()
	for range 200 {
		_, err := box.Call(ctx, "add", 1, 2)
		require.NoError(t, err)
	}
	close(stop)
	require.NoError(t, <-spun)
}

// TestDirect_Lies: a module that answers what it must not is found out, and goes on.
func TestDirect_Lies(t *testing.T) {
	ctx := t.Context()
	box := plainBox(t, "")
	lie, mistake, add := methodOf(t, box, "lie"), methodOf(t, box, "mistake"), methodOf(t, box, "add")
	for what := range 7 {
		_, err := lie.Call(ctx, what)
		require.Error(t, err, what)
		_, byName := box.Call(ctx, "lie", what)
		require.Error(t, byName, what)
		assert.Equal(t, byName.Error(), err.Error())
		sum, err := loader.Invoke[int](ctx, add, what, 1)
		require.NoError(t, err)
		assert.Equal(t, what+1, sum)
	}
	_, err := mistake.AppendBytes(ctx, nil, 100)
	require.ErrorContains(t, err, "blob")
}

// TestDirect_Ends: a call that ends its module ends for its caller, and for those who wait.
func TestDirect_Ends(t *testing.T) {
	for name, call := range map[string]func(t *testing.T, box *loader.Box) error{
		"a trap": func(t *testing.T, box *loader.Box) error {
			_, err := methodOf(t, box, "trap").Call(t.Context())
			return err
		},
		"a deadline": func(t *testing.T, box *loader.Box) error {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			_, err := methodOf(t, box, "spin").Call(ctx)
			return err
		},
		"with others": func(t *testing.T, box *loader.Box) error {
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			spin := methodOf(t, box, "spin")
			errs := make(chan error)
			for range 4 {
				go func() {
					_, err := spin.Call(ctx)
					errs <- err
				}()
			}
			for range 3 {
				assert.Error(t, <-errs)
			}
			return <-errs
		},
	} {
		t.Run(name, func(t *testing.T) {
			box := plainBox(t, `cancel_grace = "20ms"`)
			add := methodOf(t, box, "add")
			for range 2 {
				_, err := add.Call(t.Context(), 1, 2)
				require.NoError(t, err)
			}
			require.Error(t, call(t, box))
			for range 2 {
				_, err := add.Call(t.Context(), 1, 2)
				require.ErrorIs(t, err, loader.ErrInstanceLost)
			}
		})
	}
}

// TestDirect_Close: the end of a box waits for the call that is under way.
func TestDirect_Close(t *testing.T) {
	log := hosttest.NewLog()
	box := plainBox(t, `cancel_grace = "20ms"`, log.Option())
	spin := methodOf(t, box, "spin")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := spin.Call(ctx)
		ended <- err
	}()
	hosttest.Eventually(func() bool { return slices.Contains(log.Messages(), "it spins") })
	soon, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	require.ErrorIs(t, box.Shutdown(soon), context.DeadlineExceeded)
	cancel()
	require.Error(t, <-ended)
	require.NoError(t, box.Close())
}
