//go:build (amd64 || arm64) && (darwin || freebsd || linux)

package leaf_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

var ctx = context.Background()

func openText(text string) (*loader.Host, error) {
	config, err := registry.Parse("nyash.toml", []byte(text))
	if err != nil {
		return nil, err
	}
	return loader.OpenConfig(config)
}

func TestLeaf_Calls(t *testing.T) {
	box := open(t, "")
	assert.True(t, onLeafStack(t, box))
	assert.EqualValues(t, 5, hosttest.CallInt(t, box, "add", 2, 3))
	for _, size := range []int{0, 1, 900, 65_535} { // the largest asks for more room first
		data := bytes.Repeat([]byte{7}, size)
		got, err := hosttest.Call(t, box, "echo", data).Bytes()
		require.NoError(t, err)
		assert.Equal(t, data, got)
	}
	_, err := box.Call(ctx, "answer", -8, 0)
	assert.ErrorIs(t, err, abi.ErrInvalidHandle)
	assert.EqualValues(t, 1, hosttest.CallInt(t, box, "alloc", 0, 0))
	assert.EqualValues(t, 120, hosttest.CallInt(t, box, "stack", 120, 0)) // kilobytes
}

// TestLeaf_Elsewhere: where calls are made as others are, although the method is a leaf.
func TestLeaf_Elsewhere(t *testing.T) {
	tests := map[string]struct {
		keys string
		opt  loader.Option
	}{
		"without":         {"", loader.WithoutLeaf()},
		"memory tracking": {"", loader.WithMemoryTracking()},
		"isolated":        {`isolation = "process"`, loader.WithoutLeaf()},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			box := open(t, tt.keys, tt.opt)
			if tt.keys == "" {
				assert.False(t, onLeafStack(t, box))
			}
			assert.EqualValues(t, 5, hosttest.CallInt(t, box, "add", 2, 3))
			assert.EqualValues(t, 1, hosttest.CallInt(t, box, "alloc", 0, 0))
		})
	}
	box := open(t, `isolation = "process"`)
	assert.EqualValues(t, 5, hosttest.CallInt(t, box, "add", 2, 3))
}

func TestLeaf_Table(t *testing.T) {
	box := hosttest.New(t, hosttest.Open(t, declare("Table", library(t), "")), "Table")
	assert.EqualValues(t, 5, hosttest.CallInt(t, box, "add", 2, 3))
	assert.True(t, onLeafStack(t, box))
}

// TestLeaf_Serial: a library that takes one call at a time does with leaf methods, too.
func TestLeaf_Serial(t *testing.T) {
	box := open(t, `threads = "serial"`)
	assert.True(t, onLeafStack(t, box))
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for range 500 {
				hosttest.CallInt(t, box, "overlap", 0, 0)
			}
		})
	}
	callers.Wait()
	assert.Zero(t, hosttest.CallInt(t, box, "overlap", 0, 0))
}

func TestLeaf_Log(t *testing.T) {
	log := hosttest.NewLog()
	var wakes []uint64
	box := open(t, "", log.Option(), loader.WithWake(func(plugin string, handle uint64) {
		assert.Equal(t, "Leaf", plugin)
		wakes = append(wakes, handle)
	}))
	hosttest.CallInt(t, box, "say", 6, 0)
	assert.Equal(t, []string{"number 00", "number 01", "number 02", "number 03", "number 04", "number 05"}, log.Messages())
	assert.Equal(t, slog.LevelDebug, log.Records()[0].Level)
	assert.Equal(t, slog.LevelError, log.Records()[3].Level)

	for _, tt := range []struct {
		length int
		want   string
	}{{0, ""}, {1023, strings.Repeat("x", 1023)}, {1024, strings.Repeat("x", 1024)}, {1025, strings.Repeat("x", 1024) + " …"}, {100_000, strings.Repeat("x", 1024) + " …"}} {
		log.Reset()
		hosttest.CallInt(t, box, "sayLong", tt.length, 0)
		assert.Equal(t, []string{tt.want}, log.Messages(), tt.length)
	}

	log.Reset()
	hosttest.CallInt(t, box, "sayNothing", 0, 0)
	hosttest.CallInt(t, box, "sayWild", 0, 0)
	const unreadable = "(the plugin logged a message that is NULL or unreadable)"
	assert.Equal(t, []string{unreadable, "", unreadable, unreadable, "\uFFFD\\x1b[31m"}, log.Messages())

	hosttest.CallInt(t, box, "wake", 1<<62, 0)
	assert.Equal(t, []uint64{1 << 62}, wakes)

	// 16 bytes of each note, and the text of a line up to a multiple of 8.
	log.Reset()
	wakes = nil
	hosttest.CallInt(t, box, "many", 1000, 0)
	lines := log.Messages()
	assert.Regexp(t, `^1887 lines or wakes of the leaf method Leaf\.many of .*libleaf\.so are lost: 4056 bytes of them are kept until it returns`, lines[len(lines)-1])
	assert.Len(t, lines, 56+1)
	assert.Len(t, wakes, 57)

	// The next call begins with an empty page.
	log.Reset()
	hosttest.CallInt(t, box, "say", 1, 0)
	assert.Equal(t, []string{"number 00"}, log.Messages())
}

