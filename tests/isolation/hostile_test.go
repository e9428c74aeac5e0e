//go:build linux

package isolation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// TestHostile_FlippedStates: what a slot's state is after it was done means nothing.
func TestHostile_FlippedStates(t *testing.T) {
	if hosttest.Piped() { // where there are no slots
		return
	}
	for range hosttest.Rounds(3) {
		h := hosttest.Open(t, stubbornTOML(stubborn(t), never+"\ncall_timeout = \"200ms\""))
		box := newStubborn(t, h)
		_, _ = box.Call(ctx, "flip") // whose own state may be flipped
		for end := time.Now().Add(time.Second); time.Now().Before(end); {
			_, err := box.Call(ctx, "rest", 0)
			if errors.Is(err, loader.ErrInstanceLost) {
				break
			}
		}
		_ = syscall.Kill(h.Plugins()[0].PID, syscall.SIGKILL)
		hosttest.Eventually(func() bool { _, err := box.Call(ctx, "id"); return errors.Is(err, loader.ErrInstanceLost) })
		assert.EqualValues(t, 42, ask(t, newStubborn(t, h), "add", 40, 2))
	}
}

// TestHostile_LeavesProcessGroup: a worker that joins its host's group is killed all the same.
func TestHostile_LeavesProcessGroup(t *testing.T) {
	h := hosttest.Open(t, stubbornTOML(stubborn(t), never+"\ncall_timeout = \"300ms\""))
	_, err := newStubborn(t, h).Call(ctx, "leave")
	require.ErrorIs(t, err, loader.ErrCallTimeout)
	assert.EqualValues(t, 42, ask(t, newStubborn(t, h), "add", 40, 2))
}

// TestHandle_OfEarlierWorker: a lost box is no argument, whatever lives under its number.
func TestHandle_OfEarlierWorker(t *testing.T) {
	h := hosttest.Open(t, stubbornTOML(stubborn(t), never))
	lost := newStubborn(t, h)
	_, err := lost.Call(ctx, "crash")
	require.ErrorIs(t, err, loader.ErrPluginCrashed)
	b, c := newStubborn(t, h), newStubborn(t, h)
	require.Equal(t, lost.ID(), b.ID())
	_, err = c.Call(ctx, "whoami", lost)
	require.ErrorIs(t, err, loader.ErrInstanceLost)
	assert.EqualError(t, err, "Stubborn.whoami: argument 1 is Stubborn(1): "+loader.ErrInstanceLost.Error())
	batch := c.Batch()
	require.ErrorIs(t, batch.Add("whoami", lost), loader.ErrInstanceLost)
	require.NoError(t, lost.Close())
	assert.EqualValues(t, b.ID(), ask(t, c, "whoami", b))
	assert.EqualValues(t, 0, ask(t, c, "finis"), "closing a lost box finalises nobody")

	// Nor one that dies between Add and Run.
	require.NoError(t, batch.Add("whoami", b))
	_, err = b.Call(ctx, "crash")
	require.ErrorIs(t, err, loader.ErrPluginCrashed)
	_, err = batch.Run(ctx)
	require.ErrorIs(t, err, loader.ErrInstanceLost)
}

// TestHandle_Forged: a plugin cannot name, end or invent another library's boxes.
func TestHandle_Forged(t *testing.T) {
	victim := fmt.Sprintf("\n[libraries.victim]\nboxes = [\"Faulty\"]\npath = %q\n[libraries.victim.Faulty]\ntype_id = 720\n[libraries.victim.Faulty.methods]%s", faulty(t), methods)
	h := hosttest.Open(t, stubbornTOML(stubborn(t), "")+victim)
	box, mine := newStubborn(t, h), newBox(t, h)
	for _, id := range []int{int(mine.ID()), 4242} {
		_, err := box.Call(ctx, "forge", 720, id)
		require.ErrorIs(t, err, loader.ErrProtocol)
		assert.ErrorContains(t, err, fmt.Sprintf("the result is a handle of type 720, instance %d: no box of Stubborn has that type_id, nor has it been told of one of another library by that", id))
	}
	r, err := mine.Call(ctx, "add", 1, 2)
	assert.EqualValues(t, 3, hosttest.Int(t, r, err))
	_, err = box.Call(ctx, "forge", 730, 0)
	require.ErrorIs(t, err, loader.ErrProtocol)
	// Its own it may name.
	r, err = box.Call(ctx, "forge", 730, int(box.ID()))
	require.NoError(t, err)
	same, err := r.Box()
	require.NoError(t, err)
	assert.Same(t, box, same)
}

