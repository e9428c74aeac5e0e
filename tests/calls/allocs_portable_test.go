//go:build nyash_portable || !(amd64 || arm64) || !(darwin || freebsd || linux || netbsd)

package calls

// entryAllocs is what entering Go through purego's callback allocates for each call.
const entryAllocs = 4
