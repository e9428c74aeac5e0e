//go:build linux

package isolation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/loader/worker"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

var ctx = context.Background()

// hostCookie has the program be a host that is killed by a test.
const hostCookie = "NYASH_TEST_HOST"

func TestMain(m *testing.M) {
	worker.Main()
	if config := os.Getenv(hostCookie); config != "" {
		beHost(config)
		return
	}
	if config := os.Getenv(terminalCookie); config != "" {
		atTerminal(config)
		return
	}
	if config := os.Getenv(reaperCookie); config != "" {
		beReaped(config)
		return
	}
	os.Exit(m.Run())
}

const methods = `
add       = { method_id = 1, args = [ { name = "a", from = "integer", to = "i64" }, { name = "b", from = "integer", to = "i64" } ], returns = "i64" }
segv      = { method_id = 2, args = [] }
abort     = { method_id = 3, args = [] }
exit      = { method_id = 4, args = [] }
loop      = { method_id = 5, args = [] }
deadlock  = { method_id = 6, args = [] }
overflow  = { method_id = 7, args = [] }
hog       = { method_id = 8, args = [], returns = "i64" }
fork      = { method_id = 9, args = [], returns = "i64" }
open      = { method_id = 10, args = [], returns = "i64" }
scribble  = { method_id = 11, args = [], returns = "i64" }
hangup    = { method_id = 12, args = [] }
pid       = { method_id = 13, args = [], returns = "i64" }
print     = { method_id = 14, args = [], returns = "i64" }
env       = { method_id = 15, args = [], returns = "i64" }
cwd       = { method_id = 16, args = [], returns = "string" }
log       = { method_id = 17, args = [], returns = "i64" }
overrun   = { method_id = 18, args = [] }
spin      = { method_id = 19, args = [], returns = "i64" }
inherited = { method_id = 20, args = [], returns = "i64" }
orphan    = { method_id = 21, args = [] }
`

// never breaks: tests crash more often than a plugin may by default.
const never = `restart = { max = 100000, within = "1h", backoff = "0ms" }`

func toml(library, keys string) string {
	return fmt.Sprintf("[plugins.Faulty]\nlibrary = %q\nisolation = \"process\"\n%s\n[plugins.Faulty.methods]%s", library, keys, methods)
}

func faulty(t testing.TB, flags ...string) string {
	return ccbuild.Library(t, "testdata/faulty.c", append([]string{"-Wno-infinite-recursion", "-Wno-unknown-warning-option"}, flags...)...)
}

func newBox(t testing.TB, h *loader.Host) *loader.Box {
	t.Helper()
	return hosttest.New(t, h, "Faulty")
}

// unhurt sees to it that the next call is right.
func unhurt(t testing.TB, h *loader.Host) {
	t.Helper()
	box := newBox(t, h)
	r, err := box.Call(ctx, "add", 40, 2)
	assert.EqualValues(t, 42, hosttest.Int(t, r, err))
	require.NoError(t, box.Close())
}

func TestCrashes(t *testing.T) {
	library := faulty(t)
	tests := map[string]struct {
		method string
		signal syscall.Signal
		text   string
	}{
		"segmentation fault": {"segv", syscall.SIGSEGV, "Faulty.segv: plugin crashed: SIGSEGV (segmentation fault)"},
		"abort":              {"abort", syscall.SIGABRT, "Faulty.abort: plugin crashed: SIGABRT (aborted)"},
		"exit":               {"exit", 0, "Faulty.exit: plugin crashed: its process exited with status 0 in the middle of a call"},
		"stack overflow":     {"overflow", syscall.SIGSEGV, "Faulty.overflow: plugin crashed: SIGSEGV (segmentation fault)"},
		"overrun":            {"overrun", syscall.SIGSEGV, "Faulty.overrun: plugin crashed: SIGSEGV (segmentation fault)"},
		"socket closed":      {"hangup", syscall.SIGKILL, "Faulty.hangup: plugin crashed: its process was killed: it closed its control socket"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := hosttest.Open(t, toml(library, never))
			box, other := newBox(t, h), newBox(t, h)
			_, err := box.Call(ctx, tt.method)
			if hosttest.Piped() && tt.method == "overrun" {
				// Seen afterwards by what stands behind the result.
				tt.signal, tt.text = 0, "Faulty.overrun: plugin crashed: its process exited with status 1 in the middle of a call"
			}
			require.EqualError(t, err, tt.text)
			require.ErrorIs(t, err, loader.ErrPluginCrashed)
			var crash *transport.CrashError
			require.ErrorAs(t, err, &crash)
			assert.Equal(t, tt.signal, crash.Signal)
			if tt.method == "segv" {
				var call *loader.CallError
				require.ErrorAs(t, err, &call)
				assert.Equal(t, "about to crash", call.Log[len(call.Log)-1], "its last words")
			}
			for _, lost := range []*loader.Box{box, other} {
				_, err = lost.Call(ctx, "add", 1, 2)
				require.ErrorIs(t, err, loader.ErrInstanceLost)
				require.NoError(t, lost.Close())
			}
			unhurt(t, h)
		})
	}
}

