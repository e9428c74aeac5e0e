package loader

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"

	"github.com/nyash-plugins/nyash-go/internal/isolate"
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
	return types, nil
}

func (s *processSource) config(file string) isolate.Config {
	conf, options := &s.conf.Process, &s.lib.host.options
	dir := conf.Dir
	if dir != "" && !filepath.IsAbs(dir) {
		dir = filepath.Join(s.lib.host.config.Dir, dir)
	}
	return isolate.Config{
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
		Tables:      s.lib.tableRequests(),
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
		OnState:     func(state isolate.State, err error) { s.lib.host.emitEvent(s.lib, state, err) },
	}
}

// session starts the worker again where that has ended.
func (s *processSource) session(ctx context.Context, _ bool) (backend, error) {
	b, err := s.plugin.Load().Session(ctx)
	if err != nil {
		return nil, fmt.Errorf("box %s: %w", s.lib.name, err)
	}
	return b, nil
}

func (s *processSource) memory() (Memory, bool) {
	if p := s.plugin.Load(); p != nil {
		return p.Memory()
	}
	return Memory{}, false
}

func (s *processSource) status(status *PluginStatus) bool {
	status.Name, status.Library, status.Isolation = s.lib.name, s.conf.Name, registry.IsolationProcess
	if p := s.plugin.Load(); p != nil {
		now := p.Status()
		status.State, status.PID, status.Restarts, status.Err = now.State, now.PID, now.Restarts, now.Err
		status.Calls, status.Errors, status.RSS, status.CPU = now.Calls, now.Errors, now.RSS, now.CPU
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
	if p := s.plugin.Load(); p != nil {
		p.Kill(cause)
	}
}

func (s *processSource) close() error {
	p := s.plugin.Load()
	if p == nil {
		return nil
	}
	s.lib.log.detachWake()
	defer s.lib.log.close()
	return p.Close()
}
