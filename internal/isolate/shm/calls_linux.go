package shm

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/bits"
	"sync/atomic"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// await waits for the answer in a slot, until one context ends, and answers what the
// plugin asks of its host meanwhile with the other. state is what the slot's was seen to
// be: done, calling or another.
func (h *Host) await(until, ctx context.Context, i int, state uint32, d *transport.Deadline) transport.Outcome {
	runsLibrary := transport.RunsLibrary(h.callers[i].op)
	for {
		switch state {
		case Done:
			h.callers[i].began.Store(0)
			return transport.Answered
		case Calling:
			// As wait looks: a plugin may do nothing but call its host.
			if h.peer.Dead.Load() {
				h.callers[i].began.Store(0)
				return transport.Died
			}
			if until.Err() != nil {
				return transport.Ended
			}
			if !runsLibrary {
				h.callers[i].began.Store(0)
				return h.peer.Uninvited(until)
			}
			h.serve(ctx, i, d)
			state = h.spinAgain(i)
			continue
		}
		o := h.wait(until, i, d)
		if o != transport.Calling {
			return o
		}
		state = Calling
	}
}

// spinAgain is spin after a call of the plugin to its host.
func (h *Host) spinAgain(i int) (state uint32) {
	me, most := &h.callers[i], spinTime
	if me.missed%longSpins != 0 {
		most = shortSpin
	}
	if state = h.spin(i, most); state == 0 {
		me.missed++
	} else {
		me.missed = 0
	}
	return state
}

// serve answers what the plugin asks of its host within a request. The request's time
// stands still.
func (h *Host) serve(ctx context.Context, i int, d *transport.Deadline) {
	me, began := &h.callers[i], time.Now()
	me.began.CompareAndSwap(0, began.UnixNano())
	if me.host == nil {
		me.host = transport.NewHostCaller(h.peer, h.placeBlob)
	}
	h.running.Add(-1)
	h.serving.Add(1)
	h.answer(ctx, i, me.host)
	h.handBack(i)
	h.serving.Add(-1)
	h.running.Add(1)
	d.Exclude(time.Since(began))
	d.Check()
}

// answer carries out call i of the plugin to its host, and leaves what came of it in the
// shared memory.
func (h *Host) answer(ctx context.Context, i int, caller *transport.HostCaller) {
	// What the plugin logged before is delivered before.
	if h.mem.HasLines() {
		h.drain()
		h.peer.FlushFor(ctx)
	}
	h.asked.Add(1)
	head := h.mem.HostCall(i)
	room := block{offset: head.Room, length: head.RoomLength}
	if !isRoom(room, CallResultOffset(i)) {
		room = block{offset: CallResultOffset(i)}
	}
	reply := h.reply(ctx, i, head, room.length, caller)
	copy(h.mem.Bytes(room.offset, room.length), reply.Result)
	head.TypeID, head.Method = reply.TypeID, reply.Method
	head.Code, head.Length = int32(reply.Code), reply.Length
}

// isRoom tells whether a worker may name a part of the memory as that of a message or
// result: in the call's own buffer, or in the worker's arena.
func isRoom(b block, own uint64) bool {
	return b.offset == own && b.length <= BufferSize || inWorkerArena(b.offset, b.length)
}

func (h *Host) reply(ctx context.Context, i int, head *HostCall, room uint64, caller *transport.HostCaller) transport.HostReply {
	args := block{offset: head.Args, length: head.ArgsLength}
	if !isRoom(args, CallArgsOffset(i)) || args.length > wire.MaxHostMessage {
		return caller.Refuse(abi.ErrInvalidArgs, room, "a message of %d bytes; the host reads %d", args.length, wire.MaxHostMessage)
	}
	c := transport.HostCall{
		Resolve: head.Resolve != 0, TypeID: head.TypeID, Method: head.Method, Instance: head.Instance,
		Thread: head.Thread, Message: caller.MessageBuffer(args.length), Room: room,
	}
	if uint64(len(c.Message)) != args.length {
		return caller.Refuse(abi.ErrOutOfMemory, room, "the messages of this plugin that are under way have too many bytes")
	}
	copy(c.Message, h.mem.Bytes(args.offset, args.length))
	if !c.Resolve {
		if err := h.findBlobs(c.Message); err != nil {
			return caller.Refuse(abi.ErrInvalidArgs, room, "%v", err)
		}
	}
	return caller.Answer(ctx, &c)
}

// findBlobs has the blobs of a message, which a worker gives by their offsets, be where
// the host sees them: the bytes stay where the worker can change them.
func (h *Host) findBlobs(message []byte) error {
	left := h.peer.MaxBlobs()
	return contract.EachBlob(message, func(offset, length uint64) (uint64, error) {
		switch {
		case length == 0:
			return 0, nil
		case !inWorkerArena(offset, length):
			return 0, fmt.Errorf("a blob of %d bytes that is not in the shared memory", length)
		case length > left:
			return 0, fmt.Errorf("blobs of more than %d bytes", h.peer.MaxBlobs())
		}
		left -= length
		return h.mem.Base() + offset, nil
	})
}

// handBack lets the plugin go on. A state that the worker has changed meanwhile stays: it
// must not be made to wait for an answer that it has given.
func (h *Host) handBack(i int) {
	state := h.mem.HostCallState(i)
	if state.CompareAndSwap(Calling, Running) && h.mem.HostCall(i).Asleep.Load() != 0 {
		Wake(state, 1)
	}
}

