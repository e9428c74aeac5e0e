package loader_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tlv"
)

func TestBox_Call(t *testing.T) {
	box := newBox(t, openProbe(t), "Probe")
	type named string
	tests := map[string]struct {
		arg  any
		want tlv.Value
	}{
		"int":      {7, tlv.Int64(7)},
		"int32":    {int32(-7), tlv.Int32(-7)},
		"uint8":    {uint8(255), tlv.Int64(255)},
		"duration": {time.Second, tlv.Int64(1e9)},
		"float64":  {1.5, tlv.Float64(1.5)},
		"float32":  {float32(1.5), tlv.Float32(1.5)},
		"string":   {"naïve\x00text", tlv.String("naïve\x00text")},
		"named":    {named("x"), tlv.String("x")},
		"bytes":    {[]byte{0, 255}, tlv.Bytes([]byte{0, 255})},
		"bool":     {true, tlv.Bool(true)},
		"nil":      {nil, tlv.Void()},
		"value":    {tlv.Int32(3), tlv.Int32(3)},
		"longest":  {strings.Repeat("x", tlv.MaxPayload), tlv.String(strings.Repeat("x", tlv.MaxPayload))},
		"empty":    {"", tlv.String("")},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := call(t, box, "echo", tt.arg)
			assert.Equal(t, tt.want.Tag(), r.Tag())
			assert.Equal(t, tt.want.Any(), r.Any())
		})
	}
	t.Run("result without TLV is void", func(t *testing.T) {
		assert.True(t, call(t, box, "nothing").IsVoid())
	})
	t.Run("result that asks for more room", func(t *testing.T) {
		assert.EqualValues(t, 100000, callInt(t, box, "demand"))
	})
}

func TestBox_Call_Errors(t *testing.T) {
	h := openProbe(t)
	box := newBox(t, h, "Probe")
	closed := newBox(t, h, "Probe")
	require.NoError(t, closed.Close())
	done, cancel := context.WithCancelCause(t.Context())
	cancel(fmt.Errorf("no time left"))

	tests := map[string]struct {
		ctx    context.Context
		method string
		args   []any
		want   string
		is     error
	}{
		"unknown method":   {t.Context(), "ad", nil, "Probe.ad: no such method (did you mean add?)", loader.ErrNoMethod},
		"too few":          {t.Context(), "add", []any{1}, "Probe.add: it takes 2 (a, b), and got 1", abi.ErrInvalidArgs},
		"too many":         {t.Context(), "nothing", []any{1}, "Probe.nothing: it takes no arguments, and got 1", abi.ErrInvalidArgs},
		"wrong type":       {t.Context(), "add", []any{1, "2"}, "Probe.add: argument 2 (b): it must be an integer, and this is a string", abi.ErrInvalidArgs},
		"not an int64":     {t.Context(), "add", []any{uint64(1 << 63), 0}, "Probe.add: argument 1 (a): 9223372036854775808 does not fit an i64", abi.ErrInvalidArgs},
		"unsupported type": {t.Context(), "echo", []any{[]int{1}}, "Probe.echo: argument 1: values of type []int cannot be passed; pass a string, integer, float, bool, []byte or a box", abi.ErrInvalidArgs},
		"too long":         {t.Context(), "echo", []any{strings.Repeat("x", tlv.MaxPayload+1)}, "Probe.echo: argument 1: encode TLV: payload too large: string of 65536 bytes, and an entry holds 65535; data of that length goes by reference: declare the argument with to = \"blob\" in nyash.toml, if the plugin takes blobs", tlv.ErrTooLarge},
		"not UTF-8":        {t.Context(), "echo", []any{"\xff"}, "Probe.echo: argument 1: encode TLV: string is not UTF-8: invalid UTF-8 (-7)", abi.ErrInvalidUTF8},
		"nil box":          {t.Context(), "take", []any{(*loader.Box)(nil)}, "Probe.take: argument 1: it is a nil *loader.Box", abi.ErrInvalidArgs},
		"closed box":       {t.Context(), "take", []any{closed}, "Probe.take: argument 1 is Probe(2): closed", loader.ErrClosed},
		"handle":           {t.Context(), "take", []any{tlv.Handle{Type: 700, Instance: 1}}, "Probe.take: argument 1 is a handle: pass the *loader.Box instead: invalid arguments (-4)", abi.ErrInvalidArgs},
		"handle value":     {t.Context(), "echo", []any{tlv.HandleValue(tlv.Handle{Type: 700, Instance: 1})}, "Probe.echo: argument 1 is a handle: pass the *loader.Box instead: invalid arguments (-4)", abi.ErrInvalidArgs},
		"no box":           {t.Context(), "take", []any{5}, "Probe.take: argument 1 (box): it must be a box, and this is an integer", abi.ErrInvalidArgs},
		"context done":     {done, "nothing", nil, "Probe.nothing: no time left", nil},
		"unknown type":     {t.Context(), "other", nil, "Probe.other: protocol violation: the result is a handle of type 701, instance 4242: no box of Probe has that type_id, nor has it been told of one of another library by that", loader.ErrProtocol},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := box.Call(tt.ctx, tt.method, tt.args...)
			require.EqualError(t, err, tt.want)
			if tt.is != nil {
				assert.ErrorIs(t, err, tt.is)
			}
			var callErr *loader.CallError
			require.ErrorAs(t, err, &callErr)
			assert.Equal(t, tt.method, callErr.Method)
		})
	}
}