// TestLoad_Hangs: a load that does not end is ended.
func TestLoad_Hangs(t *testing.T) {
	tests := map[string]struct{ init, want string }{
		"hang":    {"hang()", "the plugin's process did not answer within load_timeout (500ms)"},
		"socket":  {"close_socket()", "it closed its control socket"},
		"another": {"become_another()", "it closed its control socket"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := hosttest.Open(t, stubbornTOML(stubborn(t, "-DINIT="+tt.init), never+"\nload_timeout = \"500ms\""))
			start := time.Now()
			_, err := h.New(ctx, "Stubborn")
			require.ErrorContains(t, err, tt.want)
			assert.Less(t, time.Since(start), 5*time.Second)
			assert.Zero(t, h.Plugins()[0].PID)
		})
	}
}

// TestRestart_FailedLoads: failed loads count towards restart, with back-off.
func TestRestart_FailedLoads(t *testing.T) {
	for name, init := range map[string]string{"crash": "abort()", "error": "return -5"} {
		t.Run(name, func(t *testing.T) {
			h := hosttest.Open(t, stubbornTOML(stubborn(t, "-DINIT="+init), `restart = { max = 1, within = "1h", backoff = "100ms" }`))
			start := time.Now()
			for range 2 {
				_, err := h.New(ctx, "Stubborn")
				require.Error(t, err)
				require.NotErrorIs(t, err, loader.ErrPluginBroken)
			}
			assert.GreaterOrEqual(t, time.Since(start), 100*time.Millisecond)
			for range 50 {
				_, err := h.New(ctx, "Stubborn")
				require.ErrorIs(t, err, loader.ErrPluginBroken)
			}
		})
	}
}

// TestRestart_UnfitLibrary: a library that contradicts nyash.toml has not crashed, and its
// error is the same each time.
func TestRestart_UnfitLibrary(t *testing.T) {
	h := hosttest.Open(t, fmt.Sprintf("[plugins.Stubborn]\nlibrary = %q\ntype_id = 999\nisolation = \"process\"\nrestart = { max = 1, within = \"1h\", backoff = \"1h\" }", stubborn(t)))
	for range 6 {
		_, err := h.New(ctx, "Stubborn")
		require.ErrorContains(t, err, "type_id 999")
		require.NotErrorIs(t, err, loader.ErrPluginBroken)
		status := h.Plugins()[0]
		require.Zero(t, status.PID)
		require.Equal(t, loader.PluginFailed, status.State)
		require.ErrorContains(t, status.Err, "type_id 999")
		require.Zero(t, status.Restarts)
	}
}

// TestHostClose_FloodOfLines: log lines do not put off the time limit of a shutdown.
func TestHostClose_FloodOfLines(t *testing.T) {
	h := hosttest.OpenUnclosed(t, stubbornTOML(stubborn(t, "-DSHUTDOWN=flood_and_hang()"), "call_timeout = \"1s\""))
	newStubborn(t, h)
	start := time.Now()
	require.ErrorIs(t, h.Close(), transport.ErrNoAnswer)
	assert.Less(t, time.Since(start), 15*time.Second)
}

// TestConfine_Terminal: a plugin cannot type into the shell that its host was started from.
func TestConfine_Terminal(t *testing.T) {
	config := hosttest.File(t, stubbornTOML(stubborn(t), ""))
	main, side := pty(t)
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), terminalCookie+"="+config)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = side, side, side
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	require.NoError(t, cmd.Start())
	require.NoError(t, cmd.Wait())
	buf := make([]byte, 4096)
	n, err := main.Read(buf)
	require.NoError(t, err)
	assert.Equal(t, fmt.Sprintf("terminal: %d", syscall.ENXIO), strings.TrimSpace(string(buf[:n])))
}

