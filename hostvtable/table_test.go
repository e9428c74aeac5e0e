//go:build unix

package hostvtable_test

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/ebitengine/purego"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

type line struct {
	level abi.LogLevel
	text  string
	own   bool
}

type recorder struct {
	mu    sync.Mutex
	lines []line
	wakes []uint64
}

func (r *recorder) PluginLog(level abi.LogLevel, text string, own bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, line{level, text, own})
}

func (r *recorder) PluginWake(handle uint64, own bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wakes = append(r.wakes, handle)
}

// driver is the C side of these tests.
type driver struct {
	runThreads func(table uintptr, rounds int32) int32
	say        func(table uintptr, level int32, msg string)
	sayNull    func(table uintptr, level int32, msg uintptr)
	sayNotUTF8 func(table uintptr)
	wake       func(table uintptr, handle uint64)
	alloc      func(table uintptr, size uintptr) uintptr
	free       func(table uintptr, p uintptr)
}

func newDriver(t *testing.T) *driver {
	lib, err := purego.Dlopen(ccbuild.Library(t, "testdata/threads.c"), purego.RTLD_NOW|purego.RTLD_LOCAL)
	require.NoError(t, err)
	d := &driver{}
	purego.RegisterLibFunc(&d.runThreads, lib, "run_threads")
	purego.RegisterLibFunc(&d.say, lib, "say")
	purego.RegisterLibFunc(&d.sayNull, lib, "say")
	purego.RegisterLibFunc(&d.sayNotUTF8, lib, "say_not_utf8")
	purego.RegisterLibFunc(&d.wake, lib, "wake_with")
	purego.RegisterLibFunc(&d.alloc, lib, "call_alloc")
	purego.RegisterLibFunc(&d.free, lib, "call_free")
	return d
}

// newTable makes a table that no other run of a test has: they are permanent.
func newTable(t testing.TB, track bool) *hostvtable.Table {
	table, err := hostvtable.For(fmt.Sprint(t.Name(), " ", tablesMade.Add(1)), track)
	require.NoError(t, err)
	return table
}

var tablesMade atomic.Int64

func TestTableServesThreadsOfThePlugin(t *testing.T) {
	for _, track := range []bool{false, true} {
		t.Run(fmt.Sprintf("track=%v", track), func(t *testing.T) {
			defer debug.SetGCPercent(debug.SetGCPercent(1))
			d := newDriver(t)
			table := newTable(t, track)
			var got recorder
			defer table.Attach(&got)()

			stop := make(chan struct{})
			var busy sync.WaitGroup
			busy.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						_ = make([]byte, 1<<16)
						runtime.Gosched()
					}
				}
			})
			const rounds = 50
			require.Zero(t, d.runThreads(table.Addr(), rounds))
			close(stop)
			busy.Wait()

			want := map[string]bool{}
			wantWakes := map[uint64]bool{}
			for thread := range 8 {
				for i := range rounds {
					want[fmt.Sprintf("thread %d round %d", thread, i)] = true
					wantWakes[uint64(thread)<<32|uint64(i)] = true
				}
			}
			require.Len(t, got.lines, len(want))
			for _, l := range got.lines {
				assert.Equal(t, abi.LogWarn, l.level)
				assert.True(t, want[l.text], l.text)
				delete(want, l.text)
			}
			require.Len(t, got.wakes, len(wantWakes))
			for _, w := range got.wakes {
				assert.True(t, wantWakes[w])
			}
			if m, ok := table.Memory(); track {
				require.True(t, ok)
				assert.Equal(t, hostvtable.Memory{Allocs: 8 * rounds}, m)
			}
		})
	}
}

