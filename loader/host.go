package loader

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/suggest"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/registry/builtin"
)

// Host loads plugins and owns what they make. It is made by [Open]; all its
// methods are safe for concurrent use.
type Host struct {
	config    *registry.Config
	options   options
	kinds     map[string]*kind // by box name
	libraries []*library
	names     []string // of kinds, plugins first, in the order of nyash.toml
	builtins  map[*builtin.Box]uint32
	frames    *frames
	births    hint

	mu      sync.Mutex
	closing bool
	pending int                   // makings of boxes and loads under way
	loaded  []*library            // in the order of loading
	live    map[liveKey]*instance // instances that are owed a fini

	closed   chan struct{}
	closeErr error           // known when closed is closed
	forced   context.Context // until a Shutdown's context ends: then workers are killed
	force    context.CancelCauseFunc
	over     context.Context // until closeGrace after that: then nothing is waited for
	giveUp   context.CancelFunc

	late atomic.Int32  // calls that nobody waits for
	made atomic.Uint64 // numbers instances
}

// Open reads a nyash.toml and makes a host for the boxes that it declares. It
// loads no library: that happens when a library's first box is made, or with
// [Host.Load]. Warnings about the file go to the logger.
func Open(path string, opts ...Option) (*Host, error) {
	config, err := registry.Load(path)
	if err != nil {
		return nil, err
	}
	return OpenConfig(config, opts...)
}

// OpenConfig is [Open] for a file that was read before. config must not be
// changed any more; hosts may share it.
func OpenConfig(config *registry.Config, opts ...Option) (*Host, error) {
	h := &Host{
		config: config,
		options: options{
			logger:      slog.Default(),
			maxInFlight: DefaultMaxInFlight,
			maxResult:   DefaultMaxResult,
			maxBlob:     DefaultMaxBlob,
			logLines:    DefaultLogLines,
			logBytes:    DefaultLogBytes,
			builtins:    builtin.All(),
		},
		kinds:    make(map[string]*kind),
		builtins: make(map[*builtin.Box]uint32),
		closed:   make(chan struct{}),
		live:     make(map[liveKey]*instance),
	}
	h.forced, h.force = context.WithCancelCause(context.Background())
	h.over, h.giveUp = context.WithCancel(context.Background())
	for _, opt := range opts {
		if err := opt(&h.options); err != nil {
			return nil, err
		}
	}
	h.frames = newFrames(h.options.maxInFlight)
	for _, w := range config.Warnings {
		h.options.logger.Warn(w.Error())
	}
	for _, conf := range config.Libraries {
		h.add(newLibrary(h, conf))
	}
	for _, b := range h.options.builtins {
		if _, replaced := h.kinds[b.Name]; !replaced {
			h.numberBuiltin(b)
			h.add(newBuiltin(h, b))
		}
	}
	return h, nil
}

func (h *Host) add(l *library) {
	h.libraries = append(h.libraries, l)
	for _, k := range l.kinds {
		h.kinds[k.name] = k
		h.names = append(h.names, k.name)
	}
}

// numberBuiltin gives a built-in box a type id from the far end, which plugins do
// not use, so that it can be passed to them.
func (h *Host) numberBuiltin(b *builtin.Box) {
	h.builtins[b] = uint32(1<<32 - 1 - len(h.builtins))
}

func (h *Host) builtinID(b *builtin.Box) uint32 { return h.builtins[b] }

// Config is what nyash.toml says. It must not be changed.
func (h *Host) Config() *registry.Config { return h.config }

// Boxes lists the names that [Host.New] knows: those of nyash.toml in its
// order, then the built-in ones.
func (h *Host) Boxes() []string { return slices.Clone(h.names) }

// kind finds a box by name.
func (h *Host) kind(name string) (*kind, error) {
	if k := h.kinds[name]; k != nil {
		return k, nil
	}
	return nil, fmt.Errorf("%w: %s in %s%s", ErrNoBox, name, h.config.Path, suggest.DidYouMean(name, h.names))
}

// Type tells a box's ids and methods. It loads the box's library, because
// nyash.toml may leave to the library what it knows itself.
func (h *Host) Type(ctx context.Context, name string) (*registry.Type, error) {
	k, err := h.ready(ctx, name)
	if err != nil {
		return nil, err
	}
	defer h.leave()
	return &k.typ.Load().Type, nil
}

// ready finds a box and loads its library. The host stays open until the caller
// leaves it.
func (h *Host) ready(ctx context.Context, name string) (*kind, error) {
	k, err := h.kind(name)
	if err != nil {
		return nil, err
	}
	if err := h.enter(); err != nil {
		return nil, err
	}
	if err := k.lib.load(ctx); err != nil {
		h.leave()
		return nil, err
	}
	return k, nil
}

// Load loads the libraries of the named boxes, or of all boxes when none is
// named, at the same time where that is possible. It reports every failure;
// the other libraries are loaded all the same.
func (h *Host) Load(ctx context.Context, names ...string) error {
	if len(names) == 0 {
		names = h.names
	}
	if err := h.enter(); err != nil {
		return err
	}
	defer h.leave()
	errs := make([]error, len(names))
	libraries := make(map[*library]int)
	for i, name := range names {
		k, err := h.kind(name)
		if err != nil {
			errs[i] = err
			continue
		}
		libraries[k.lib] = i
	}
	var wg sync.WaitGroup
	for l, i := range libraries {
		if len(libraries) == 1 { // a goroutine would cost as much as the loading
			errs[i] = l.load(ctx)
			break
		}
		wg.Go(func() { errs[i] = l.load(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// enter keeps the host open until leave.
func (h *Host) enter() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return fmt.Errorf("host of %s: %w", h.config.Path, ErrClosed)
	}
	h.pending++
	return nil
}

func (h *Host) leave() {
	h.mu.Lock()
	h.pending--
	h.mu.Unlock()
	if h.frames.waiters.Load() != 0 {
		h.frames.signal()
	}
}

// enlist records a library that is about to be ready.
func (h *Host) enlist(l *library) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.loaded = append(h.loaded, l)
}

// Memory counts what went through the host table of a library.
type Memory = hostvtable.Memory

// Memory counts, for each loaded library by the name of its plugin, what it
// took from the host table. It is empty unless the host was opened with
// [WithMemoryTracking].
func (h *Host) Memory() map[string]Memory {
	h.mu.Lock()
	defer h.mu.Unlock()
	memory := make(map[string]Memory)
	for _, l := range h.loaded {
		if l.loaded.Load() {
			memoryOf := l.backend.Memory
			if p := l.plugin.Load(); p != nil {
				memoryOf = p.Memory
			}
			if m, ok := memoryOf(); ok {
				memory[l.name] = m
			}
		}
	}
	return memory
}