// TestLeaf_LogOfError: an error has the lines of its own call.
func TestLeaf_LogOfError(t *testing.T) {
	box := open(t, "")
	hosttest.CallInt(t, box, "say", 2, 0)
	_, err := box.Call(ctx, "answer", -5, 0)
	var failed *loader.CallError
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, []string{"number 00", "number 01"}, failed.Log)
}

// TestLeaf_CallsBack: a leaf method that calls its host is answered an error, and the log says so
// once.
func TestLeaf_CallsBack(t *testing.T) {
	log := hosttest.NewLog()
	h := hosttest.Open(t, declare("Leaf", library(t, "-DCONNECT"), "uses = [\"Leaf.add\"]"), log.Option())
	box := hosttest.New(t, h, "Leaf")
	for range 3 {
		assert.EqualValues(t, -5*1000+56, hosttest.CallInt(t, box, "resolve", 0, 0))
		_, err := box.Call(ctx, "ask", 0, 0)
		var failed *loader.CallError
		require.ErrorAs(t, err, &failed)
		assert.Equal(t, abi.ErrPlugin, failed.Code)
		assert.Equal(t, "a leaf method cannot call its host", failed.Message)
	}
	var methods []string
	for _, r := range log.Records() {
		assert.Contains(t, r.Message, "a leaf method calls its host, and was answered -5")
		methods = append(methods, strings.Fields(r.Attrs["method"].String())[0])
	}
	assert.Equal(t, []string{"Leaf.resolve", "Leaf.ask"}, methods)
}

// TestLeaf_Slow: the log says once of a method that takes too long, and nothing of others.
func TestLeaf_Slow(t *testing.T) {
	log := hosttest.NewLog()
	box := open(t, "", log.Option())
	for range 5000 {
		hosttest.CallInt(t, box, "add", 1, 2)
	}
	assert.Empty(t, log.Messages())
	for range 200 {
		hosttest.CallInt(t, box, "spin", 40_000, 0)
	}
	records := log.Records()
	require.Len(t, records, 1)
	assert.Contains(t, records[0].Message, "a leaf method takes too long")
	assert.True(t, strings.HasPrefix(records[0].Attrs["method"].String(), "Leaf.spin of "), records[0].Attrs["method"])
}

// TestLeaf_SlowLater: a method that was quick at first is found by the calls that are measured
// now and then.
func TestLeaf_SlowLater(t *testing.T) {
	log := hosttest.NewLog()
	spin, err := open(t, "", log.Option()).Method("spin")
	require.NoError(t, err)
	for range 64 {
		require.NoError(t, void(spin.Call(ctx, 0, 0)))
	}
	assert.Empty(t, log.Messages())
	for n := 0; len(log.Messages()) == 0; n++ {
		require.NoError(t, void(spin.Call(ctx, 25_000, 0)))
		require.Less(t, n, 3*64*1024)
	}
}

func void(_ loader.Result, err error) error { return err }

// TestLeaf_StacksReturn: the stacks of hosts that are gone serve others, of which a process has
// 1,024.
func TestLeaf_StacksReturn(t *testing.T) {
	lib := library(t)
	for n := 0; n < 3; n++ {
		for range 500 {
			h := hosttest.OpenUnclosed(t, declare("Leaf", lib, ""))
			require.EqualValues(t, 5, hosttest.CallInt(t, hosttest.New(t, h, "Leaf"), "add", 2, 3))
			require.NoError(t, h.Close())
		}
		awaitFreeStack(t, lib)
	}
}

// awaitFreeStack returns when the stacks of slots that are garbage are free: a collection finds
// these, and a cleanup follows it.
func awaitFreeStack(t *testing.T, lib string) {
	t.Helper()
	hosttest.Eventually(func() bool {
		runtime.GC()
		h := hosttest.OpenUnclosed(t, declare("Leaf", lib, ""))
		defer h.Close()
		return onLeafStack(t, hosttest.New(t, h, "Leaf"))
	})
}

