//go:build unix && !linux

package worker

import (
	"fmt"
	"math"
	"os"
	"os/signal"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// confine takes away what the plugin does not need, before any of its code runs.
func confine(load *wire.Load) error {
	limits := load.Limits
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
		endOverCPU(*limits.CPUTotal)
		// The system's own kill, which says nothing, comes a second later.
		seconds := uint64(max(1, math.Ceil(limits.CPUTotal.Seconds())))
		return set("CPU time", unix.RLIMIT_CPU, seconds, seconds+1)
	}
	return nil
}

// endOverCPU ends the process with a reason at the signal of RLIMIT_CPU, which the
// Go runtime would ignore.
func endOverCPU(limit time.Duration) {
	over := make(chan os.Signal, 1)
	signal.Notify(over, unix.SIGXCPU)
	go func() {
		<-over
		fmt.Fprintf(os.Stderr, "limits.cpu_total: the process has used the %v of processor time that are allowed\n", limit)
		os.Exit(2)
	}()
}

// assign sets a number that some systems have signed.
func assign[T int64 | uint64](to *T, value uint64) { *to = T(min(value, math.MaxInt64)) }

func unsupported(limit string) error {
	return fmt.Errorf("limits.%s is not supported on %s: leave it out there", limit, runtime.GOOS)
}

// dieOfSignals leaves the signals to the Go runtime: it prints what it met, which
// the host logs, and ends the process with status 2.
func dieOfSignals() error { return nil }
