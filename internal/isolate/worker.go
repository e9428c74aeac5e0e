package isolate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/isolate/pipe"
	"github.com/nyash-plugins/nyash-go/internal/isolate/shm"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
	"github.com/nyash-plugins/nyash-go/internal/native"
)

// start starts a worker and has it load the library, until ctx ends; asking is the context
// of what connect and init ask.
func start(ctx, asking context.Context, p *Plugin) (*Session, error) {
	program, err := findWorker(p.config.Load(), wire.SelfServing.Load())
	if err != nil {
		return nil, err
	}
	s := newSession(p)
	var theirs *transport.Files
	if s.link, theirs, err = newTransport(s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrWorker, err)
	}
	err = s.launch(program, theirs)
	theirs.Close()
	if err != nil {
		s.link.Close()
		return nil, fmt.Errorf("%w: %w", ErrWorker, err)
	}
	if err := s.load(ctx, asking); err != nil {
		s.kill(err)
		s.waitEnded()
		return nil, err
	}
	return s, nil
}

// newTransport makes the transport that the plugin's configuration asks for.
func newTransport(s *Session) (t transport.Transport, theirs *transport.Files, err error) {
	if kind := s.config.Channel; kind == ChannelPipe || kind == ChannelAuto && !shm.Works() {
		t, theirs, err = pipe.New(&s.peer)
	} else {
		t, theirs, err = shm.New(&s.peer)
	}
	s.peer.Transport = t
	return t, theirs, err
}

// launch starts the process and the goroutines that watch it.
func (s *Session) launch(program string, theirs *transport.Files) error {
	command, err := s.config.command(program)
	if err != nil {
		return err
	}
	output, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer write.Close()
	cmd := exec.Command(command[0], command[1:]...)
	if cmd.Dir = s.config.Dir; cmd.Dir != "" {
		// exec's own error would name the program.
		if info, err := os.Stat(cmd.Dir); err != nil || !info.IsDir() {
			return fmt.Errorf("working_directory %s is no directory", cmd.Dir)
		}
	}
	for _, name := range s.config.Env {
		if value, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	cmd.Env = append(cmd.Env, s.config.Variables...)
	if len(command) > 1 {
		// A collection takes minutes where threads run one at a time.
		cmd.Env = append(cmd.Env, "GOGC=off")
	}
	cmd.Stdout, cmd.Stderr = write, write
	s.process, err = spawn(cmd, theirs)
	if err != nil {
		output.Close()
		return err
	}
	s.cell = newCell(s.config)
	s.cell.enter(s.process.pid())
	s.output = output
	go s.readOutput(output)
	go s.watch()
	if s.config.Started != nil {
		s.config.Started(s.process.pid())
	}
	return nil
}

// load has the worker load the library.
func (s *Session) load(ctx, asking context.Context) error {
	stop := context.AfterFunc(ctx, func() { s.kill(context.Cause(ctx)) })
	defer stop()
	c := s.config
	load := wire.Load{
		Version: wire.Version, File: c.File, InvokeOnly: c.InvokeOnly,
		Threads: uint8(c.Threads), Unload: c.Unload, Track: c.Track, Survey: c.Survey, Wrapped: c.Wrapper != nil, Stops: c.Started != nil, Guard: c.Guard,
		Limits: wire.Limits(c.Limits), AtOnce: c.AtOnce, Tables: c.Tables, Module: c.Module, Calls: c.Calls != nil, MaxBlobs: s.peer.MaxBlobs(),
	}
	answer, err := s.link.Load(asking, &load)
	config := answer.Config
	if err == nil && config != nil && answer.Error == nil && answer.Version == wire.Version {
		if err := s.configure(&load, *config); err != nil {
			return err
		}
		answer, err = s.link.Load(asking, &load)
	}
	switch {
	case err != nil:
		return s.loadFailed(ctx, err)
	case answer.Version != wire.Version:
		return fmt.Errorf("%w: it speaks version %d, and this host version %d: install the two of one release", ErrWorker, answer.Version, wire.Version)
	case c.Hooks && !answer.Hooks:
		return fmt.Errorf("%w: it has no hooks for testers, which only plugin-tester's own worker has: leave the worker to be chosen, or name a plugin-tester", ErrWorker)
	case answer.Error != nil:
		return loadError(c.File, answer.Error)
	case config != nil && answer.Config != nil:
		return &native.Error{File: c.File, Reason: native.ErrDescription, Detail: "its worker sent a description twice"}
	}
	if err := contract.CheckDescription(answer.Description); err != nil {
		return &native.Error{File: c.File, Reason: native.ErrDescription, Detail: err.Error(), Err: err}
	}
	if err := checkTables(c.Tables, &answer.Description); err != nil {
		return &native.Error{File: c.File, Reason: native.ErrDescription, Detail: err.Error(), Err: err}
	}
	if !stop() { // the worker is being killed, though it has answered
		return s.loadFailed(ctx, context.Cause(ctx))
	}
	s.description = answer.Description
	s.description.Config = config
	if !s.description.Connects {
		s.peer.Mute()
	}
	if native.Threads(load.Threads) != native.Free || c.Module != nil {
		s.turn = make(chan struct{}, 1)
	}
	s.ready.Store(true)
	go s.watchLimits()
	return nil
}

// configure has the plugin's owner decide on the threads of a library that describes
// itself.
func (s *Session) configure(load *wire.Load, text string) error {
	c := s.config
	if err := contract.CheckConfig(text); err != nil {
		return &native.Error{File: c.File, Reason: native.ErrDescription, Detail: err.Error(), Err: err}
	}
	if c.Configure == nil {
		return nil
	}
	threads, err := c.Configure(text)
	load.Threads = uint8(threads)
	return err
}

// checkTables tells what cannot be in a worker's answer to requests for tables: both come
// in the order in which they were asked for, and once.
func checkTables(asked []native.TableRequest, d *abi.Description) error {
	if d.Generation > abi.TypeBoxes || d.Generation == abi.TypeBoxes && d.Tables == nil {
		return fmt.Errorf("its worker says that it is of %v, with %d tables", d.Generation, len(d.Tables))
	}
	for i := range d.Tables {
		t := &d.Tables[i]
		at := slices.IndexFunc(asked, func(r native.TableRequest) bool { return r.Box == t.Box })
		if at < 0 {
			return errors.New("its worker found a table that nobody asked for")
		}
		methods := asked[at].Methods
		asked = asked[at+1:]
		for _, m := range t.Methods {
			at := slices.Index(methods, m.Name)
			if at < 0 || m.ID == 0 {
				return errors.New("its worker found a method that nobody asked for")
			}
			methods = methods[at+1:]
		}
		t.Err = contract.Excerpt(t.Err)
	}
	return nil
}

// gone are the errors of reading and writing that a worker's end brings about.
var gone = []error{io.EOF, io.ErrUnexpectedEOF, os.ErrClosed, os.ErrDeadlineExceeded, syscall.ECONNRESET, syscall.EPIPE}

// loadFailed is what became of a worker that said nothing sensible.
func (s *Session) loadFailed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("load %s: %w", s.config.File, context.Cause(ctx))
	}
	// A worker that has closed its end, and goes on, will say nothing any more.
	select {
	case <-s.peer.Ended:
	case <-time.After(transport.CloseWait):
		s.kill(transport.ErrHungUp)
	}
	if !slices.ContainsFunc(gone, func(e error) bool { return errors.Is(err, e) }) {
		return fmt.Errorf("%w: %w", ErrWorker, err)
	}
	if !s.waitEnded() {
		return fmt.Errorf("load %s: %w", s.config.File, transport.ErrHungUp)
	}
	crash := s.peer.Crash.Load()
	if crash.Signal == 0 && crash.Cause == nil && !s.link.Begun() {
		return fmt.Errorf("%w: it exited with status %d before it had loaded anything%s; is it nyash-worker, and of this release?", ErrWorker, crash.Status, s.lastOutput())
	}
	return fmt.Errorf("load %s: %w", s.config.File, crash)
}

