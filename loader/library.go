package loader

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/registry/builtin"
)

// library is one entry of nyash.toml that names a shared library, or one
// built-in box.
type library struct {
	host    *Host
	name    string            // as log lines and errors call it
	conf    *registry.Library // nil for a built-in box
	builtin *builtin.Box      // nil for a plugin
	kinds   []*kind

	loading     singleflight.Group
	busyLoading atomic.Bool
	loaded      atomic.Bool
	backend     backend // set while loaded; the first, where there are several in turn
	log         *pluginLog

	// plugin is the library in a process of its own; nil for others. It stays when a
	// load fails, to count how often.
	plugin atomic.Pointer[isolate.Plugin]
}

// kind is a box type that the host can make instances of.
type kind struct {
	name string
	lib  *library
	box  *registry.Box // nil for a built-in box

	// typ is set while the library is loaded.
	typ atomic.Pointer[boundType]

	making *semaphore.Weighted // held while the singleton is born
	single *Box
}

func newLibrary(h *Host, conf *registry.Library) *library {
	l := &library{host: h, name: conf.Name, conf: conf}
	for _, box := range conf.Boxes {
		l.kinds = append(l.kinds, newKind(box.Name, l, box))
	}
	if len(l.kinds) == 1 {
		l.name = l.kinds[0].name
	}
	return l
}

func newBuiltin(h *Host, b *builtin.Box) *library {
	l := &library{host: h, name: b.Name, builtin: b}
	l.kinds = []*kind{newKind(b.Name, l, nil)}
	return l
}

func newKind(name string, l *library, box *registry.Box) *kind {
	return &kind{name: name, lib: l, box: box, making: semaphore.NewWeighted(1)}
}

// kindOf is the library's box with a type id, or nil. The library is loaded.
func (l *library) kindOf(typeID uint32) *kind {
	for _, k := range l.kinds {
		if k.typ.Load().ID == typeID {
			return k
		}
	}
	return nil
}

// load makes the library ready, once; those who come meanwhile wait. When ctx ends,
// only the waiting does, and the load goes on. One that failed leaves nothing behind
// and is tried again at the next use.
func (l *library) load(ctx context.Context) error {
	if l.loaded.Load() {
		return nil
	}
	if ctx.Done() == nil { // a goroutine would cost a good part of the loading
		_, err, _ := l.loading.Do("", l.loadOnce)
		return err
	}
	select {
	case r := <-l.loading.DoChan("", l.loadOnce):
		return r.Err
	case <-ctx.Done():
		return fmt.Errorf("box %s: waiting for its library to load: %w", l.name, context.Cause(ctx))
	}
}

func (l *library) loadOnce() (any, error) {
	if l.loaded.Load() {
		return nil, nil
	}
	// The host stays open, whoever waits.
	if err := l.host.enter(); err != nil {
		return nil, err
	}
	defer l.host.leave()
	l.busyLoading.Store(true)
	defer l.busyLoading.Store(false)
	b, err := l.open()
	if err != nil {
		return nil, err
	}
	types, err := l.bind(b)
	if err != nil {
		return nil, errors.Join(err, l.refuse(b))
	}
	for i, k := range l.kinds {
		k.typ.Store(types[i])
	}
	l.backend = b
	l.host.enlist(l)
	l.loaded.Store(true)
	return nil, nil
}

func (l *library) open() (backend, error) {
	if l.builtin != nil {
		return newBuiltinBackend(l.host.builtinID(l.builtin), l.builtin), nil
	}
	file, err := l.host.config.Find(l.conf)
	if err != nil {
		return nil, fmt.Errorf("box %s: %w", l.name, err)
	}
	if l.isolation() == registry.IsolationProcess {
		return l.openProcess(file)
	}
	l.log = newPluginLog(&l.host.options, l.name, file)
	b, err := native.Open(context.Background(), native.Config{
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
func (l *library) openProcess(file string) (backend, error) {
	p := l.plugin.Load()
	if p == nil {
		l.log = newPluginLog(&l.host.options, l.name, file)
		p = isolate.New(l.processConfig(file))
		l.plugin.Store(p)
	}
	s, err := p.Session(context.Background())
	if err != nil {
		return nil, fmt.Errorf("box %s: %w", l.name, err)
	}
	return s, nil
}

func (l *library) processConfig(file string) isolate.Config {
	conf := &l.conf.Process
	dir := conf.Dir
	if dir != "" && !filepath.IsAbs(dir) {
		dir = filepath.Join(l.host.config.Dir, dir)
	}
	return isolate.Config{
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
		Restart:     isolate.Restart(conf.Restart),
		Limits:      isolate.Limits(conf.Limits),
		CallTimeout: conf.CallTimeout,
		LoadTimeout: conf.LoadTimeout,
		CancelGrace: conf.CancelGrace,
		IdleTimeout: conf.IdleTimeout,
		Env:         conf.Env,
		Dir:         dir,
		InUse:       l.inUse,
		OnState:     func(s isolate.State, err error) { l.host.tell(l, s, err) },
	}
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
func (l *library) bind(b backend) ([]*boundType, error) {
	if l.builtin != nil {
		return []*boundType{builtinType(l.builtin, l.host.builtinID(l.builtin))}, nil
	}
	types := make([]*boundType, len(l.kinds))
	var errs []error
	for i, k := range l.kinds {
		t, err := k.box.Bind(b.Description())
		if err != nil {
			errs = append(errs, err)
			continue
		}
		types[i] = newBoundType(t)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for i, t := range types {
		if j := slices.IndexFunc(types[:i], func(other *boundType) bool { return other.ID == t.ID }); j >= 0 {
			return nil, fmt.Errorf("box %s: its library gives it type_id %d, which %s has already; set another type_id", t.Name, t.ID, types[j].Name)
		}
	}
	return types, nil
}

// close ends the library's life, if it was loaded or tried to be. No call is under
// way and none will come.
func (l *library) close() error {
	loaded := l.loaded.Swap(false)
	if l.log != nil {
		l.log.stopWaking()
		defer l.log.close()
	}
	if p := l.plugin.Load(); p != nil {
		return p.Close()
	}
	if !loaded {
		return nil
	}
	return closeBackend(l.backend)
}

// refuse closes what does not fit the library's entry in nyash.toml.
func (l *library) refuse(b backend) error {
	if p := l.plugin.Load(); p != nil {
		return p.Refuse()
	}
	defer l.log.close()
	return closeBackend(b)
}

func closeBackend(b backend) error {
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