const terminalCookie = "NYASH_TEST_TERMINAL"

// atTerminal is the host of TestConfine_Terminal.
func atTerminal(config string) {
	h, err := loader.Open(config, hosttest.Options()...)
	if err != nil {
		panic(err)
	}
	defer h.Close()
	box, err := h.New(ctx, "Stubborn")
	if err != nil {
		panic(err)
	}
	r, err := box.Call(ctx, "terminal")
	if err != nil {
		panic(err)
	}
	fmt.Println("terminal:", r)
}

// pty makes a terminal.
func pty(t *testing.T) (main, side *os.File) {
	main, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { main.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(main.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(int(main.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	side, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|syscall.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { side.Close() })
	return main, side
}

// TestWorker_ReapedByOthers: somebody else in the program waits for all children, as the first
// process of a container does, or has the system do it.
func TestWorker_ReapedByOthers(t *testing.T) {
	config := hosttest.File(t, stubbornTOML(stubborn(t), never))
	self, err := os.Executable()
	require.NoError(t, err)
	for _, how := range []string{"by a goroutine", "by the system"} {
		t.Run(how, func(t *testing.T) {
			cmd := exec.Command(self)
			cmd.Env = append(os.Environ(), reaperCookie+"="+config, "NYASH_TEST_REAPER="+how)
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			assert.Equal(t, "12 crashes, and 42\n", string(out))
		})
	}
}

const reaperCookie = "NYASH_TEST_REAPED"

// beReaped is the host of TestWorker_ReapedByOthers.
func beReaped(config string) {
	if os.Getenv("NYASH_TEST_REAPER") == "by the system" {
		signal.Ignore(syscall.SIGCHLD)
	} else {
		go func() {
			for {
				_, _ = syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
			}
		}()
	}
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	h, err := loader.Open(config, hosttest.Options()...)
	must(err)
	crashes := 0
	for range 12 {
		box, err := h.New(ctx, "Stubborn")
		must(err)
		if _, err = box.Call(ctx, "crash"); errors.Is(err, loader.ErrPluginCrashed) {
			crashes++
		}
	}
	box, err := h.New(ctx, "Stubborn")
	must(err)
	r, err := box.Call(ctx, "add", 40, 2)
	must(err)
	must(h.Close())
	fmt.Printf("%d crashes, and %v\n", crashes, r)
}

// TestBlob_AfterCrash: a blob keeps only itself of a dead worker's memory.
func TestBlob_AfterCrash(t *testing.T) {
	if hosttest.Piped() { // where the host has copies
		return
	}
	h := hosttest.Open(t, stubbornTOML(stubborn(t), never))
	box := newStubborn(t, h)
	r, err := box.Call(ctx, "give", 0, 100_000)
	require.NoError(t, err)
	blob, err := r.Blob()
	require.NoError(t, err)
	before := shared(t)
	ask(t, box, "hoard", 200<<20)
	require.Greater(t, shared(t), before+(150<<20))
	_, err = box.Call(ctx, "crash")
	require.ErrorIs(t, err, loader.ErrPluginCrashed)
	hosttest.Eventually(func() bool { return shared(t) < before+(16<<20) })
	assert.Equal(t, strings.Repeat("b", 100_000), string(blob.Bytes()), "and that is there")
	blob.Release()
	assert.Zero(t, mappings(t))
}

// TestHostile_AnswersAhead: an answer to a request that was not written to its end ends the
// worker.
func TestHostile_AnswersAhead(t *testing.T) {
	worker := ccbuild.Program(t, "testdata/ahead.c", fmt.Sprintf("-DVERSION=%d", wire.Version))
	h := hosttest.Open(t, stubbornTOML(stubborn(t), never), loader.WithWorkerChannel(loader.ChannelPipe), loader.WithWorker(worker))
	_, err := newStubborn(t, h).Call(ctx, "sumBlob", make([]byte, 16<<20), 0)
	require.ErrorIs(t, err, loader.ErrPluginCrashed)
	assert.ErrorContains(t, err, "it wrote nonsense to its host's pipe")
}

// TestBatch_NotRun: what was added to a batch that is not run is lent to nobody.
func TestBatch_NotRun(t *testing.T) {
	h := hosttest.Open(t, stubbornTOML(stubborn(t), never))
	data := bytes.Repeat([]byte{1}, 32<<20)
	var dropped []*loader.Batch
	for range 3 {
		box := newStubborn(t, h)
		ask(t, box, "sumBlob", data[:1], 0)
		resident := residentShared(t)
		batch := box.Batch()
		require.NoError(t, batch.Add("sumBlob", data, 0))
		require.Error(t, batch.Add("sumBlob", data, "no number"))
		assert.Less(t, residentShared(t), resident+(1<<20))
		dropped = append(dropped, batch)
		_, err := box.Call(ctx, "crash")
		require.ErrorIs(t, err, loader.ErrPluginCrashed)
		hosttest.Eventually(func() bool { return mappings(t) == 0 })
		_, err = batch.Run(ctx)
		require.ErrorIs(t, err, loader.ErrInstanceLost)
	}
	runtime.KeepAlive(dropped)
}

// residentShared is what this process has in use of shared memory, in bytes.
func residentShared(t *testing.T) int64 {
	text, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(text), "RssShmem:")
	require.True(t, ok)
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	require.NoError(t, err)
	return kib << 10
}

// shared is the memory that the system has for shared memory, in bytes.
func shared(t *testing.T) int64 {
	text, err := os.ReadFile("/proc/meminfo")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(text), "Shmem:")
	require.True(t, ok)
	kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	require.NoError(t, err)
	return kib << 10
}

// TestBlob_DroppedWhileStopped: a dropped blob of a stopped worker does not hold up the program's cleanups.
func TestBlob_DroppedWhileStopped(t *testing.T) {
	h := hosttest.Open(t, stubbornTOML(stubborn(t), never+"\ncall_timeout = \"20s\""))
	box := newStubborn(t, h)
	func() {
		r, err := box.Call(ctx, "give", 0, 1000)
		require.NoError(t, err)
		_, err = r.Blob()
		require.NoError(t, err)
	}()
	pid := h.Plugins()[0].PID
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	cleaned := make(chan struct{})
	func() {
		own := new([16]int)
		runtime.AddCleanup(own, func(int) { close(cleaned) }, 0)
	}()
	start := time.Now()
	hosttest.Eventually(func() bool {
		runtime.GC()
		select {
		case <-cleaned:
			return true
		default:
			return false
		}
	})
	assert.Less(t, time.Since(start), 3*time.Second)
	require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
}

// TestCallTimeout_OthersAreNotLate: what dies with a call that was late is not itself late.
func TestCallTimeout_OthersAreNotLate(t *testing.T) {
	h := hosttest.Open(t, stubbornTOML(stubborn(t), never+"\ncall_timeout = \"1s\""))
	box := newStubborn(t, h)
	late := make(chan error)
	go func() {
		_, err := box.Call(ctx, "rest", 100_000)
		late <- err
	}()
	hosttest.Eventually(func() bool { return ask(t, box, "resting") == 1 })
	var err error
	for err == nil {
		_, err = box.Call(ctx, "rest", 100)
	}
	require.NotErrorIs(t, err, loader.ErrCallTimeout)
	require.True(t, errors.Is(err, loader.ErrPluginCrashed) || errors.Is(err, loader.ErrInstanceLost), err)
	err = <-late
	require.ErrorIs(t, err, loader.ErrCallTimeout)
	assert.EqualError(t, err, "Stubborn.rest: call timed out: it took longer than call_timeout, and its process was killed after 1s")
}

// TestLimits_MemoryUsedUp by the plugin may leave its worker nothing to go on with: an error,
// which names the limit where the worker could still tell.
func TestLimits_MemoryUsedUp(t *testing.T) {
	h := hosttest.Open(t, stubbornTOML(stubborn(t), never+"\nlimits = { memory = \"16MiB\" }"))
	box := newStubborn(t, h)
	assert.Greater(t, ask(t, box, "fill"), int64(8<<20))
	for range 30 {
		_, err := box.Call(ctx, "say", 1000)
		if err == nil {
			continue
		}
		require.ErrorIs(t, err, loader.ErrPluginCrashed)
		var crash *loader.CrashError
		require.ErrorAs(t, err, &crash)
		if crash.Status == 2 {
			assert.ErrorIs(t, err, loader.ErrLimit)
			assert.ErrorContains(t, err, "limits.memory: the plugin has used up the 16.0 MiB that are allowed")
		}
		break
	}
	assert.EqualValues(t, 42, ask(t, newStubborn(t, h), "add", 40, 2))
}

// TestHostile_ResultLength: the length that a plugin says is not that of its buffer.
func TestHostile_ResultLength(t *testing.T) {
	h := hosttest.Open(t, stubbornTOML(stubborn(t), never))
	box := newStubborn(t, h)
	ones := bytes.Repeat([]byte{1}, 4<<20)
	for _, lie := range []struct{ first, then int64 }{{0, -1}, {0, math.MaxInt64}, {1 << 20, 1 << 36}, {1 << 20, 1 << 33}, {1 << 20, -1}} {
		sums := make(chan int64)
		go func() { sums <- ask(t, box, "sumBlob", ones, 100) }()
		hosttest.Eventually(func() bool { return ask(t, box, "resting") == 1 })
		_, err := box.Call(ctx, "huge", lie.first, lie.then)
		require.Error(t, err)
		assert.EqualValues(t, len(ones), <-sums, "another caller's data is as it was")
	}
	// Room that was asked for and not used is given back.
	for range hosttest.Rounds(2000) {
		_, err := box.Call(ctx, "huge", 15<<20, 4)
		require.ErrorContains(t, err, "decode", "four bytes are no result")
	}
}

// TestHostile_BlobTwice: a blob that is returned again is the first one's.
func TestHostile_BlobTwice(t *testing.T) {
	h := hosttest.Open(t, stubbornTOML(stubborn(t), never))
	box := newStubborn(t, h)
	r, err := box.Call(ctx, "twice")
	require.NoError(t, err)
	blob, err := r.Blob()
	require.NoError(t, err)
	for range 3 {
		_, err = box.Call(ctx, "twice")
		require.ErrorIs(t, err, loader.ErrProtocol)
	}
	_, err = box.Call(ctx, "crash")
	require.ErrorIs(t, err, loader.ErrPluginCrashed)
	assert.Equal(t, strings.Repeat("b", 1<<20), string(blob.Bytes()))
	blob.Release()
}

// TestHostile_BlobAtTheEdge: an empty blob behind the shared memory is none, whatever the
// worker answers.
func TestHostile_BlobAtTheEdge(t *testing.T) {
	if hosttest.Piped() { // where there is no such place
		return
	}
	h := hosttest.Open(t, stubbornTOML(stubborn(t), never))
	box := newStubborn(t, h)
	for range 200 { // the worker itself refuses too, where it is faster than the plugin
		r, err := box.Call(ctx, "edge")
		if err == nil { // and now it dies
			blob, err := r.Blob()
			require.NoError(t, err)
			_, err = box.Call(ctx, "crash")
			require.ErrorIs(t, err, loader.ErrPluginCrashed)
			hosttest.Eventually(func() bool { _, err := box.Call(ctx, "id"); return errors.Is(err, loader.ErrInstanceLost) })
			blob.Release()
		}
		require.ErrorIs(t, err, loader.ErrProtocol)
	}
	_, err := box.Call(ctx, "crash")
	require.ErrorIs(t, err, loader.ErrPluginCrashed)
	hosttest.Eventually(func() bool { return h.Plugins()[0].PID == 0 })
	hosttest.Eventually(func() bool { return mappings(t) == 0 })
	assert.EqualValues(t, 42, ask(t, newStubborn(t, h), "add", 40, 2))
}

// stuckHandler is a log handler that does not return until it is let go.
type stuckHandler struct {
	slog.Handler
	letGo chan struct{}
}

func (s stuckHandler) Enabled(context.Context, slog.Level) bool { return true }
func (s stuckHandler) WithAttrs([]slog.Attr) slog.Handler       { return s }
func (s stuckHandler) Handle(_ context.Context, r slog.Record) error {
	if !strings.HasPrefix(r.Message, "nyash.toml:") { // that it was opened with
		<-s.letGo
	}
	return nil
}

// TestHostile_StuckLogHandler: nothing but the log waits for the host's log handler, also
// where lines are left out.
func TestHostile_StuckLogHandler(t *testing.T) {
	for name, options := range map[string][]loader.Option{
		"no limit": {loader.WithLogRate(0, 0)}, "lines left out": {loader.WithLogRate(1, 0)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stuck := stuckHandler{letGo: make(chan struct{})}
			defer close(stuck.letGo)
			options := append(options, loader.WithLogger(slog.New(stuck)), loader.WithEvents(func(loader.Event) { <-stuck.letGo }))
			h := hosttest.OpenUnclosed(t, stubbornTOML(stubborn(t), never+"\ncall_timeout = \"1s\""), options...)
			box := newStubborn(t, h)
			ask(t, box, "nag")
			for range 3 {
				short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
				start := time.Now()
				_, _ = box.Call(short, "add", 1, 2)
				assert.Less(t, time.Since(start), time.Second)
				cancel()
			}
			_, err := box.Call(ctx, "rest", 100_000)
			require.ErrorIs(t, err, loader.ErrCallTimeout)
			assert.Equal(t, loader.PluginFailed, h.Plugins()[0].State)
			short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
			defer cancel()
			start := time.Now()
			_ = h.Shutdown(short)
			assert.Less(t, time.Since(start), 10*time.Second)
		})
	}
}

