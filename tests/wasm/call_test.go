package wasm

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

func TestCalls(t *testing.T) {
	box := newBox(t, open(t, ""))
	assert.Equal(t, int64(-3), callInt(t, box, "add", 4, -7))
	for _, size := range []int{0, 1, 1024, 65_000} {
		text := strings.Repeat("x", size)
		got, err := loader.Call[string](t.Context(), box, "echo", text)
		require.NoError(t, err)
		assert.Equal(t, text, got)
	}
	for _, size := range []int{0, 1, 300_000, 5 << 20} {
		data := bytes.Repeat([]byte{3}, size)
		assert.Equal(t, int64(3*size), callInt(t, box, "length", data))
		assert.Equal(t, bytes.Repeat([]byte{0x5a}, size), give(t, box, size))
	}
}

func give(t *testing.T, box *loader.Box, size int) []byte {
	t.Helper()
	blob, err := hosttest.Call(t, box, "give", size).Blob()
	require.NoError(t, err)
	defer blob.Release()
	return append([]byte{}, blob.Bytes()...)
}

// TestCalls_LeaveNoMemory: blobs in both directions are freed in the module.
func TestCalls_LeaveNoMemory(t *testing.T) {
	box := newBox(t, open(t, `limits = { memory = "4MiB" }`))
	data := make([]byte, 1<<20)
	for range 50 {
		callInt(t, box, "length", data)
		give(t, box, len(data))
	}
}

func TestCalls_Allocs(t *testing.T) {
	ctx := context.Background()
	box := newBox(t, open(t, ""))
	add, err := box.Method("add")
	require.NoError(t, err)
	a, b := len(t.Name())*1000, 2000
	canceled, cancel := context.WithCancel(ctx)
	defer cancel()
	for name, ctx := range map[string]context.Context{"numbers": ctx, "with a context to cancel": canceled} {
		t.Run(name, func(t *testing.T) {
			assert.Zero(t, testing.AllocsPerRun(200, func() {
				if _, err := loader.Invoke[int](ctx, add, a, b); err != nil {
					t.Error(err)
				}
			}))
		})
	}
}

// TestInterrupt: what a module does ends with its time, and the module with it.
func TestInterrupt(t *testing.T) {
	deadline := func(t *testing.T) context.Context {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		t.Cleanup(cancel)
		return ctx
	}
	background := func(t *testing.T) context.Context { return t.Context() }
	// in is what a plugin runs in, and late what was done with one that took too long.
	in, late := "module", "module was ended"
	if hosttest.Isolated() {
		in, late = "process", "process was killed"
	}
	late = "call timed out: it took longer than call_timeout, and its " + late + " after 300ms"
	lost := map[string]string{"module": "its module", "process": "the plugin's process"}[in]
	const ended = "plugin crashed: its module was ended: "
	tests := map[string]struct {
		keys, method string
		args         []any
		ctx          func(*testing.T) context.Context
		want         error
		text         string
	}{
		"a loop, by its context":          {"", "spin", nil, deadline, context.DeadlineExceeded, "context deadline exceeded"},
		"a loop, by call_timeout":         {`call_timeout = "300ms"`, "spin", nil, background, loader.ErrCallTimeout, late},
		"a long loop, by call_timeout":    {`call_timeout = "300ms"`, "loop", []any{int64(1) << 62}, background, loader.ErrCallTimeout, late},
		"a sleep, by call_timeout":        {`call_timeout = "300ms"`, "sleep", []any{1 << 40}, background, loader.ErrCallTimeout, late},
		"a trap":                          {"", "trap", nil, background, loader.ErrPluginCrashed, ended + "wasm error: unreachable in trap"},
		"recursion without end":           {"", "recurse", nil, background, loader.ErrPluginCrashed, ended + "wasm error: out of bounds memory access in recurse; its stack may be full"},
		"exit":                            {"", "exit", []any{0}, background, loader.ErrPluginCrashed, ended + "it exits with status 0"},
		"exit with a status":              {"", "exit", []any{3}, background, loader.ErrPluginCrashed, ended + "it exits with status 3"},
		"random numbers, by call_timeout": {`call_timeout = "300ms"`, "random", []any{900 << 20}, background, loader.ErrCallTimeout, late},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := open(t, tt.keys)
			box, other := newBox(t, h), newBox(t, h)
			_, err := box.Call(tt.ctx(t), tt.method, tt.args...)
			require.ErrorIs(t, err, tt.want)
			assert.EqualError(t, err, "Module."+tt.method+": "+tt.text)
			_, err = other.Call(t.Context(), "add", 1, 2)
			require.ErrorIs(t, err, loader.ErrInstanceLost)
			assert.EqualError(t, err, "Module.add: instance lost: "+lost+" has ended since it was made; make a new one")
			assert.Equal(t, int64(3), callInt(t, newBox(t, h), "add", 1, 2), "the next module")
		})
	}
}

