package loader

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"

	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/internal/modules"
	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/registry"
)

// processSource has a library in a worker process. Each life of the worker is a
// backend of its own.
type processSource struct {
	lib  *library
	conf *registry.Library
	// plugin is nil before the first open. It stays when an open fails, because it
	// counts how often.
	plugin atomic.Pointer[isolate.Plugin]
	file   string // of the last open
	// others are the other modules of a library with instances, each with a worker of its own.
	// They are set at the end of open.
	others atomic.Pointer[[]*isolate.Plugin]
	next   atomic.Uint32 // the module of the next instance
}

func (s *processSource) open() ([]*boundType, error) {
	file, err := s.lib.find(s.conf)
	if err != nil {
		return nil, err
	}
	if s.lib.log == nil || s.file != file {
		s.lib.log, s.file = newPluginLog(&s.lib.host.options, s.lib.name, file), file
	}
	p := s.plugin.Load()
	if p == nil {
		p = isolate.New(s.config(file))
		s.plugin.Store(p)
	} else { // an open has failed, and what it found may be other now
		p.Reconfigure(s.config(file))
	}
	b, err := p.Session(context.Background())
	if err != nil {
		return nil, s.lib.errOpen(err)
	}
	s.lib.connect(b.Description().Connects)
	types, err := s.lib.bind(s.conf, b.Description())
	if err == nil {
		err = route(types, p.Route)
	}
	if err != nil {
		return nil, join(err, p.Refuse(err))
	}
	if n := s.conf.Instances; s.conf.IsModule() && n > 1 {
		others := make([]*isolate.Plugin, n-1)
		for i := range others {
			others[i] = p.Sibling()
		}
		s.others.Store(&others)
	}
	return types, nil
}

// plugins are those with a worker, the first one first.
func (s *processSource) plugins() []*isolate.Plugin {
	first := s.plugin.Load()
	if first == nil {
		return nil
	}
	all := []*isolate.Plugin{first}
	if others := s.others.Load(); others != nil {
		all = append(all, *others...)
	}
	return all
}

func (s *processSource) config(file string) isolate.Config {
	conf, options := &s.conf.Process, &s.lib.host.options
	dir := conf.Dir
	if dir != "" && !filepath.IsAbs(dir) {
		dir = filepath.Join(s.lib.host.config.Dir, dir)
	}
	config := isolate.Config{
		File:        file,
		InvokeOnly:  s.conf.InvokeOnly,
		Threads:     s.conf.Threads,
		Unload:      s.conf.Unload,
		Track:       options.track,
		Sink:        s.lib.log,
		Calls:       s.lib.connection,
		Around:      s.lib.aroundWithin,
		Nested:      s.lib.host.connecting,
		MaxBlob:     options.maxBlob,
		OnEnd:       func(ended *isolate.Session) { s.lib.endLife(ended) },
		Tables:      s.lib.tableRequests(s.conf),
		Configure:   func(text string) (native.Threads, error) { return s.lib.configure(s.conf, file, text) },
		Worker:      options.worker,
		Channel:     options.channel,
		LogLines:    options.logLines,
		LogBytes:    options.logBytes,
		Restart:     isolate.Restart(conf.Restart),
		Limits:      isolate.Limits(conf.Limits),
		CallTimeout: conf.CallTimeout,
		LoadTimeout: conf.LoadTimeout,
		CancelGrace: conf.CancelGrace,
		IdleTimeout: conf.IdleTimeout,
		Env:         conf.Env,
		Dir:         dir,
		InUse:       s.lib.inUse,
		Contended:   s.lib.contended,
		OnState:     func(state isolate.State, err error) { s.lib.host.emitEvent(s.lib, "process", state, err) },
	}
	if s.conf.IsModule() {
		config.Module = s.module()
		config.Limits.Memory = nil // it is the module's, and not what its engine needs
	}
	return config
}

// module is what a library gets that is a WebAssembly module.
func (s *processSource) module() *isolate.Module {
	dir := s.lib.host.config.Dir
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	m := &isolate.Module{Env: s.conf.Process.Env, Mounts: mounts(s.conf, dir), CacheDir: modules.CacheDir()}
	if limit := s.conf.Process.Limits.Memory; limit != nil {
		m.Memory = *limit
	}
	if limit := s.conf.Process.Limits.OpenFiles; limit != nil {
		m.OpenFiles = *limit
	}
	return m
}

// choose is the plugin that a new instance lives in: the first one for a singleton, and else one
// after the other.
func (s *processSource) choose(singleton bool) *isolate.Plugin {
	others := s.others.Load()
	if others == nil || singleton {
		return s.plugin.Load()
	}
	i := int((s.next.Add(1) - 1) % uint32(len(*others)+1))
	if i == 0 {
		return s.plugin.Load()
	}
	return (*others)[i-1]
}

// session starts the worker again where that has ended.
func (s *processSource) session(ctx context.Context, singleton bool) (backend, error) {
	b, err := s.choose(singleton).Session(ctx)
	if err != nil {
		return nil, fmt.Errorf("box %s: %w", s.lib.name, err)
	}
	return b, nil
}

func (s *processSource) memory() (Memory, bool) {
	if p := s.plugin.Load(); p != nil && !s.conf.IsModule() {
		return p.Memory()
	}
	return Memory{}, false
}

func (s *processSource) status(status *PluginStatus) bool {
	status.Name, status.Library, status.Isolation = s.lib.name, s.conf.Name, registry.IsolationProcess
	for i, p := range s.plugins() {
		now := p.Status()
		if i == 0 {
			status.State, status.PID, status.Err = now.State, now.PID, now.Err
		}
		status.Restarts += now.Restarts
		status.Calls += now.Calls
		status.Errors += now.Errors
		status.RSS += now.RSS
		status.CPU += now.CPU
	}
	return true
}

func (s *processSource) reset() {
	if p := s.plugin.Load(); p != nil {
		p.Reset()
	}
}

// killable is false before the first open: a plugin that is not there yet cannot be
// kept from starting a worker.
func (s *processSource) killable() bool { return s.plugin.Load() != nil }

func (s *processSource) kill(cause error) {
	for _, p := range s.plugins() {
		p.Kill(cause)
	}
}

func (s *processSource) close() error {
	plugins := s.plugins()
	if plugins == nil {
		return nil
	}
	s.lib.log.detachWake()
	defer s.lib.log.close()
	var errs []error
	for _, p := range slices.Backward(plugins) { // the first one last: the others end with it
		errs = append(errs, p.Close())
	}
	return errors.Join(errs...)
}
