package isolate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/internal/restart"
)

// Config says how to run a library.
type Config struct {
	File       string // an existing file
	InvokeOnly bool
	Threads    native.Threads
	Unload     bool
	Track      bool // answer Memory
	// Started is called with the process id of a worker before that loads the library. A worker
	// with Hooks then stops itself at a deadly signal, and ends of it once it is continued
	// (SIGCONT): whoever is told sees to that. Nil for neither.
	Started func(pid int)
	Survey  bool       // have the worker look around before it loads the library; see package probe
	Guard   wire.Guard // of what the library takes with malloc, where the worker can; see package probe
	Hooks   bool       // refuse a worker without a tester's hooks
	Sink    hostvtable.Sink
	// Calls answers what a library that exports nyash_plugin_connect asks of its host. Nil
	// answers all of it with [abi.ErrNotPermitted]. Its ctx is that of [Session.Invoke]
	// within a call, also when that has ended and the call was abandoned; that of Around
	// in connect, init and shutdown; nil on a thread of the plugin's own. What a worker has
	// asked before its end may be carried out after it, when OnEnd has been called.
	Calls hostvtable.Calls
	// Nested keeps 12 places of a worker for calls whose context is nested, see
	// [transport.Nested]. Such a call does not wait for a place: without a free one the
	// error is [transport.ErrNoSlot], and no call was made.
	Nested bool
	// Around runs each start of a worker, and its end: with the context that Calls is
	// given for what the library's connect, init and shutdown ask, which ends when ctx does:
	// that is the time they have. Nil runs them with ctx. It calls what it is given once.
	Around func(ctx context.Context, run func(context.Context))
	// OnEnd is called once for each worker that has ended, with its session, whether or
	// not the library was loaded: when [Session.Lost] reports that, and before those who
	// wait for the worker are woken. Its calls to the host may still be under way, because
	// they take as long as what they call, and another worker may be starting. It must not
	// call the Plugin, nor wait for a call.
	OnEnd func(*Session)
	// Configure is as in [native.Config]; the text comes from a worker, in each life.
	Configure func(text string) (native.Threads, error)
	Tables    []native.TableRequest
	// Module is for a file that is a WebAssembly module; nil for other libraries. A worker has
	// one, and it is called by one caller at a time.
	Module *Module

	Worker  string   // the program; empty to look for it
	Wrapper []string // a command that runs the worker as its last arguments: a debugger, say
	// Output is called with every line that the plugin prints, by one goroutine; nil
	// to have them logged.
	Output func(line string)
	// LogLines and LogBytes are what the plugin may log and print in a second, and
	// at once ten times that; 0 for no limit. Sink is told how much was left out.
	LogLines, LogBytes int

	Channel     Channel
	Restart     Restart
	Limits      Limits
	AtOnce      int           // calls at the same time, as far as is foreseen; 0 for as many as there can be
	CallTimeout time.Duration // 0 for none
	LoadTimeout time.Duration // 0 for none
	CancelGrace time.Duration // 0 to kill at once
	IdleTimeout time.Duration // 0 for none
	MaxBlob     uint64        // how many bytes the blobs of one call to the host may have; 0 for no bound
	Env         []string      // names of the variables that are passed on
	Variables   []string      // of the worker's environment, as NAME=VALUE
	Dir         string        // empty for the host's working directory

	// InUse tells whether instances are alive or about to be made, which an idle
	// worker must not be ended under. It must not call the Plugin.
	InUse func() bool
	// Contended tells whether callers wait for a place that calls under way have, of
	// this plugin or of others; nil for never.
	Contended func() bool
	// OnState is called at each change of state, by one goroutine at a time. It
	// must not call the Plugin.
	OnState func(State, error)
}

// Channel is how host and worker reach each other.
type Channel uint8

// The channels. ChannelAuto is memory where the system has what that needs, and
// pipes elsewhere, which are some twenty times as slow.
const (
	ChannelAuto Channel = iota
	ChannelMemory
	ChannelPipe
)

// Module is what a library gets that is a WebAssembly module.
type Module = wire.Module

// Restart is when a worker that died is replaced.
type Restart = restart.Policy

// Limits are what the worker may use; nil is no limit.
type Limits struct {
	Memory    *uint64
	OpenFiles *uint64
	CPUTime   *time.Duration // of one call, on the thread that serves it
	CPUTotal  *time.Duration // of the worker's life, all threads
	Processes *uint64
}

// State is where a plugin's worker is in its life.
type State uint8

// The states. A plugin is Unloaded before its first worker and while an idle one
// has been ended; Failed when a worker could not be started or has died.
const (
	Unloaded State = iota
	Loading
	Ready
	Failed
	Closed
)

// String returns the state's name.
func (s State) String() string {
	return [...]string{"unloaded", "loading", "ready", "failed", "closed"}[s]
}

// Status is what can be told of a plugin's worker.
type Status struct {
	State    State
	PID      int // 0 without a worker
	Restarts int // workers that took the place of one that died
	Calls    uint64
	Errors   uint64 // of the calls: those that failed, or that the plugin refused
	RSS      uint64 // resident memory in bytes; shared pages count
	CPU      time.Duration
	Err      error // of the last failure
}

var (
	// ErrBroken: the worker died too often to be started again.
	ErrBroken = restart.ErrBroken
	// ErrWorker: the worker cannot be started.
	ErrWorker = errors.New("worker cannot be started")
)

// OwnWorker reports whether this very program becomes the worker, where config.Worker is this.
func OwnWorker(worker string) bool { return worker == "" && wire.SelfServing.Load() }

// findWorker finds the program that becomes the worker.
func findWorker(config *Config, selfServing bool) (string, error) {
	if config.Worker != "" {
		program, err := Program(config.Worker)
		if err != nil {
			return "", fmt.Errorf("%w: %w", ErrWorker, err)
		}
		return program, nil
	}
	self, err := os.Executable()
	if err == nil && selfServing {
		return self, nil
	}
	return besideOrInPath(self)
}

// Program is the absolute path of a program that is named as in a shell: in PATH,
// or from the working directory. A worker is started in its plugin's working
// directory, where that name could be the plugin's. A program in PATH must exist.
func Program(name string) (string, error) {
	if filepath.Base(name) == name {
		path, err := exec.LookPath(name)
		if err != nil {
			return "", err
		}
		name = path
	}
	return filepath.Abs(name)
}

// command is what runs the program as the worker.
func (c *Config) command(program string) ([]string, error) {
	command := append(slices.Clone(c.Wrapper), program)
	var err error
	command[0], err = Program(command[0])
	return command, err
}
