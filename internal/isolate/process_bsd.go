//go:build unix && !linux

package isolate

import (
	"os"
	"os/exec"
	"syscall"

	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
)

// spawn starts a worker. It ends when the pipe from this program is closed, by
// this program's end at the latest.
func spawn(cmd *exec.Cmd, g *transport.Files) (*workerProcess, error) {
	give(cmd, g)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &workerProcess{cmd: cmd, handle: -1}, nil
}

// wait waits for the end of the process and ends what it has started.
func (p *workerProcess) wait() *os.ProcessState {
	_ = p.cmd.Wait() // the state says it all
	p.mu.Lock()
	defer p.mu.Unlock()
	// The group keeps its id for as long as it has a member.
	_ = syscall.Kill(-p.pid(), syscall.SIGKILL)
	p.reaped = true
	return p.cmd.ProcessState
}

// kill ends the process and those that it has started.
func (p *workerProcess) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return
	}
	_ = p.cmd.Process.Kill()
	_ = syscall.Kill(-p.pid(), syscall.SIGKILL)
}
