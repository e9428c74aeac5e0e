package isolate

import (
	"errors"
	"fmt"
	"time"
)

// ErrLimit is the cause of a [transport.CrashError] where the worker was killed because the
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

// errExhausted is a worker that could not go on where its plugin had taken all memory.
func errExhausted(limit uint64) error {
	return limitError(fmt.Sprintf("limits.memory: the plugin has used up the %s that are allowed, and its process could not go on", mib(limit)))
}

func rounded(t time.Duration) time.Duration {
	return t.Round(min(10*time.Millisecond, max(t/100, time.Microsecond)))
}

func mib(n uint64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }
