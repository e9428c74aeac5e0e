//go:build darwin || freebsd || linux

package leaf_test

import "syscall"

// By which signals C's faults end the process on this architecture, on which a division by 0
// is none.
const (
	divideSignal, divideName   = syscall.SIGABRT, "SIGABRT, pc 0x"
	illegalSignal, illegalName = syscall.SIGTRAP, "SIGTRAP at the address 0x"
)
