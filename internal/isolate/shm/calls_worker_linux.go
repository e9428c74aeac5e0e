package shm

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// hostCaller is what a worker's end has for the calls of its library to the host.
type hostCaller struct {
	wire.HostCalls

	sending sync.Mutex // of what comes before the load is over
	over    bool
	asked   atomic.Bool // the host listens, or will when the load is over

	blocks [hostCalls][]uintptr // of the heap, that a call has for so long
	slept  [hostCalls]uint8     // how many calls in a row had to sleep for their answer
}

// listening sees to it that the host listens for calls in lanes. Once it has loaded the
// library, it knows whether to.
func (h *hostCaller) listening(control io.Writer) {
	if h.asked.Load() {
		return
	}
	h.sending.Lock()
	defer h.sending.Unlock()
	if h.over || h.asked.Load() {
		return
	}
	// A host that has gone answers nothing: the process ends.
	_ = wire.Send(control, &wire.Loaded{Version: wire.Version, Calling: true})
	h.asked.Store(true)
}

func (h *hostCaller) loaded(control io.Writer, answer *wire.Loaded) error {
	h.sending.Lock()
	defer h.sending.Unlock()
	h.over = true
	h.asked.Store(true)
	return wire.Send(control, answer)
}

// begin finds the place of a call to the host.
func (w *Worker) begin(ctx context.Context) (i int, head *HostCall, err error) {
	i, lane, err := w.calls.Begin(ctx)
	if err != nil {
		return 0, nil, err
	}
	head = w.mem.HostCall(i)
	head.Resolve, head.Loading = 0, 0
	if lane {
		w.calls.listening(w.control)
		if _, loading := wire.OuterOf(ctx); loading {
			head.Loading = 1
		}
	}
	return i, head, nil
}

// end gives back what a call to the host had.
func (w *Worker) end(i int) {
	for _, p := range w.calls.blocks[i] {
		w.heap.free(p)
	}
	w.calls.blocks[i] = w.calls.blocks[i][:0]
	w.calls.End(i)
}

// block takes memory that the host sees, until the call ends.
func (w *Worker) block(i int, size uint64) (offset uint64, ok bool) {
	p := w.heap.alloc(uintptr(size))
	if p == 0 {
		return 0, false
	}
	w.calls.blocks[i] = append(w.calls.blocks[i], p)
	return uint64(p) - w.mem.Base(), true
}

// Loading implements the worker's transport.
func (w *Worker) Loading() context.Context {
	o := wire.NewOuter(wire.Loading)
	return &o
}

// Resolve implements [hostvtable.Calls].
func (w *Worker) Resolve(ctx context.Context, box, method string) (typeID, methodID uint32, code abi.Code) {
	if len(box)+len(method) > BufferSize {
		return 0, 0, abi.ErrInvalidArgs
	}
	i, head, err := w.begin(ctx)
	if err != nil {
		return 0, 0, abi.ErrPlugin
	}
	defer w.end(i)
	names := w.mem.Bytes(CallArgsOffset(i), uint64(len(box)+len(method)))
	copy(names[copy(names, box):], method)
	head.Resolve, head.Instance = 1, uint32(len(box))
	head.Args, head.ArgsLength = CallArgsOffset(i), uint64(len(names))
	head.Room, head.RoomLength = CallResultOffset(i), 0
	w.call(i, head)
	return head.TypeID, head.Method, abi.Code(head.Code)
}

// Invoke implements [hostvtable.Calls].
func (w *Worker) Invoke(ctx context.Context, c *abi.Call, from hostvtable.Caller) {
	w.calls.Use(from)
	i, head, err := w.begin(ctx)
	if err != nil {
		wire.Refuse(c, err)
		return
	}
	defer w.end(i)
	head.Thread = from.Thread()
	if err := w.fill(i, head, c, min(uint64(c.ResultLength), wire.MaxHostMessage)); err != nil {
		wire.Refuse(c, err)
		return
	}
	result := w.mem.Bytes(head.Room, head.RoomLength)
	w.call(i, head)
	wire.Take(c, abi.Code(head.Code), head.Length, result)
}

// fill puts a call where the host sees it.
func (w *Worker) fill(i int, head *HostCall, c *abi.Call, room uint64) error {
	args := c.Message()
	if err := wire.CheckMessage(args); err != nil {
		return err
	}
	head.TypeID, head.Method, head.Instance = c.TypeID, c.Method, c.Instance
	head.Args, head.ArgsLength = CallArgsOffset(i), uint64(len(args))
	head.Room, head.RoomLength = CallResultOffset(i), room
	ok := true
	if len(args) > BufferSize {
		head.Args, ok = w.block(i, head.ArgsLength)
	}
	if ok && room > BufferSize {
		head.Room, ok = w.block(i, room)
	}
	if !ok {
		return wire.ErrNoMemory
	}
	message := w.mem.Bytes(head.Args, head.ArgsLength)
	copy(message, args)
	return w.calls.Move(message, func(addr, length uint64) (uint64, error) {
		if offset := addr - w.mem.Base(); inWorkerArena(offset, length) {
			return offset, nil // the plugin's alloc takes from there
		}
		offset, ok := w.block(i, length)
		if !ok {
			return 0, wire.ErrNoMemory
		}
		return offset, wire.CopyBlob(w.mem.Bytes(offset, length), addr)
	})
}

// call hands a call to the host, and waits for the answer: for a while without sleeping.
func (w *Worker) call(i int, head *HostCall) {
	state := w.mem.HostCallState(i)
	head.Asleep.Store(0)
	state.Store(Calling)
	// A host that had to be woken may need this very processor.
	if !w.tellOf(i) && w.look(i, state) {
		w.calls.slept[i] = 0
		return
	}
	w.calls.slept[i]++
	for state.Load() == Calling {
		head.Asleep.Store(1)
		Wait(state, Calling, 0)
	}
}

// look waits for the answer for a while, and reports whether it came.
func (w *Worker) look(i int, state *atomic.Uint32) bool {
	start, most := time.Now(), spin
	if w.calls.slept[i]%longSpins != 0 {
		most = shortSpin
	}
	defer w.looked(start)
	for round := 0; ; round++ {
		if state.Load() != Calling {
			return true
		}
		Pause(4)
		if round%4 == 3 && time.Since(start) > most {
			return false
		}
	}
}

// tellOf has the host look for call i, and tells whether it was asleep.
func (w *Worker) tellOf(i int) (asleep bool) {
	if i < wire.Slots {
		return w.tellHost()
	}
	w.mem.Lanes().Or(1 << (i - wire.Slots))
	w.mem.LaneCalls().Add(1)
	if asleep = w.mem.LaneAsleep().Load() != 0; asleep {
		Wake(w.mem.LaneCalls(), 1)
	}
	return asleep
}