// TestLeaf_MoreHostsThanStacks: calls for which there is no stack are made as others are.
func TestLeaf_MoreHostsThanStacks(t *testing.T) {
	lib := library(t)
	var hosts []*loader.Host
	var boxes []*loader.Box
	off := 0
	for range 1200 {
		h := hosttest.OpenUnclosed(t, declare("Leaf", lib, ""))
		box := hosttest.New(t, h, "Leaf")
		hosts, boxes = append(hosts, h), append(boxes, box)
		if !onLeafStack(t, box) {
			off++
		}
		require.EqualValues(t, 5, hosttest.CallInt(t, box, "add", 2, 3))
	}
	assert.GreaterOrEqual(t, off, 1200-1024)
	for _, h := range hosts {
		require.NoError(t, h.Close())
	}
	runtime.KeepAlive(boxes)
	awaitFreeStack(t, lib)
}

// TestLeaf_Crashes: a crash in a leaf method says which it was, and ends the process by its
// signal.
func TestLeaf_Crashes(t *testing.T) {
	tests := []struct {
		method string
		n      int64
		signal syscall.Signal
		want   string
	}{
		{"writeNull", 0, syscall.SIGSEGV, "SIGSEGV at the address 0x10, pc 0x"},
		{"overflow", 0, syscall.SIGSEGV, "; its stack, which has 256 KiB, has overflowed"},
		{"largeFrame", 300 << 10, syscall.SIGSEGV, "SIGSEGV at the address 0x"},
		{"abort", 0, syscall.SIGABRT, "SIGABRT, pc 0x"},
		{"divide", 0, divideSignal, divideName},
		{"illegal", 0, illegalSignal, illegalName},
		{"trap", 0, syscall.SIGTRAP, "SIGTRAP"},
		{"raise", 0, syscall.SIGSEGV, "SIGSEGV, pc 0x"},
		{"frame", 1 << 20, syscall.SIGSEGV, "SIGSEGV at the address 0x"},
		{"jump", 0, syscall.SIGSEGV, "SIGSEGV at the address 0x20, pc 0x20"},
		{"wildResult", 0, syscall.SIGSEGV, "SIGSEGV at the address 0x"},
	}
	lib := library(t)
	for _, tt := range tests {
		t.Run(tt.method, func(t *testing.T) {
			t.Parallel()
			cmd := child(lib, tt.method, tt.n)
			out, err := cmd.CombinedOutput()
			require.Error(t, err, "%s", out)
			require.NotNil(t, cmd.ProcessState, "%v", err)
			status := cmd.ProcessState.Sys().(syscall.WaitStatus)
			assert.True(t, status.Signaled() && status.Signal() == tt.signal, "%v: %s", err, out)
			assert.Contains(t, string(out), fmt.Sprintf("nyash: the leaf method Leaf.%s of %s crashed: ", tt.method, lib))
			assert.Contains(t, string(out), tt.want)
			assert.Regexp(t, `, pc 0x[0-9a-f]+, the library at 0x[0-9a-f]+000[;.]`, string(out))
			assert.NotContains(t, string(out), "goroutine ")
		})
	}
}

// TestLeaf_NilPointerInGo: the program's own faults are the runtime's, as ever.
func TestLeaf_NilPointerInGo(t *testing.T) {
	box := open(t, "")
	assert.True(t, onLeafStack(t, box))
	assert.PanicsWithError(t, "runtime error: invalid memory address or nil pointer dereference", func() {
		var p *[4096]int
		p[len(t.Name())]++
	})
}

// TestLeaf_PanicsInLogger: what the method has said behind a line whose logger panics is delivered.
func TestLeaf_PanicsInLogger(t *testing.T) {
	wakes := 0
	box := open(t, "", loader.WithLogger(slog.New(panicking{slog.DiscardHandler})), loader.WithWake(func(string, uint64) { wakes++ }))
	hosttest.CallInt(t, box, "many", 5, 0)
	assert.Equal(t, 5, wakes)
}

type panicking struct{ slog.Handler }

func (p panicking) Enabled(context.Context, slog.Level) bool { return true }
func (p panicking) WithAttrs([]slog.Attr) slog.Handler       { return p }
func (p panicking) Handle(context.Context, slog.Record) error {
	panic("by intention")
}

// TestLeaf_OthersTime: neither the program's logger nor the wait for a turn is the method's.
func TestLeaf_OthersTime(t *testing.T) {
	log := hosttest.NewLog()
	box := open(t, "", loader.WithLogger(slog.New(slowly{log})))
	for range 100 {
		hosttest.CallInt(t, box, "say", 1, 0)
	}
	serial := open(t, `threads = "serial"`, loader.WithLogger(slog.New(log)))
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for range 100 {
				hosttest.CallInt(t, serial, "add", 1, 2)
				assert.NoError(t, void(serial.Call(ctx, "spin", 100_000, 0)))
			}
		})
	}
	callers.Wait()
	for _, r := range log.Records() {
		if method, ok := r.Attrs["method"]; ok {
			assert.Contains(t, method.String(), "Leaf.spin of ", r.Message)
		}
	}
}