func TestLogMessages(t *testing.T) {
	d := newDriver(t)
	table := newTable(t, false)
	tests := map[string]struct {
		say  func()
		want line
	}{
		"text":       {func() { d.say(table.Addr(), 3, "hello") }, line{abi.LogError, "hello", true}},
		"empty":      {func() { d.say(table.Addr(), 0, "") }, line{abi.LogDebug, "", true}},
		"other":      {func() { d.say(table.Addr(), -7, "x") }, line{-7, "x", true}},
		"not UTF-8":  {func() { d.sayNotUTF8(table.Addr()) }, line{abi.LogInfo, "caf\uFFFD", true}},
		"NULL":       {func() { d.sayNull(table.Addr(), 1, 0) }, line{abi.LogInfo, "(the plugin logged a NULL message)", true}},
		"unreadable": {func() { d.sayNull(table.Addr(), 1, 1<<45) }, line{abi.LogInfo, "(the plugin logged a message that is unreadable: address 0x200000000000 cannot be read)", true}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got recorder
			defer table.Attach(&got)()
			tt.say()
			assert.Equal(t, []line{tt.want}, got.lines)
		})
	}
}

func TestWakeCarriesAllBits(t *testing.T) {
	d := newDriver(t)
	table := newTable(t, false)
	var got recorder
	defer table.Attach(&got)()
	d.wake(table.Addr(), 1<<64-1)
	d.wake(table.Addr(), 0)
	assert.Equal(t, []uint64{1<<64 - 1, 0}, got.wakes)
}

type panicky struct{ recorder }

func (*panicky) PluginWake(uint64, bool) { panic("host function failed") }

func TestPanicStaysOutOfThePlugin(t *testing.T) {
	d := newDriver(t)
	table := newTable(t, false)
	var got panicky
	defer table.Attach(&got)()
	d.wake(table.Addr(), 1)
	d.say(table.Addr(), 1, "still here")
	assert.Equal(t, []line{{abi.LogInfo, "still here", true}}, got.lines)
}

func TestLateMessagesKeepTheirLibrary(t *testing.T) {
	d := newDriver(t)
	first, err := hostvtable.For(t.Name()+"/first", false)
	require.NoError(t, err)
	second, err := hostvtable.For(t.Name()+"/second", false)
	require.NoError(t, err)
	var a, b recorder
	first.Attach(&a)()
	defer second.Attach(&b)()

	d.say(first.Addr(), 1, "late")
	assert.Equal(t, []line{{abi.LogInfo, "late", true}}, a.lines)
	assert.Empty(t, b.lines)
}

func TestTwoHostsOfOneLibraryBothHear(t *testing.T) {
	d := newDriver(t)
	table := newTable(t, false)
	var a, b recorder
	detachA := table.Attach(&a)
	detachB := table.Attach(&b)
	d.say(table.Addr(), 1, "both")
	detachA()
	d.say(table.Addr(), 1, "b alone")
	detachB()
	assert.Len(t, a.lines, 1)
	assert.Len(t, b.lines, 2)
}

func TestTracking(t *testing.T) {
	d := newDriver(t)
	table := newTable(t, true)
	var got recorder
	defer table.Attach(&got)()
	memory := func() hostvtable.Memory {
		m, ok := table.Memory()
		require.True(t, ok)
		return m
	}

	p := d.alloc(table.Addr(), 100)
	require.NotZero(t, p)
	assert.Equal(t, hostvtable.Memory{Blocks: 1, Bytes: 100, Allocs: 1}, memory())
	d.free(table.Addr(), p)
	assert.Equal(t, hostvtable.Memory{Allocs: 1}, memory())
	assert.Empty(t, got.lines)

	d.free(table.Addr(), p)
	d.free(table.Addr(), table.Addr())
	d.free(table.Addr(), 0)
	assert.Equal(t, hostvtable.Memory{Allocs: 1, DoubleFrees: 1, ForeignFrees: 1}, memory())
	require.Len(t, got.lines, 2)
	assert.Contains(t, got.lines[0].text, "double free")
	assert.Contains(t, got.lines[1].text, "foreign free")
}

func TestOneFileHasOneTable(t *testing.T) {
	a, err := hostvtable.For(t.Name(), false)
	require.NoError(t, err)
	for range 100_000 {
		b, err := hostvtable.For(t.Name(), false)
		require.NoError(t, err)
		require.Same(t, a, b)
	}
}
