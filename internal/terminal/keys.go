//go:build linux || darwin || freebsd

package terminal

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// KeysAreInput has the terminal f hand Ctrl-C, Ctrl-Z and Ctrl-\ to its reader, and make no signals of them.
func KeysAreInput(f *os.File) error {
	mode, err := unix.IoctlGetTermios(int(f.Fd()), getMode)
	if err != nil {
		return fmt.Errorf("the terminal's mode: %w", err)
	}
	mode.Lflag &^= unix.ISIG
	if err := unix.IoctlSetTermios(int(f.Fd()), setMode, mode); err != nil {
		return fmt.Errorf("the terminal's mode: %w", err)
	}
	return nil
}
