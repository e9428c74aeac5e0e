package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/loader/native"
	"github.com/nyash-plugins/nyash-go/loader/process/channel"
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

// start starts a worker and has it load the library.
func start(ctx context.Context, p *Plugin) (*Session, error) {
	program, err := findWorker(&p.config, channel.SelfServing.Load())
	if err != nil {
		return nil, err
	}
	memory, file, err := channel.Create()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWorker, err)
	}
	defer file.Close()
	s := newSession(p, memory)
	if err := s.launch(program, file); err != nil {
		memory.Unmap()
		return nil, fmt.Errorf("%w: %w", ErrWorker, err)
	}
	if err := s.load(ctx); err != nil {
		s.kill(err)
		<-s.ended
		s.control.Close()
		return nil, err
	}
	go s.listen()
	return s, nil
}

// launch starts the process and the goroutines that watch it.
func (s *Session) launch(program string, memory *os.File) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socketpair: %w", err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "worker's control socket")
	defer theirs.Close()
	// With the flag set, the runtime waits for the socket without a thread.
	if err := unix.SetNonblock(pair[0], true); err != nil {
		_ = unix.Close(pair[0])
		return err
	}
	s.control = os.NewFile(uintptr(pair[0]), "control socket")
	output, write, err := os.Pipe()
	if err != nil {
		s.control.Close()
		return err
	}
	defer write.Close()

	cmd := exec.Command(program)
	cmd.Dir = s.plugin.config.Dir
	cmd.Env = []string{fmt.Sprintf("%s=%d", channel.EnvVersion, channel.Version)}
	for _, name := range s.plugin.config.Env {
		if value, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	cmd.Stdout, cmd.Stderr = write, write
	cmd.ExtraFiles = []*os.File{theirs, memory}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := startOnSpawner(cmd); err != nil {
		s.control.Close()
		output.Close()
		return err
	}
	s.pid = cmd.Process.Pid
	s.outputDone = make(chan struct{})
	go s.readOutput(output)
	go s.watch(cmd)
	return nil
}

// load has the worker load the library.
func (s *Session) load(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { s.kill(context.Cause(ctx)) })
	defer stop()
	c := &s.plugin.config
	err := channel.Send(s.control, channel.Load{
		Version: channel.Version, File: c.File, InvokeOnly: c.InvokeOnly,
		Threads: uint8(c.Threads), Unload: c.Unload, Track: c.Track, Limits: channel.Limits(c.Limits),
	})
	var answer channel.Loaded
	if err == nil {
		err = channel.Receive(s.control, &answer)
	}
	switch {
	case err != nil:
		return s.loadFailed(ctx, err)
	case answer.Version != channel.Version:
		return fmt.Errorf("%w: it speaks version %d, and this host version %d: install the two of one release", ErrWorker, answer.Version, channel.Version)
	case answer.Error != nil:
		return loadError(c.File, answer.Error)
	}
	s.base, s.description = answer.Base, answer.Description
	s.ready.Store(true)
	s.drain() // what init said
	return nil
}

// loadFailed is what became of a worker that said nothing sensible.
func (s *Session) loadFailed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("load %s: %w", s.plugin.config.File, context.Cause(ctx))
	}
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		return fmt.Errorf("%w: %w", ErrWorker, err)
	}
	<-s.ended
	crash := s.crash.Load()
	if crash.Signal == 0 {
		return fmt.Errorf("%w: it exited with status %d before it had loaded anything%s; is it nyash-worker, and of this release?", ErrWorker, crash.Status, s.lastOutput())
	}
	return fmt.Errorf("load %s: %w", s.plugin.config.File, crash)
}

var reasons = []error{native.ErrNotLibrary, native.ErrOpen, native.ErrSymbol, native.ErrVersion, native.ErrInit, native.ErrDescription, native.ErrBusy}

// loadError rebuilds the error that the worker met.
func loadError(file string, e *channel.LoadError) error {
	var cause error
	if e.Code != nil {
		cause = *e.Code
	}
	for _, reason := range reasons {
		if reason.Error() == e.Reason {
			return &native.Error{File: file, Reason: reason, Detail: e.Detail, Err: cause}
		}
	}
	if !e.Exists {
		return fmt.Errorf("%s: %w", e.Text, fs.ErrNotExist)
	}
	return errors.New(e.Text)
}

// watch waits for the process to end and clears away what it leaves.
func (s *Session) watch(cmd *exec.Cmd) {
	for {
		// Not reaped yet, the process keeps its id, and so its group can be
		// killed with no fear of hitting another.
		err := unix.Waitid(unix.P_PID, s.pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	s.mu.Lock()
	_ = syscall.Kill(-s.pid, syscall.SIGKILL)
	_ = cmd.Wait() // the state says it all
	s.reaped = true
	s.mu.Unlock()

	crash := &CrashError{Status: cmd.ProcessState.ExitCode()}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() { //nolint:misspell // Go's name
		crash.Signal = status.Signal()
	}
	if cause := s.killedFor.Load(); cause != nil {
		crash.Cause = *cause
	}
	s.crash.Store(crash)
	// What it said last belongs to the errors that follow.
	select {
	case <-s.outputDone:
	case <-time.After(lastWords):
	}
	s.drain()
	s.die()
}

// lastWords is how long a worker whose socket is closed may take to end, and how
// long the output of a dead one is waited for: a process that has left the
// worker's group could hold it open for ever.
const lastWords = 100 * time.Millisecond

// kill ends the process, for a reason that its callers are told.
func (s *Session) kill(cause error) {
	s.killedFor.CompareAndSwap(nil, &cause)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.reaped {
		_ = syscall.Kill(-s.pid, syscall.SIGKILL)
	}
}