// TestHostile_HostsEnd: a worker cannot have the system forget that it ends with its
// host.
func TestHostile_HostsEnd(t *testing.T) {
	h := hosttest.Open(t, stubbornTOML(stubborn(t), ""))
	assert.EqualValues(t, -1, ask(t, newStubborn(t, h), "detach"))
}

// TestAbandoned_BornAtClose: a birth that comes while the host closes is finalised
// before the plugin's shutdown.
func TestAbandoned_BornAtClose(t *testing.T) {
	for _, singleton := range []string{"", "singleton = true"} {
		toml := strings.Replace(stubbornTOML(stubborn(t, `-DSHUTDOWN=told()`), ""), "type_id = 730\n", "type_id = 730\n"+singleton+"\n", 1)
		log := hosttest.NewLog()
		h := hosttest.OpenUnclosed(t, toml, loader.WithLogger(slog.New(log)))
		require.NoError(t, h.Load(ctx, "Stubborn"))
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		_, err := h.New(short, "Stubborn", 300)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, h.Close())
		assert.Contains(t, log.Messages(), "1 births, 1 finis")
	}
}

// TestAbandoned_HalfWritten: a large argument whose caller leaves in the middle is
// completed without the caller's memory, and the next call is right.
func TestAbandoned_HalfWritten(t *testing.T) {
	h := hosttest.Open(t, stubbornTOML(stubborn(t), "cancel_grace = \"1m\""))
	box := newStubborn(t, h)
	pid := h.Plugins()[0].PID
	require.NoError(t, syscall.Kill(pid, syscall.SIGSTOP))
	data := bytes.Repeat([]byte{1}, 16<<20)
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := box.Call(short, "sumBlob", data, 0)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Less(t, time.Since(start), 3*time.Second)
	clear(data) // the caller's again
	require.NoError(t, syscall.Kill(pid, syscall.SIGCONT))
	assert.EqualValues(t, 5<<20, ask(t, box, "sumBlob", bytes.Repeat([]byte{5}, 1<<20), 0))
	assert.Equal(t, pid, h.Plugins()[0].PID)
}

