//go:build darwin || freebsd || linux

package leaf_test

import "syscall"

// By which signals C's faults end the process on this architecture.
const (
	divideSignal, divideName   = syscall.SIGFPE, "SIGFPE at the address 0x"
	illegalSignal, illegalName = syscall.SIGILL, "SIGILL at the address 0x"
)
