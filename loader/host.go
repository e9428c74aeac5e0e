package loader

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/calls"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/files"
	"github.com/nyash-plugins/nyash-go/internal/suggest"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/registry/builtin"
)

// Host loads the plugins that a nyash.toml declares and owns the instances that are
// made in them. It is made by [Open] or [OpenConfig], and its owner closes it. All
// methods are safe for concurrent use; after Close they return [ErrClosed], except
// those that only tell about nyash.toml.
type Host struct {
	config    *registry.Config
	options   options
	boxTypes  map[string]*boxType // by box name
	libraries []*library
	names     []string // of boxTypes, plugins first, in the order of nyash.toml
	slots     *callSlots
	// connecting is true where nyash.toml lets any library call boxes of the host, and then
	// waits knows who waits for whom.
	connecting bool
	waits      calls.Waits
	order      dependencies
	births     slotCache // of calls of birth of plugins
	goBirths   slotCache // and of boxes written in Go

	mu      sync.Mutex
	closing bool
	pending int                         // uses that retain counts: births and loads under way
	loaded  []*library                  // in the order of loading
	claimed map[files.Identity]*library // by the files that are theirs; see claim
	live    map[liveKey]*instance       // instances that are owed a fini

	closed   chan struct{}
	closeErr error           // known when closed is closed
	forced   context.Context // ends with the context of a Shutdown: then workers are killed
	force    context.CancelCauseFunc
	over     context.Context // ends closeGrace after that: then nothing is waited for
	giveUp   context.CancelFunc

	notices notices

	abandonedCalls atomic.Int32  // abandoned calls that are still under way
	lastNumber     atomic.Uint64 // instance.number given last
	leafWarned     atomic.Bool   // see noLeafStack
}

// Open reads a nyash.toml and makes a host for the boxes that it declares. It
// loads no library: that happens when a library's first box is made, or with
// [Host.Load]. Warnings about the file go to the logger.
//
// The error is that of [registry.Load], all mistakes of the file at once, that of
// [registry.Config.CheckUses] where `uses` names what nobody provides, or that of an
// option. The caller closes the host.
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
			maxInFlight: defaultMaxInFlight,
			maxResult:   contract.DefaultMaxResult,
			maxHolds:    defaultMaxHolds,
			maxBlob:     defaultMaxBlob,
			logLines:    defaultLogLines,
			logBytes:    defaultLogBytes,
			builtins:    builtin.All(),
		},
		boxTypes: make(map[string]*boxType),
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
	unresolved := config.CheckUses(h.options.goMethods())
	if len(unresolved) > 0 && !h.options.unresolvedUses {
		return nil, unresolved
	}
	h.slots = newCallSlots(h.options.maxInFlight)
	isolated := h.options.isolation != nil && *h.options.isolation == registry.IsolationProcess
	for _, w := range slices.Concat(config.Warnings, unresolved) {
		if isolated && errors.Is(w, registry.ErrNotIsolated) {
			continue
		}
		h.options.logger.Warn(w.Error())
	}
	for _, conf := range config.Libraries {
		if err := checkModule(conf, &h.options); err != nil {
			return nil, err
		}
		h.add(newLibrary(h, conf))
	}
	if err := h.addGoBoxes(); err != nil {
		return nil, err
	}
	h.connect()
	return h, nil
}

// connect notes what nyash.toml permits libraries to call.
func (h *Host) connect() {
	for _, l := range h.libraries {
		if l.conf == nil {
			continue
		}
		l.connection = &connection{
			lib: l, uses: make(map[*boxType]*use),
			keptBytes: calls.NewBudget(keptResults * int64(h.options.maxResult)),
			blobBytes: calls.NewBudget(int64(min(h.options.maxBlob, math.MaxInt64))),
		}
		for _, u := range l.conf.Uses {
			t := h.boxTypes[u.Box]
			if t == nil {
				continue // an error of CheckUses
			}
			h.connecting, t.used = true, true
			allowed := l.connection.uses[t]
			if allowed == nil {
				allowed = &use{methods: make(map[string]bool)}
				l.connection.uses[t] = allowed
			}
			if u.Method == "" {
				allowed.all = true
			} else {
				allowed.methods[u.Method] = true
			}
		}
	}
	if h.connecting {
		h.order = h.dependencies()
	}
}

func (h *Host) add(l *library) {
	h.libraries = append(h.libraries, l)
	for _, k := range l.boxTypes {
		h.boxTypes[k.name] = k
		h.names = append(h.names, k.name)
	}
}

