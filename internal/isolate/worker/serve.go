package worker

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/cmem"
	"github.com/nyash-plugins/nyash-go/internal/isolate/channel"
	"github.com/nyash-plugins/nyash-go/internal/native"
)

// link is one way to be reached by a host; internal/isolate has the other end.
type link interface {
	// receive waits for the message that says what to load.
	receive(*channel.Load) error
	// prepare comes before the worker is confined and the plugin's code runs.
	prepare(*channel.Load) error
	// begin tells the host that the library is about to be loaded.
	begin() error
	// answer says how the load went, and where shared memory is, if there is any.
	answer(*channel.Loaded) error
	// take waits for a request.
	take() (id int)
	// run carries out a request that was taken; call is memory for it.
	run(w *worker, id int, call *abi.Call)
	// line tells the host of a log line or a wake; see channel.LineWake.
	line(kind uint32, text []byte)
	// watch returns when the host has gone.
	watch()
}

// worker serves the calls of one host into one plugin.
type worker struct {
	link link
	lib  atomic.Pointer[native.Library] // another one after a reload

	servers atomic.Int32 // goroutines that serve
	free    atomic.Int32 // of them, those without a request

	config native.Config         // of the library
	before *channel.Surroundings // it was loaded
	areas  areas                 // of probes

	timed        bool       // limits.cpu_time is set: the host asks who makes a call
	pinnedThread int        // that makes all calls; 0 where the servers do
	pinnedTurn   sync.Mutex // held while that makes one that is timed

	mu    sync.Mutex
	blobs map[uint64]func() // what the host has taken over, by address
}

func serve(l link) error {
	w := &worker{link: l, blobs: make(map[uint64]func())}
	var load channel.Load
	if err := l.receive(&load); err != nil {
		return err
	}
	answer := channel.Loaded{Version: channel.Version}
	if err := w.load(&load); err != nil {
		answer.Error = loadError(err)
	} else {
		answer.Description = w.lib.Load().Description()
	}
	if err := l.answer(&answer); err != nil || answer.Error != nil {
		return err
	}
	w.addServer()
	// When the host goes, so does the worker, whatever the plugin is doing.
	l.watch()
	return nil
}

func (w *worker) load(load *channel.Load) (err error) {
	// Servers wait in system calls and spin; a processor for each keeps them
	// from waiting for each other in the scheduler.
	runtime.GOMAXPROCS(runtime.NumCPU() + 4)
	if err := w.link.prepare(load); err != nil {
		return err
	}
	if err := confine(load.Limits, load.Wrapped); err != nil {
		return err
	}
	if err := w.link.begin(); err != nil {
		return err
	}
	// From here on the plugin's code runs.
	if err := dieOfSignals(); err != nil {
		return err
	}
	if load.Survey {
		w.before, _ = surroundings(true) // who cannot tell is asked in vain
	}
	w.config = native.Config{
		File:       load.File,
		InvokeOnly: load.InvokeOnly,
		Threads:    native.Threads(load.Threads),
		Unload:     load.Unload,
		Track:      true,
		Sink:       w,
	}
	lib, err := native.Open(context.Background(), w.config)
	if err != nil {
		return err
	}
	w.lib.Store(lib)
	w.timed = load.Limits.CPUTime != nil
	w.findPinned()
	return nil
}

// loadError is err as a message.
func loadError(err error) *channel.LoadError {
	out := &channel.LoadError{Text: err.Error(), Exists: !errors.Is(err, fs.ErrNotExist)}
	var refused *native.Error
	if errors.As(err, &refused) {
		out.Reason, out.Detail = refused.Reason.Error(), refused.Detail
	}
	var code abi.Code
	if errors.As(err, &code) {
		out.Code = &code
	}
	return out
}

// addServer starts a goroutine that serves, if there may be another.
func (w *worker) addServer() {
	// One more than there can be requests: somebody always listens.
	if w.servers.Add(1) > channel.Slots+1 {
		w.servers.Add(-1)
		return
	}
	w.free.Add(1)
	go w.serveRequests()
}

func (w *worker) serveRequests() {
	if w.timed {
		runtime.LockOSThread() // the thread that is told is the one that makes the call
	}
	call := new(abi.Call)
	for {
		i := w.link.take()
		// Somebody must be there for the next request, however long this one
		// takes.
		if w.free.Add(-1) == 0 {
			w.addServer()
		}
		w.link.run(w, i, call)
		w.free.Add(1)
	}
}

// invoke makes a call. Without a context, it always comes to the call.
func (w *worker) invoke(c *abi.Call) { _ = w.lib.Load().Invoke(context.Background(), c) }

// invokeTimed is invoke for a host that asks which thread makes the call, and how
// much processor time that had used before.
func (w *worker) invokeTimed(c *abi.Call, began func(thread int, used time.Duration)) {
	thread := w.pinnedThread
	if thread == 0 {
		thread = currentThread()
	} else {
		// The time of the calls before it is not this one's.
		w.pinnedTurn.Lock()
		defer w.pinnedTurn.Unlock()
	}
	began(thread, threadTime(thread))
	w.invoke(c)
}

// findPinned notes on which thread a library is called that has one for itself.
func (w *worker) findPinned() {
	w.pinnedThread = 0
	if w.timed && w.config.Threads == native.Pinned {
		w.lib.Load().InTurn(func() { w.pinnedThread = currentThread() })
	}
}

// operate does what is not a call of the plugin's invoke. The text is the result's.
func (w *worker) operate(op uint32, args, length uint64) (text []byte, err error) {
	switch op {
	case channel.OpAdopt:
		return w.adopt(args, length)
	case channel.OpDiscard:
		if _, err := w.adopt(args, length); err != nil {
			return nil, err
		}
		return nil, w.release(args)
	case channel.OpFree:
		return nil, w.release(args)
	case channel.OpMemory:
		m, _ := w.lib.Load().Memory()
		return json.Marshal(m)
	case channel.OpBatch:
		return w.batch(cmem.Memory(uintptr(args), int(length)))
	case channel.OpReload:
		return nil, w.reload()
	case channel.OpSurroundings:
		return w.changes(args != 0)
	case channel.OpShutdown:
		return nil, w.lib.Load().Close()
	}
	return nil, errors.New("unknown operation")
}

// adopt keeps a blob until the host gives it back.
func (w *worker) adopt(addr, length uint64) (data []byte, err error) {
	data, release, err := w.lib.Load().Adopt(context.Background(), addr, length)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blobs[addr] = release
	return data, nil
}

func (w *worker) release(addr uint64) error {
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
func (w *worker) PluginLog(level abi.LogLevel, text string, own bool) {
	kind := uint32(level) & 0xff
	if level < 0 || level > 0xff {
		// A level of that size has no place in a line's kind, and is in the text
		// of nobody's log.
		kind = uint32(abi.LogInfo)
	}
	if !own {
		kind |= channel.LineUncertain
	}
	w.link.line(kind, []byte(text))
}

// PluginWake implements hostvtable.Sink.
func (w *worker) PluginWake(handle uint64, own bool) {
	kind := channel.LineWake
	if !own {
		kind |= channel.LineUncertain
	}
	w.link.line(kind, binary.LittleEndian.AppendUint64(nil, handle))
}
