//go:build unix

package process

import (
	"fmt"
	"syscall"

	"golang.org/x/sys/unix"
)

func signalName(s syscall.Signal) string {
	return fmt.Sprintf("%s (%s)", unix.SignalName(s), s)
}
