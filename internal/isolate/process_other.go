//go:build !unix && !windows

package isolate

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
)

type workerProcess struct{}

func spawn(*exec.Cmd, *gift) (*workerProcess, error) {
	return nil, fmt.Errorf("%w: %s", ErrUnsupported, runtime.GOOS)
}

func (*workerProcess) pid() int               { return 0 }
func (*workerProcess) kill()                  {}
func (*workerProcess) wait() *os.ProcessState { return nil }
