package native

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/internal/files"
)

// readHead reads the beginning of a file. It goes to the system directly: os
// would first try whether the file can be polled, and filepath would look at
// every folder of the path.
func readHead(file string, head []byte) (f fileHead, err error) {
	fd, direct, err := openHead(file)
	if errors.Is(err, syscall.ENXIO) { // a socket, or a device without a driver
		return fileHead{path: file, mode: fs.ModeSocket}, nil
	}
	if err != nil {
		return f, &fs.PathError{Op: "open", Path: file, Err: err}
	}
	defer func() { _ = syscall.Close(fd) }() // nothing was written
	var stat syscall.Stat_t
	if err := syscall.Fstat(fd, &stat); err != nil {
		return f, &fs.PathError{Op: "stat", Path: file, Err: err}
	}
	f = fileHead{path: file, identity: files.IdentityOf(&stat), mode: mode(stat.Mode), size: stat.Size}
	if !direct {
		f.path = resolve(file, fd)
	}
	if !f.mode.IsRegular() {
		return f, nil
	}
	if f.read, err = syscall.Pread(fd, head, 0); err != nil {
		return f, &fs.PathError{Op: "read", Path: file, Err: err}
	}
	return f, nil
}

// openHead opens a file; direct reports that there are no symbolic links in its path, which is
// so for most and saves the question for the path behind them.
func openHead(file string) (fd int, direct bool, err error) {
	const flags = syscall.O_RDONLY | syscall.O_CLOEXEC | syscall.O_NONBLOCK // or a pipe would be waited for
	how := unix.OpenHow{Flags: flags, Resolve: unix.RESOLVE_NO_SYMLINKS}
	if fd, err := unix.Openat2(unix.AT_FDCWD, file, &how); err == nil {
		return fd, filepath.IsAbs(file), nil
	}
	// There is a link, or the system call is unknown or not allowed, or it is an error that
	// the plain one shows as well.
	fd, err = syscall.Open(file, flags, 0)
	return fd, false, err
}

func mode(bits uint32) fs.FileMode {
	switch bits & syscall.S_IFMT {
	case syscall.S_IFREG:
		return 0
	case syscall.S_IFDIR:
		return fs.ModeDir
	case syscall.S_IFIFO:
		return fs.ModeNamedPipe
	case syscall.S_IFSOCK:
		return fs.ModeSocket
	}
	return fs.ModeDevice
}

// resolve asks the system what path it opened.
func resolve(file string, fd int) string {
	var name [4096]byte
	n, err := syscall.Readlink("/proc/self/fd/"+strconv.Itoa(fd), name[:])
	// The kernel adds a word to the path of a file that was removed meanwhile.
	if err == nil && n > 0 && n < len(name) && name[0] == '/' && !bytes.HasSuffix(name[:n], []byte(" (deleted)")) {
		return string(name[:n])
	}
	if resolved, err := filepath.EvalSymlinks(file); err == nil {
		return resolved
	}
	return file
}
