//go:build !nyash_portable && (amd64 || arm64) && (darwin || freebsd || linux || netbsd)

package generated

const portableAllocs = 0
