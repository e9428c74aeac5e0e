//go:build unix && !linux

package worker

import (
	"fmt"
	"math"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/loader/process/channel"
)

// confine takes away what the plugin does not need, before any of its code runs.
func confine(limits channel.Limits, _ bool) error {
	if limits.Memory != nil {
		return unsupported("memory")
	}
	if limits.Processes != nil {
		return unsupported("processes")
	}
	if limits.CPUTime != nil {
		return unsupported("cpu_time")
	}
	set := func(what string, resource int, value, most uint64) error {
		var limit unix.Rlimit
		assign(&limit.Cur, value)
		assign(&limit.Max, most)
		if err := unix.Setrlimit(resource, &limit); err != nil {
			return fmt.Errorf("limit %s to %d: %w", what, value, err)
		}
		return nil
	}
	if err := set("core dumps", unix.RLIMIT_CORE, 0, 0); err != nil {
		return err
	}
	if limits.OpenFiles != nil {
		if err := set("open files", unix.RLIMIT_NOFILE, *limits.OpenFiles, *limits.OpenFiles); err != nil {
			return err
		}
	}
	if limits.CPUTotal != nil {
		// A second more for the hard limit, so that SIGXCPU comes first and says why.
		seconds := uint64(max(1, math.Ceil(limits.CPUTotal.Seconds())))
		return set("CPU time", unix.RLIMIT_CPU, seconds, seconds+1)
	}
	return nil
}

// assign sets a number that some systems have signed.
func assign[T int64 | uint64](to *T, value uint64) { *to = T(min(value, math.MaxInt64)) }

func unsupported(limit string) error {
	return fmt.Errorf("limits.%s is not supported on %s: leave it out there", limit, runtime.GOOS)
}

// dieOfSignals leaves the signals to the Go runtime: it prints what it met, which
// the host logs, and ends the process with status 2.
func dieOfSignals() error { return nil }
