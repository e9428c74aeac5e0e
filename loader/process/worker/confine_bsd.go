//go:build unix && !linux

package worker

import (
	"fmt"
	"math"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/loader/process/channel"
)

// mostDescriptors is how far tidy looks for what a worker has inherited.
const mostDescriptors = 4096

// tidy closes what the worker has inherited, but for first and second, and keeps
// the plugin's own children from inheriting those.
func tidy(first, second uintptr) error {
	for _, fd := range []uintptr{first, second} {
		if _, err := unix.FcntlInt(fd, unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
			return fmt.Errorf("descriptor %d, which a host gives its worker: %w", fd, err)
		}
	}
	for fd := max(first, second) + 1; fd < mostDescriptors; fd++ {
		// The runtime's own are closed on exec; what came through one is not.
		flags, err := unix.FcntlInt(fd, unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC == 0 {
			_ = unix.Close(int(fd))
		}
	}
	return nil
}

// confine takes away what the plugin does not need, before any of its code runs.
func confine(limits channel.Limits) error {
	if limits.Memory != nil {
		return unsupported("memory")
	}
	if limits.Processes != nil {
		return unsupported("processes")
	}
	set := func(what string, resource int, value uint64) error {
		var limit unix.Rlimit
		assign(&limit.Cur, value)
		assign(&limit.Max, value)
		if err := unix.Setrlimit(resource, &limit); err != nil {
			return fmt.Errorf("limit %s to %d: %w", what, value, err)
		}
		return nil
	}
	if err := set("core dumps", unix.RLIMIT_CORE, 0); err != nil {
		return err
	}
	if limits.OpenFiles != nil {
		if err := set("open files", unix.RLIMIT_NOFILE, *limits.OpenFiles); err != nil {
			return err
		}
	}
	if limits.CPUTime != nil {
		return set("CPU time", unix.RLIMIT_CPU, uint64(max(1, math.Ceil(limits.CPUTime.Seconds()))))
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
