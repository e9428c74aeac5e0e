package loader

import (
	"fmt"
	"log/slog"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/hostbox"
	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/registry/builtin"
)

// The limits that hold unless an [Option] sets others. They are also in the comments of
// those options.
const (
	defaultMaxInFlight = 1024 // each holds an OS thread, of which a Go program has 10,000
	defaultMaxBlob     = 1 << 30
	defaultMaxHolds    = 65_536 // some 1 KiB each in the host
	defaultLogLines    = 1000
	defaultLogBytes    = 1 << 20
)

// Option changes how [Open] sets up a host. One that is not valid is an error of Open.
type Option func(*options) error

type options struct {
	logger      *slog.Logger
	wake        func(plugin string, handle uint64)
	maxInFlight int
	maxResult   int
	maxBlob     uint64
	maxHolds    int
	track       bool
	noLeaf      bool
	boxes       []*hostbox.Box // of WithBox
	builtins    []*builtin.Box
	// unresolvedUses lets `uses` name what nobody provides.
	unresolvedUses bool
	isolation      *Isolation // instead of nyash.toml's
	worker         string
	channel        Channel
	events         func(Event)
	logLines       int
	logBytes       int
}

// WithLogger sends the host's own messages and what plugins log to l. The
// default is slog.Default(). Lines of a plugin carry its name as "plugin".
func WithLogger(l *slog.Logger) Option {
	return func(o *options) error {
		if l == nil {
			return fmt.Errorf("WithLogger: the logger is nil")
		}
		o.logger = l
		return nil
	}
}

// WithWake calls f when a plugin calls wake, with the plugin's name and
// the number that it passed. f runs on the plugin's thread, perhaps in the
// middle of a call and on several threads at once: it must return soon and must
// not call plugins; sending on a buffered channel is the usual thing to do.
// Where two hosts use one library, the functions of both are called. After the host
// has begun to close, f is not called.
func WithWake(f func(plugin string, handle uint64)) Option {
	return func(o *options) error {
		o.wake = f
		return nil
	}
}

// WithMaxInFlight bounds how many calls of plugins are under way at once in the whole
// host; further ones wait, because each holds an OS thread. The default is 1,024. Calls of
// boxes written in Go ([WithBox]) hold none and do not count, nor do calls that plugins make, nor
// one call of each WebAssembly module.
func WithMaxInFlight(n int) Option {
	return func(o *options) error {
		if n < 1 {
			return fmt.Errorf("WithMaxInFlight: %d calls; at least 1 is needed", n)
		}
		o.maxInFlight = n
		return nil
	}
}

// WithMaxResult bounds the size in bytes of the buffer that a plugin can ask
// for with a short-buffer answer (docs/abi.md, invoke). The default is 16 MiB.
func WithMaxResult(bytes int) Option {
	return func(o *options) error {
		if bytes < contract.InitialResultSize {
			return fmt.Errorf("WithMaxResult: %d bytes; the smallest limit is %d, the largest single value", bytes, contract.InitialResultSize)
		}
		o.maxResult = bytes
		return nil
	}
}

// WithMaxBlob bounds the length in bytes of a blob that a plugin can return; a
// longer one is freed, and the call's error is [ErrResultSize]. The default is 1 GiB.
func WithMaxBlob(bytes int64) Option {
	return func(o *options) error {
		if bytes < 0 {
			return fmt.Errorf("WithMaxBlob: %d bytes; a length is not negative", bytes)
		}
		o.maxBlob = uint64(bytes)
		return nil
	}
}

// WithMaxHolds bounds how many boxes a library may hold at once: those that it made by
// calling its host and that were answered to it (docs/abi.md, Calling the host). It is
// answered [abi.ErrOutOfMemory] for what would be one more. A box that it holds several times
// counts once. The default is 65,536.
func WithMaxHolds(n int) Option {
	return func(o *options) error {
		if n < 1 {
			return fmt.Errorf("WithMaxHolds: %d boxes; at least 1 is needed", n)
		}
		o.maxHolds = n
		return nil
	}
}

// WithMemoryTracking counts the blocks that plugins take from the host table's
// alloc and reports frees that are wrong; see [Host.Memory]. Each alloc and
// free then enters Go.
func WithMemoryTracking() Option {
	return func(o *options) error {
		o.track = true
		return nil
	}
}