func TestBox_Close_RefusesCalls(t *testing.T) {
	h := openProbe(t)
	box, other := newBox(t, h, "Probe"), newBox(t, h, "Probe")
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() { assert.NoError(t, box.Close()) })
	}
	wg.Wait()
	_, err := box.Call(t.Context(), "calls")
	require.ErrorIs(t, err, loader.ErrClosed)
	assert.EqualError(t, err, "Probe.calls: closed")
	assert.EqualValues(t, 1, callInt(t, other, "calls"))
	assert.EqualValues(t, 1, callInt(t, other, "finis"))
}

func TestBox_Close_WaitsForCalls(t *testing.T) {
	h := openProbe(t)
	box, other := newBox(t, h, "Probe"), newBox(t, h, "Probe")
	var wg sync.WaitGroup
	for range 5 {
		wg.Go(func() {
			_, err := box.Call(t.Context(), "hold")
			assert.NoError(t, err)
		})
	}
	eventually(func() bool { return callInt(t, other, "holding") == 5 })
	closed := make(chan struct{})
	go func() {
		assert.NoError(t, box.Close())
		close(closed)
	}()
	eventually(func() bool { _, err := box.Call(t.Context(), "nothing"); return err != nil })
	assert.EqualValues(t, 0, callInt(t, other, "finis"), "fini must wait for the calls")
	call(t, other, "release")
	<-closed
	wg.Wait()
	assert.EqualValues(t, 1, callInt(t, other, "finis"))
}

func TestBox_Close_WaitsForBorrowers(t *testing.T) {
	h := open(t, strings.Replace(probeTOML(probeLibrary(t), ""), "hold    = { method_id = 5, args = []", "hold    = { method_id = 5, args = [ { name = \"box\", from = \"box\" } ]", 1))
	box, lent, other := newBox(t, h, "Probe"), newBox(t, h, "Probe"), newBox(t, h, "Probe")
	done := make(chan error)
	go func() {
		_, err := box.Call(t.Context(), "hold", lent)
		done <- err
	}()
	eventually(func() bool { return callInt(t, other, "holding") == 1 })
	closed := make(chan struct{})
	go func() {
		assert.NoError(t, lent.Close())
		close(closed)
	}()
	eventually(func() bool { _, err := lent.Call(t.Context(), "nothing"); return err != nil })
	assert.EqualValues(t, 0, callInt(t, other, "finis"))
	call(t, other, "release")
	require.NoError(t, <-done)
	<-closed
	assert.EqualValues(t, 1, callInt(t, other, "finis"))
}

func TestBox_Dropped(t *testing.T) {
	var log output
	h := openProbe(t, withLog(&log))
	other := newBox(t, h, "Probe")
	func() { newBox(t, h, "Probe") }()
	eventually(func() bool {
		runtime.GC()
		return callInt(t, other, "finis") == 1
	})
	assert.Contains(t, log.String(), `level=WARN msg="Probe instance 2 was dropped without Close; it is finalised now" plugin=Probe`)
	assert.EqualValues(t, 1, callInt(t, other, "calls"), "the box that is held lives on")
}

