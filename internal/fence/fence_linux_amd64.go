//go:build !race

package fence

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Commands of membarrier(2).
const (
	privateExpedited         = 1 << 3
	registerPrivateExpedited = 1 << 4
)

// light is whether the kernel makes barriers for Heavy.
var light atomic.Bool

func init() { light.Store(membarrier(registerPrivateExpedited)) }

func membarrier(command uintptr) bool {
	_, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, command, 0, 0)
	return errno == 0
}

// Release sets p to 0. What the caller has read and written before is done before that is
// seen.
func Release(p *atomic.Uint64) {
	if light.Load() {
		release(p)
		return
	}
	p.Store(0)
}

// release is a plain store, which no other store or load before it passes on this processor.
// It is assembly because the compiler may move plain stores.
//
//go:noescape
func release(p *atomic.Uint64)

// Heavy is a barrier on all threads of the process; see the comment of the package.
func Heavy() {
	if light.Load() && !membarrier(privateExpedited) {
		// A filter of system calls that was set meanwhile. Stores that are under way without
		// a barrier are seen long before this is over.
		light.Store(false)
		time.Sleep(time.Millisecond) //nolint:forbidigo // nothing tells
	}
}
