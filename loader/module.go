package loader

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"

	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/internal/modules"
	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/internal/permit"
	"github.com/nyash-plugins/nyash-go/internal/restart"
	"github.com/nyash-plugins/nyash-go/registry"
)

// ErrNotLinked: nyash.toml needs what this program was built without. The text names the
// package to import.
var ErrNotLinked = modules.ErrNotLinked

// moduleSource has a library that is a WebAssembly module, in the host's own process. Each life
// of each of its modules is a backend of its own.
type moduleSource struct {
	lib    *library
	conf   *registry.Library
	plugin atomic.Pointer[modules.Plugin] // nil before the first open, and when one has failed
	sink   *isolate.BoundedSink           // to lib.log
}

// checkModule refuses a module that this program cannot run, when nyash.toml is opened.
func checkModule(conf *registry.Library, o *options) error {
	if !conf.IsModule() {
		return nil
	}
	if isolation := o.isolationOf(conf); isolation == registry.IsolationProcess && !isolate.OwnWorker(o.worker) {
		return nil // that program will say it
	}
	if !modules.Linked() {
		return fmt.Errorf("%v: library %s: %w", conf.Pos, conf.Name, modules.ErrNotLinked)
	}
	return nil
}

func (s *moduleSource) open() ([]*boundType, error) {
	file, err := s.lib.find(s.conf)
	if err != nil {
		return nil, err
	}
	if s.lib.log == nil {
		o := &s.lib.host.options
		s.lib.log = newPluginLog(o, s.lib.name, file)
		s.sink = isolate.NewBoundedSink(s.lib.log, o.logLines, o.logBytes)
	}
	p, err := s.make(file)
	if err != nil {
		return nil, s.lib.errOpen(err)
	}
	m, err := p.Session(context.Background(), true)
	if err != nil {
		return nil, s.lib.errOpen(err)
	}
	s.lib.connect(m.Description().Connects)
	types, err := s.lib.bind(s.conf, m.Description())
	if err != nil {
		return nil, join(err, p.Refuse(err))
	}
	return types, nil
}

// make makes the plugin, which outlives a failed open because it counts how often that was. What
// was found may be another file then.
func (s *moduleSource) make(file string) (modules.Plugin, error) {
	dir, err := filepath.Abs(s.lib.host.config.Dir)
	if err != nil {
		return nil, err
	}
	conf, options := &s.conf.Process, &s.lib.host.options
	config := modules.Config{
		File:        file,
		Instances:   s.conf.Instances,
		Sink:        s.sink,
		Calls:       s.lib.connection,
		Around:      s.lib.aroundWithin,
		Configure:   func(text string) (native.Threads, error) { return s.lib.configure(s.conf, file, text) },
		OnEnd:       func(m modules.Module) { s.lib.endLife(m) },
		Slot:        func() modules.Slot { return new(callSlot) },
		OnState:     func(state isolate.State, err error) { s.lib.host.emitEvent(s.lib, "module", state, err) },
		Mounts:      mounts(s.conf, dir),
		Env:         conf.Env,
		CacheDir:    modules.CacheDir(),
		MaxBlob:     options.maxBlob,
		Restart:     restart.Policy(conf.Restart),
		CallTimeout: conf.CallTimeout,
		LoadTimeout: conf.LoadTimeout,
		CancelGrace: conf.CancelGrace,
	}
	if conf.Limits.Memory != nil {
		config.Memory = *conf.Limits.Memory
	}
	if conf.Limits.OpenFiles != nil {
		config.OpenFiles = *conf.Limits.OpenFiles
	}
	if p := s.plugin.Load(); p != nil {
		(*p).Reconfigure(config)
		return *p, nil
	}
	p, err := modules.New(config)
	if err != nil {
		return nil, err
	}
	s.plugin.Store(&p)
	return p, nil
}

// mounts are the folders that a module is given, with their place in nyash.toml; dir is its folder.
func mounts(conf *registry.Library, dir string) []permit.Mount {
	all := conf.Permissions.Mounts(dir)
	for i := range all {
		all[i].Where = conf.PermissionsPos.String()
	}
	return all
}

// session starts a module again where that has ended.
func (s *moduleSource) session(ctx context.Context, singleton bool) (backend, error) {
	m, err := (*s.plugin.Load()).Session(ctx, singleton)
	if err != nil {
		return nil, fmt.Errorf("box %s: %w", s.lib.name, err)
	}
	return m, nil
}

// errLost is the error of an instance of the library whose backend has ended.
func (l *library) errLost() error {
	if _, ok := l.source.(*moduleSource); ok {
		return modules.ErrLost
	}
	return ErrInstanceLost
}

func (s *moduleSource) memory() (Memory, bool) { return Memory{}, false }

func (s *moduleSource) status(status *PluginStatus) bool {
	status.Name, status.Library, status.Isolation = s.lib.name, s.conf.Name, registry.IsolationNone
	if p := s.plugin.Load(); p != nil {
		now := (*p).Status()
		status.State, status.Restarts, status.Err = now.State, now.Restarts, now.Err
	}
	return true
}

func (s *moduleSource) reset() {
	if p := s.plugin.Load(); p != nil {
		(*p).Reset()
	}
}

func (s *moduleSource) killable() bool { return s.plugin.Load() != nil }

func (s *moduleSource) kill(cause error) {
	if p := s.plugin.Load(); p != nil {
		(*p).Kill(cause)
	}
}

func (s *moduleSource) close() error {
	p := s.plugin.Load()
	if p == nil {
		return nil
	}
	s.lib.log.detachWake()
	defer s.lib.log.close()
	defer s.sink.Close()
	return (*p).Close()
}