// TestAbandoned_HoldsNobodyUp: others that call are not held up while there are slots.
func TestAbandoned_HoldsNobodyUp(t *testing.T) {
	h := hosttest.Open(t, stubbornTOML(stubborn(t), "cancel_grace = \"500ms\"")) // for busy machines
	box := newStubborn(t, h)
	leave(t, box, box, "rest", 2000)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for end := time.Now().Add(1500 * time.Millisecond); time.Now().Before(end); {
				_, err := box.Call(ctx, "add", 1, 2)
				if !assert.NoError(t, err) {
					return
				}
			}
		})
	}
	wg.Wait()
	assert.Zero(t, h.Plugins()[0].Restarts)
}

// TestPlugins_Errors: calls that were lost with their worker are counted too.
func TestPlugins_Errors(t *testing.T) {
	h := hosttest.Open(t, toml(faulty(t), never+"\ncall_timeout = \"100ms\""))
	for i, method := range []string{"segv", "loop", "hangup"} {
		_, err := newBox(t, h).Call(ctx, method)
		require.Error(t, err)
		assert.EqualValues(t, i+1, h.Plugins()[0].Errors)
	}
}

// TestHostShutdown_LentToACall: a box of an isolated library that is an argument of a
// call in the host's process waits for that call no longer than Shutdown does.
func TestHostShutdown_LentToACall(t *testing.T) {
	library := stubborn(t, "-DTYPE=731")
	other := strings.NewReplacer("stubborn", "other", "Stubborn", "Other", "type_id = 730", "type_id = 731", "isolation = \"process\"\n", "", "LIBRARY", library).Replace(stubbornTOML("LIBRARY", ""))
	other = strings.Replace(other, "libraries.other.Other.methods]", "libraries.other.Other.methods]\nborrow = { method_id = 2, args = [\"ms\", \"box\"] }", 1)
	h := hosttest.OpenUnclosed(t, stubbornTOML(stubborn(t), never)+other)
	box := newStubborn(t, h)
	borrower, err := h.New(ctx, "Other")
	require.NoError(t, err)
	go borrower.Call(ctx, "borrow", 100_000, box)
	hosttest.Eventually(func() bool { return ask(t, borrower, "resting") == 1 })
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	require.ErrorContains(t, h.Shutdown(short), "stay loaded without shutdown: Other")
	assert.Less(t, time.Since(start), 10*time.Second)
}

