//go:build unix

package transport

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

// SignalName is the name of a signal and what it means.
func SignalName(s syscall.Signal) string {
	return fmt.Sprintf("%s (%s)", unix.SignalName(s), s)
}
