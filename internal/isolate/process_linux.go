package isolate

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
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
func spawn(cmd *exec.Cmd, g *transport.Files) (*workerProcess, error) {
	give(cmd, g)
	// In a session of its own the worker has no terminal, and cannot leave its group.
	handle := -1
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL, PidFD: &handle}
	if err := startOnSpawner(cmd); err != nil {
		return nil, err
	}
	return &workerProcess{cmd: cmd, handle: handle}, nil
}

// wait waits for the end of the process and ends what it has started. It returns
// nil where somebody else has waited for the process: every program that is the
// first of a container does, and one that ignores SIGCHLD has the system do it.
func (p *workerProcess) wait() *os.ProcessState {
	kind, id := unix.P_PID, p.pid()
	if p.handle >= 0 {
		kind, id = unix.P_PIDFD, p.handle
	}
	var err error
	for {
		// Not reaped yet, the process keeps its id, and so its group can be
		// killed with no fear of hitting another.
		err = unix.Waitid(kind, id, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		_ = syscall.Kill(-p.pid(), syscall.SIGKILL)
	}
	_ = p.cmd.Wait() // the state says it all
	p.reaped = true
	if p.handle >= 0 {
		_ = unix.Close(p.handle)
	}
	return p.cmd.ProcessState
}

// kill ends the process and those that it has started.
func (p *workerProcess) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.reaped {
		return
	}
	if p.handle >= 0 && errors.Is(unix.PidfdSendSignal(p.handle, unix.SIGKILL, nil, 0), unix.ESRCH) {
		return // somebody else has waited for it, and its id may be another's
	}
	// Where there are no pidfds, by its number, with the group.
	_ = syscall.Kill(p.pid(), syscall.SIGKILL)
	_ = syscall.Kill(-p.pid(), syscall.SIGKILL)
}
