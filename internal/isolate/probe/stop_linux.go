//go:build amd64 || arm64

package probe

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/internal/native"
)

// stopper is the address of stopC; set in assembly.
var stopper uintptr

// deadly are the signals that stop the process.
var deadly = []unix.Signal{unix.SIGSEGV, unix.SIGBUS, unix.SIGFPE, unix.SIGILL, unix.SIGABRT, unix.SIGTRAP, unix.SIGSYS}

// Flags of a handler: SA_SIGINFO and SA_ONSTACK.
const (
	withInfo   = 0x4
	onAltStack = 0x0800_0000
)

// sigaction is struct sigaction of the C library.
type sigaction struct {
	handler  uintptr
	mask     [16]uint64
	flags    int32
	restorer uintptr
}

// stopAtDeath has deadly signals stop this process first, until it is continued, and lets the
// program that started it, and what that starts, be its debugger.
func stopAtDeath() {
	// Where there is no such rule, whoever may start a process may debug it.
	_ = unix.Prctl(unix.PR_SET_PTRACER, uintptr(unix.Getppid()), 0, 0, 0)
	fn := native.System("sigaction")
	if fn == 0 {
		return // the process ends without a stop
	}
	action := &sigaction{handler: stopper, flags: withInfo | onAltStack}
	for i := range action.mask {
		action.mask[i] = ^uint64(0)
	}
	for _, s := range deadly {
		native.CallSystem(fn, uintptr(s), uintptr(unsafe.Pointer(action)), 0)
	}
}
