//go:build darwin || freebsd || netbsd

package hostvtable

import (
	"sync"

	"github.com/ebitengine/purego"
)

// pthreadSelf is the C library's function, which these systems have no call of the kernel
// in common for.
var pthreadSelf = sync.OnceValue(func() uintptr {
	addr, err := findLibc("pthread_self")
	if err != nil {
		panic(err) // each of these has it, in what every program is linked with
	}
	return addr
})

func thread() uint64 {
	id, _, _ := purego.SyscallN(pthreadSelf())
	return uint64(id)
}
