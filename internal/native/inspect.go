package native

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"

	"github.com/nyash-plugins/nyash-go/internal/files"
)

// headSize is how much of a file's beginning is looked at: its header and the
// program headers, of which libraries have about ten.
const headSize = 2048

// Seen is what Look has seen of a file. It is not changed.
type Seen struct {
	asked    string
	file     string // absolute, symbolic links resolved
	identity files.Identity
	found    bool  // the path leads to something that was opened
	err      error // why it is no library
}

// Look looks at a file before the system's loader does: the loader's messages
// do not say what the file is, and a library that was cut short can kill the
// process while it is mapped. file is an absolute path.
func Look(file string) *Seen {
	s := &Seen{asked: file, file: file}
	var head [headSize]byte
	f, err := readHead(file, head[:])
	if err != nil {
		s.err = fmt.Errorf("load %s: %w", file, err)
		return s
	}
	s.file, s.identity, s.found = f.path, f.identity, true
	s.err = f.check(head[:f.read])
	return s
}

// Exists reports whether the path leads to anything, be it no library.
func (s *Seen) Exists() bool {
	if s.found {
		return true
	}
	_, err := os.Stat(s.asked) // what cannot be opened can be there
	return err == nil
}

// Inspect is Look for the file's path with all symbolic links resolved.
func Inspect(file string) (resolved string, err error) {
	s := Look(file)
	return s.file, s.err
}

// check tells why a file that begins with head is no library.
func (f *fileHead) check(head []byte) error {
	switch {
	case !f.mode.IsRegular():
		return notLibrary(f.path, "it is %s, not a file", kindOf(f.mode))
	case f.size == 0:
		return notLibrary(f.path, "the file is empty")
	case bytes.HasPrefix(head, []byte(moduleMagic)):
		return notLibrary(f.path, "it is a WebAssembly module, whose name must end in .wasm; rename it, here and in nyash.toml")
	}
	return inspectFormat(f.path, head, f.size)
}

// moduleMagic is what a WebAssembly module begins with.
const moduleMagic = "\x00asm"

// fileHead is what readHead finds out.
type fileHead struct {
	path     string // symbolic links resolved
	identity files.Identity
	mode     fs.FileMode
	size     int64
	read     int // bytes of the beginning; 0 for what is no regular file
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
	return fmt.Sprintf("%q", string(head[:min(len(head), 12)]))
}
