//go:build unix

package isolate

import (
	"os/exec"
	"sync"

	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// workerProcess is the process of a worker, and the session that it leads: it can leave
// neither that nor its group.
type workerProcess struct {
	cmd    *exec.Cmd
	handle int // its pidfd; -1 where there is none
	mu     sync.Mutex
	reaped bool
}

// give has the process begin with the files of g.
func give(cmd *exec.Cmd, g *transport.Files) {
	cmd.ExtraFiles = g.Files
	cmd.Env = append(cmd.Env, wire.Environment(g.Kind, wire.FirstFD, wire.SecondFD))
}

func (p *workerProcess) pid() int { return p.cmd.Process.Pid }
