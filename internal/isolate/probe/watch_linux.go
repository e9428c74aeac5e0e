//go:build amd64 || arm64

package probe

import (
	"context"
	"encoding/json"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/worker"
)

const (
	watchCalls  = 64 // of the first round
	tracedCalls = 32 // of the second
	// roundTime is how long a round may take, but for its last call.
	roundTime = 500 * time.Millisecond
)

// watch answers a Watch. The calls are made on a thread that ends afterwards: a filter of
// system calls stays on a thread for good.
func watch(ctx context.Context, w *worker.Worker, request []byte) (answer []byte, err error) {
	var watched Watch
	if err := json.Unmarshal(request, &watched); err != nil {
		return nil, err
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := (&watcher{ctx: ctx, worker: w, Watch: &watched}).run()
		done <- err
	}()
	if err := <-done; err != nil {
		return nil, err
	}
	return json.Marshal(watched)
}

// watcher makes the calls of a Watch, on one thread.
type watcher struct {
	ctx    context.Context
	worker *worker.Worker
	*Watch
}

func (w *watcher) run() error {
	// The first call of a thread does what is done once: libraries make what belongs to the
	// thread, and bind names that are called for the first time.
	start := time.Now()
	if err := w.timed(); err != nil || time.Since(start) > roundTime {
		return err // it says enough
	}
	w.Times, w.Sleeps = nil, 0
	stack := paintStack()
	if err := w.time(); err != nil {
		return err
	}
	err := w.trace()
	w.Stack, w.StackEnd = stack.depth()
	return err
}

// invoke makes one call.
func (w *watcher) invoke() error {
	c := abi.Call{TypeID: w.Call.TypeID, Method: w.Call.Method, Instance: w.Call.Instance}
	c.SetArgs(w.Call.Args)
	room := make([]byte, w.Call.Room)
	c.SetResultBuffer(room)
	w.worker.Invoke(w.ctx, &c)
	w.keep(&c, room)
	return w.ctx.Err()
}

// keep keeps the result of a call that may have given something.
func (w *watcher) keep(c *abi.Call, room []byte) {
	if c.Code == abi.OK && c.ResultLength > 0 && c.ResultLength <= min(maxGift, uintptr(len(room))) {
		w.Results = append(w.Results, BatchCall{Code: int32(c.Code), Length: uint64(c.ResultLength), Result: room[:c.ResultLength]})
	}
}

// maxGift is more than a message of one instance or blob has, in bytes.
const maxGift = 64

// time is the first round.
func (w *watcher) time() error {
	for start := time.Now(); len(w.Times) < watchCalls && (len(w.Times) == 0 || time.Since(start) < roundTime); {
		if err := w.timed(); err != nil {
			return err
		}
	}
	return nil
}

// timed makes one call and adds its time.
func (w *watcher) timed() error {
	sleeps, used := threadUsage()
	if err := w.invoke(); err != nil {
		return err
	}
	sleepsAfter, usedAfter := threadUsage()
	w.Times = append(w.Times, usedAfter-used)
	if sleepsAfter > sleeps {
		w.Sleeps++
	}
	return nil
}

// threadUsage is how often this thread has given up its processor of itself, and how much
// processor time it has used.
func threadUsage() (sleeps int64, used time.Duration) {
	var usage unix.Rusage
	var clock unix.Timespec
	if unix.Getrusage(unix.RUSAGE_THREAD, &usage) != nil || unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &clock) != nil {
		return 0, 0
	}
	return usage.Nvcsw, time.Duration(clock.Nano())
}

// trace is the second round. Where the kernel does not tell system calls, it has no calls.
func (w *watcher) trace() error {
	t, err := newTracer()
	if err != nil {
		return nil //nolint:nilerr // what Sleeps tells has to do
	}
	for start := time.Now(); w.Traced < tracedCalls && (w.Traced == 0 || time.Since(start) < roundTime); {
		w.Traced++
		t.call.Store(int32(w.Traced))
		err := w.invoke()
		t.call.Store(0)
		if err != nil {
			return err
		}
	}
	w.Waits = t.waits()
	return nil
}