// Config returns the parsed nyash.toml. It must not be changed.
func (h *Host) Config() *registry.Config { return h.config }

// Boxes lists the names that [Host.New] knows: those of nyash.toml in its
// order, then the program's own ([WithBox]), then the built-in ones.
func (h *Host) Boxes() []string { return slices.Clone(h.names) }

// boxType finds a box by name.
func (h *Host) boxType(name string) (*boxType, error) {
	if k := h.boxTypes[name]; k != nil {
		return k, nil
	}
	return nil, fmt.Errorf("%w: %s in %s%s", ErrNoBox, name, h.config.Path, suggest.DidYouMean(name, h.names))
}

// Type returns a box's ids and methods. It loads the box's library, because
// nyash.toml may leave ids to the library's own description. The Type must not be
// changed. ctx bounds the waiting for the load.
func (h *Host) Type(ctx context.Context, name string) (*registry.Type, error) {
	k, err := h.acquireType(ctx, name)
	if err != nil {
		return nil, err
	}
	defer h.release()
	return &k.typ.Load().Type, nil
}

// acquireType finds a box, loads its library, and retains the host for the caller to
// release.
func (h *Host) acquireType(ctx context.Context, name string) (*boxType, error) {
	k, err := h.boxType(name)
	if err != nil {
		return nil, err
	}
	if err := h.retain(); err != nil {
		return nil, err
	}
	err = k.load(ctx)
	if err == nil && h.over.Err() != nil { // a Shutdown did not wait for the load
		err = fmt.Errorf("host of %s: %w", h.config.Path, ErrClosed)
	}
	if err != nil {
		h.release()
		return nil, err
	}
	return k, nil
}

// Load loads the libraries of the named boxes, or of all boxes when none is
// named: each after those of them that it uses, in the order of nyash.toml where they use
// each other in a circle, and otherwise at the same time where that is possible. It reports
// every failure, and every box that its library does not provide as nyash.toml says; the
// other libraries are loaded all the same. ctx bounds the waiting; a load that has begun
// goes on, for the next caller.
func (h *Host) Load(ctx context.Context, names ...string) error {
	if len(names) == 0 {
		names = h.names
	}
	if err := h.retain(); err != nil {
		return err
	}
	defer h.release()
	errs := make([]error, len(names))
	indexes := make(map[*library]int)
	var libraries []*library
	types := make([]*boxType, len(names))
	for i, name := range names {
		k, err := h.boxType(name)
		if err != nil {
			errs[i] = err
			continue
		}
		if _, listed := indexes[k.lib]; !listed {
			libraries = append(libraries, k.lib)
		}
		indexes[k.lib], types[i] = i, k
	}
	if len(libraries) > 0 {
		h.loadAll(ctx, libraries, func(l *library, err error) { errs[indexes[l]] = err })
	}
	for i, t := range types {
		if t != nil && errs[indexes[t.lib]] == nil {
			errs[i] = t.broken
		}
	}
	if h.over.Err() != nil { // a Shutdown did not wait for the loads
		errs = append(errs, fmt.Errorf("host of %s: %w", h.config.Path, ErrClosed))
	}
	return errors.Join(errs...)
}

// retain keeps the host from closing until release, or fails if it closes already.
func (h *Host) retain() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return fmt.Errorf("host of %s: %w", h.config.Path, ErrClosed)
	}
	h.pending++
	return nil
}

func (h *Host) isClosing() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closing
}

func (h *Host) release() {
	h.mu.Lock()
	h.pending--
	h.mu.Unlock()
	if h.slots.waiters.Load() != 0 {
		h.slots.signal()
	}
}

// registerLibrary notes the order in which libraries were loaded.
func (h *Host) registerLibrary(l *library) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.loaded = append(h.loaded, l)
}

// Memory counts the blocks that a library took from the host table (docs/abi.md, The
// host table): how many, their bytes, and frees that were wrong.
type Memory = hostvtable.Memory

// Memory returns, for each loaded library by the name of its plugin, what it
// took from the host table. It is empty unless the host was opened with
// [WithMemoryTracking].
func (h *Host) Memory() map[string]Memory {
	h.mu.Lock()
	loaded := slices.Clone(h.loaded)
	h.mu.Unlock()
	memory := make(map[string]Memory)
	for _, l := range loaded { // without the lock: a worker is asked
		if l.loaded.Load() {
			if m, ok := l.source.memory(); ok {
				memory[l.name] = m
			}
		}
	}
	return memory
}
