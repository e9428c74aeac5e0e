package loader

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/internal/plan"
)

var (
	// ErrClosed: the box or host was closed. The plugin was not called.
	ErrClosed = errors.New("closed")
	// ErrNoBox: nyash.toml declares no such box and none is built in.
	ErrNoBox = errors.New("no such box")
	// ErrProtocol: the plugin broke a rule of docs/abi.md. Where the text contains
	// "memory may be damaged", the process should be ended soon.
	ErrProtocol = errors.New("protocol violation")
	// ErrResultSize: a result is larger than the host allows.
	ErrResultSize = errors.New("result too large")
	// ErrForeignBox: a box of another host was passed as an argument.
	ErrForeignBox = errors.New("box belongs to another host")

	// ErrPluginCrashed: an isolated plugin or a WebAssembly module died in the middle
	// of a call. The error is a [*CrashError], which has the signal or the trap.
	ErrPluginCrashed = transport.ErrCrashed
	// ErrInstanceLost: the process or WebAssembly module that a box lived in has
	// ended. A new box lives in a new one.
	ErrInstanceLost = transport.ErrLost
	// ErrCallTimeout: a call of an isolated plugin or a WebAssembly module took longer
	// than its call_timeout, and its process was killed, or its module ended.
	ErrCallTimeout = transport.ErrTimeout
	// ErrPluginBroken: an isolated plugin or a WebAssembly module crashed more often than its restart
	// policy allows; see [Host.Reset].
	ErrPluginBroken = isolate.ErrBroken
	// ErrLimit: an isolated plugin was killed because it used more than its limits
	// allow. It is the cause of a [*CrashError], whose text names the limit.
	ErrLimit = isolate.ErrLimit
	// ErrNoAnswer: an isolated plugin's process was killed, or a WebAssembly module
	// ended, because it did not answer in time: to loading (load_timeout), or to what is not a call.
	ErrNoAnswer = transport.ErrNoAnswer
	// ErrWorker: the process of an isolated plugin cannot be started.
	ErrWorker = isolate.ErrWorker
	// ErrUnsupported: this system has no such worker, or no such channel.
	ErrUnsupported = transport.ErrUnsupported
	// ErrNoMethod: a box has no method of that name.
	ErrNoMethod = errors.New("no such method")
)

// CrashError is how the process of an isolated plugin ended, or a WebAssembly module; Cause
// is then the trap, with the function that it happened in. It matches [ErrPluginCrashed].
type CrashError = transport.CrashError

// LoadError is a library, or a box of one, that cannot be loaded: which, what was found,
// and how to fix it. It matches one of the errors below. An isolated library whose worker
// cannot be started, crashes or does not answer while it loads is told by [ErrWorker],
// [ErrPluginCrashed] or [ErrNoAnswer] instead.
type LoadError = native.Error

// What can be wrong with a library, in a [*LoadError].
var (
	// ErrNotFound: the library is in none of the places where it may be, or the
	// nyash_box.toml that names it is not there. The cause matches fs.ErrNotExist.
	ErrNotFound = errors.New("not found")
	// ErrDeclaration: nyash.toml or nyash_box.toml does not fit the library, has a mistake,
	// or leaves out what the library does not say either. The cause is a
	// [*registry.Error] or [registry.Errors], and matches [registry.ErrUnknownID] where
	// it is an id that nobody gives.
	ErrDeclaration = errors.New("the declaration does not fit the library")
	// ErrNotLibrary: the file is not a shared library that this process can
	// load: text, damaged, or for another processor or system.
	ErrNotLibrary = native.ErrNotLibrary
	// ErrOpen: the system's loader refused the library.
	ErrOpen = native.ErrOpen
	// ErrSymbol: a function that a plugin must export is missing.
	ErrSymbol = native.ErrSymbol
	// ErrVersion: the plugin was built for another ABI version.
	ErrVersion = native.ErrVersion
	// ErrConnect: nyash_plugin_connect returned an error code, or the process has no way
	// left to let one more library call its host.
	ErrConnect = native.ErrConnect
	// ErrInit: nyash_plugin_init returned an error code.
	ErrInit = native.ErrInit
	// ErrDescription: the library's description of itself is not valid.
	ErrDescription = native.ErrDescription
	// ErrBusy: the library is in use already in a way that excludes this one.
	ErrBusy = native.ErrBusy
)

// ArgError is an argument, or a number of arguments, that a method does not take.
// It matches [abi.ErrInvalidArgs].
type ArgError = plan.ArgError

// ResultError is a result of another type than nyash.toml declares, or than the caller
// of [Call] or [Invoke] asks for.
type ResultError = plan.ResultError

// ResultMessage is the error message that a method with returns_result returned.
type ResultMessage = plan.ResultMessage

// CallError is a call that did not succeed. Its text is one line; %+v adds the
// last lines that the plugin logged.
type CallError struct {
	Box    string
	Method string
	// Code is what the plugin returned; [abi.OK] where the call failed on the
	// host's side, before or after the plugin ran.
	Code abi.Code
	// Message is the plugin's own explanation, or empty.
	Message string
	// Advice is what nyash.toml has to do with Code, or which boxes the type ids in Message are
	// that the host has made up; empty as a rule.
	Advice string
	// Log holds the last lines that the library logged before the error, oldest
	// first. With several calls under way they need not be this call's.
	Log []string
	// Err is the cause on the host's side; nil where the plugin returned Code.
	Err error
}

func (e *CallError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s.%s: ", e.Box, e.Method)
	switch {
	case e.Err != nil:
		b.WriteString(e.Err.Error())
	default:
		b.WriteString(e.Code.Error())
	}
	if e.Message != "" {
		b.WriteString(": " + e.Message)
	}
	if e.Advice != "" {
		b.WriteString("; " + e.Advice)
	}
	return b.String()
}

// Format adds the log lines for %+v.
func (e *CallError) Format(s fmt.State, verb rune) {
	io.WriteString(s, e.Error())
	if verb != 'v' || !s.Flag('+') {
		return
	}
	for _, line := range e.Log {
		io.WriteString(s, "\n\t"+line)
	}
}

// Unwrap returns the cause on the host's side and the plugin's code, those of
// the two that there are.
func (e *CallError) Unwrap() []error {
	var causes []error
	if e.Err != nil {
		causes = append(causes, e.Err)
	}
	if e.Code != abi.OK {
		causes = append(causes, e.Code)
	}
	return causes
}

// asProtocolError makes an error that tells of a broken rule match ErrProtocol.
func asProtocolError(err error) error {
	if errors.Is(err, plan.ErrMalformed) {
		return protocolErrorf("%w", err)
	}
	return err
}

// protocolErrorf is an error that matches ErrProtocol.
func protocolErrorf(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrProtocol}, args...)...)
}
