package loader

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/nyash-plugins/nyash-go/loader/native"
	"github.com/nyash-plugins/nyash-go/loader/process"
	"github.com/nyash-plugins/nyash-go/registry"
)

// library is one entry of nyash.toml that names a shared library, or one
// built-in box.
type library struct {
	host    *Host
	name    string            // as log lines and errors call it
	conf    *registry.Library // nil for a built-in box
	builtin *registry.Builtin // nil for a plugin
	kinds   []*kind

	mu      sync.Mutex // held while the library is loaded or closed
	loaded  atomic.Bool
	backend backend // set while loaded; the first, where there are several in turn
	log     *pluginLog

	// plugin is the library in a process of its own; nil for others.
	plugin atomic.Pointer[process.Plugin]
}

// kind is a box type that the host can make instances of.
type kind struct {
	name string
	lib  *library
	box  *registry.Box // nil for a built-in box

	// typ is set while the library is loaded.
	typ atomic.Pointer[registry.Type]

	mu     sync.Mutex // held while the singleton is born
	single *Box
}

func newLibrary(h *Host, conf *registry.Library) *library {
	l := &library{host: h, name: conf.Name, conf: conf}
	for _, box := range conf.Boxes {
		l.kinds = append(l.kinds, &kind{name: box.Name, lib: l, box: box})
	}
	if len(l.kinds) == 1 {
		l.name = l.kinds[0].name
	}
	return l
}

func newBuiltin(h *Host, b *registry.Builtin) *library {
	l := &library{host: h, name: b.Name, builtin: b}
	l.kinds = []*kind{{name: b.Name, lib: l}}
	return l
}

// load makes the library ready, once; those who come meanwhile wait. A load
// that failed leaves nothing behind and is tried again at the next use.
func (l *library) load(ctx context.Context) error {
	if l.loaded.Load() {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.loaded.Load() {
		return nil
	}
	b, err := l.open(ctx)
	if err != nil {
		return err
	}
	types, err := l.bind(b)
	if err == nil {
		err = l.host.enlist(l, types)
	}
	if err != nil {
		return errors.Join(err, l.shut(b))
	}
	for i, k := range l.kinds {
		k.typ.Store(types[i])
	}
	l.backend = b
	l.loaded.Store(true)
	return nil
}

func (l *library) open(ctx context.Context) (backend, error) {
	if l.builtin != nil {
		return newBuiltinBackend(l.host.builtinID(l.builtin), l.builtin), nil
	}
	file, err := l.host.config.Find(l.conf)
	if err != nil {
		return nil, fmt.Errorf("box %s: %w", l.name, err)
	}
	l.log = newPluginLog(&l.host.options, l.name, file)
	if l.isolation() == registry.IsolationProcess {
		return l.openProcess(ctx, file)
	}
	b, err := native.Open(ctx, native.Config{
		File:       file,
		InvokeOnly: l.conf.InvokeOnly,
		Threads:    threads[l.conf.Threads],
		Unload:     l.conf.Unload,
		Track:      l.host.options.track,
		Sink:       l.log,
	})
	if err != nil {
		l.log.close()
		return nil, fmt.Errorf("box %s: %w", l.name, err)
	}
	return b, nil
}

func (l *library) isolation() registry.Isolation {
	switch override := l.host.options.isolation; {
	case l.conf == nil:
		return registry.IsolationNone
	case override != nil:
		return *override
	}
	return l.conf.Isolation
}

// openProcess starts the library's worker.
func (l *library) openProcess(ctx context.Context, file string) (backend, error) {
	conf := &l.conf.Process
	dir := conf.Dir
	if dir != "" && !filepath.IsAbs(dir) {
		dir = filepath.Join(l.host.config.Dir, dir)
	}
	p, err := process.Open(ctx, process.Config{
		File:        file,
		InvokeOnly:  l.conf.InvokeOnly,
		Threads:     threads[l.conf.Threads],
		Unload:      l.conf.Unload,
		Track:       l.host.options.track,
		Sink:        l.log,
		Worker:      l.host.options.worker,
		Channel:     l.host.options.channel,
		LogLines:    l.host.options.logLines,
		LogBytes:    l.host.options.logBytes,
		Restart:     process.Restart(conf.Restart),
		Limits:      process.Limits(conf.Limits),
		CallTimeout: conf.CallTimeout,
		IdleTimeout: conf.IdleTimeout,
		Env:         conf.Env,
		Dir:         dir,
		InUse:       l.inUse,
		OnState:     func(s process.State, err error) { l.host.tell(l, s, err) },
	})
	if err != nil {
		l.log.close()
		return nil, fmt.Errorf("box %s: %w", l.name, err)
	}
	s, err := p.Session(ctx)
	if err != nil {
		l.log.close()
		return nil, errors.Join(fmt.Errorf("box %s: %w", l.name, err), p.Close())
	}
	l.plugin.Store(p)
	return s, nil
}

// session is where new instances are made. It starts the library's worker again
// where that has ended.
func (l *library) session(ctx context.Context) (backend, error) {
	p := l.plugin.Load()
	if p == nil {
		return l.backend, nil
	}
	s, err := p.Session(ctx)
	if err != nil {
		return nil, fmt.Errorf("box %s: %w", l.name, err)
	}
	return s, nil
}

// inUse tells whether instances of the library are alive.
func (l *library) inUse() bool {
	l.host.mu.Lock()
	defer l.host.mu.Unlock()
	for _, in := range l.host.live {
		if in.lib == l && !in.to.Lost() {
			return true
		}
	}
	return false
}

var threads = map[registry.Threads]native.Threads{
	registry.ThreadsFree:   native.Free,
	registry.ThreadsSerial: native.Serial,
	registry.ThreadsPinned: native.Pinned,
}

// bind joins what nyash.toml says of each box with what the library says.
func (l *library) bind(b backend) ([]*registry.Type, error) {
	if l.builtin != nil {
		return []*registry.Type{l.builtin.Bind(l.host.builtinID(l.builtin))}, nil
	}
	types := make([]*registry.Type, len(l.kinds))
	var errs []error
	for i, k := range l.kinds {
		t, err := k.box.Bind(b.Description())
		types[i] = t
		errs = append(errs, err)
	}
	return types, errors.Join(errs...)
}

// close ends the library's life. No call is under way and none will come.
func (l *library) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.loaded.Store(false)
	return l.shut(l.backend)
}

func (l *library) shut(b backend) error {
	if l.log != nil {
		l.log.stopWaking()
		defer l.log.close()
	}
	if p := l.plugin.Swap(nil); p != nil {
		return p.Close()
	}
	if c, ok := b.(interface{ Close() error }); ok {
		return c.Close()
	}
	return nil
}

// lastLines are the lines that the library logged last.
func (l *library) lastLines() []string {
	if l.log == nil {
		return nil
	}
	return l.log.last()
}
