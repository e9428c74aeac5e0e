package files

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// shallow is how deep folders may be in others, so that each is reached by its path.
const shallow = 8 // names have up to 255 bytes, and paths 4096

// RemoveAll removes a folder with all that is in it, however deep that is: [os.RemoveAll] needs a descriptor for each
// level, and a program that one does not trust may have made more levels than there are descriptors. What is not there
// is removed.
func RemoveAll(dir string) error {
	if os.RemoveAll(dir) == nil {
		return nil
	}
	flatten(dir)
	return os.RemoveAll(dir)
}

// flatten moves folders that are deep in others to the first level. What cannot be moved stays.
func flatten(dir string) {
	moved := 0
	for left := []string{dir}; len(left) > 0; {
		top := left[len(left)-1]
		left = left[:len(left)-1]
		_ = filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.IsDir() {
				return nil //nolint:nilerr // it stays
			}
			if rel, err := filepath.Rel(top, path); err != nil || depthOf(rel) < shallow {
				return nil //nolint:nilerr // there is no such path
			}
			to := filepath.Join(dir, fmt.Sprintf(".deep-%d", moved))
			if moved++; os.Rename(path, to) == nil {
				left = append(left, to)
			}
			return filepath.SkipDir
		})
	}
}

func depthOf(rel string) int {
	depth := 1
	for i := range len(rel) {
		if os.IsPathSeparator(rel[i]) {
			depth++
		}
	}
	return depth
}
