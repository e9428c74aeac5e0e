package worker

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/cmem"
	peers "github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
	"github.com/nyash-plugins/nyash-go/internal/native"
)

// transport is the worker's end of a way to be reached by a host; packages shm and
// pipe have both ends.
type transport interface {
	// Receive waits for the message that tells what to load.
	Receive(*wire.Load) error
	// Prepare comes before the worker is confined and the plugin's code runs.
	Prepare(*wire.Load) error
	// Begin tells the host that the library is about to be loaded.
	Begin() error
	// Answer tells how the load went, and where shared memory is, if there is any; or
	// what the library said before its init, see wire.Load.
	Answer(*wire.Loaded) error
	// Take waits for a request.
	Take() (id int)
	// Run carries out a request that was taken; call is memory for it.
	Run(h wire.Handler, id int, call *abi.Call)
	// Share has a blob be at an address where the host takes it over from, until free. The
	// caller does not change it.
	Share(blob []byte) (addr uint64, free func(), err error)
	// Line sends a log line or a wake; see wire.LineWake.
	Line(kind uint32, text []byte)
	// Watch returns when the host has gone.
	Watch()
	// Calls asks the host, while requests are taken. Its contexts are [wire.Outer]s;
	// Loading is that of connect and init.
	hostvtable.Calls
	Loading() context.Context
}

// Worker serves the calls of one host into one plugin.
type Worker struct {
	transport transport
	hooks     *Hooks                         // nil in a worker that no tester has
	lib       atomic.Pointer[native.Library] // another one after a reload; nil where there is a module
	module    *module                        // set by the load
	first     wire.Load                      // what it is to load

	serving sync.Once
	servers atomic.Int32 // goroutines that serve
	free    atomic.Int32 // of them, those without a request

	config     native.Config // of the library
	configured bool          // the host has decided on config.Threads
	routes     []route       // given by the host before the first call

	// around is the context of the load, or of the request that loads, shuts down or
	// reloads the library.
	around context.Context

	timed        bool       // limits.cpu_time is set: the host asks which thread makes a call
	pinnedThread int        // that makes all calls; 0 where the servers do
	pinnedTurn   sync.Mutex // held while that makes one that is timed

	mu    sync.Mutex
	blobs map[uint64]func() // what the host has taken over, by address
}

// Hooks are what testers of plugins add to a worker; see package probe.
type Hooks struct {
	// BeforeLoad is called when the worker is confined and nothing of the plugin has
	// run.
	BeforeLoad func(*wire.Load)
	// AfterLoad is called in the same goroutine when the library was loaded.
	AfterLoad func(*Worker)
	// Probe makes a call with the memory laid out for it.
	Probe func(context.Context, *Worker, *abi.Call, wire.Layout) wire.Damage
	// Operate carries out a shutdown, and operations that workers without hooks do not know.
	Operate func(ctx context.Context, w *Worker, op wire.Op, a, b uint64) (text []byte, err error)
}

func (w *Worker) serve() error {
	t := w.transport
	answer := wire.Loaded{Version: wire.Version, Hooks: w.hooks != nil}
	if err := w.load(&w.first); err != nil {
		answer.Error = loadError(err)
	} else {
		answer.Description = w.description()
		answer.Description.Config = nil // the host has it
		// While the answer is written and read, the threads that serve start.
		w.serving.Do(w.addServer)
	}
	if err := t.Answer(&answer); err != nil || answer.Error != nil {
		return err
	}
	// When the host goes, so does the worker, whatever the plugin is doing.
	t.Watch()
	return nil
}

func (w *Worker) load(load *wire.Load) (err error) {
	// Servers wait in system calls and spin; a processor for each keeps them
	// from waiting for each other in the scheduler.
	runtime.GOMAXPROCS(runtime.NumCPU() + 4)
	if err := w.transport.Prepare(load); err != nil {
		return err
	}
	if err := confine(load); err != nil {
		return err
	}
	if err := w.transport.Begin(); err != nil {
		return err
	}
	// From here on the plugin's code runs.
	if err := dieOfSignals(); err != nil {
		return err
	}
	if !load.Wrapped { // valgrind would take the questions for mistakes of the plugin
		cmem.WithoutSignals()
	}
	if w.hooks != nil && load.Module == nil {
		w.hooks.BeforeLoad(load)
	}
	w.config = native.Config{
		File:       load.File,
		InvokeOnly: load.InvokeOnly,
		Threads:    native.Threads(load.Threads),
		Unload:     load.Unload,
		Track:      true,
		Sink:       w,
		Configure:  w.configure,
		Tables:     load.Tables,
		Around:     func(run func(context.Context)) { run(w.around) },
	}
	if load.Calls {
		w.config.Calls = hostCalls{w}
	}
	w.around = w.transport.Loading()
	w.timed = load.Limits.CPUTime != nil
	if load.Module != nil {
		return w.openModule(load)
	}
	if err := w.open(); err != nil {
		return err
	}
	if w.hooks != nil {
		w.hooks.AfterLoad(w)
	}
	return nil
}