func TestHangs(t *testing.T) {
	library := faulty(t)
	for _, method := range []string{"loop", "deadlock"} {
		t.Run(method+", call timeout", func(t *testing.T) {
			h := hosttest.Open(t, toml(library, never+"\ncall_timeout = \"100ms\""))
			_, err := newBox(t, h).Call(ctx, method)
			require.ErrorIs(t, err, loader.ErrCallTimeout)
			assert.Contains(t, err.Error(), "after 100ms")
			unhurt(t, h)
		})
		t.Run(method+", context", func(t *testing.T) {
			h := hosttest.Open(t, toml(library, never+"\ncancel_grace = \"100ms\""))
			box := newBox(t, h)
			short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
			defer cancel()
			_, err := box.Call(short, method)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			unhurt(t, h)
		})
	}
}

func TestCrash_OtherCalls(t *testing.T) {
	h := hosttest.Open(t, toml(faulty(t), never+"\ncancel_grace = \"0s\""))
	box := newBox(t, h)
	canceled, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		_, err := box.Call(ctx, "deadlock")
		assert.ErrorIs(t, err, loader.ErrPluginCrashed)
		assert.ErrorContains(t, err, "a call did not end after its context had ended: cancel_grace is 0s", "and why")
	})
	wg.Go(func() {
		_, err := box.Call(canceled, "loop")
		assert.ErrorIs(t, err, context.Canceled)
	})
	hosttest.Eventually(func() bool { return h.Plugins()[0].Calls >= 3 })
	cancel()
	wg.Wait()
	hosttest.Eventually(func() bool { return h.Plugins()[0].PID == 0 })
	unhurt(t, h)
	assert.Zero(t, h.Plugins()[0].Restarts, "a caller who left is nobody's fault")
}

func pidOf(t testing.TB, box *loader.Box) int {
	t.Helper()
	return int(hosttest.CallInt(t, box, "pid"))
}

func TestCrash_KilledFromOutside(t *testing.T) {
	h := hosttest.Open(t, toml(faulty(t), never))
	box := newBox(t, h)
	require.NoError(t, syscall.Kill(pidOf(t, box), syscall.SIGKILL))
	hosttest.Eventually(func() bool { _, err := box.Call(ctx, "add", 1, 2); return errors.Is(err, loader.ErrInstanceLost) })
	unhurt(t, h)
	assert.Equal(t, 1, h.Plugins()[0].Restarts)
}

func TestWorker_StoppedAndContinued(t *testing.T) {
	h := hosttest.Open(t, toml(faulty(t), never))
	box := newBox(t, h)
	pid := pidOf(t, box)
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	hosttest.Eventually(func() bool { return strings.HasPrefix(stateOf(pid), "T") })
	done := make(chan error)
	go func() {
		_, err := box.Call(ctx, "add", 1, 2)
		done <- err
	}()
	select {
	case err := <-done:
		t.Fatal("a stopped process answered", err)
	case <-time.After(50 * time.Millisecond):
	}
	require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
	require.NoError(t, <-done)
}

// TestHostClose_StoppedWorker: a stopped worker cannot be shut down, and is not waited for.
func TestHostClose_StoppedWorker(t *testing.T) {
	h := hosttest.OpenUnclosed(t, toml(faulty(t), never))
	box := newBox(t, h)
	pid := pidOf(t, box)
	require.NoError(t, box.Close())
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	hosttest.Eventually(func() bool { return strings.HasPrefix(stateOf(pid), "T") })
	require.ErrorContains(t, h.Close(), "the plugin's process did not answer after 5s")
	assert.True(t, gone(pid))
}

