package isolate

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// besideOrInPath looks for nyash-worker beside the program and in PATH.
func besideOrInPath(self string) (string, error) {
	name := "nyash-worker"
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if self != "" {
		beside := filepath.Join(filepath.Dir(self), name)
		if _, err := os.Stat(beside); err == nil {
			return beside, nil
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%w: %s is neither beside the program nor in PATH; install it, name it with loader.WithWorker, or call worker.Main first thing in main: %w", ErrWorker, name, err)
	}
	return path, nil
}
