//go:build unix

package files

import (
	"errors"
	"io/fs"
	"syscall"
)

// Identify tells which file a path leads to, behind symbolic links. The error is an
// [*fs.PathError].
func Identify(path string) (Identity, error) {
	var stat syscall.Stat_t
	err := syscall.Stat(path, &stat)
	for errors.Is(err, syscall.EINTR) {
		err = syscall.Stat(path, &stat)
	}
	if err != nil {
		return Identity{}, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	return IdentityOf(&stat), nil
}

// IdentityOf is the identity of the file that the system has described.
func IdentityOf(stat *syscall.Stat_t) Identity {
	return Identity{Volume: uint64(stat.Dev), File: uint64(stat.Ino)} //nolint:unconvert // of other types on other systems
}