func TestBox_ArgumentsAndResults(t *testing.T) {
	second := probeLibrary(t, "-DTYPE_ID=701", `-DTYPE_NAME="Second"`)
	toml := strings.Replace(probeTOML(probeLibrary(t), ""), "other ", "second  = { method_id = 20, args = [], returns = \"Second\" }\nother ", 1)
	h := open(t, toml+fmt.Sprintf("\n[plugins.Second]\nlibrary = %q\ntype_id = 701\n[plugins.Second.methods]\nself = { method_id = 3 }", second))
	box := newBox(t, h, "Probe")

	t.Run("argument", func(t *testing.T) {
		assert.EqualValues(t, 1, callInt(t, box, "take", box))
	})
	t.Run("result that is alive is that box", func(t *testing.T) {
		same, err := call(t, box, "self").Box()
		require.NoError(t, err)
		assert.Same(t, box, same)
	})
	t.Run("result that is new is owned", func(t *testing.T) {
		finis := callInt(t, box, "finis")
		made, err := call(t, box, "make").Box()
		require.NoError(t, err)
		assert.NotSame(t, box, made)
		assert.Equal(t, "Probe", made.Name())
		require.NoError(t, made.Close())
		assert.Equal(t, finis+1, callInt(t, box, "finis"))
	})
	t.Run("result of another library that was an argument", func(t *testing.T) {
		lent := newBox(t, h, "Second")
		same, err := call(t, box, "echo", lent).Box()
		require.NoError(t, err)
		assert.Same(t, lent, same)
	})
	t.Run("result of another library that was none", func(t *testing.T) {
		for _, id := range []uint32{4242, newBox(t, h, "Second").ID()} { // made up, and alive
			_, err := box.Call(t.Context(), "name", 701, id)
			require.ErrorIs(t, err, loader.ErrProtocol)
			assert.ErrorContains(t, err, "nor has it been told of one of another library by that")
		}
		_, err := box.Call(t.Context(), "other")
		require.ErrorIs(t, err, loader.ErrProtocol)
	})
	t.Run("result of another box than declared", func(t *testing.T) {
		_, err := box.Call(t.Context(), "second")
		assert.EqualError(t, err, "Probe.second: the result is a Probe, and is declared as Second")
	})
	t.Run("a value is no box", func(t *testing.T) {
		_, err := call(t, box, "births").Box()
		assert.EqualError(t, err, "the result is i64, not a box")
	})
}

func TestBox_Dropped_ComesBack(t *testing.T) {
	h := openProbe(t)
	box := newBox(t, h, "Probe")
	// Whatever the collector does between these lines, the instance is
	// finalised exactly once.
	for range 50 {
		made, err := call(t, box, "make").Box()
		require.NoError(t, err)
		call(t, made, "self")
		runtime.GC()
	}
	births := callInt(t, box, "births")
	eventually(func() bool {
		runtime.GC()
		return callInt(t, box, "finis") == births-1
	})
}

func TestThreads(t *testing.T) {
	const callers = 8
	tests := map[string]func(t *testing.T, most, sameThread int64){
		"serial": func(t *testing.T, most, _ int64) { assert.EqualValues(t, 1, most) },
		"pinned": func(t *testing.T, most, sameThread int64) {
			assert.EqualValues(t, 1, most)
			assert.EqualValues(t, callers, sameThread)
		},
		"free": func(t *testing.T, most, _ int64) { assert.LessOrEqual(t, most, int64(callers)) },
	}
	for _, mode := range []string{"serial", "pinned"} {
		tests[mode+", through a table"] = tests[mode]
	}
	for name, check := range tests {
		t.Run(name, func(t *testing.T) {
			mode, table, _ := strings.Cut(name, ", ")
			flag := "-DNO_TABLE"
			if table != "" {
				flag = "-DTABLE"
			}
			var log output
			h := open(t, probeTOML(probeLibrary(t, flag), fmt.Sprintf("threads = %q", mode)), withLog(&log))
			var wg sync.WaitGroup
			var mu sync.Mutex
			var most, same int64
			for range callers {
				wg.Go(func() {
					box, err := h.New(t.Context(), "Probe")
					if !assert.NoError(t, err) {
						return
					}
					m, s := callInt(t, box, "overlap"), callInt(t, box, "thread")
					mu.Lock()
					defer mu.Unlock()
					most, same = max(most, m), same+s
				})
			}
			wg.Wait()
			check(t, most, same)
			require.NoError(t, h.Close())
			if mode == "pinned" {
				assert.Contains(t, log.messages(), "Probe shutdown on the thread of init 0")
			}
		})
	}
}

// gate is a log handler that keeps the plugin, which is logging, where it is.
type gate struct {
	slog.Handler
	entered, leave chan struct{}
}

func (g *gate) WithAttrs([]slog.Attr) slog.Handler { return g }

func (g *gate) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "Probe says 1" {
		g.entered <- struct{}{}
		<-g.leave
	}
	return nil
}

