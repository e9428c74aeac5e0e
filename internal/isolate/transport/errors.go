package transport

import (
	"errors"
	"fmt"
	"syscall"
)

var (
	// ErrCrashed: the worker died while it was called. See [CrashError].
	ErrCrashed = errors.New("plugin crashed")
	// ErrLost: the instance's worker has died, and the instance with it.
	ErrLost = errors.New("instance lost: the plugin's process has ended since it was made; make a new one")
	// ErrTimeout: a call took longer than call_timeout; its worker was killed.
	ErrTimeout = errors.New("call timed out")
	// ErrNoAnswer: what is not a call, the plugin's shutdown say, took too long, and
	// the worker was killed.
	ErrNoAnswer = errors.New("the plugin's process did not answer")
	// ErrUnsupported: there are no workers on this system, or not with this channel.
	ErrUnsupported = errors.New("isolation = \"process\" is not supported on this system")
	// ErrNoSlot: a nested call, which never waits, found no free place among the calls
	// that the worker has under way. No call was made.
	ErrNoSlot = errors.New("the plugin's process has no place left for a call that another call waits for")
	// ErrReaped is the cause of an end of which nothing is known.
	ErrReaped = errors.New("it has ended, and how is not known: other code in this program waits for all child processes, or SIGCHLD is ignored")
	// ErrCancelled is why a worker is killed for a call that was abandoned. It is the
	// one death that is nobody's fault, and does not count towards restart.
	ErrCancelled = errors.New("a call did not end after its context had ended")
)

// CrashError is how a worker ended, or a WebAssembly module. It matches [ErrCrashed].
type CrashError struct {
	Signal syscall.Signal // that killed it, or 0
	Status int            // its exit status otherwise; -1 where it is not known
	Cause  error          // why the host killed it, or nil
	Module bool           // it was a module, in the host's own process or a worker, and ended for Cause
}

func (e *CrashError) Error() string {
	switch {
	case e.Module:
		return fmt.Sprintf("%v: its module was ended: %v", ErrCrashed, e.Cause)
	case errors.Is(e.Cause, ErrReaped):
		return fmt.Sprintf("%v: %v", ErrCrashed, e.Cause)
	case e.Cause != nil:
		return fmt.Sprintf("%v: its process was killed: %v", ErrCrashed, e.Cause)
	case e.Signal != 0:
		return fmt.Sprintf("%v: %s", ErrCrashed, SignalName(e.Signal))
	}
	return fmt.Sprintf("%v: its process exited with status %d in the middle of a call", ErrCrashed, e.Status)
}

// Is matches ErrCrashed.
func (e *CrashError) Is(target error) bool { return target == ErrCrashed }

// Unwrap returns the cause.
func (e *CrashError) Unwrap() error { return e.Cause }