func TestHostile_Scribbles(t *testing.T) {
	h := hosttest.Open(t, toml(faulty(t), never+"\ncall_timeout = \"300ms\""))
	for range 20 {
		box := newBox(t, h)
		_, _ = box.Call(ctx, "scribble") // any answer, or none
		_, _ = box.Call(ctx, "add", 1, 2)
		_ = box.Close()
		// Whatever it has done to itself, another process is right again.
		if pid := h.Plugins()[0].PID; pid != 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			hosttest.Eventually(func() bool { return h.Plugins()[0].PID != pid })
		}
		unhurt(t, h)
	}
}

func TestCrash_OutsideOfCalls(t *testing.T) {
	for _, at := range []string{"AT_LOAD", "AT_INIT"} {
		t.Run(at, func(t *testing.T) {
			h := hosttest.Open(t, toml(faulty(t, "-DCRASH_AT="+at), never))
			for range 3 {
				_, err := h.New(ctx, "Faulty")
				require.ErrorIs(t, err, loader.ErrPluginCrashed)
				assert.Contains(t, err.Error(), "SIGSEGV")
			}
		})
	}
	t.Run("birth", func(t *testing.T) {
		h := hosttest.Open(t, toml(faulty(t, "-DCRASH_AT=AT_BIRTH"), never))
		for range 3 {
			_, err := h.New(ctx, "Faulty")
			require.EqualError(t, err, "Faulty.birth: plugin crashed: SIGSEGV (segmentation fault)")
		}
	})
	t.Run("fini", func(t *testing.T) {
		h := hosttest.Open(t, toml(faulty(t, "-DCRASH_AT=AT_FINI"), never))
		box, other := newBox(t, h), newBox(t, h)
		require.NoError(t, box.Close())
		_, err := other.Call(ctx, "add", 1, 2)
		require.ErrorIs(t, err, loader.ErrInstanceLost)
		unhurt(t, h)
	})
	t.Run("shutdown", func(t *testing.T) {
		h := hosttest.OpenUnclosed(t, toml(faulty(t, "-DCRASH_AT=AT_SHUTDOWN"), never))
		require.NoError(t, newBox(t, h).Close())
		require.ErrorIs(t, h.Close(), loader.ErrPluginCrashed)
	})
}

// TestLoad_Exits: a plugin that exits while it is loaded is reported as such, and not as a bad worker.
func TestLoad_Exits(t *testing.T) {
	for _, at := range []string{"AT_LOAD", "AT_INIT"} {
		h := hosttest.Open(t, toml(faulty(t, "-DCRASH_AT="+at, "-DCRASH=exit(7)"), never))
		_, err := h.New(ctx, "Faulty")
		require.ErrorIs(t, err, loader.ErrPluginCrashed)
		assert.NotErrorIs(t, err, isolate.ErrWorker)
		assert.ErrorContains(t, err, "its process exited with status 7")
	}
}

// TestBlob_LentStaysSame: lent memory stays as it is, whatever else is called.
func TestBlob_LentStaysSame(t *testing.T) {
	p, err := isolate.Open(ctx, isolate.Config{File: faulty(t), Sink: silence{}, Restart: isolate.Restart{Max: 1}, Channel: channelOfTests(), InUse: func() bool { return true }})
	require.NoError(t, err)
	defer p.Close()
	s, err := p.Session(ctx)
	require.NoError(t, err)
	lent := bytes.Repeat([]byte("lent"), 1000)
	addr, err := s.Lend(ctx, lent)
	require.NoError(t, err)
	room := make([]byte, 64)
	for range 200 { // more than there are slots
		c := new(abi.Call)
		c.TypeID, c.Method, c.Instance = 720, 1, 1
		c.SetArgs(bytes.Repeat([]byte{1}, 28))
		c.SetResultBuffer(room)
		require.NoError(t, s.Invoke(ctx, c))
	}
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", s.PID()))
	require.NoError(t, err)
	defer memory.Close()
	have := make([]byte, len(lent))
	_, err = memory.ReadAt(have, int64(addr))
	require.NoError(t, err)
	assert.Equal(t, lent, have)
	s.TakeBack(addr, len(lent))
}

