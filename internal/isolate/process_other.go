//go:build !unix && !windows

package isolate

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
)

type workerProcess struct{}

func spawn(*exec.Cmd, *transport.Files) (*workerProcess, error) {
	return nil, fmt.Errorf("%w: %s", transport.ErrUnsupported, runtime.GOOS)
}

func (*workerProcess) pid() int               { return 0 }
func (*workerProcess) kill()                  {}
func (*workerProcess) wait() *os.ProcessState { return nil }
