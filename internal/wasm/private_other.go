//go:build !unix

package wasm

import "io/fs"

// private is true where folders have no such bits: the folder is below the user's own.
func private(fs.FileInfo) bool { return true }
