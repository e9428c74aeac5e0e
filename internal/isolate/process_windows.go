package isolate

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// workerProcess is the process of a worker, and the job that it is in with those
// that it starts.
type workerProcess struct {
	cmd   *exec.Cmd
	mu    sync.Mutex
	job   windows.Handle
	ended bool
}

// spawn starts a worker that dies with this program: the system ends a job when
// its last handle is closed.
func spawn(cmd *exec.Cmd, g *transport.Files) (*workerProcess, error) {
	var handles []syscall.Handle
	var numbers []uintptr
	for _, f := range g.Files {
		h := syscall.Handle(f.Fd())
		if err := syscall.SetHandleInformation(h, syscall.HANDLE_FLAG_INHERIT, syscall.HANDLE_FLAG_INHERIT); err != nil {
			return nil, fmt.Errorf("have the worker inherit a pipe: %w", err)
		}
		handles, numbers = append(handles, h), append(numbers, uintptr(h))
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{AdditionalInheritedHandles: handles, HideWindow: true}
	// Without this variable many libraries of the system do not load.
	cmd.Env = append(cmd.Env, "SystemRoot="+os.Getenv("SystemRoot"), wire.Environment(g.Kind, numbers[0], numbers[1]))
	job, err := newJob()
	if err != nil {
		return nil, err
	}
	p := &workerProcess{cmd: cmd, job: job}
	if err := cmd.Start(); err != nil {
		_ = windows.CloseHandle(job)
		return nil, err
	}
	// It has not loaded the plugin yet: it waits to be told which.
	if err := p.enlist(); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = windows.CloseHandle(job)
		return nil, fmt.Errorf("put the worker into a job: %w", err)
	}
	return p, nil
}

func newJob() (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, fmt.Errorf("create a job: %w", err)
	}
	var info windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION
	info.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE | windows.JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION
	if _, err := windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info))); err != nil {
		_ = windows.CloseHandle(job)
		return 0, fmt.Errorf("set the limits of a job: %w", err)
	}
	return job, nil
}

func (p *workerProcess) enlist() error {
	h, err := windows.OpenProcess(windows.PROCESS_SET_QUOTA|windows.PROCESS_TERMINATE, false, uint32(p.pid()))
	if err != nil {
		return err
	}
	defer windows.CloseHandle(h) //nolint:errcheck // there is nothing to do about it
	return windows.AssignProcessToJobObject(p.job, h)
}

func (p *workerProcess) pid() int { return p.cmd.Process.Pid }

// kill ends the process and those that it has started.
func (p *workerProcess) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ended {
		_ = windows.TerminateJobObject(p.job, 1)
	}
}

// wait waits for the end of the process and ends what it has started.
func (p *workerProcess) wait() *os.ProcessState {
	_ = p.cmd.Wait() // the state says it all
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = windows.CloseHandle(p.job)
	p.ended = true
	return p.cmd.ProcessState
}
