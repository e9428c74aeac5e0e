package process

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/nyash-plugins/nyash-go/loader/process/channel"
)

// ErrLimit is the cause of a [CrashError] where the worker was killed because the
// plugin used more than limits allow; its text says which and how much.
var ErrLimit = errors.New("a limit of the plugin's process was reached")

// limitError is a limit that was reached. It matches ErrLimit.
type limitError string

func (e limitError) Error() string { return string(e) }

// Is matches ErrLimit.
func (e limitError) Is(target error) bool { return target == ErrLimit }

func errCPUTime(used, limit time.Duration) error {
	return limitError(fmt.Sprintf("limits.cpu_time: the call used %v of processor time, %v are allowed", rounded(used), limit))
}

func errCPUTotal(used, limit time.Duration) error {
	return limitError(fmt.Sprintf("limits.cpu_total: the process used %v of processor time, %v are allowed", rounded(used), limit))
}

func errMemory(what string, used, limit uint64) error {
	return limitError(fmt.Sprintf("limits.memory: %s %s, %s are allowed", what, mib(used), mib(limit)))
}

// errOutOfMemory is an end by the system, which does not say how much there was.
func errOutOfMemory(limit uint64) error {
	return limitError(fmt.Sprintf("limits.memory: the system ended it for its use of memory, %s are allowed", mib(limit)))
}

func rounded(t time.Duration) time.Duration { return t.Round(10 * time.Millisecond) }

func mib(n uint64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// callTimes are when the calls under way began, for limits.cpu_time; by slot or
// request. Without the limit, nothing is noted.
type callTimes struct {
	on    bool
	began [channel.Slots]atomic.Int64 // nanoseconds since epoch; 0 where there is none
}

var epoch = time.Now().Add(-time.Hour) // never now

func (t *callTimes) begin(i int) {
	if t.on {
		t.began[i].Store(int64(time.Since(epoch)))
	}
}

func (t *callTimes) end(i int) {
	if t.on {
		t.began[i].Store(0)
	}
}

// busyCall is a call that is under way, by its slot or request.
type busyCall struct {
	id    int
	began time.Time
}

// busy appends the calls that are under way.
func (t *callTimes) busy(to []busyCall) []busyCall {
	for i := range t.began {
		if began := t.began[i].Load(); began != 0 {
			to = append(to, busyCall{i, epoch.Add(time.Duration(began))})
		}
	}
	return to
}