var reasons = []error{native.ErrNotLibrary, native.ErrNotModule, native.ErrOpen, native.ErrSymbol, native.ErrVersion, native.ErrConnect, native.ErrInit, native.ErrDescription, native.ErrBusy}

// loadError rebuilds the error that the worker met.
func loadError(file string, e *wire.LoadError) error {
	var cause error
	switch {
	case e.Code != nil:
		cause = *e.Code
	case e.Ended:
		cause = &transport.CrashError{Module: true, Cause: errors.New(contract.Excerpt(e.Detail))}
	case e.Reason == wire.ErrNotLinked.Error():
		return fmt.Errorf("%w: %w", ErrWorker, wire.ErrNotLinked)
	}
	for _, reason := range reasons {
		if reason.Error() == e.Reason {
			return &native.Error{File: file, Reason: reason, Detail: contract.Excerpt(e.Detail), Err: cause}
		}
	}
	if !e.Exists {
		return fmt.Errorf("%s: %w", contract.Excerpt(e.Text), fs.ErrNotExist)
	}
	return errors.New(contract.Excerpt(e.Text))
}

// watch waits for the process to end and clears away what it leaves.
func (s *Session) watch() {
	state := s.process.wait()
	// What it printed last belongs to the errors that follow.
	_ = s.output.SetReadDeadline(time.Now().Add(transport.DrainWait))
	select {
	case <-s.outputDone:
	case <-time.After(transport.DrainWait):
	}
	s.peer.Crash.Store(s.crashOf(state))
	s.cell.remove()
	s.link.Drain()
	s.logs.over()
	s.lines.flush(context.Background())
	s.died()
}

// crashOf tells how the process ended. state is nil where somebody else in this
// program has waited for it.
func (s *Session) crashOf(state *os.ProcessState) *transport.CrashError {
	killedFor := s.killedFor.Load()
	if state == nil {
		crash := &transport.CrashError{Status: -1, Cause: transport.ErrReaped}
		if killedFor != nil {
			crash.Cause = *killedFor
		}
		return crash
	}
	crash := &transport.CrashError{Status: state.ExitCode()}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() { //nolint:misspell // Go's name
		crash.Signal = status.Signal()
	}
	// One that died by itself was not killed by those who would have. Windows knows
	// no signals.
	if killedFor != nil && (crash.Signal == syscall.SIGKILL || runtime.GOOS == "windows") {
		crash.Cause = *killedFor
	} else if crash.Signal == syscall.SIGKILL {
		crash.Cause = s.cell.cause()
	}
	if s.config.Module != nil && crash.Cause == nil && crash.Status == wire.StatusModule {
		crash.Module, crash.Cause = true, errors.New(s.lastPrinted())
	}
	if limit := s.config.Limits.Memory; limit != nil && crash.Cause == nil && s.exhausted.Load() {
		crash.Cause = errExhausted(*limit)
	}
	return crash
}
