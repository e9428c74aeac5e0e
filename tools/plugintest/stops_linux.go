package plugintest

import (
	"errors"

	"golang.org/x/sys/unix"
)

// waitStopped waits until a process that this one has started stops, and reports false when it
// has ended instead.
func waitStopped(pid int) bool {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, pid, &info, unix.WSTOPPED|unix.WEXITED|unix.WNOWAIT, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		const stopped = 5 // CLD_STOPPED
		return err == nil && info.Code == stopped
	}
}

// goOn continues a process that has stopped.
func goOn(pid int) { _ = unix.Kill(pid, unix.SIGCONT) }

const stopsWork = true
