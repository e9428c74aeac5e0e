//go:build linux

package shm

import (
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Operations of futex(2). They are not the private ones: the words are in memory
// that two processes share.
const (
	futexWait = 0
	futexWake = 1
)

// Wait returns when the word is not, or no longer, value and somebody said so
// with Wake, after the timeout (0 for none), or for no reason.
func Wait(word *atomic.Uint32, value uint32, timeout time.Duration) {
	var limit *unix.Timespec
	if timeout > 0 {
		t := unix.NsecToTimespec(int64(timeout))
		limit = &t
	}
	// Errors are a changed word, the timeout and signals: the caller looks again.
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWait, uintptr(value), uintptr(unsafe.Pointer(limit)), 0, 0)
	runtime.KeepAlive(limit)
}

// Wake wakes up to n of those who wait on the word.
func Wake(word *atomic.Uint32, n int) {
	_, _, _ = unix.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(word)), futexWake, uintptr(n), 0, 0, 0)
}
