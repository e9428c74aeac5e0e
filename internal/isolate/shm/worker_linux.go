package shm

import (
	"context"
	"math/bits"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// Worker is the worker's end of shared memory and of the socket beside it.
type Worker struct {
	mem      *Memory
	control  *os.File
	socket   int
	memoryFD int

	timed   bool // Slot.Thread is asked for
	counted bool // Spun is

	lines sync.Mutex  // the ring has one writer
	heard atomic.Bool // the host listens for the doorbell

	batches [wire.Slots]wire.BatchCalls

	outers [wire.Slots]wire.Outer // the contexts of the requests
	heap   *heap
	calls  hostCaller
}

// spin is how long a server without work looks for more before it sleeps. It is
// several times as long as a busy host needs between two calls.
const spin = 20 * time.Microsecond

// mostWatching is how many servers look for requests at once. One processor is the host's.
var mostWatching = uint32(max(1, processors-1))

// NewWorker makes the worker's end, of the descriptors that the host gave it.
func NewWorker(control, memory uintptr) (*Worker, error) {
	w := &Worker{control: os.NewFile(control, "control"), socket: int(control), memoryFD: int(memory)}
	for i := range w.outers {
		w.outers[i] = wire.NewOuter(i)
	}
	w.calls.Init()
	return w, nil
}

// Receive implements the worker's transport.
func (w *Worker) Receive(load *wire.Load) error { return wire.Receive(w.control, load) }

// Prepare implements the worker's transport.
func (w *Worker) Prepare(load *wire.Load) (err error) {
	if w.mem, err = Map(w.memoryFD); err != nil {
		return err
	}
	// The plugin's memory is what its limit says, and the file has room for more.
	_ = unix.Close(w.memoryFD)
	w.timed, w.counted = load.Limits.CPUTime != nil, load.Limits.CPUTotal != nil
	if err := w.mem.Guard(); err != nil {
		return err
	}
	w.heap = newHeap(w.mem, load.Limits.Memory)
	w.calls.Limit(load.MaxBlobs)
	hostvtable.UseHeap(w.heap.alloc, w.heap.free, load.Track)
	return nil
}

// Begin implements the worker's transport.
func (w *Worker) Begin() error {
	w.mem.Begun().Store(1)
	return nil
}

// Answer implements the worker's transport.
func (w *Worker) Answer(answer *wire.Loaded) error {
	if answer.Config != nil { // the host does not listen for lines before the load is over
		return wire.Send(w.control, answer)
	}
	if answer.Error == nil {
		answer.Base = w.mem.Base()
	}
	if err := w.calls.loaded(w.control, answer); err != nil {
		return err
	}
	w.heard.Store(true)
	if w.mem.HasLines() { // of calls that the host made as soon as it had the answer
		w.ring()
	}
	return nil
}

// Watch implements the worker's transport: the host says nothing more on the socket.
func (w *Worker) Watch() {
	var one [1]byte
	_, _ = w.control.Read(one[:])
}

// Take waits for a request and takes it.
func (w *Worker) Take() int {
	pending, watching, requests := w.mem.Pending(), w.mem.Watching(), w.mem.Requests()
	for {
		if i, ok := takeBit(pending); ok {
			w.passOn()
			return i
		}
		watch := watching.Add(1) <= mostWatching
		for start, round := time.Now(), 0; ; round++ {
			if i, ok := takeBit(pending); ok {
				watching.Add(^uint32(0))
				w.passOn()
				w.looked(start)
				return i
			}
			if !watch {
				break // others do
			}
			Pause(4)
			if round%16 == 15 && time.Since(start) > spin {
				w.looked(start)
				break
			}
		}
		seen := requests.Load()
		watching.Add(^uint32(0))
		// Asked once more after saying that nobody watches: a host that has
		// not seen it has set its bit before.
		if pending.Load() == 0 {
			Wait(requests, seen, 0)
		}
	}
}

// passOn wakes another server where requests are left that no server looks for: whoever has sent
// them may have relied on this one, which is about to be held up.
func (w *Worker) passOn() {
	if w.mem.Pending().Load() == 0 || w.mem.Watching().Load() != 0 {
		return
	}
	w.mem.Requests().Add(1)
	Wake(w.mem.Requests(), 1)
}

// looked counts for limits.cpu_total that a server has looked for requests since
// start. One that was kept from its processor did not use it.
func (w *Worker) looked(start time.Time) {
	if w.counted {
		w.mem.Spun().Add(uint64(min(time.Since(start), spin+spin/4)))
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

// Run implements the worker's transport.
func (w *Worker) Run(to wire.Handler, i int, c *abi.Call) {
	slot := w.mem.Slot(i)
	if w.timed {
		slot.Thread.Store(0)
	}
	if !slot.State.CompareAndSwap(Requested, Running) {
		return
	}
	ctx := &w.outers[i]
	switch slot.Op {
	case wire.OpInvokeBatch:
		w.runBatch(ctx, to, i, slot)
	case wire.OpInvoke, wire.OpProbe:
		c.TypeID, c.Method, c.Instance = slot.TypeID, slot.Method, slot.Instance
		c.SetArgs(w.mem.Bytes(slot.Args, slot.ArgsLength))
		c.SetResultBuffer(w.mem.Bytes(slot.Room, slot.RoomLength))
		switch {
		case slot.Op == wire.OpProbe:
			var err error
			if slot.Damage, err = to.Probe(ctx, c, slot.Layout); err != nil {
				c.Code = abi.ErrPlugin // a host asks first whether there are hooks
			}
		case w.timed:
			to.InvokeTimed(ctx, c, func(thread int, used time.Duration) {
				slot.ThreadCPU = uint64(used)
				slot.Thread.Store(uint32(thread))
			})
		default:
			to.Invoke(ctx, c)
		}
		slot.Code, slot.Length = int32(c.Code), uint64(c.ResultLength)
	default:
		text, err := w.operate(ctx, to, slot.Op, slot.Args, slot.ArgsLength)
		slot.Code = 0
		if err != nil {
			slot.Code, text = wire.Refused, []byte(err.Error())
		}
		slot.Length = uint64(copy(w.mem.Bytes(slot.Room, slot.RoomLength), text))
	}
	slot.State.Store(Done)
	w.tellHost()
}

// tellHost has the host look for slots that are its, and tells whether it was asleep.
func (w *Worker) tellHost() (asleep bool) {
	w.mem.Completions().Add(1)
	if asleep = w.mem.HostAsleep().Load() != 0; asleep {
		Wake(w.mem.Completions(), 1)
	}
	return asleep
}

func (w *Worker) operate(ctx context.Context, to wire.Handler, op wire.Op, a, b uint64) (text []byte, err error) {
	switch op {
	case wire.OpPlace:
		return w.calls.Place(w.mem.Bytes(a, b))
	case wire.OpAdopt:
		_, err = to.Operate(ctx, op, a, b) // the host sees it where it is
		return nil, err
	}
	return to.Operate(ctx, op, a, b)
}

// Share implements the worker's transport.
func (w *Worker) Share(blob []byte) (addr uint64, free func(), err error) {
	p := w.heap.alloc(uintptr(len(blob)))
	if p == 0 {
		return 0, nil, wire.ErrNoMemory
	}
	copy(w.mem.Bytes(uint64(p)-w.mem.Base(), uint64(len(blob))), blob)
	return uint64(p), func() { w.heap.free(p) }, nil
}

// fullRing is how long a plugin waits for a host that does not read its log.
const fullRing = time.Second

// Line implements the worker's transport.
func (w *Worker) Line(kind uint32, text []byte) {
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
		w.ring()
		if ok {
			return
		}
		Wait(w.mem.Requests(), w.mem.Requests().Load(), time.Millisecond)
	}
}

// ring has the host look for lines. Where its buffer is full, it has plenty to look for.
func (w *Worker) ring() {
	_ = unix.Sendto(w.socket, []byte{1}, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, nil)
}
