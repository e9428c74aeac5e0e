//go:build nyash_portable || !(amd64 || arm64) || !(darwin || freebsd || linux || netbsd)

package loader_test

// portableAllocs is what purego's general call allocates.
const portableAllocs = 1
