package plugintest

import (
	"errors"
	"io/fs"
	"path/filepath"
)

const (
	// diskLimit is how much what a plugin writes to its folder may take, in bytes.
	diskLimit = 1 << 30
	// maxSized is how many files are counted for that.
	maxSized = 20_000
	// diskTicks is after how many looks at its memory one is taken at the folder, which takes longer.
	diskTicks = 10
)

var errDiskFull = errors.New("the plugin wrote too much to its folder")

// fillsDisk tells whether the files of a folder take more than is allowed.
func fillsDisk(dir string) bool {
	total, counted := int64(0), 0
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if counted++; counted > maxSized || total > diskLimit {
			return fs.SkipAll
		}
		if err != nil || !entry.Type().IsRegular() {
			return nil //nolint:nilerr // it is gone meanwhile
		}
		if info, err := entry.Info(); err == nil {
			total += onDisk(info)
		}
		return nil
	})
	return total > diskLimit
}