// slowly takes 100 µs for each line.
type slowly struct{ *hosttest.Log }

func (s slowly) WithAttrs(attrs []slog.Attr) slog.Handler {
	return slowly{s.Log.WithAttrs(attrs).(*hosttest.Log)}
}

func (s slowly) Handle(ctx context.Context, r slog.Record) error {
	for begin := time.Now(); time.Since(begin) < 100*time.Microsecond; {
	}
	return s.Log.Handle(ctx, r)
}

// TestLeaf_OwnAbort: a signal that the program sends itself, and wants, is not a plugin's.
func TestLeaf_OwnAbort(t *testing.T) {
	box := open(t, "")
	require.True(t, onLeafStack(t, box))
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGABRT)
	defer signal.Stop(heard)
	var over atomic.Bool
	var callers sync.WaitGroup
	for range 2 * runtime.GOMAXPROCS(0) { // so that every thread is in the method as a rule
		callers.Go(func() {
			for !over.Load() {
				assert.NoError(t, void(box.Call(ctx, "spin", 200_000, 0)))
			}
		})
	}
	for range 20 {
		require.NoError(t, syscall.Kill(syscall.Getpid(), syscall.SIGABRT))
		<-heard
	}
	over.Store(true)
	callers.Wait()
}

// TestLeaf_HandlerRestored: a plugin that puts back the signal handler that it has found does not
// take away the one of leaf methods for good.
func TestLeaf_HandlerRestored(t *testing.T) {
	other := ccbuild.Library(t, "testdata/leaf.c", "-DRESTORE_HANDLER", "-Wno-infinite-recursion", "-O1")
	cmd := ccbuild.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+library(t)+" restored 0", otherVariable+"="+other)
	out, err := cmd.CombinedOutput()
	require.Error(t, err, "%s", out)
	assert.Contains(t, string(out), "(the plugin logged a message that is NULL or unreadable)")
	assert.Contains(t, string(out), "nyash: the leaf method Leaf.writeNull of ")
}

// TestLeaf_MemoryReturns: what calls have used of stacks goes back to the system with them.
func TestLeaf_MemoryReturns(t *testing.T) {
	lib := library(t)
	awaitFreeStack(t, lib)
	before := resident(t)
	for range 200 {
		h := hosttest.OpenUnclosed(t, declare("Leaf", lib, ""))
		hosttest.CallInt(t, hosttest.New(t, h, "Leaf"), "stack", 150, 0)
		require.NoError(t, h.Close())
	}
	hosttest.Eventually(func() bool {
		debug.FreeOSMemory()
		return resident(t) < before+16<<20 // of 200 times 150 KiB
	})
}

// TestLeaf_LastHostIsGarbage: a library that stays mapped does not keep the last host that used it.
func TestLeaf_LastHostIsGarbage(t *testing.T) {
	lib := library(t)
	gone := make(chan struct{})
	func() {
		h := hosttest.OpenUnclosed(t, declare("Leaf", lib, ""))
		runtime.AddCleanup(h, func(gone chan struct{}) { close(gone) }, gone)
		hosttest.CallInt(t, hosttest.New(t, h, "Leaf"), "add", 1, 2)
		require.NoError(t, h.Close())
	}()
	hosttest.Eventually(func() bool {
		runtime.GC()
		select {
		case <-gone:
			return true
		default:
			return false
		}
	})
}

// resident is the memory that this process has, in bytes.
func resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	require.NoError(t, err)
	var size, pages int
	_, err = fmt.Sscan(string(text), &size, &pages)
	require.NoError(t, err)
	return pages * os.Getpagesize()
}

// TestLeaf_CrashesAtOnce: of threads that crash at the same time, one says so.
func TestLeaf_CrashesAtOnce(t *testing.T) {
	lib := library(t)
	for range hosttest.Rounds(100) {
		cmd := child(lib, "together", 0)
		out, err := cmd.CombinedOutput()
		require.Error(t, err)
		assert.Regexp(t, `nyash: the leaf method Leaf\.writeNull of .*libleaf\.so crashed: SIGSEGV at the address 0x10, pc 0x[0-9a-f]+, the library at 0x[0-9a-f]+\.`, string(out))
	}
}

// TestLeaf_LongLabel: the end of the line is there, whatever the box's name is.
func TestLeaf_LongLabel(t *testing.T) {
	cmd := child(library(t), "longLabel", 0)
	out, err := cmd.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "nyash: the leaf method LLLL")
	assert.Contains(t, string(out), " crashed: SIGSEGV at the address 0x10, pc 0x")
}
