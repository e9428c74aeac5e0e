//go:build nyash_portable || !(amd64 || arm64) || !(darwin || freebsd || linux || netbsd)

package generated

// portableAllocs is what purego's general call allocates.
const portableAllocs = 1
