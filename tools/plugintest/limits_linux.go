package plugintest

import (
	"io/fs"
	"syscall"
)

// limitsWork tells whether workers keep limits.
const limitsWork = true

// onDisk is what a file takes, in bytes: one with holes takes less than its size.
func onDisk(info fs.FileInfo) int64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return s.Blocks * 512
	}
	return info.Size()
}
