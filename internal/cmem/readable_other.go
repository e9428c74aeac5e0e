//go:build !linux

package cmem

import (
	"math"
	"os"
)

// Readable tells whether length bytes at addr can be read.
func Readable(addr, length uint64) bool {
	if length > math.MaxInt || addr > math.MaxUint64-length {
		return false
	}
	page := uint64(os.Getpagesize())
	for at, end := addr, addr+length; at < end; at = at&^(page-1) + page {
		if Probe(uintptr(at), 1) != nil {
			return false
		}
	}
	return true
}
