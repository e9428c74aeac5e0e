//go:build unix

package wasm

import (
	"io/fs"
	"os"
	"syscall"
)

// private reports whether a folder is the user's, and nobody else may write to it.
func private(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && st.Uid == uint32(os.Geteuid()) && info.Mode().Perm()&0o022 == 0
}
