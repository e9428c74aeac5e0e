//go:build !unix

package files

// nonblock is nothing where pipes are no files.
const nonblock = 0