// TestBlob_AdoptFromDeadWorker: blobs of a dead worker, or larger than can be, are refused.
func TestBlob_AdoptFromDeadWorker(t *testing.T) {
	p, err := isolate.Open(ctx, isolate.Config{File: faulty(t), Sink: silence{}, Restart: isolate.Restart{Max: 1}, Channel: channelOfTests(), InUse: func() bool { return true }})
	require.NoError(t, err)
	defer p.Close()
	s, err := p.Session(ctx)
	require.NoError(t, err)
	for _, length := range []uint64{1 << 40, 1 << 60, 1<<64 - 1} {
		_, _, err = s.Adopt(ctx, 0x1000, length)
		require.Error(t, err)
	}
	require.NoError(t, syscall.Kill(s.PID(), syscall.SIGKILL))
	hosttest.Eventually(s.Lost)
	_, _, err = s.Adopt(ctx, 0x1000, 10)
	require.ErrorIs(t, err, transport.ErrLost)
}

// TestCrash_OrphanHoldsPipes: a child that left the worker's group has its ends
// of the pipes.
func TestCrash_OrphanHoldsPipes(t *testing.T) {
	h := hosttest.Open(t, toml(faulty(t), never+"\ncall_timeout = \"10s\""))
	box := newBox(t, h)
	start := time.Now()
	_, err := box.Call(ctx, "orphan")
	require.EqualError(t, err, "Faulty.orphan: plugin crashed: SIGSEGV (segmentation fault)")
	assert.Less(t, time.Since(start), 8*time.Second)
	unhurt(t, h)
}

// silence is a sink that hears nothing.
type silence struct{}

func (silence) PluginLog(abi.LogLevel, string, bool) {}
func (silence) PluginWake(uint64, bool)              {}

func channelOfTests() isolate.Channel {
	if hosttest.Piped() {
		return isolate.ChannelPipe
	}
	return isolate.ChannelAuto
}

func TestLimits(t *testing.T) {
	library := faulty(t)
	call := func(t *testing.T, limits, method string) (int64, error) {
		h := hosttest.Open(t, toml(library, never+"\nlimits = { "+limits+" }"))
		r, err := newBox(t, h).Call(ctx, method)
		unhurt(t, h)
		if err != nil {
			return 0, err
		}
		return hosttest.Int(t, r, err), nil
	}
	t.Run("memory", func(t *testing.T) {
		mib, err := call(t, `memory = "64MiB"`, "hog")
		require.NoError(t, err)
		assert.LessOrEqual(t, mib, int64(64))
		assert.Greater(t, mib, int64(16), "and most of it can be had")
	})
	t.Run("open files", func(t *testing.T) {
		n, err := call(t, `open_files = 64`, "open")
		require.NoError(t, err)
		assert.Less(t, n, int64(64))
		assert.Greater(t, n, int64(32))
	})
	t.Run("processes", func(t *testing.T) {
		n, err := call(t, `processes = 0`, "fork")
		require.NoError(t, err)
		assert.Zero(t, n)
	})
	t.Run("CPU time", func(t *testing.T) {
		_, err := call(t, `cpu_time = "1s"`, "loop")
		require.ErrorIs(t, err, loader.ErrPluginCrashed)
		require.ErrorIs(t, err, isolate.ErrLimit)
	})
}

func TestCrash_Children(t *testing.T) {
	h := hosttest.Open(t, toml(faulty(t), never))
	box := newBox(t, h)
	pid := pidOf(t, box)
	r, err := box.Call(ctx, "fork")
	assert.EqualValues(t, 1000, hosttest.Int(t, r, err))
	_, err = box.Call(ctx, "abort")
	require.ErrorIs(t, err, loader.ErrPluginCrashed)
	hosttest.Eventually(func() bool { return errors.Is(syscall.Kill(-pid, 0), syscall.ESRCH) })
	unhurt(t, h)
}

