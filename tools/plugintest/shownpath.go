package plugintest

import (
	"os"
	"path/filepath"
	"sync"
)

// A report names a file by one path, whichever tool has found the place: relative to the working directory
// where it is below that, and else as the debug information has it.

// workingDirs are the names of the working directory: compilers note that of the shell, or the resolved one.
var workingDirs = sync.OnceValue(func() []string {
	dir, err := os.Getwd()
	if err != nil {
		return nil
	}
	dirs := []string{dir}
	if resolved, err := filepath.EvalSymlinks(dir); err == nil && resolved != dir {
		dirs = append(dirs, resolved)
	}
	return dirs
})

// shownPath is the path by which a report names a file.
func shownPath(file string) string {
	if !filepath.IsAbs(file) {
		return file
	}
	for _, dir := range workingDirs() {
		if rel, err := filepath.Rel(dir, file); err == nil && filepath.IsLocal(rel) {
			return rel
		}
	}
	return file
}

// shownFrame is a frame of a debugger's stack with the path by which a report names its file.
func shownFrame(frame string) string {
	at := sourceLine.FindStringSubmatchIndex(frame)
	if at == nil {
		return frame
	}
	return frame[:at[4]] + shownPath(frame[at[4]:at[5]]) + frame[at[5]:]
}