// TestInterrupt_Sleep: a sleep ends with its context, and the module goes on.
func TestInterrupt_Sleep(t *testing.T) {
	box := newBox(t, open(t, `cancel_grace = "1m"`))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := box.Call(ctx, "sleep", 1<<40)
	require.NoError(t, err)
	assert.Equal(t, int64(3), callInt(t, box, "add", 1, 2))
}

// TestInterrupt_Shutdown: closing a host does not wait for a loop without end.
func TestInterrupt_Shutdown(t *testing.T) {
	log := hosttest.NewLog()
	h := open(t, "", log.Option())
	box := newBox(t, h)
	done := make(chan error, 1)
	go func() {
		_, err := box.Call(context.Background(), "spin")
		done <- err
	}()
	hosttest.Eventually(func() bool { return slices.Contains(log.Messages(), "it spins") })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.NoError(t, h.Shutdown(ctx))
	require.ErrorIs(t, <-done, loader.ErrPluginCrashed)
}

// TestCollector: the garbage collector of the host runs while a module loops.
func TestCollector(t *testing.T) {
	box := newBox(t, open(t, ""))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := box.Call(ctx, "spin")
		done <- err
	}()
	var took []time.Duration
	for range 21 {
		began := time.Now()
		runtime.GC()
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	assert.Less(t, took[len(took)/2], 100*time.Millisecond) // the machine may be busy with others
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}

func TestRestart(t *testing.T) {
	h := open(t, `restart = { max = 2, within = "1h", backoff = "0s" }`)
	for range 3 {
		_, err := newBox(t, h).Call(t.Context(), "trap")
		require.ErrorIs(t, err, loader.ErrPluginCrashed)
		assert.ErrorContains(t, err, "its module was ended")
	}
	_, err := h.New(t.Context(), "Module")
	require.ErrorIs(t, err, loader.ErrPluginBroken)
	require.NoError(t, h.Reset("Module"))
	newBox(t, h)
}

// TestLies: numbers that a module gives are checked.
func TestLies(t *testing.T) {
	box := newBox(t, open(t, ""))
	tests := map[string]struct {
		method string
		what   int
		want   string
	}{
		"a result longer than the buffer":  {"lie", 0, "returned a length of 4294967295 for a"},
		"a buffer of 4 GiB":                {"lie", 1, "the plugin asks for 4294967295 bytes"},
		"a buffer that is there":           {"lie", 2, "asked for 1"},
		"a blob past the end":              {"lieBlob", 3, "are not in its memory"},
		"a blob with an address of 64 bit": {"lieBlob", 4, "are not in its memory"},
		"a blob that is too long":          {"lieBlob", 5, "result too large"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := box.Call(t.Context(), tt.method, tt.what)
			require.Error(t, err)
			assert.Contains(t, err.Error(), tt.want)
		})
	}
	_, err := box.Call(t.Context(), "lie", 6) // a log message
	require.NoError(t, err)
	assert.Equal(t, int64(3), callInt(t, box, "add", 1, 2))
}

func TestMemoryLimit(t *testing.T) {
	box := newBox(t, open(t, `limits = { memory = "4MiB" }`))
	assert.Equal(t, int64(0), callInt(t, box, "grow", 8<<20), "malloc answers NULL")
	assert.Equal(t, int64(1), callInt(t, box, "grow", 1<<20))
	_, err := box.Call(t.Context(), "length", make([]byte, 16<<20))
	require.ErrorIs(t, err, abi.ErrOutOfMemory)
	assert.Equal(t, int64(3), callInt(t, box, "add", 1, 2))
}

