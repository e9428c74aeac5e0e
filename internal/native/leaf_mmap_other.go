//go:build darwin || freebsd

package native

import "golang.org/x/sys/unix"

const (
	mapNoReserve   = 0 // memory that cannot be touched is not counted
	giveBackMemory = unix.MADV_FREE
)
