package process

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// spawner runs functions on one OS thread that lives as long as the program: a
// worker gets its parent-death signal when the thread that started it ends, and
// not only when the process does.
var spawner = sync.OnceValue(func() chan<- func() {
	work := make(chan func())
	go func() {
		runtime.LockOSThread()
		for f := range work {
			f()
		}
	}()
	return work
})

func startOnSpawner(cmd *exec.Cmd) (err error) {
	done := make(chan struct{})
	spawner() <- func() { err = cmd.Start(); close(done) }
	<-done
	return err
}

// spawn starts a worker that dies with this program.
func spawn(cmd *exec.Cmd, g *gift) (*workerProcess, error) {
	give(cmd, g)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := startOnSpawner(cmd); err != nil {
		return nil, err
	}
	return &workerProcess{cmd: cmd}, nil
}

// wait waits for the end of the process and ends what it has started.
func (p *workerProcess) wait() *os.ProcessState {
	for {
		// Not reaped yet, the process keeps its id, and so its group can be
		// killed with no fear of hitting another.
		err := unix.Waitid(unix.P_PID, p.pid(), nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = syscall.Kill(-p.pid(), syscall.SIGKILL)
	_ = p.cmd.Wait() // the state says it all
	p.reaped = true
	return p.cmd.ProcessState
}
