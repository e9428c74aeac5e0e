package worker

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// confine takes away what the plugin does not need, before any of its code runs.
// A worker that a debugger or the like runs needs what the system call filter takes away.
func confine(load *wire.Load) error {
	limits := load.Limits
	// What prctl says is of one thread; the filter hands it on to the others.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("give up new privileges: %w", err)
	}
	set := func(what string, resource int, value uint64) error {
		if err := unix.Setrlimit(resource, &unix.Rlimit{Cur: value, Max: value}); err != nil {
			return fmt.Errorf("limit %s to %d: %w", what, value, err)
		}
		return nil
	}
	if err := set("core dumps", unix.RLIMIT_CORE, 0); err != nil {
		return err
	}
	if limits.Memory != nil {
		// What this program needs itself does not count, so it is taken before.
		startThreads(requests(load.AtOnce) + 1 + runtime.GOMAXPROCS(0) + spareThreads)
		reserveHeap()
		// Where there is none left all the same, one line says it all.
		debug.SetTraceback("none")
		used, err := dataSize()
		if err != nil {
			return err
		}
		if err := set("memory", unix.RLIMIT_DATA, used+min(*limits.Memory, math.MaxInt64)); err != nil {
			return err
		}
	}
	if limits.OpenFiles != nil {
		if err := set("open files", unix.RLIMIT_NOFILE, *limits.OpenFiles); err != nil {
			return err
		}
	}
	if limits.Processes != nil && *limits.Processes > 0 {
		if err := set("processes", unix.RLIMIT_NPROC, *limits.Processes); err != nil {
			return err
		}
	}
	return filterCalls(limits, load.Wrapped)
}

// spareThreads is how many OS threads there are beside those that serve and those
// that run Go code: for the socket, the runtime's monitor, its template, and whoever
// else waits in the system.
const spareThreads = 12

// requests is how many there are at once that threads are started for: more may come where fewer
// were foreseen, whose threads count for the plugin.
func requests(foreseen int) int {
	if foreseen <= 0 {
		return wire.Slots
	}
	return min(foreseen, wire.Slots)
}

// startThreads has the runtime own n OS threads that wait for work. It never ends
// one, and starts another only where none waits: so later it starts none, whose stack
// would count for the plugin or, where the limit is reached, end the process.
func startThreads(n int) {
	var ready sync.WaitGroup
	done := make(chan struct{})
	ready.Add(n)
	for range n {
		go func() {
			// Locked, it has a thread of its own also while it waits.
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			ready.Done()
			<-done
		}()
	}
	ready.Wait()
	close(done)
}

// heapReserve is how much the Go heap may grow once the limit is set, in bytes: a
// program of Go that gets no memory ends at once.
const heapReserve = 64 << 20

// reserveHeap has the runtime own the addresses. No page of them is touched. On several
// processors each of them would look for work of the collection, and there is next to none.
func reserveHeap() {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	reserve := make([]byte, heapReserve)
	runtime.KeepAlive(&reserve)
	// Otherwise the next collection would come when as much is in use again, which is
	// later than the plugin's limit may be.
	runtime.GC()
}

// dataSize is what RLIMIT_DATA counts of this process so far, in bytes.
func dataSize() (uint64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("measure the worker's own memory: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmData:"); ok {
			kib, err := strconv.ParseUint(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("measure the worker's own memory: /proc/self/status has no VmData")
}

// deadly are the signals by which a plugin can end its process. The Go runtime
// handles them, and would end it in a way that hides which it was.
var deadly = []unix.Signal{unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGABRT, unix.SIGTRAP, unix.SIGSYS, unix.SIGXCPU}

// dieOfSignals gives the signals back their own effect.
func dieOfSignals() error {
	// struct sigaction of the kernel: the handler, flags, restorer and mask; all
	// zero is the default action.
	var action [4]uint64
	for _, s := range deadly {
		if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0); errno != 0 {
			return fmt.Errorf("reset the signal %v: %w", s, errno)
		}
	}
	return nil
}
