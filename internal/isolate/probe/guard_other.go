//go:build !linux || !(amd64 || arm64)

package probe

// Guards tells whether workers on this system can guard what a library takes with malloc.
const Guards = false

func guard(string, bool) {}
