//go:build unix

package worker

import (
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// mostDescriptors is how far tidy looks where the system does not list what is open.
const mostDescriptors = 4096

// tidy closes what the worker has inherited, but for first and second, and keeps
// the plugin's own children from inheriting those.
func tidy(first, second uintptr) error {
	for _, fd := range []uintptr{first, second} {
		if _, err := unix.FcntlInt(fd, unix.F_SETFD, unix.FD_CLOEXEC); err != nil {
			return fmt.Errorf("descriptor %d, which a host gives its worker: %w", fd, err)
		}
	}
	for _, fd := range descriptors() {
		if fd <= unix.Stderr {
			continue
		}
		// What this process has opened itself is closed on exec, the runtime's own
		// too; what came through an exec is not.
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err == nil && flags&unix.FD_CLOEXEC == 0 {
			_ = unix.Close(fd)
		}
	}
	return nil
}

// descriptors are those that may be open.
func descriptors() (all []int) {
	// Elsewhere a folder of that kind may show the standard ones only.
	if runtime.GOOS == "linux" {
		if entries, err := os.ReadDir("/proc/self/fd"); err == nil {
			for _, e := range entries {
				if fd, err := strconv.Atoi(e.Name()); err == nil {
					all = append(all, fd)
				}
			}
			return all
		}
	}
	for fd := range mostDescriptors {
		all = append(all, fd)
	}
	return all
}