func (w *Worker) description() abi.Description {
	if w.module != nil {
		return w.module.way.Description()
	}
	return w.lib.Load().Description()
}

// configure asks the host which threads may run a library that says this of itself. A
// reload asks nobody again.
func (w *Worker) configure(text string) (native.Threads, error) {
	if w.configured {
		return w.config.Threads, nil
	}
	if err := w.transport.Answer(&wire.Loaded{Version: wire.Version, Config: &text}); err != nil {
		return 0, err
	}
	var load wire.Load
	if err := w.transport.Receive(&load); err != nil {
		return 0, err
	}
	w.configured, w.config.Threads = true, native.Threads(load.Threads)
	w.around = w.transport.Loading() // through a pipe that was another request
	return w.config.Threads, nil
}

func (w *Worker) open() error {
	lib, err := native.Open(context.Background(), w.config)
	if err != nil {
		return err
	}
	for _, r := range w.routes {
		if err := lib.Route(r.typeID, r.table); err != nil {
			return errors.Join(err, lib.Close())
		}
	}
	w.lib.Store(lib)
	w.findPinned()
	return nil
}

// route is a type id whose calls go through a table of the library.
type route struct {
	typeID uint32
	table  int
}

// route has calls go through a table, after a reload too.
func (w *Worker) route(r route) error {
	if w.module != nil {
		return errors.New("a WebAssembly module has no tables")
	}
	w.routes = append(w.routes, r)
	return w.lib.Load().Route(r.typeID, r.table)
}

// Library is the library that is loaded; nil where that is a WebAssembly module, which testers
// run in their own process.
func (w *Worker) Library() *native.Library { return w.lib.Load() }

// Reload shuts the plugin down and loads it again, within a request.
func (w *Worker) Reload(ctx context.Context) error {
	if err := w.ShutDown(ctx); err != nil {
		return err
	}
	return w.open()
}

// ShutDown ends the plugin's life, within a request.
func (w *Worker) ShutDown(ctx context.Context) error {
	w.around = ctx
	if w.module != nil {
		return w.module.Close()
	}
	return w.lib.Load().Close()
}

// hostCalls are the functions that the plugin calls its host by.
type hostCalls struct{ w *Worker }

// Resolve implements [hostvtable.Calls].
func (h hostCalls) Resolve(ctx context.Context, box, method string) (typeID, methodID uint32, code abi.Code) {
	h.w.serving.Do(h.w.addServer) // connect and init come first
	return h.w.transport.Resolve(ctx, box, method)
}

// Invoke implements [hostvtable.Calls].
func (h hostCalls) Invoke(ctx context.Context, c *abi.Call, from hostvtable.Caller) {
	h.w.serving.Do(h.w.addServer)
	h.w.transport.Invoke(ctx, c, from)
}

// loadError is err as a message.
func loadError(err error) *wire.LoadError {
	out := &wire.LoadError{Text: err.Error(), Exists: !errors.Is(err, fs.ErrNotExist)}
	var refused *native.Error
	if errors.As(err, &refused) {
		out.Reason, out.Detail = refused.Reason.Error(), refused.Detail
		if out.Detail == "" && refused.Err != nil {
			out.Detail = refused.Err.Error()
		}
	}
	if errors.Is(err, wire.ErrNotLinked) {
		out.Reason = wire.ErrNotLinked.Error()
	}
	var crash *peers.CrashError
	out.Ended = errors.As(err, &crash)
	var code abi.Code
	if errors.As(err, &code) {
		out.Code = &code
	}
	return out
}

// addServer starts a goroutine that serves, if there may be another.
func (w *Worker) addServer() {
	// One more than there can be requests: somebody always listens.
	if w.servers.Add(1) > wire.Slots+1 {
		w.servers.Add(-1)
		return
	}
	w.free.Add(1)
	go w.serveRequests()
}

