// Package modules is what package loader and the way to WebAssembly modules agree on, without
// the engine that runs them: a program has that only where it imports loader/wasm.
package modules

import (
	"context"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/internal/permit"
	"github.com/nyash-plugins/nyash-go/internal/restart"
)

// ErrNotLinked: the program has no engine for WebAssembly modules.
var ErrNotLinked = wire.ErrNotLinked

// ErrLost and ErrNoAnswer are [transport.ErrLost] and [transport.ErrNoAnswer] of modules in the
// host's own process, which have no other.
var (
	ErrLost     error = &native.Reworded{Text: "instance lost: its module has ended since it was made; make a new one", Err: transport.ErrLost}
	ErrNoAnswer error = &native.Reworded{Text: "the module did not answer", Err: transport.ErrNoAnswer}
)

// Config says how to run a library that is a module.
type Config struct {
	File      string // an existing file
	Instances int    // how many modules there are at most; at least 1
	Sink      hostvtable.Sink
	// Calls answers what a module that exports nyash_plugin_connect asks of its host. Nil
	// answers all of it with [abi.ErrNotPermitted]. Its ctx is that of [Module.Invoke], or that
	// of Around in connect, init and shutdown; the caller's Session is the [Module].
	Calls hostvtable.Calls
	// Around runs connect and init, and shutdown: with the context that Calls is given for
	// what they ask, which ends when ctx does. Nil runs them with ctx.
	Around func(ctx context.Context, run func(context.Context))
	// Configure is as in [native.Config].
	Configure func(text string) (native.Threads, error)
	// OnEnd is called once for each module that has ended, when [Module.Lost] reports that. It
	// must not call the Plugin.
	OnEnd func(Module)
	// OnState is called at each change of state, by one goroutine at a time. It must not call
	// the Plugin.
	OnState func(isolate.State, error)
	// Slot makes a call slot for a module. Nil gives modules none.
	Slot func() Slot

	Mounts      []permit.Mount
	Env         []string // names of the variables that are passed on
	Memory      uint64   // bytes that a module may have; 0 for the default
	OpenFiles   uint64   // files that a module may have open; 0 for the default
	CacheDir    string   // where compiled code is kept, see [CacheDir]; empty for nowhere
	MaxBlob     uint64   // how many bytes the blobs of one call to the host may have; 0 for no bound
	Restart     restart.Policy
	CallTimeout time.Duration // 0 for none
	LoadTimeout time.Duration // 0 for none
	CancelGrace time.Duration // for which a call may go on after its context has ended
}

// Module is one life of one module of a library: a way to its instances, as package loader
// wants it. Its methods are safe for concurrent use; calls are made one at a time.
type Module interface {
	Invoke(ctx context.Context, c *abi.Call) error
	InvokeBatch(ctx context.Context, calls []abi.Call) (made int, err error)
	Lend(ctx context.Context, data []byte) (addr uint64, err error)
	TakeBack(addr uint64, length int)
	Adopt(ctx context.Context, addr, length uint64) (data []byte, release func(), err error)
	Discard(addr, length uint64)
	Lost() bool
	Description() abi.Description
	// Slot is what Config.Slot has made for the module, or nil.
	Slot() Slot
	// Pass gives the slot up; only its owner calls it, once.
	Pass()
}

// Plugin is a library with its modules. Its methods are safe for concurrent use; Close comes
// last.
type Plugin interface {
	// Session returns a module that new instances live in: the first one for a singleton, and
	// else one after the other. It starts one where there is none, after a death when the
	// restart policy allows it. When ctx ends, only the waiting does.
	Session(ctx context.Context, singleton bool) (Module, error)
	// Reconfigure has the next modules follow another configuration. It is for a library that
	// could not be loaded, between a failed Session or Refuse and the next Session.
	Reconfigure(c Config)
	// Refuse ends modules whose library turned out to be unfit, for a reason that Status tells.
	Refuse(reason error) error
	Status() isolate.Status
	// Reset forgets deaths, so that a module may start again at once.
	Reset()
	// Kill ends all calls, with cause as their error, and lets no module start.
	Kill(cause error)
	// Close shuts the modules down. It takes bounded time. Closing again does nothing.
	Close() error
}

// CacheDir is where compiled code is kept for this user; empty where no folder is known for
// that.
func CacheDir() string {
	user, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(user, "nyash", "wasm")
}

var engine atomic.Pointer[func(Config) Plugin]

// Register has [New] make plugins with open. Package loader/wasm calls it.
func Register(open func(Config) Plugin) { engine.Store(&open) }

// New makes a plugin. Its modules are started by their first use. The error is
// [ErrNotLinked].
func New(c Config) (Plugin, error) {
	open := engine.Load()
	if open == nil {
		return nil, ErrNotLinked
	}
	return (*open)(c), nil
}

// Linked reports whether this program can run modules.
func Linked() bool { return engine.Load() != nil }
