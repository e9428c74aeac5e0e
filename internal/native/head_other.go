//go:build !linux

package native

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/nyash-plugins/nyash-go/internal/files"
)

// readHead reads the beginning of a file.
func readHead(file string, head []byte) (f fileHead, err error) {
	f.path = file
	if resolved, err := filepath.EvalSymlinks(file); err == nil {
		f.path = resolved
	}
	// A pipe would be waited for.
	info, err := os.Stat(file)
	if err != nil {
		return f, err
	}
	f.mode, f.size = info.Mode(), info.Size()
	if !f.mode.IsRegular() {
		return f, nil
	}
	if f.identity, err = files.Identify(file); err != nil {
		return f, err
	}
	opened, err := os.Open(file)
	if err != nil {
		return f, err
	}
	defer opened.Close()
	f.read, err = opened.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return f, err
	}
	return f, nil
}
