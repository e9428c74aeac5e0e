//go:build !linux

package plugintest

import "io/fs"

// limitsWork tells whether workers keep limits.
const limitsWork = false

// onDisk is what a file takes, in bytes.
func onDisk(info fs.FileInfo) int64 { return info.Size() }