func TestConfine_Surroundings(t *testing.T) {
	t.Setenv("NYASH_TEST_SECRET", "x")
	t.Setenv("NYASH_TEST_PASSED", "x")
	dir := t.TempDir()
	leak, err := syscall.Open("/dev/null", syscall.O_RDONLY, 0) // without O_CLOEXEC
	require.NoError(t, err)
	defer syscall.Close(leak)
	h := hosttest.Open(t, toml(faulty(t), fmt.Sprintf("env = [\"NYASH_TEST_PASSED\", \"NYASH_TEST_MISSING\"]\nworking_directory = %q", dir)))
	box := newBox(t, h)
	r, err := box.Call(ctx, "env")
	assert.EqualValues(t, 1, hosttest.Int(t, r, err), "the one that was named")
	r, err = box.Call(ctx, "cwd")
	require.NoError(t, err)
	text, err := r.Text()
	require.NoError(t, err)
	assert.Equal(t, dir, text)
	r, err = box.Call(ctx, "inherited")
	assert.LessOrEqual(t, hosttest.Int(t, r, err), int64(7), "socket or pipes, and what the runtime polls with and asks for its processors")
}

func TestLogs(t *testing.T) {
	log := hosttest.NewLog()
	h := hosttest.Open(t, toml(faulty(t), ""), log.Option())
	box := newBox(t, h)
	assert.Equal(t, []string{"init"}, log.Messages())
	log.Reset()
	for range 5 { // more than the ring holds at once
		_, err := box.Call(ctx, "log")
		require.NoError(t, err)
	}
	lines := log.Messages()
	require.Len(t, lines, 5000, "all of them, when the call returns")
	for i, line := range lines {
		require.Equal(t, fmt.Sprintf("line %d of a great many that are to come in their order", i%1000), line)
	}
	_, err := box.Call(ctx, "print")
	require.NoError(t, err)
	hosttest.Eventually(func() bool { return len(log.Messages()) == 5001 })
	assert.Equal(t, "printed by the plugin", log.Messages()[5000])
}

func TestRestart_Breaker(t *testing.T) {
	var mu sync.Mutex
	var states []string
	h := hosttest.Open(t, toml(faulty(t), `restart = { max = 2, within = "1m", backoff = "20ms" }`), loader.WithEvents(func(e loader.Event) {
		mu.Lock()
		defer mu.Unlock()
		states = append(states, e.Plugin+" "+e.State.String())
	}))
	var crash time.Time
	for _, backoff := range []time.Duration{0, 20 * time.Millisecond, 40 * time.Millisecond} {
		box := newBox(t, h)
		assert.GreaterOrEqual(t, time.Since(crash), backoff, "since the crash before")
		crash = time.Now()
		_, err := box.Call(ctx, "abort")
		require.ErrorIs(t, err, loader.ErrPluginCrashed)
	}
	_, err := h.New(ctx, "Faulty")
	require.ErrorIs(t, err, loader.ErrPluginBroken)
	assert.EqualError(t, err, "box Faulty: plugin keeps crashing: 3 times within 1m0s, more than restart.max = 2 allows; "+
		"Host.Reset lets it start again, and so does time (last: plugin crashed: SIGABRT (aborted))")
	status := h.Plugins()[0]
	assert.Equal(t, loader.PluginFailed, status.State)
	assert.Equal(t, 2, status.Restarts)
	require.ErrorIs(t, status.Err, loader.ErrPluginCrashed)

	require.NoError(t, h.Reset("Faulty"))
	unhurt(t, h)
	status = h.Plugins()[0]
	assert.Equal(t, loader.PluginReady, status.State)
	assert.NotZero(t, status.PID)
	assert.NotZero(t, status.RSS)
	assert.Less(t, status.RSS, uint64(64<<20))
	seen := func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(states, ",")
	}
	want := strings.Repeat("Faulty loading,Faulty ready,Faulty failed,", 3) + "Faulty loading,Faulty ready"
	hosttest.Eventually(func() bool { return len(seen()) >= len(want) })
	assert.Equal(t, want, seen())
}

func TestCrash_Singleton(t *testing.T) {
	h := hosttest.Open(t, toml(faulty(t), never+"\nsingleton = true"))
	first := newBox(t, h)
	_, err := first.Call(ctx, "segv")
	require.ErrorIs(t, err, loader.ErrPluginCrashed)
	second := newBox(t, h)
	assert.NotSame(t, first, second)
	r, err := second.Call(ctx, "add", 1, 2)
	assert.EqualValues(t, 3, hosttest.Int(t, r, err))
	assert.Same(t, second, newBox(t, h))
}

