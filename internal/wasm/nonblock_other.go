//go:build !unix

package wasm

// nonblock is nothing where pipes are no files.
const nonblock = 0
