package isolate

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/internal/isolate/shm"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
)

const (
	// lookBusy and lookIdle are the times between two looks, with calls under way
	// and without.
	lookBusy = 100 * time.Millisecond
	lookIdle = time.Second

	// workerOverhead is what a worker may have of memory beyond its limits: what
	// this program needs itself, and the pages of its threads' stacks that a plugin
	// has used, which were there before the limit was set. In bytes.
	workerOverhead = 64 << 20
	// sharedSlack is for large pages, of which a few bytes are used. In bytes.
	sharedSlack = 8 << 20

	// spinPerCall is how long the servers of an honest worker look for requests for
	// each call, and its threads for the answer of each call to the host, at most: 20 µs
	// and the last look. A worker that says more is not believed, so that saying so hides
	// no more than this for each call.
	spinPerCall = 30 * time.Microsecond
)

// limitWatch sees to the limits that the worker cannot be trusted with.
type limitWatch struct {
	s      *Session
	link   transport.Transport
	limits *Limits
	pid    int

	calls []transport.BusyCall
	known map[transport.BusyCall]serving
}

// serving is what the worker said of a call, once.
type serving struct {
	thread  int
	before  time.Duration
	missing int // looks that did not find the thread
}

// watchLimits ends the worker when the plugin uses more than its limits allow. It
// runs from a good load until the session's end.
func (s *Session) watchLimits() {
	limits := &s.config.Limits
	if limits.Memory == nil && limits.CPUTime == nil && limits.CPUTotal == nil {
		return
	}
	w := &limitWatch{s: s, link: s.link, limits: limits, pid: s.PID(), known: make(map[transport.BusyCall]serving)}
	next := time.NewTimer(0)
	defer next.Stop()
	for {
		select {
		case <-s.peer.Ended:
			return
		case <-next.C:
		}
		wait, err := w.look()
		if err != nil {
			s.kill(err)
			return
		}
		next.Reset(wait)
	}
}

// look returns when to look again, or which limit was reached.
func (w *limitWatch) look() (next time.Duration, err error) {
	next = time.Hour
	busy := w.link.Active() > 0
	if limit := w.limits.Memory; limit != nil {
		if err := w.memory(*limit); err != nil {
			return 0, err
		}
		next = min(next, pace(busy, lookIdle))
	}
	if limit := w.limits.CPUTotal; limit != nil {
		used := w.total()
		if used > *limit {
			return 0, errCPUTotal(used, *limit)
		}
		next = min(next, max(lookBusy, (*limit-used)/time.Duration(runtime.NumCPU())))
	}
	// Last: over pipes it waits for the worker.
	if limit := w.limits.CPUTime; limit != nil {
		if err := w.callTime(*limit); err != nil {
			return 0, err
		}
		// A call that begins now cannot have used it before.
		next = min(next, pace(busy, max(lookBusy, min(*limit, lookIdle))))
	}
	return next, nil
}

func pace(busy bool, idle time.Duration) time.Duration {
	if busy {
		return lookBusy
	}
	return idle
}

// memory looks at what neither RLIMIT_DATA nor the worker's own allocator can bound:
// pages of the shared memory that the plugin touches itself, and stacks that were
// there before.
func (w *limitWatch) memory(limit uint64) error {
	if resident := ownPages(w.pid); resident > workerOverhead && resident-workerOverhead > limit {
		return errMemory("the process itself has", resident, limit)
	}
	fixed := w.link.FixedShared() + shm.Pages(min(limit, shm.ArenaSize)) + sharedSlack
	var others uint64
	// What the host has may have become less between two questions: once more.
	for range 3 {
		own, all := w.link.SharedBytes()
		others = all - min(own, all)
		if others <= fixed {
			return nil
		}
	}
	return errMemory("of the memory that it shares with its host, the process has", others, limit)
}

// ownPages is the resident memory of a process without what is of files or shared, in
// bytes.
func ownPages(pid int) uint64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 3 {
		return 0
	}
	resident, _ := strconv.ParseUint(fields[1], 10, 64)
	shared, _ := strconv.ParseUint(fields[2], 10, 64)
	return (resident - min(shared, resident)) * uint64(os.Getpagesize())
}

// errThread is a worker that says nonsense of a call.
var errThread = errors.New("it named a thread that it does not have")

// callTime looks at the calls that have lasted as long as they may use a processor.
func (w *limitWatch) callTime(limit time.Duration) error {
	w.calls = w.link.BusyCalls(w.calls[:0])
	known := make(map[transport.BusyCall]serving, len(w.known))
	for _, c := range w.calls {
		lasted := time.Since(c.Began)
		if lasted < limit {
			continue
		}
		said, ok := w.known[c]
		if !ok || said.missing > 0 {
			missing := said.missing
			said.thread, said.before = w.link.Serving(c.ID)
			said.missing = missing
		}
		if said.thread == 0 {
			continue // it waits for its turn
		}
		now, ok := threadTime(w.pid, said.thread)
		if !ok {
			// It may be ending. Once more, and it has said nonsense.
			if said.missing++; said.missing > 1 {
				return errThread
			}
			known[c] = said
			continue
		}
		said.missing = 0
		said.before = min(said.before, now) // the scheduler's count is behind, or the worker lies
		known[c] = said
		if used := min(now-said.before, lasted); used > limit {
			return errCPUTime(used, limit)
		}
	}
	w.known = known
	return nil
}

// total is the processor time of all threads that the process ever had, without what
// the worker has used to look for requests.
func (w *limitWatch) total() time.Duration {
	calls, _ := w.link.Counts()
	const enough = uint64(time.Hour/spinPerCall) * 1000
	most := time.Duration(min(calls, enough)+min(w.link.HostCalls(), enough)) * spinPerCall
	return processTime(w.pid) - min(w.link.Spun(), most)
}

// processTime is the processor time of a process; 0 where it has ended.
func processTime(pid int) time.Duration {
	// clock_getcpuclockid(3) says how such a clock is numbered; 2 is the scheduler's
	// count.
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|2), &t); err == nil {
		return time.Duration(t.Nano())
	}
	_, cpu := usage(pid)
	return cpu
}

// threadTime is the processor time of a thread of a process; ok is false where the
// process has no such thread.
func threadTime(pid, thread int) (used time.Duration, ok bool) {
	dir := fmt.Sprintf("/proc/%d/task/%d", pid, thread)
	if text, err := os.ReadFile(dir + "/schedstat"); err == nil {
		first, _, _ := strings.Cut(string(text), " ")
		if ns, err := strconv.ParseInt(first, 10, 64); err == nil {
			return time.Duration(ns), true
		}
	}
	// A kernel without these statistics.
	text, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return 0, false
	}
	// The name may hold anything; it ends at the last parenthesis.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 13 {
		return 0, false
	}
	const tick = time.Second / 100 // what Linux shows, on every processor
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * tick, true
}