// TestSingleton_CauseOfAnotherCall: the cause of a context can be any error, also one that
// calls of isolated plugins end with (errgroup does that).
func TestSingleton_CauseOfAnotherCall(t *testing.T) {
	toml := strings.Replace(stubbornTOML(stubborn(t), never), "type_id = 730\n", "type_id = 730\nsingleton = true\n", 1)
	h := hosttest.Open(t, toml)
	require.NoError(t, h.Load(ctx, "Stubborn"))
	waiting, cancel := context.WithCancelCause(ctx)
	done := make(chan error)
	go func() {
		_, err := h.New(waiting, "Stubborn", 500)
		done <- err
	}()
	hosttest.Eventually(func() bool { return h.Plugins()[0].Calls == 1 })
	cancel(loader.ErrInstanceLost)
	require.ErrorIs(t, <-done, loader.ErrInstanceLost)
	assert.EqualValues(t, 1, ask(t, newStubborn(t, h), "births"), "the birth went on, and there was no second one")
}

// TestHostShutdown ends whatever isolated plugins do.
func TestHostShutdown(t *testing.T) {
	h := hosttest.OpenUnclosed(t, stubbornTOML(stubborn(t), never))
	box, other := newStubborn(t, h), newStubborn(t, h)
	done := make(chan error)
	go func() {
		_, err := box.Call(ctx, "rest", 100_000)
		done <- err
	}()
	hosttest.Eventually(func() bool { return ask(t, other, "resting") == 1 })
	pid := h.Plugins()[0].PID
	closed := make(chan error)
	go func() { closed <- h.Close() }() // waits for the call
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	require.NoError(t, h.Shutdown(short), "nothing is left")
	assert.Less(t, time.Since(start), 5*time.Second)
	err := <-done
	require.ErrorIs(t, err, loader.ErrPluginCrashed)
	assert.ErrorContains(t, err, "the host was shut down")
	<-closed
	assert.True(t, gone(pid))
	_, err = h.New(ctx, "Stubborn")
	require.ErrorIs(t, err, loader.ErrClosed)
}
