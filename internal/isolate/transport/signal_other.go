//go:build !unix

package transport

import "syscall"

// SignalName is the name of a signal and what it means.
func SignalName(s syscall.Signal) string { return s.String() }
