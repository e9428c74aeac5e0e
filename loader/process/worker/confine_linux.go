package worker

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/loader/process/channel"
)

// tidy closes what the worker has inherited, but for first and second, and keeps
// the plugin's own children from inheriting those.
func tidy(first, second uintptr) error {
	for _, fd := range []uintptr{first, second} {
		if _, err := unix.FcntlInt(fd, unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
			return fmt.Errorf("descriptor %d, which a host gives its worker: %w", fd, err)
		}
	}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("list the open descriptors: %w", err)
	}
	for _, e := range entries {
		fd, err := strconv.Atoi(e.Name())
		if err != nil || uintptr(fd) <= max(first, second) {
			continue
		}
		// The runtime has some of its own: what it polls with, and what tells how
		// many processors there are.
		what, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && !strings.HasPrefix(what, "anon_inode:") && !strings.HasPrefix(what, "/sys/fs/cgroup/") {
			_ = unix.Close(fd)
		}
	}
	return nil
}

// confine takes away what the plugin does not need, before any of its code runs.
func confine(limits channel.Limits) error {
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
		// The runtime's own memory does not count.
		used, err := dataSize()
		if err != nil {
			return err
		}
		if err := set("memory", unix.RLIMIT_DATA, used+*limits.Memory); err != nil {
			return err
		}
	}
	if limits.OpenFiles != nil {
		if err := set("open files", unix.RLIMIT_NOFILE, *limits.OpenFiles); err != nil {
			return err
		}
	}
	if limits.CPUTime != nil {
		seconds := uint64(max(1, math.Ceil(limits.CPUTime.Seconds())))
		if err := set("CPU time", unix.RLIMIT_CPU, seconds); err != nil {
			return err
		}
	}
	if limits.Processes != nil {
		return limitProcesses(*limits.Processes, set)
	}
	return nil
}

func limitProcesses(n uint64, set func(what string, resource int, value uint64) error) error {
	if n == 0 {
		return forbidProcesses()
	}
	return set("processes", unix.RLIMIT_NPROC, n)
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
