package worker

import (
	"math/bits"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/isolate/channel"
)

// memoryLink is the worker's end of shared memory and of the socket beside it.
type memoryLink struct {
	mem      *channel.Memory
	control  *os.File
	socket   int
	memoryFD int

	timed   bool // Slot.Thread is asked for
	counted bool // Spun is

	lines sync.Mutex  // the ring has one writer
	heard atomic.Bool // the host listens for the doorbell
}

// spin is how long a server without work looks for more before it sleeps. It is
// several times as long as a busy host needs between two calls.
const spin = 20 * time.Microsecond

func newMemoryLink(control, memory uintptr) (link, error) {
	return &memoryLink{control: os.NewFile(control, "control"), socket: int(control), memoryFD: int(memory)}, nil
}

func (w *memoryLink) receive(load *channel.Load) error { return channel.Receive(w.control, load) }

func (w *memoryLink) prepare(load *channel.Load) (err error) {
	if w.mem, err = channel.Map(w.memoryFD); err != nil {
		return err
	}
	// The plugin's memory is what its limit says, and the file has room for more.
	_ = unix.Close(w.memoryFD)
	w.timed, w.counted = load.Limits.CPUTime != nil, load.Limits.CPUTotal != nil
	if err := w.mem.Guard(); err != nil {
		return err
	}
	heap := newHeap(w.mem, load.Limits.Memory)
	hostvtable.UseHeap(heap.alloc, heap.free, load.Track)
	return nil
}

func (w *memoryLink) begin() error {
	w.mem.Begun().Store(1)
	return nil
}

func (w *memoryLink) answer(answer *channel.Loaded) error {
	if answer.Error == nil {
		answer.Base = w.mem.Base()
	}
	if err := channel.Send(w.control, answer); err != nil {
		return err
	}
	w.heard.Store(true)
	return nil
}

// watch implements link: the host says nothing more on the socket.
func (w *memoryLink) watch() {
	var one [1]byte
	_, _ = w.control.Read(one[:])
}

// take waits for a request and takes it.
func (w *memoryLink) take() int {
	pending, watching, requests := w.mem.Pending(), w.mem.Watching(), w.mem.Requests()
	for {
		watching.Add(1)
		for start, round := time.Now(), 0; ; round++ {
			if i, ok := takeBit(pending); ok {
				watching.Add(^uint32(0))
				w.looked(start)
				return i
			}
			channel.Pause(4)
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
			channel.Wait(requests, seen, 0)
		}
	}
}

// looked counts for limits.cpu_total that a server has looked for requests since
// start. One that was kept from its processor did not use it.
func (w *memoryLink) looked(start time.Time) {
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

// run implements link.
func (w *memoryLink) run(to *worker, i int, c *abi.Call) {
	slot := w.mem.Slot(i)
	if w.timed {
		slot.Thread.Store(0)
	}
	if !slot.State.CompareAndSwap(channel.Requested, channel.Running) {
		return
	}
	if slot.Op == channel.OpInvoke || slot.Op == channel.OpProbe {
		c.TypeID, c.Method, c.Instance = slot.TypeID, slot.Method, slot.Instance
		c.SetArgs(w.mem.Bytes(slot.Args, slot.ArgsLength))
		c.SetResultBuffer(w.mem.Bytes(slot.Room, slot.RoomLength))
		switch {
		case slot.Op == channel.OpProbe:
			slot.Damage = to.probe(c, slot.Layout)
		case w.timed:
			to.invokeTimed(c, func(thread int, used time.Duration) {
				slot.ThreadCPU = uint64(used)
				slot.Thread.Store(uint32(thread))
			})
		default:
			to.invoke(c)
		}
		slot.Code, slot.Length = int32(c.Code), uint64(c.ResultLength)
	} else {
		text, err := to.operate(slot.Op, slot.Args, slot.ArgsLength)
		if slot.Op == channel.OpAdopt {
			text = nil // the host sees it where it is
		}
		slot.Code = 0
		if err != nil {
			slot.Code, text = channel.Refused, []byte(err.Error())
		}
		slot.Length = uint64(copy(w.mem.Bytes(slot.Room, slot.RoomLength), text))
	}
	slot.State.Store(channel.Done)
	w.mem.Completions().Add(1)
	if w.mem.HostAsleep().Load() != 0 {
		channel.Wake(w.mem.Completions(), 1)
	}
}

// fullRing is how long a plugin waits for a host that does not read its log.
const fullRing = time.Second

func (w *memoryLink) line(kind uint32, text []byte) {
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
		_ = unix.Sendto(w.socket, []byte{1}, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, nil)
		if ok {
			return
		}
		channel.Wait(w.mem.Requests(), w.mem.Requests().Load(), time.Millisecond)
	}
}
