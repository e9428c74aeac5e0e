//go:build unix

package process

import (
	"os/exec"
	"sync"
	"syscall"

	"github.com/nyash-plugins/nyash-go/loader/process/channel"
)

// workerProcess is the process of a worker, and the group that it leads.
type workerProcess struct {
	cmd    *exec.Cmd
	mu     sync.Mutex
	reaped bool
}

// give has the process begin with the files of g.
func give(cmd *exec.Cmd, g *gift) {
	cmd.ExtraFiles = g.files
	cmd.Env = append(cmd.Env, channel.Environment(g.kind, channel.FirstFD, channel.SecondFD))
}

func (p *workerProcess) pid() int { return p.cmd.Process.Pid }

// kill ends the process and those that it has started.
func (p *workerProcess) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		_ = syscall.Kill(-p.pid(), syscall.SIGKILL)
	}
}
