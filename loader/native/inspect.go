package native

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// inspect looks at a file before the system's loader does: the loader's
// messages do not say what the file is, and a library that was cut short can
// kill the process while it is mapped.
func inspect(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("load %s: %w", file, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("load %s: %w", file, err)
	}
	if !info.Mode().IsRegular() {
		return notLibrary(file, "it is %s, not a file", kindOf(info.Mode()))
	}
	if info.Size() == 0 {
		return notLibrary(file, "the file is empty")
	}
	head := make([]byte, 4096)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("load %s: %w", file, err)
	}
	return inspectFormat(file, head[:n], info.Size())
}

func notLibrary(file, format string, args ...any) error {
	return &Error{File: file, Reason: ErrNotLibrary, Detail: fmt.Sprintf(format, args...)}
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// startsWith shows the beginning of a file of a wrong kind.
func startsWith(head []byte) string {
	return fmt.Sprintf("%q", head[:min(len(head), 12)])
}
