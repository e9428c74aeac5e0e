package cmem

import (
	"math"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// Operations of madvise(2) and futex(2).
const (
	populateRead     = 22
	futexWaitPrivate = 128
)

// Readable tells whether length bytes at addr can be read, without touching them: also
// where a fault would end the process, as it does in a worker.
func Readable(addr, length uint64) bool {
	if addr < FirstPage || addr > math.MaxUint64-length {
		return false
	}
	page := uint64(os.Getpagesize())
	first, end := addr&^(page-1), addr+length
	if _, _, errno := syscall.Syscall(syscall.SYS_MADVISE, uintptr(first), uintptr(end-first), populateRead); errno == 0 {
		return true
	}
	// An older kernel, or memory of a kind that it does not populate. A futex that is not
	// waited for is read.
	for at := first; at < end; at += page {
		var atOnce syscall.Timespec
		_, _, errno := syscall.Syscall6(syscall.SYS_FUTEX, uintptr(at), futexWaitPrivate, 0, uintptr(unsafe.Pointer(&atOnce)), 0, 0)
		runtime.KeepAlive(&atOnce)
		if errno == syscall.EFAULT {
			return false
		}
	}
	return true
}