func TestIdleTimeout(t *testing.T) {
	h := hosttest.Open(t, toml(faulty(t), `idle_timeout = "50ms"`))
	box := newBox(t, h)
	pid := pidOf(t, box)
	<-time.After(150 * time.Millisecond) // three times as long
	assert.Equal(t, pid, pidOf(t, box), "not while a box is alive")
	require.NoError(t, box.Close())
	hosttest.Eventually(func() bool { return h.Plugins()[0].State == loader.PluginUnloaded })
	assert.Zero(t, h.Plugins()[0].PID)
	unhurt(t, h)
	assert.Zero(t, h.Plugins()[0].Restarts, "which is no restart")
}

// TestIdleTimeout_UsedMeanwhile: a worker that comes to be used while it is looked at is not
// ended, and one that is being ended is given to nobody.
func TestIdleTimeout_UsedMeanwhile(t *testing.T) {
	open := func(inUse func() bool) (*isolate.Plugin, *isolate.Session) {
		p, err := isolate.Open(ctx, isolate.Config{File: faulty(t), Sink: silence{}, Restart: isolate.Restart{Max: 1}, Channel: channelOfTests(), IdleTimeout: 20 * time.Millisecond, InUse: inUse})
		require.NoError(t, err)
		t.Cleanup(func() { assert.NoError(t, p.Close()) })
		s, err := p.Session(ctx)
		require.NoError(t, err)
		return p, s
	}
	t.Run("used", func(t *testing.T) {
		var asked atomic.Int32
		var used atomic.Bool
		p, s := open(func() bool { // by somebody who comes when it was just said that nobody is there
			asked.Add(1)
			return used.Swap(true)
		})
		hosttest.Eventually(func() bool { return asked.Load() > 5 || s.Lost() })
		again, err := p.Session(ctx)
		require.NoError(t, err)
		assert.Same(t, s, again)
		assert.False(t, s.Lost())
	})
	t.Run("not used", func(t *testing.T) {
		var asked atomic.Int32
		var p *isolate.Plugin
		begun, next := make(chan struct{}), make(chan *isolate.Session, 1)
		p, s := open(func() bool {
			switch asked.Add(1) {
			case 2: // nobody is there, and somebody comes too late
				<-begun
				go func() {
					s, err := p.Session(ctx)
					assert.NoError(t, err)
					next <- s
				}()
				fallthrough
			case 1:
				return false
			}
			return true
		})
		close(begun)
		other := <-next
		assert.NotSame(t, s, other)
		assert.False(t, other.Lost())
		assert.True(t, s.Lost())
	})
}

// TestIdleTimeout_AtTheSamePace: boxes that are made when the worker is about to be ended
// find it, or another one.
func TestIdleTimeout_AtTheSamePace(t *testing.T) {
	const idle = time.Millisecond
	h := hosttest.Open(t, toml(faulty(t), `idle_timeout = "1ms"`))
	for range hosttest.Rounds(1000) {
		box := newBox(t, h)
		r, err := box.Call(ctx, "add", 1, 2)
		require.EqualValues(t, 3, hosttest.Int(t, r, err))
		require.NoError(t, box.Close())
		<-time.After(idle - 300*time.Microsecond + time.Duration(rand.IntN(600))*time.Microsecond)
	}
	assert.Zero(t, h.Plugins()[0].Restarts)
}

