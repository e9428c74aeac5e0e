package worker

import (
	"time"

	"golang.org/x/sys/unix"
)

// currentThread is the OS thread that this runs on.
func currentThread() int { return unix.Gettid() }

// threadTime is the processor time that a thread of this process has used.
func threadTime(thread int) time.Duration {
	// clock_getcpuclockid(3) says how such a clock is numbered; 4 is a thread's, and
	// 2 the scheduler's count.
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^thread<<3|4|2), &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}
