// Package files reads and writes files that others may have made: no larger than expected, and
// without waiting for the other end of a pipe.
//
// All functions are safe for concurrent use.
package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ErrNotRegular means that a path leads to a folder, a pipe, a device or the like.
var ErrNotRegular = errors.New("not a regular file")

var (
	errEmptyPipe  = errors.New("a pipe that nothing was written to")
	errUnreadPipe = errors.New("a pipe that nobody reads")
)

// Create opens a file for writing, which is empty then; the caller closes it. A pipe without a reader is
// an error: [os.Create] would be its reader as well, and what is written would be lost when it is closed.
func Create(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|nonblock, 0o666)
	if info, statErr := os.Stat(path); err != nil && statErr == nil && info.Mode()&fs.ModeNamedPipe != 0 && errors.Is(err, syscall.ENXIO) {
		return nil, &fs.PathError{Op: "write", Path: path, Err: errUnreadPipe}
	}
	return f, err
}

// Open opens a regular file for reading; the caller closes it. What the path leads to is
// looked at when it is open, because it can be replaced at any time, and is opened without
// waiting. The error is an [*fs.PathError].
func Open(path string) (*os.File, fs.FileInfo, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "read", Path: path, Err: ErrNotRegular}
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// ReadRegular reads a regular file of at most most bytes. A file without a size has no
// contents: the system makes up those of /proc, and some of them have no end, or wait.
func ReadRegular(path string, most int64) ([]byte, error) {
	f, info, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info.Size() == 0 {
		return nil, nil
	}
	return read(f, info.Size(), most)
}

// Read is [os.ReadFile] for what may be a pipe, and for devices without an end: more than most
// bytes are an error. It waits for those that write to a pipe, and not for one that may come to.
func Read(path string, most int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := read(f, 0, most)
	if err != nil || len(data) > 0 {
		return data, err
	}
	if info, err := f.Stat(); err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errEmptyPipe}
	}
	return data, nil
}

// read reads a file that is said to have size bytes.
func read(f *os.File, size, most int64) ([]byte, error) {
	var data bytes.Buffer
	data.Grow(int(min(size, most)) + bytes.MinRead)
	_, err := data.ReadFrom(io.LimitReader(f, most+1))
	if err == nil && int64(data.Len()) > most {
		return nil, fmt.Errorf("%s: it is larger than %d MiB; is it the right file?", f.Name(), most>>20)
	}
	return data.Bytes(), err
}
