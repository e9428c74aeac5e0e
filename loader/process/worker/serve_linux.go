package worker

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"math/bits"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/loader/native"
	"github.com/nyash-plugins/nyash-go/loader/process/channel"
)

// worker serves the calls of one host into one plugin.
type worker struct {
	mem     *channel.Memory
	control *os.File
	lib     *native.Library

	servers atomic.Int32 // goroutines that serve
	free    atomic.Int32 // of them, those without a request
	calls   [channel.Slots]abi.Call

	lines sync.Mutex  // the ring has one writer
	heard atomic.Bool // the host listens for the doorbell

	mu    sync.Mutex
	blobs map[uint64]func() // what the host has taken over, by address
}

// spin is how long a server without work looks for more before it sleeps. It is
// several times as long as a busy host needs between two calls.
const spin = 20 * time.Microsecond

func serve() error {
	w := &worker{control: os.NewFile(channel.ControlFD, "control"), blobs: make(map[uint64]func())}
	if err := tidy(); err != nil {
		return err
	}
	var load channel.Load
	if err := channel.Receive(w.control, &load); err != nil {
		return err
	}
	answer := channel.Loaded{Version: channel.Version}
	if err := w.load(&load); err != nil {
		answer.Error = loadError(err)
	} else {
		answer.Base, answer.Description = w.mem.Base(), w.lib.Description()
	}
	if err := channel.Send(w.control, answer); err != nil {
		return err
	}
	if answer.Error != nil {
		return nil
	}
	w.heard.Store(true)
	w.addServer()
	// The host says nothing more here. When it goes, so does the worker,
	// whatever the plugin is doing.
	var one [1]byte
	_, _ = w.control.Read(one[:])
	return nil
}

func (w *worker) load(load *channel.Load) (err error) {
	// Servers wait in system calls and spin; a processor for each keeps them
	// from waiting for each other in the scheduler.
	runtime.GOMAXPROCS(runtime.NumCPU() + 4)
	if w.mem, err = channel.Map(channel.MemoryFD); err != nil {
		return err
	}
	if err := w.mem.Guard(); err != nil {
		return err
	}
	if err := confine(load.Limits); err != nil {
		return err
	}
	// From here on the plugin's code runs.
	if err := dieOfSignals(); err != nil {
		return err
	}
	heap := newHeap(w.mem)
	hostvtable.UseHeap(heap.alloc, heap.free, load.Track)
	w.lib, err = native.Open(context.Background(), native.Config{
		File:       load.File,
		InvokeOnly: load.InvokeOnly,
		Threads:    native.Threads(load.Threads),
		Unload:     load.Unload,
		Track:      true,
		Sink:       w,
	})
	return err
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
	if w.servers.Add(1) > channel.Slots {
		w.servers.Add(-1)
		return
	}
	w.free.Add(1)
	go w.serveRequests()
}

func (w *worker) serveRequests() {
	for {
		i := w.take()
		// Somebody must be there for the next request, however long this one
		// takes.
		if w.free.Add(-1) == 0 {
			w.addServer()
		}
		w.run(i)
		w.free.Add(1)
	}
}

// take waits for a request and takes it.
func (w *worker) take() int {
	pending, watching, requests := w.mem.Pending(), w.mem.Watching(), w.mem.Requests()
	for {
		watching.Add(1)
		for start, round := time.Now(), 0; ; round++ {
			if i, ok := takeBit(pending); ok {
				watching.Add(^uint32(0))
				return i
			}
			channel.Pause(4)
			if round%16 == 15 && time.Since(start) > spin {
				break
			}
		}
		seen := requests.Load()
		watching.Add(^uint32(0))
		// Asked once more after saying that nobody watches: a host that has
		// not seen it has set its bit before.
		if pending.Load() == 0 {
			channel.Wait(requests, seen, 0)
		}
	}
}

func takeBit(pending *atomic.Uint64) (i int, ok bool) {
	for set := pending.Load(); set != 0; set = pending.Load() {
		i = bits.TrailingZeros64(set)
		if pending.CompareAndSwap(set, set&^(1<<i)) {
			return i, true
		}
	}
	return 0, false
}

// run carries out the request in a slot.
func (w *worker) run(i int) {
	slot := w.mem.Slot(i)
	if !slot.State.CompareAndSwap(channel.Requested, channel.Running) {
		return
	}
	if slot.Op == channel.OpInvoke {
		c := &w.calls[i]
		c.TypeID, c.Method, c.Instance = slot.TypeID, slot.Method, slot.Instance
		c.SetArgs(w.mem.Bytes(slot.Args, slot.ArgsLength))
		c.SetRoom(w.mem.Bytes(slot.Room, slot.RoomLength))
		_ = w.lib.Invoke(context.Background(), c) // without a context it always comes to the call
		slot.Code, slot.Length = int32(c.Code), uint64(c.ResultLength)
	} else {
		w.operate(slot)
	}
	slot.State.Store(channel.Done)
	w.mem.Completions().Add(1)
	if w.mem.HostAsleep().Load() != 0 {
		channel.Wake(w.mem.Completions(), 1)
	}
}

// operate does what is not a call of the plugin's invoke.
func (w *worker) operate(slot *channel.Slot) {
	var text []byte
	var err error
	switch slot.Op {
	case channel.OpAdopt:
		err = w.adopt(slot.Args, slot.ArgsLength)
	case channel.OpFree:
		err = w.release(slot.Args)
	case channel.OpMemory:
		m, _ := w.lib.Memory()
		text, err = json.Marshal(m)
	case channel.OpShutdown:
		err = w.lib.Close()
	default:
		err = errors.New("unknown operation")
	}
	slot.Code = 0
	if err != nil {
		slot.Code, text = channel.Refused, []byte(err.Error())
	}
	slot.Length = uint64(copy(w.mem.Bytes(slot.Room, slot.RoomLength), text))
}

func (w *worker) adopt(addr, length uint64) error {
	_, release, err := w.lib.Adopt(addr, length)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.blobs[addr] = release
	return nil
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
	w.line(kind, []byte(text))
}

// PluginWake implements hostvtable.Sink.
func (w *worker) PluginWake(handle uint64, own bool) {
	kind := channel.LineWake
	if !own {
		kind |= channel.LineUncertain
	}
	w.line(kind, binary.LittleEndian.AppendUint64(nil, handle))
}

// fullRing is how long a plugin waits for a host that does not read its log.
const fullRing = time.Second

func (w *worker) line(kind uint32, text []byte) {
	w.lines.Lock()
	defer w.lines.Unlock()
	for start := time.Now(); time.Since(start) < fullRing; {
		ok, first := w.mem.AppendLine(kind, text)
		if ok && (!first || !w.heard.Load()) {
			return // a host that does not listen yet looks when it has loaded
		}
		if !w.heard.Load() {
			return // and can make no room either
		}
		// A byte has the host look; where its buffer is full, it has plenty.
		_ = unix.Sendto(channel.ControlFD, []byte{1}, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, nil)
		if ok {
			return
		}
		channel.Wait(w.mem.Requests(), w.mem.Requests().Load(), time.Millisecond)
	}
}
