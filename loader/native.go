package loader

import (
	"context"
	"sync/atomic"

	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/registry"
)

// nativeSource has a library in the host's own process. There is one backend, from
// open to close, and no way to end its calls.
type nativeSource struct {
	lib     *library
	conf    *registry.Library
	backend atomic.Pointer[native.Library] // nil until the library is loaded; stays after close
}

func (s *nativeSource) open() ([]*boundType, error) {
	file, seen, err := s.lib.findAndLook(s.conf)
	if err != nil {
		return nil, err
	}
	options := &s.lib.host.options
	s.lib.log = newPluginLog(options, s.lib.name, file)
	b, err := native.Open(context.Background(), native.Config{
		File:       file,
		Seen:       seen,
		InvokeOnly: s.conf.InvokeOnly,
		Threads:    s.conf.Threads,
		Unload:     s.conf.Unload,
		Track:      options.track,
		Sink:       s.lib.log,
		Calls:      s.lib.connection,
		Around:     s.lib.around,
		Tables:     s.lib.lazyTableRequests(),
		MethodsOf:  func(box string) []string { return s.lib.unresolved(s.conf, box) },
		Configure:  func(text string) (native.Threads, error) { return s.lib.configure(s.conf, file, text) },
	})
	if err != nil {
		s.lib.endLife(nil)
		s.lib.log.close()
		return nil, s.lib.errOpen(err)
	}
	s.lib.identity = b.Identity()
	way := backend(b)
	s.lib.lifeOf(nil).way.Store(&way)
	s.lib.connect(b.Description().Connects)
	types, err := s.lib.bind(s.conf, b.Description())
	if err == nil {
		err = route(types, b.Route)
	}
	if err != nil {
		defer s.lib.log.close()
		defer s.lib.endLife(b)
		return nil, join(err, b.Close())
	}
	if s.lib.hasLeaves && b.CanLeaf() {
		s.lib.leaf = b
	}
	s.backend.Store(b)
	return types, nil
}

func (s *nativeSource) session(context.Context, bool) (backend, error) { return s.backend.Load(), nil }

func (s *nativeSource) memory() (Memory, bool) {
	if b := s.backend.Load(); b != nil {
		return b.Memory()
	}
	return Memory{}, false
}

func (s *nativeSource) status(status *PluginStatus) bool {
	status.Name, status.Library, status.Isolation = s.lib.name, s.conf.Name, registry.IsolationNone
	if s.lib.loaded.Load() {
		status.State = PluginReady
	}
	return true
}

func (s *nativeSource) reset() {}

func (s *nativeSource) killable() bool { return false }

func (s *nativeSource) kill(error) {}

func (s *nativeSource) close() error {
	b := s.backend.Load()
	if s.lib.log == nil {
		return nil
	}
	s.lib.log.detachWake()
	defer s.lib.log.close()
	if b == nil {
		return nil
	}
	return b.Close()
}
