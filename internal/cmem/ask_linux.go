package cmem

import "syscall"

const canAsk = true

// readable asks the kernel whether the bytes around addr can be read, eight that lie on one
// page: it reads them as a set of signals before it looks at what is to be done with them,
// which is nothing that there is.
func readable(addr uintptr) bool {
	const noSuch, setSize = ^uintptr(0), 8
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGPROCMASK, noSuch, addr&^(setSize-1), 0, setSize, 0, 0)
	return errno != syscall.EFAULT
}