func TestThreads_ContextEndsWaiting(t *testing.T) {
	for _, mode := range []string{"serial", "pinned"} {
		t.Run(mode, func(t *testing.T) {
			g := &gate{slog.NewTextHandler(io.Discard, nil), make(chan struct{}), make(chan struct{})}
			h := open(t, probeTOML(probeLibrary(t), fmt.Sprintf("threads = %q", mode)), loader.WithLogger(slog.New(g)))
			box := newBox(t, h, "Probe")
			said := make(chan error)
			go func() {
				_, err := box.Call(t.Context(), "say")
				said <- err
			}()
			<-g.entered // the turn is taken, and the plugin waits

			limited, cancel := context.WithCancel(t.Context())
			waited := make(chan error)
			go func() {
				_, err := box.Call(limited, "calls")
				waited <- err
			}()
			cancel()
			require.ErrorIs(t, <-waited, context.Canceled)
			close(g.leave)
			require.NoError(t, <-said)
			assert.EqualValues(t, 1, callInt(t, box, "calls"), "the call that gave up was not made")
		})
	}
}

func TestWithMaxInFlight(t *testing.T) {
	h := open(t, probeTOML(probeLibrary(t), shortGrace()), loader.WithMaxInFlight(2))
	box := newBox(t, h, "Probe")
	holding, cancel := context.WithCancel(t.Context())
	defer cancel()
	held := make(chan error)
	go func() {
		_, err := box.Call(holding, "hold")
		held <- err
	}()
	eventually(func() bool { return callInt(t, box, "holding") == 1 })
	second := make(chan error)
	go func() {
		_, err := box.Call(holding, "hold")
		second <- err
	}()
	// With both places taken, further calls wait until their context ends.
	eventually(func() bool {
		short, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		_, err := box.Call(short, "nothing")
		return err != nil
	})
	waiting := make(chan error)
	go func() {
		_, err := box.Call(t.Context(), "nothing")
		waiting <- err
	}()
	if isolated { // nobody else can reach the plugin
		cancel()
		require.ErrorIs(t, <-held, context.Canceled)
		require.ErrorIs(t, <-second, context.Canceled)
		require.Error(t, <-waiting)
		return
	}
	// Only another host can still reach the plugin.
	call(t, newBox(t, open(t, probeTOML(libraryOf(t, h), "")), "Probe"), "release")
	require.NoError(t, <-held)
	require.NoError(t, <-second)
	require.NoError(t, <-waiting)
}

func TestBox_Call_Concurrent(t *testing.T) {
	const callers, each = 100, 10_000
	h := openProbe(t)
	boxes := []*loader.Box{newBox(t, h, "Probe"), newBox(t, h, "Probe"), newBox(t, h, "Probe")}
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			box := boxes[i%len(boxes)]
			for n := range each {
				r, err := box.Call(t.Context(), "add", i, n)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := r.Int(); err != nil || got != int64(i+n) {
					t.Errorf("add(%d, %d) = %v", i, n, r)
					return
				}
			}
		})
	}
	wg.Wait()
}

func TestHost_Load_SixteenLibraries(t *testing.T) {
	var toml strings.Builder
	for i := range 16 {
		fmt.Fprintf(&toml, "[plugins.Box%d]\nlibrary = %q\nmethods = { add = { method_id = 1 } }\n", i,
			probeLibrary(t, fmt.Sprintf("-DTYPE_ID=%d", 800+i), fmt.Sprintf(`-DTYPE_NAME="Box%d"`, i)))
	}
	h := open(t, toml.String())
	require.NoError(t, h.Load(t.Context()))
	for i := range 16 {
		box := newBox(t, h, fmt.Sprintf("Box%d", i))
		assert.EqualValues(t, 800+i, box.Type().ID)
		assert.EqualValues(t, i+1, callInt(t, box, "add", i, 1))
	}
}

// TestCall_UndeclaredInstance: an instance that comes where nyash.toml declares something
// else is nobody's but the host's.
func TestCall_UndeclaredInstance(t *testing.T) {
	toml := strings.Replace(probeTOML(probeLibrary(t), ""), "make    = { method_id = 4, args = [] }", "make    = { method_id = 4, args = [], returns = \"i64\" }", 1)
	box := newBox(t, open(t, toml), "Probe")
	finis := callInt(t, box, "finis")
	_, err := box.Call(t.Context(), "make")
	require.EqualError(t, err, "Probe.make: the result is handle, and is declared as i64")
	eventually(func() bool { return callInt(t, box, "finis") == finis+1 })
}
