//go:build !nyash_portable && (amd64 || arm64) && (darwin || freebsd || linux || netbsd)

package loader_test

const portableAllocs = 0
