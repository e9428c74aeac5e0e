package native

import (
	"fmt"
	"io/fs"
	"strings"
)

// headSize is how much of a file's beginning is looked at: its header and the
// program headers, of which libraries have about ten.
const headSize = 2048

// Inspect looks at a file before the system's loader does: the loader's
// messages do not say what the file is, and a library that was cut short can
// kill the process while it is mapped. It returns the file's path with all
// symbolic links resolved.
func Inspect(file string) (resolved string, err error) {
	var head [headSize]byte
	f, err := readHead(file, head[:])
	switch {
	case err != nil:
		return "", fmt.Errorf("load %s: %w", file, err)
	case !f.mode.IsRegular():
		return "", notLibrary(f.path, "it is %s, not a file", kindOf(f.mode))
	case f.size == 0:
		return "", notLibrary(f.path, "the file is empty")
	}
	if strings.HasPrefix(string(head[:f.read]), moduleMagic) {
		return "", notLibrary(f.path, "it is a WebAssembly module, whose name must end in .wasm; rename it, here and in nyash.toml")
	}
	return f.path, inspectFormat(f.path, head[:f.read], f.size)
}

// moduleMagic is what a WebAssembly module begins with.
const moduleMagic = "\x00asm"

// fileHead is what readHead finds out.
type fileHead struct {
	path string // symbolic links resolved
	mode fs.FileMode
	size int64
	read int // bytes of the beginning; 0 for what is no regular file
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
