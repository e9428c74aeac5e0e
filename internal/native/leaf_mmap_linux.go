package native

import "golang.org/x/sys/unix"

const (
	mapNoReserve   = unix.MAP_NORESERVE
	giveBackMemory = unix.MADV_DONTNEED
)