func (w *Worker) serveRequests() {
	if w.timed {
		runtime.LockOSThread() // the thread that is told is the one that makes the call
	}
	call := new(abi.Call)
	for {
		i := w.transport.Take()
		// Somebody must be there for the next request, however long this one
		// takes.
		if w.free.Add(-1) == 0 {
			w.addServer()
		}
		w.transport.Run(w, i, call)
		w.free.Add(1)
	}
}

// Invoke makes a call. A request's context never ends: it always comes to the call.
func (w *Worker) Invoke(ctx context.Context, c *abi.Call) {
	if w.module != nil {
		w.module.Invoke(ctx, c)
		return
	}
	_ = w.lib.Load().Invoke(ctx, c)
}

// InvokeBatch implements [wire.Handler].
func (w *Worker) InvokeBatch(ctx context.Context, calls []abi.Call) (made int) {
	if w.module != nil {
		return 0
	}
	made, _ = w.lib.Load().InvokeBatch(ctx, calls) // whose only error is the context's
	return made
}

// InvokeTimed is invoke for a host that asks which thread makes the call, and how
// much processor time that had used before.
func (w *Worker) InvokeTimed(ctx context.Context, c *abi.Call, began func(thread int, used time.Duration)) {
	thread := w.pinnedThread
	if thread == 0 {
		thread = currentThread()
	} else {
		// The time of the calls before it is not this one's.
		w.pinnedTurn.Lock()
		defer w.pinnedTurn.Unlock()
	}
	began(thread, threadTime(thread))
	w.Invoke(ctx, c)
}

// findPinned notes on which thread a library is called that has one for itself.
func (w *Worker) findPinned() {
	w.pinnedThread = 0
	if w.timed && w.config.Threads == native.Pinned && w.module == nil {
		w.lib.Load().InTurn(func() { w.pinnedThread = currentThread() })
	}
}

// Operate does what is not a call of the plugin's invoke. The text is the result's.
func (w *Worker) Operate(ctx context.Context, op wire.Op, args, length uint64) (text []byte, err error) {
	switch op {
	case wire.OpAdopt:
		return w.adopt(args, length)
	case wire.OpDiscard:
		if _, err := w.adopt(args, length); err != nil {
			return nil, err
		}
		return nil, w.release(args)
	case wire.OpFree:
		return nil, w.release(args)
	case wire.OpMemory:
		if w.module != nil {
			return nil, errors.New("what a module takes is not counted")
		}
		m, _ := w.lib.Load().Memory()
		return json.Marshal(m)
	case wire.OpRoute:
		return nil, w.route(route{uint32(args), int(length)})
	case wire.OpShutdown:
		if w.hooks == nil || w.module != nil {
			return nil, w.ShutDown(ctx)
		}
	}
	if w.hooks != nil && w.module == nil {
		return w.hooks.Operate(ctx, w, op, args, length)
	}
	return nil, fmt.Errorf("operation %d is unknown to this worker", op)
}

// Probe implements [wire.Handler].
func (w *Worker) Probe(ctx context.Context, c *abi.Call, layout wire.Layout) (wire.Damage, error) {
	if w.hooks == nil || w.module != nil {
		return 0, errors.New("this worker has no hooks for testers")
	}
	return w.hooks.Probe(ctx, w, c, layout), nil
}

// adopt keeps a blob until the host gives it back.
func (w *Worker) adopt(addr, length uint64) (data []byte, err error) {
	var release func()
	if w.module != nil {
		data, release, err = w.module.Adopt(addr, length)
	} else {
		data, release, err = w.lib.Load().Adopt(context.Background(), addr, length)
	}
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blobs[addr] = release
	return data, nil
}

func (w *Worker) release(addr uint64) error {
	w.mu.Lock()
	release := w.blobs[addr]
	delete(w.blobs, addr)
	w.mu.Unlock()
	if release == nil {
		return errors.New("no such blob")
	}
	release()
	return nil
}

// PluginLog implements hostvtable.Sink.
func (w *Worker) PluginLog(level abi.LogLevel, text string, own bool) {
	kind := uint32(level) & 0xff
	if level < 0 || level > 0xff {
		// A level of that size has no place in a line's kind, and is in the text
		// of nobody's log.
		kind = uint32(abi.LogInfo)
	}
	if !own {
		kind |= wire.LineUncertain
	}
	w.transport.Line(kind, []byte(text))
}

// PluginWake implements hostvtable.Sink.
func (w *Worker) PluginWake(handle uint64, own bool) {
	kind := wire.LineWake
	if !own {
		kind |= wire.LineUncertain
	}
	w.transport.Line(kind, binary.LittleEndian.AppendUint64(nil, handle))
}