func TestWithWorker_Programs(t *testing.T) {
	library := faulty(t)
	tests := map[string]struct{ program, text string }{
		"missing":       {"/nonexistent/nyash-worker", "worker cannot be started: fork/exec /nonexistent/nyash-worker: no such file or directory"},
		"not a worker":  {"/bin/true", "worker cannot be started: it exited with status 0 before it had loaded anything; is it nyash-worker, and of this release?"},
		"other version": {script(t, "echo this worker speaks version 9, and its host version 1 >&2; exit 1"), "(this worker speaks version 9, and its host version 1)"},
		"silent":        {script(t, "exit 3"), "it exited with status 3"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := hosttest.Open(t, toml(library, ""), loader.WithWorker(tt.program))
			_, err := h.New(ctx, "Faulty")
			require.ErrorIs(t, err, isolate.ErrWorker)
			assert.ErrorContains(t, err, tt.text)
		})
	}
	t.Run("nyash-worker", func(t *testing.T) {
		program := filepath.Join(t.TempDir(), "nyash-worker")
		build := exec.Command("go", "build", "-o", program, "../../cmd/nyash-worker")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		out, err := build.CombinedOutput()
		require.NoError(t, err, "%s", out)
		h := hosttest.Open(t, toml(library, never), loader.WithWorker(program))
		unhurt(t, h)
		_, err = newBox(t, h).Call(ctx, "segv")
		require.ErrorIs(t, err, loader.ErrPluginCrashed)
		unhurt(t, h)
	})
}

func script(t *testing.T, text string) string {
	path := filepath.Join(t.TempDir(), "worker")
	require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700))
	return path
}

// perWorker is how many descriptors a host has for a worker: the output, the
// process itself twice, and a socket and the memory, or two pipes.
const perWorker = 5

func descriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}

func mappings(t *testing.T) int {
	maps, err := os.ReadFile("/proc/self/maps")
	require.NoError(t, err)
	return strings.Count(string(maps), "nyash-worker")
}

func TestCrash_Thousand(t *testing.T) {
	h := hosttest.Open(t, toml(faulty(t), never))
	crash := func() {
		box := newBox(t, h)
		_, err := box.Call(ctx, "segv")
		require.ErrorIs(t, err, loader.ErrPluginCrashed)
		require.NoError(t, box.Close())
	}
	for range 10 {
		crash()
	}
	files, goroutines := descriptors(t), runtime.NumGoroutine()
	for range hosttest.Rounds(1000) {
		crash()
	}
	unhurt(t, h)
	// The present worker's, and nobody else's.
	hosttest.Eventually(func() bool { return descriptors(t) <= files+perWorker && runtime.NumGoroutine() <= goroutines+4 })
	assert.LessOrEqual(t, mappings(t), 2)
	assert.Equal(t, 10+hosttest.Rounds(1000), h.Plugins()[0].Restarts)
}

func beHost(config string) {
	h, err := loader.Open(config, hosttest.Options()...)
	if err != nil {
		panic(err)
	}
	box, err := h.New(ctx, "Faulty")
	if err != nil {
		panic(err)
	}
	r, err := box.Call(ctx, "pid")
	if err != nil {
		panic(err)
	}
	fmt.Println(r)
	_, _ = box.Call(ctx, "loop")
}

func TestHost_Killed(t *testing.T) {
	config := hosttest.File(t, toml(faulty(t), ""))
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), hostCookie+"="+config)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	var pid int
	_, err = fmt.Fscan(out, &pid)
	require.NoError(t, err)
	require.NoError(t, syscall.Kill(pid, 0), "it runs, in an endless loop")
	require.NoError(t, cmd.Process.Kill())
	killed := time.Now()
	_ = cmd.Wait()
	hosttest.Eventually(func() bool { return gone(pid) })
	assert.Less(t, time.Since(killed), time.Second)
}

// gone reports whether a process has ended; nobody may have reaped it.
func gone(pid int) bool {
	state := stateOf(pid)
	return state == "" || strings.HasPrefix(state, "Z") || strings.HasPrefix(state, "X")
}

// stateOf is what the system says of a process, its state first; empty where
// there is none.
func stateOf(pid int) string {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return ""
	}
	// A process can give itself a name with a parenthesis.
	return strings.TrimSpace(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
}

func TestCall_ManyCallers(t *testing.T) {
	h := hosttest.Open(t, toml(faulty(t), never))
	box := newBox(t, h)
	var wg sync.WaitGroup
	for i := range 100 { // more than there are slots
		wg.Go(func() {
			for n := range 200 {
				r, err := box.Call(ctx, "add", i, n)
				if !assert.NoError(t, err) {
					return
				}
				sum, err := r.Int()
				assert.NoError(t, err)
				assert.EqualValues(t, i+n, sum)
			}
		})
	}
	wg.Wait()
}