// TestMemoryGrows: a module that grows takes no other memory of the host's than what it grows by.
func TestMemoryGrows(t *testing.T) {
	if runtime.GOOS == "windows" { // where the engine copies
		return
	}
	box := newBox(t, open(t, `limits = { memory = "256MiB" }`))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		require.Equal(t, int64(1), callInt(t, box, "grow", 1<<20))
	}
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20), "bytes that the host has allocated")
}

func TestErrorsOfCalls(t *testing.T) {
	log := hosttest.NewLog()
	h := open(t, "", log.Option())
	box := newBox(t, h)
	_, err := box.Call(t.Context(), "trap")
	var crash *loader.CrashError
	require.True(t, errors.As(err, &crash))
	assert.True(t, crash.Module)
	const text = "plugin crashed: its module was ended: wasm error: unreachable in trap"
	assert.Equal(t, "Module.trap: "+text, err.Error())
	require.NoError(t, h.Close())
	in := "module"
	if hosttest.Isolated() {
		in = "process"
	}
	assert.Subset(t, log.Messages(), []string{
		"wasm error: unreachable: its stack, the innermost function first: .trap(), .nyash_plugin_invoke(i32,i32,i32,i32,i32,i32,i32) i32",
		"the plugin's " + in + " has ended or could not be started: " + text,
	})
}

func TestLogAndWake(t *testing.T) {
	log := hosttest.NewLog()
	woken := make(chan uint64, 1)
	h := open(t, "", log.Option(), loader.WithWake(func(plugin string, handle uint64) {
		assert.Equal(t, "Module", plugin)
		woken <- handle
	}))
	box := newBox(t, h)
	hosttest.Call(t, box, "wake")
	assert.Equal(t, uint64(0xfedcba9876543210), <-woken)
	hosttest.Call(t, box, "print")
	assert.Subset(t, log.Messages(), []string{"a line on stdout", `\x1b[31ma line on stderr`})
	require.NoError(t, h.Close())
	assert.Contains(t, log.Messages(), "and one without an end")
}

// TestLogRate: what a module logs and prints is bounded, and what was left out is counted.
func TestLogRate(t *testing.T) {
	log := hosttest.NewLog()
	h := open(t, "", log.Option(), loader.WithLogRate(1, 0))
	box := newBox(t, h)
	for range 20 {
		hosttest.Call(t, box, "print")
	}
	require.NoError(t, h.Close())
	messages := log.Messages()
	printed := slices.DeleteFunc(slices.Clone(messages), func(m string) bool { return strings.Contains(m, "left out") })
	assert.Less(t, len(printed), 25, "ten at once, and what came while they did")
	left := 0
	for _, m := range messages {
		n := 0
		if _, err := fmt.Sscanf(m, "%d line", &n); err == nil {
			assert.Contains(t, m, "more than 1 lines a second; loader.WithLogRate")
			left += n
		}
	}
	assert.Equal(t, 41, left+len(printed), "2 lines each, and a last one without an end")
}

// TestInstances: with instances = 2 there are two modules, each box lives in one of them, and one
// that traps takes its own boxes alone.
func TestInstances(t *testing.T) {
	h := open(t, "instances = 2")
	a, b, c := newBox(t, h), newBox(t, h), newBox(t, h)
	assert.Equal(t, int64(1), callInt(t, a, "count"))
	assert.Equal(t, int64(1), callInt(t, b, "count"), "another module")
	assert.Equal(t, int64(2), callInt(t, c, "count"), "the first one")
	hosttest.Call(t, a, "take", c)
	_, err := a.Call(t.Context(), "take", b)
	require.ErrorIs(t, err, abi.ErrInvalidHandle)
	assert.ErrorContains(t, err, "lives in another module")
	_, err = b.Call(t.Context(), "trap")
	require.ErrorIs(t, err, loader.ErrPluginCrashed)
	assert.Equal(t, int64(3), callInt(t, a, "count"))
}

// TestInstances_AtOnce: calls of boxes in two modules run at the same time.
func TestInstances_AtOnce(t *testing.T) {
	log := hosttest.NewLog()
	h := open(t, "instances = 2", log.Option())
	a, b := newBox(t, h), newBox(t, h)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := a.Call(ctx, "spin")
		done <- err
	}()
	hosttest.Eventually(func() bool { return slices.Contains(log.Messages(), "it spins") })
	assert.Equal(t, int64(3), callInt(t, b, "add", 1, 2))
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
}