// placeBlob has the worker copy a blob to memory of the library's own.
func (h *Host) placeBlob(data []byte) (addr uint64, err error) {
	offset, ok := h.arena.Alloc(uint64(len(data)))
	if !ok {
		return 0, errNoRoom(len(data))
	}
	defer h.arena.Free(offset, uint64(len(data)))
	copy(h.mem.Bytes(offset, uint64(len(data))), data)
	answer, err := h.Operate(context.Background(), wire.OpPlace, offset, uint64(len(data)))
	if err == nil && len(answer) != 8 {
		err = fmt.Errorf("the worker answered %d bytes, and an address has 8", len(answer))
	}
	if err != nil {
		return 0, err
	}
	return binary.LittleEndian.Uint64(answer), nil
}

// lanes are the calls to the host that belong to no request: of threads of the plugin's
// own, and of connect and init.
type lanes struct {
	heard   atomic.Bool // the library connects: there are listeners
	busy    [wire.Lanes]atomic.Bool
	callers [wire.Lanes]*transport.HostCaller // of who has the lane

	listeners int          // guarded by the host's mu: the memory stays mapped while there are any
	free      atomic.Int32 // of the listeners, those without a call

	loading atomic.Pointer[context.Context] // of the load that is under way
}

const (
	allLanes = 1<<wire.Lanes - 1
	// spareListeners is how many listeners without a call there are at most. With one,
	// each call would start another.
	spareListeners = 2
	// listenerSleep is how long a listener sleeps at most before it looks whether the
	// worker has ended: what a worker has started may keep it from being woken.
	listenerSleep = 5 * time.Second
	// idleWakes is how often a listener may be woken for nothing before it rests.
	idleWakes = 3
)

// hearLanes has calls in lanes be answered, until the worker's end.
func (h *Host) hearLanes() {
	if !h.lanes.heard.Swap(true) {
		h.startListener()
	}
}

func (h *Host) startListener() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.peer.Dead.Load() {
		return // the memory may be unmapped
	}
	h.lanes.listeners++
	h.lanes.free.Add(1)
	go h.answerLanes()
}

// answerLanes is a listener: it takes a call and answers it. Another one listens
// meanwhile.
func (h *Host) answerLanes() {
	defer h.endListener()
	for {
		lane, ok := h.nextLane()
		if !ok {
			return
		}
		if h.lanes.free.Add(-1) == 0 {
			h.startListener()
		}
		h.serveLane(lane)
		if h.lanes.free.Add(1) > spareListeners {
			h.lanes.free.Add(-1)
			return
		}
	}
}

func (h *Host) endListener() {
	h.mu.Lock()
	h.lanes.listeners--
	h.mu.Unlock()
	if h.peer.Dead.Load() {
		h.reclaim()
	}
}

// nextLane waits for a call in the system itself, which wakes it sooner than the
// runtime's poller would. ok is false at the worker's end.
func (h *Host) nextLane() (lane int, ok bool) {
	calls, asleep := h.mem.LaneCalls(), h.mem.LaneAsleep()
	for idle := 0; ; idle++ {
		seen := calls.Load()
		if lane, ok = h.takeLane(); ok {
			return lane, true
		}
		if h.peer.Dead.Load() {
			return 0, false
		}
		if idle > idleWakes {
			rest()
		}
		began := time.Now()
		asleep.Add(1)
		// Asked once more after saying so: a worker that has not seen it has set its
		// bit before.
		if h.mem.Lanes().Load()&allLanes == 0 && !h.peer.Dead.Load() {
			Wait(calls, seen, listenerSleep)
		}
		asleep.Add(^uint32(0))
		if time.Since(began) > listenerSleep/2 {
			idle = 0
		}
	}
}

// takeLane takes a call, if there is one in a lane of which none is under way.
func (h *Host) takeLane() (lane int, ok bool) {
	set := h.mem.Lanes().Load() & allLanes
	for ; set != 0; set &= set - 1 {
		lane = bits.TrailingZeros32(set)
		if h.mem.Lanes().And(^(uint32(1)<<lane))&(1<<lane) == 0 {
			continue // another listener has it
		}
		if h.mem.HostCall(wire.Slots+lane).State.Load() == Calling && h.lanes.busy[lane].CompareAndSwap(false, true) {
			return lane, true
		}
	}
	return 0, false
}

func (h *Host) serveLane(lane int) {
	i := wire.Slots + lane
	var ctx context.Context
	if loading := h.lanes.loading.Load(); loading != nil && h.mem.HostCall(i).Loading != 0 {
		ctx = *loading
	}
	if h.lanes.callers[lane] == nil {
		h.lanes.callers[lane] = transport.NewHostCaller(h.peer, h.placeBlob)
	}
	h.serving.Add(1)
	h.answer(ctx, i, h.lanes.callers[lane])
	h.serving.Add(-1)
	// Before the lane's thread goes on: its next call must not find the lane taken.
	h.lanes.busy[lane].Store(false)
	h.handBack(i)
}

// wakeListeners has them see the worker's end. The memory is mapped.
func (h *Host) wakeListeners() {
	h.mem.LaneCalls().Add(1)
	Wake(h.mem.LaneCalls(), wire.Lanes+spareListeners)
}
