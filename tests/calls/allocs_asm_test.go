//go:build !nyash_portable && (amd64 || arm64) && (darwin || freebsd || linux || netbsd)

package calls

const entryAllocs = 0
