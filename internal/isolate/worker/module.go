package worker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/cmem"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	peers "github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
	"github.com/nyash-plugins/nyash-go/internal/modules"
)

// module is a library that is a WebAssembly module. What the host lends and takes over has
// addresses of this process, and the module knows those of its own memory: so blobs are copied
// into it and out of it here. The host makes one call at a time.
type module struct {
	worker *Worker
	plugin modules.Plugin
	way    modules.Module
	lent   []lent // to the call that is under way

	// away is held by the goroutine that runs the module, but while that waits for the host:
	// then the host may place a blob in the module's memory, by another goroutine.
	away sync.Mutex

	mu      sync.Mutex
	given   map[uint64]given // blobs that calls have returned, by their address in this process
	refused error            // of the last one that could not be taken
}

type lent struct {
	addr   uint64
	length int
}

// given is a blob that a call returned, where the host sees it.
type given struct {
	length uint64
	free   func()
}

func (w *Worker) openModule(load *wire.Load) error {
	m := &module{worker: w, given: make(map[uint64]given)}
	m.away.Lock()
	config := modules.Config{
		File: load.File, Instances: 1, Sink: w, Configure: w.configure,
		Around:    func(_ context.Context, run func(context.Context)) { run(w.around) },
		Mounts:    load.Module.Mounts,
		Env:       load.Module.Env,
		Memory:    load.Module.Memory,
		OpenFiles: load.Module.OpenFiles,
		MaxBlob:   load.MaxBlobs,
		CacheDir:  load.Module.CacheDir,
	}
	if load.Calls {
		config.Calls = moduleCalls{m}
	}
	var err error
	if m.plugin, err = modules.New(config); err != nil {
		return err
	}
	if m.way, err = m.plugin.Session(context.Background(), true); err != nil {
		return err
	}
	w.module = m
	return nil
}

// Invoke makes a call. When the module has ended, so does the worker.
func (m *module) Invoke(ctx context.Context, c *abi.Call) {
	m.lent = m.lent[:0]
	room := c.ResultBuffer() // of which the call itself has only the result's length afterwards
	err := contract.EachBlob(c.Message(), func(addr, length uint64) (uint64, error) {
		at, err := m.way.Lend(ctx, cmem.Memory(uintptr(addr), int(length)))
		if err == nil {
			m.lent = append(m.lent, lent{at, int(length)})
		}
		return at, err
	})
	switch {
	case m.way.Lost(): // in its allocator
		ended(err)
	case err != nil:
		wire.Refuse(c, &wire.CallError{Code: codeOf(err), Text: err.Error()})
	default:
		if lost := m.way.Invoke(ctx, c); lost != nil {
			ended(lost)
		}
	}
	for _, l := range m.lent {
		m.way.TakeBack(l.addr, l.length)
	}
	if err == nil && c.Code == abi.OK {
		m.give(ctx, room, uint64(c.ResultLength))
	}
	if m.way.Lost() {
		ended(errors.New("its allocator has failed"))
	}
}

// codeOf is the code of a blob that could not be lent.
func codeOf(err error) abi.Code {
	var code abi.Code
	if errors.As(err, &code) {
		return code
	}
	return abi.ErrPlugin
}

// ended ends the process after its module, and says why.
func ended(err error) {
	var crash *peers.CrashError
	if errors.As(err, &crash) && crash.Cause != nil {
		err = crash.Cause
	}
	fmt.Fprintln(os.Stderr, contract.Excerpt(fmt.Sprint(err)))
	os.Exit(wire.StatusModule)
}

// give has the host find the blob that a call returned. What cannot be taken keeps the address
// that the module gave, under which the host is told so.
func (m *module) give(ctx context.Context, room []byte, length uint64) {
	if length != contract.BlobResultSize || uint64(len(room)) < length {
		return // nothing else is a result that is one blob
	}
	_ = contract.EachBlob(room[:length], func(addr, length uint64) (uint64, error) {
		if addr == 0 && length == 0 {
			return 0, nil
		}
		at, err := m.share(ctx, addr, length)
		if err != nil {
			m.mu.Lock()
			m.refused = err
			m.mu.Unlock()
		}
		return at, err
	})
}

// share copies a blob to where the host sees it, and frees the module's.
func (m *module) share(ctx context.Context, addr, length uint64) (uint64, error) {
	data, release, err := m.way.Adopt(ctx, addr, length)
	if err != nil {
		return 0, err
	}
	defer release()
	at, free, err := m.worker.transport.Share(data)
	if err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.given[at] = given{uint64(len(data)), free}
	return at, nil
}

// Adopt has the host take over a blob that a call returned.
func (m *module) Adopt(addr, length uint64) (data []byte, release func(), err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	g, ok := m.given[addr]
	if !ok || g.length != length {
		if err = m.refused; err == nil {
			err = fmt.Errorf("%d bytes at %#x are no blob that a call returned", length, addr)
		}
		m.refused = nil
		return nil, nil, err
	}
	delete(m.given, addr)
	return cmem.Memory(uintptr(addr), int(length)), g.free, nil
}

// Close runs the module's shutdown.
func (m *module) Close() error { return m.plugin.Close() }

// moduleCalls are the functions that a module calls its host by.
type moduleCalls struct{ m *module }

// Resolve implements [hostvtable.Calls].
func (c moduleCalls) Resolve(ctx context.Context, box, method string) (typeID, methodID uint32, code abi.Code) {
	return hostCalls{c.m.worker}.Resolve(ctx, box, method)
}

// Invoke implements [hostvtable.Calls].
func (c moduleCalls) Invoke(ctx context.Context, call *abi.Call, from hostvtable.Caller) {
	c.m.away.Unlock()
	defer c.m.away.Lock()
	hostCalls{c.m.worker}.Invoke(ctx, call, awayCaller{from, c.m})
}

// awayCaller is a module that waits for its host.
type awayCaller struct {
	hostvtable.Caller
	m *module
}

// Place implements [hostvtable.Caller].
func (c awayCaller) Place(data []byte) (addr uint64, err error) {
	if !c.m.away.TryLock() {
		return 0, errors.New("the module does not wait for its host")
	}
	defer c.m.away.Unlock()
	return c.Caller.Place(data)
}
