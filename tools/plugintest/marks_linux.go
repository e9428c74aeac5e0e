package plugintest

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// maxSweeps bounds how often processes are looked for that others start meanwhile.
const maxSweeps = 20

// endMarked ends the processes that a plugin has started and that have left the session of their
// worker, and outlive it so.
func endMarked(mark string) {
	if mark == "" {
		return
	}
	for range maxSweeps {
		if !sweepMarked(mark) {
			return
		}
	}
}

// sweepMarked ends those that there are, and tells whether there were some.
func sweepMarked(mark string) (some bool) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return false
	}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() || !isMarked(pid, mark) {
			continue
		}
		handle, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue
		}
		if isMarked(pid, mark) { // still: it is the one that has the handle
			some = unix.PidfdSendSignal(handle, unix.SIGKILL, nil, 0) == nil || some
		}
		_ = unix.Close(handle)
	}
	return some
}

func isMarked(pid int, mark string) bool {
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return err == nil && bytes.Contains(append([]byte{0}, environment...), append(append([]byte{0}, mark...), 0))
}