// WithoutLeaf calls leaf methods (`leaf = true`, docs/abi.md) as all others are called. By
// default, on Linux, macOS and FreeBSD, on amd64 and arm64, one of a library in this process is
// called on a C stack of its own without telling Go's scheduler, which takes a few nanoseconds
// instead of some forty. It relies on what the runtime does with a goroutine that runs C
// while it counts as running Go: the comment of InvokeLeaf in internal/native lists each point,
// with the runtime's functions, and is to be looked at again when Go changes. The build tag
// nyash_noleaf does the same for all hosts of a program.
//
// Not called as such in any case: methods of a library that is isolated, is a WebAssembly
// module, or of a host with [WithMemoryTracking].
func WithoutLeaf() Option {
	return func(o *options) error {
		o.noLeaf = true
		return nil
	}
}

// Isolation says where a library's code runs.
type Isolation = registry.Isolation

// Where a library's code runs: in the host's own process, or in one of its own.
const (
	IsolationNone    = registry.IsolationNone
	IsolationProcess = registry.IsolationProcess
)

// WithIsolation runs every library in the given way, whatever nyash.toml declares.
func WithIsolation(i Isolation) Option {
	return func(o *options) error {
		o.isolation = &i
		return nil
	}
}

// isolationOf is where a library runs.
func (o *options) isolationOf(conf *registry.Library) Isolation {
	if o.isolation != nil {
		return *o.isolation
	}
	return conf.Isolation
}

// WithWorker names the program that becomes the worker of an isolated library.
// Without it, that is the program itself if it calls worker.Main, or else
// nyash-worker beside it or in PATH. A relative path is the host's, as it is when
// the host is opened.
func WithWorker(path string) Option {
	return func(o *options) error {
		if path == "" {
			o.worker = ""
			return nil
		}
		program, err := isolate.Program(path)
		if err != nil {
			return fmt.Errorf("WithWorker: %w", err)
		}
		o.worker = program
		return nil
	}
}

// WithLogRate bounds what each worker of an isolated library writes to the log in
// a second, with what the library prints, and each library that is a WebAssembly
// module: lines and bytes, and at once ten times as much. What is more is left out, and a
// line says how many lines that were. 0 is no bound; the default is 1,000 lines and 1 MiB.
// Wakes are not bounded, and neither is a native library in the host's own process.
func WithLogRate(lines, bytes int) Option {
	return func(o *options) error {
		if lines < 0 || bytes < 0 {
			return fmt.Errorf("WithLogRate: %d lines and %d bytes; write 0 for no limit", lines, bytes)
		}
		o.logLines, o.logBytes = lines, bytes
		return nil
	}
}

// Channel is how an isolated plugin is reached; see [WithWorkerChannel].
type Channel = isolate.Channel

// The channels. ChannelAuto is memory where the system has what that needs, and
// pipes elsewhere, which are some twenty times as slow.
const (
	ChannelAuto   = isolate.ChannelAuto
	ChannelMemory = isolate.ChannelMemory
	ChannelPipe   = isolate.ChannelPipe
)

// WithWorkerChannel selects how isolated libraries are reached, on every system. The
// default is the fastest that there is; see docs/process.md.
func WithWorkerChannel(c Channel) Option {
	return func(o *options) error {
		o.channel = c
		return nil
	}
}

// WithEvents calls f at every change of an isolated library's state, for one change
// after the other. Nothing waits for f, but Close for up to a second, so that the last
// events come before it returns.
func WithEvents(f func(Event)) Option {
	return func(o *options) error {
		o.events = f
		return nil
	}
}

// WithBuiltins replaces the boxes written in Go that a host offers. The default
// is builtin.All(). A plugin or a box of
// [WithBox] of the same name wins over a built-in box.
func WithBuiltins(boxes ...*builtin.Box) Option {
	return func(o *options) error {
		o.builtins = boxes
		return nil
	}
}

// WithUnresolvedUses lets `uses` in nyash.toml name boxes and methods that nobody
// provides: what would be an error of [Open] is a warning in the log. It is for tools that
// show a file and do not have the boxes of the program that it is for.
func WithUnresolvedUses() Option {
	return func(o *options) error {
		o.unresolvedUses = true
		return nil
	}
}
