package shm

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/cmem"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// asked answers the calls of a worker with functions of the test, or else echoes.
type asked struct {
	resolve func(box, method string)
	invoke  func(ctx context.Context, c *abi.Call, from hostvtable.Caller)
}

func (a asked) Resolve(_ context.Context, box, method string) (typeID, methodID uint32, code abi.Code) {
	a.resolve(box, method)
	return 1, 2, abi.OK
}

func (a asked) Invoke(ctx context.Context, c *abi.Call, from hostvtable.Caller) {
	if a.invoke != nil {
		a.invoke(ctx, c, from)
		return
	}
	echo(c)
}

func echo(c *abi.Call) {
	message, room := c.Message(), c.ResultBuffer()
	c.ResultLength = uintptr(len(message))
	if c.Code = abi.OK; len(message) > len(room) {
		c.Code = abi.ErrShortBuffer
		return
	}
	copy(room, message)
}

// hostile is a host whose worker is the test, which writes to the memory as it likes.
type hostile struct {
	*Host
	worker *Memory
	killed chan error
	die    func()
}

func newHostile(t testing.TB, calls hostvtable.Calls) *hostile {
	t.Helper()
	h := &hostile{killed: make(chan error, 100)}
	peer := &transport.Peer{
		Kill: func(cause error) { h.killed <- cause },
		Line: func(uint32, []byte) bool { return true }, Flush: func(context.Context) {},
		Complain:  func(string) {},
		Contended: func() bool { return false }, Closing: func() bool { return false },
		Lost: new(atomic.Uint64), Calls: calls, MaxBlob: 1 << 20,
	}
	peer.Init()
	link, theirs, err := New(peer)
	require.NoError(t, err)
	peer.Transport = link
	h.worker, err = Map(int(theirs.Files[1].Fd()))
	require.NoError(t, err)
	theirs.Close()
	h.Host = link.(*Host)
	h.die = sync.OnceFunc(func() {
		peer.Crash.Store(&transport.CrashError{Status: 1})
		peer.Dead.Store(true)
		close(peer.Ended)
		h.Close()
	})
	t.Cleanup(func() {
		h.die()
		until(func() bool { return !h.mapped() })
		h.worker.Unmap()
	})
	return h
}

func (h *hostile) mapped() bool {
	h.lines.Lock()
	defer h.lines.Unlock()
	return !h.unmapped
}

func until(ok func() bool) {
	for !ok() {
		runtime.Gosched()
	}
}

// start begins a call in a goroutine, and returns its slot when the worker has it.
func (h *hostile) start(ctx context.Context) (slot int, done <-chan error) {
	c := new(abi.Call)
	c.SetResultBuffer(make([]byte, 64))
	ended := make(chan error, 1)
	go func() { ended <- h.Call(ctx, c, nil) }()
	ok := false
	until(func() bool { slot, ok = takeBit(h.worker.Pending()); return ok })
	h.worker.Slot(slot).State.Store(Running)
	return slot, ended
}

// finish answers the call in a slot.
func (h *hostile) finish(slot int) {
	s := h.worker.Slot(slot)
	s.Code, s.Length = 0, 0
	s.State.Store(Done)
	h.tell()
}

func (h *hostile) tell() {
	h.worker.Completions().Add(1)
	Wake(h.worker.Completions(), wire.Slots)
}

// ask has the worker call its host in a slot or lane, and waits for the answer.
func (h *hostile) ask(i int) {
	h.worker.HostCallState(i).Store(Calling)
	if i < wire.Slots {
		h.tell()
	} else {
		h.ring(1 << (i - wire.Slots))
	}
	until(func() bool { return h.worker.HostCallState(i).Load() != Calling })
}

func (h *hostile) ring(lanes uint32) {
	h.worker.Lanes().Or(lanes)
	h.worker.LaneCalls().Add(1)
	Wake(h.worker.LaneCalls(), wire.Lanes)
}

// TestHostCall_Uninvited: within an operation that runs no code of the library, the host
// answers nothing: it could be in the middle of a call of another plugin.
func TestHostCall_Uninvited(t *testing.T) {
	refuse := asked{resolve: func(string, string) { t.Error("carried out") }, invoke: func(context.Context, *abi.Call, hostvtable.Caller) { t.Error("carried out") }}
	tests := map[string]func(*hostile) error{
		"adopt": func(h *hostile) error {
			_, _, err := h.Adopt(t.Context(), h.base+WorkerArena, 10)
			return err
		},
		"place": func(h *hostile) error {
			_, err := h.placeBlob([]byte("for the library"))
			return err
		},
		"free": func(h *hostile) error {
			_, err := h.Operate(t.Context(), wire.OpFree, h.base+WorkerArena, 0)
			return err
		},
	}
	for name, operate := range tests {
		t.Run(name, func(t *testing.T) {
			h := newHostile(t, refuse)
			done := make(chan error, 1)
			go func() { done <- operate(h) }()
			slot, ok := 0, false
			until(func() bool { slot, ok = takeBit(h.worker.Pending()); return ok })
			h.worker.HostCall(slot).Resolve = uint32(len(name) % 2)
			h.worker.HostCallState(slot).Store(Calling)
			h.tell()
			require.ErrorContains(t, <-h.killed, "no code of its library runs")
			h.die()
			require.ErrorIs(t, <-done, transport.ErrCrashed)
		})
	}
}

// TestHostCall_Lies: what a worker says of a call is refused, or means a part of its own
// memory.
func TestHostCall_Lies(t *testing.T) {
	const slot = 20
	own, room := CallArgsOffset(slot), CallResultOffset(slot)
	blob := tlv.AppendBlob(tlv.AppendHeader(nil), 0, 0)
	require.NoError(t, tlv.PatchArgc(blob, 1))
	withBlob := func(offset, length uint64) []byte {
		message := bytes.Clone(blob)
		copy(message[8:], tlv.AppendBlob(tlv.AppendHeader(nil), offset, length)[8:])
		return message
	}
	tests := map[string]struct {
		head    *HostCall
		message []byte
		code    abi.Code
		length  uint64 // of the message that Calls gets
	}{
		"honest":                         {&HostCall{Args: own, ArgsLength: 10, Room: room, RoomLength: 100}, nil, abi.OK, 10},
		"in the arena":                   {&HostCall{Args: WorkerArena, ArgsLength: 100 << 10, Room: Size - 200<<10, RoomLength: 200 << 10}, nil, abi.OK, 100 << 10},
		"no room":                        {&HostCall{Args: own, ArgsLength: 10, Room: room}, nil, abi.ErrShortBuffer, 10},
		"a buffer that is too long":      {&HostCall{Args: own, ArgsLength: BufferSize + 1, Room: room, RoomLength: 100}, nil, abi.ErrInvalidArgs, 0},
		"another call's buffer":          {&HostCall{Args: CallArgsOffset(slot + 1), ArgsLength: 1, Room: room, RoomLength: 100}, nil, abi.ErrInvalidArgs, 0},
		"inside of the buffer":           {&HostCall{Args: own + 1, ArgsLength: 1, Room: room, RoomLength: 100}, nil, abi.ErrInvalidArgs, 0},
		"what the host lends":            {&HostCall{Args: HostArena, ArgsLength: 1, Room: room, RoomLength: 100}, nil, abi.ErrInvalidArgs, 0},
		"over the end":                   {&HostCall{Args: Size - 1, ArgsLength: 2, Room: room, RoomLength: 100}, nil, abi.ErrInvalidArgs, 0},
		"behind the end":                 {&HostCall{Args: Size, ArgsLength: 0, Room: room, RoomLength: 100}, nil, abi.ErrInvalidArgs, 0},
		"far away":                       {&HostCall{Args: math.MaxUint64, ArgsLength: 2, Room: room, RoomLength: 100}, nil, abi.ErrInvalidArgs, 0},
		"longer than all":                {&HostCall{Args: WorkerArena, ArgsLength: math.MaxUint64, Room: room, RoomLength: 100}, nil, abi.ErrInvalidArgs, 0},
		"longer than may be":             {&HostCall{Args: WorkerArena, ArgsLength: wire.MaxHostMessage + 1, Room: room, RoomLength: 100}, nil, abi.ErrInvalidArgs, 0},
		"the longest":                    {&HostCall{Args: WorkerArena, ArgsLength: wire.MaxHostMessage, Room: WorkerArena, RoomLength: ArenaSize}, nil, abi.OK, wire.MaxHostMessage},
		"room elsewhere":                 {&HostCall{Args: own, ArgsLength: 10, Room: HostArena, RoomLength: 100}, nil, abi.ErrShortBuffer, 10},
		"room over the end":              {&HostCall{Args: own, ArgsLength: 10, Room: Size - 1, RoomLength: 2}, nil, abi.ErrShortBuffer, 10},
		"room for all":                   {&HostCall{Args: own, ArgsLength: 10, Room: room, RoomLength: math.MaxUint64}, nil, abi.ErrShortBuffer, 10},
		"a blob":                         {&HostCall{Args: own, Room: room, RoomLength: 100}, withBlob(WorkerArena, 1<<20), abi.OK, 24},
		"a blob that is too long":        {&HostCall{Args: own, Room: room, RoomLength: 100}, withBlob(WorkerArena, 1<<20+1), abi.ErrInvalidArgs, 0},
		"a blob of the host's":           {&HostCall{Args: own, Room: room, RoomLength: 100}, withBlob(HostArena, 1), abi.ErrInvalidArgs, 0},
		"a blob over the end":            {&HostCall{Args: own, Room: room, RoomLength: 100}, withBlob(Size-1, 2), abi.ErrInvalidArgs, 0},
		"a blob in the host's process":   {&HostCall{Args: own, Room: room, RoomLength: 100}, withBlob(cmem.Address(blob), 1), abi.ErrInvalidArgs, 0},
		"an endless blob":                {&HostCall{Args: own, Room: room, RoomLength: 100}, withBlob(WorkerArena, math.MaxUint64), abi.ErrInvalidArgs, 0},
		"a blob of nothing":              {&HostCall{Args: own, Room: room, RoomLength: 100}, withBlob(math.MaxUint64, 0), abi.OK, 24},
		"names":                          {&HostCall{Args: own, ArgsLength: 10, Resolve: 1, Instance: 4}, nil, abi.OK, 10},
		"names that overlap":             {&HostCall{Args: own, ArgsLength: 10, Resolve: 1, Instance: 11}, nil, abi.ErrInvalidArgs, 0},
		"names that are too long":        {&HostCall{Args: own, ArgsLength: contract.MaxName + 2, Resolve: 1, Instance: 1}, nil, abi.ErrInvalidArgs, 0},
		"an endless first name":          {&HostCall{Args: own, ArgsLength: BufferSize, Resolve: math.MaxUint32, Instance: math.MaxUint32}, nil, abi.ErrInvalidArgs, 0},
		"a first name that is too long":  {&HostCall{Args: own, ArgsLength: contract.MaxName + 2, Resolve: 1, Instance: contract.MaxName + 1}, nil, abi.ErrInvalidArgs, 0},
		"names that are longer than all": {&HostCall{Args: WorkerArena, ArgsLength: math.MaxUint64, Resolve: 1}, nil, abi.ErrInvalidArgs, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got []byte
			called := false
			var h *hostile
			h = newHostile(t, asked{
				resolve: func(box, method string) { called, got = true, []byte(box+method) },
				invoke: func(_ context.Context, c *abi.Call, _ hostvtable.Caller) {
					called, got = true, c.Message()
					require.NoError(t, contract.EachBlob(got, func(addr, length uint64) (uint64, error) {
						if length > 0 {
							assert.Equal(t, h.mem.Base()+WorkerArena, addr)
							assert.Zero(t, cmem.Memory(uintptr(addr), int(length))[length-1])
						}
						return addr, nil
					}))
					echo(c)
				},
			})
			for i := range slot - transport.ControlSlots { // the next one is the slot of the test
				h.callers[transport.ControlSlots+i].busy.Store(1)
			}
			i, done := h.start(t.Context())
			require.Equal(t, slot, i)
			head := h.worker.HostCall(slot)
			head.Resolve, head.Instance = tt.head.Resolve, tt.head.Instance
			head.Args, head.ArgsLength, head.Room, head.RoomLength = tt.head.Args, tt.head.ArgsLength, tt.head.Room, tt.head.RoomLength
			if tt.message != nil {
				head.ArgsLength = uint64(copy(h.worker.Bytes(own, BufferSize), tt.message))
			}
			h.ask(slot)
			assert.Equal(t, tt.code, abi.Code(head.Code))
			h.finish(slot)
			require.NoError(t, <-done)
			assert.Equal(t, tt.code != abi.ErrInvalidArgs, called)
			assert.Len(t, got, int(tt.length))
			for i := range slot - transport.ControlSlots {
				h.callers[transport.ControlSlots+i].busy.Store(0)
			}
			assert.Zero(t, h.Active())
		})
	}
}

// TestHostCall_ChangedMessage: what Calls is given does not change, whatever the worker
// does to its memory meanwhile.
func TestHostCall_ChangedMessage(t *testing.T) {
	var h *hostile
	var stop atomic.Bool
	h = newHostile(t, asked{invoke: func(_ context.Context, c *abi.Call, _ hostvtable.Caller) {
		message := c.Message()
		before := bytes.Clone(message)
		_ = contract.EachBlob(before, func(addr, length uint64) (uint64, error) {
			if length > 0 {
				assert.LessOrEqual(t, h.mem.Base()+WorkerArena, addr)
				assert.LessOrEqual(t, addr+length, h.mem.Base()+Size)
			}
			return addr, nil
		})
		for range 10 {
			runtime.Gosched()
			assert.Equal(t, before, message)
		}
		echo(c)
	}})
	slot, done := h.start(t.Context())
	head := h.worker.HostCall(slot)
	var scribbler sync.WaitGroup
	scribbler.Go(func() {
		random := rand.New(rand.NewPCG(1, 2))
		offsets := []uint64{WorkerArena, HostArena, 0, Size, math.MaxUint64, CallArgsOffset(slot)}
		for !stop.Load() {
			message := tlv.AppendBlob(tlv.AppendHeader(nil), offsets[random.IntN(len(offsets))], uint64(random.Uint32()))
			_ = tlv.PatchArgc(message, 1)
			copy(h.worker.Bytes(CallArgsOffset(slot), BufferSize), message)
			head.ArgsLength = uint64(random.IntN(64))
			head.Args = CallArgsOffset(slot)
			head.Room, head.RoomLength = offsets[random.IntN(len(offsets))], uint64(random.Uint32())
		}
	})
	for range 2000 {
		h.ask(slot)
	}
	stop.Store(true)
	scribbler.Wait()
	h.finish(slot)
	require.NoError(t, <-done)
}

// TestHostCall_AnyStates: a worker that writes to states, words and heads as it likes costs
// its host no more than its own calls.
func TestHostCall_AnyStates(t *testing.T) {
	var under, most atomic.Int32
	h := newHostile(t, asked{
		resolve: func(box, method string) {},
		invoke: func(_ context.Context, c *abi.Call, _ hostvtable.Caller) {
			if n := under.Add(1); n > most.Load() {
				most.Store(n)
			}
			runtime.Gosched()
			under.Add(-1)
			echo(c)
		},
	})
	h.hearLanes()
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for ctx.Err() == nil {
				c := new(abi.Call)
				c.SetResultBuffer(make([]byte, 64))
				_ = h.Call(t.Context(), c, nil)
			}
		})
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 20_000 {
		i := random.IntN(wire.MaxHostCalls)
		head := h.worker.HostCall(i)
		head.Args, head.ArgsLength = CallArgsOffset(i), uint64(random.IntN(100))
		head.Room, head.RoomLength = CallResultOffset(i), uint64(random.IntN(100))
		head.Resolve, head.Instance, head.Loading = uint32(random.IntN(2)), uint32(random.IntN(100)), uint32(random.IntN(2))
		h.worker.HostCallState(i).Store(uint32(random.IntN(7)))
		h.tell()
		h.ring(uint32(random.Uint64()))
		assert.LessOrEqual(t, runtime.NumGoroutine(), before+8+wire.Lanes+spareListeners+2)
	}
	cancel()
	until(func() bool { // whoever still waits is answered
		for i := range wire.Slots {
			h.worker.Slot(i).State.Store(Done)
		}
		h.tell()
		return h.running.Load() == 0
	})
	all.Wait()
	assert.LessOrEqual(t, most.Load(), int32(8+wire.Lanes))
	require.Empty(t, h.killed)
}

// TestHostCall_Flood has more calls in lanes than there may be: each is served once, and no
// more at a time than there are lanes.
func TestHostCall_Flood(t *testing.T) {
	release := make(chan struct{})
	var under atomic.Int32
	h := newHostile(t, asked{invoke: func(ctx context.Context, c *abi.Call, _ hostvtable.Caller) {
		assert.NoError(t, contextErr(ctx))
		under.Add(1)
		<-release
		echo(c)
	}})
	h.hearLanes()
	for lane := range wire.Lanes {
		i := wire.Slots + lane
		head := h.worker.HostCall(i)
		head.Args, head.Room, head.Loading = CallArgsOffset(i), CallResultOffset(i), 1
		head.State.Store(Calling)
	}
	for range 1000 { // bits of lanes that are taken, and of some that are none
		h.ring(math.MaxUint32)
		runtime.Gosched()
	}
	until(func() bool { return under.Load() == wire.Lanes })
	assert.Equal(t, wire.Lanes, h.Active())
	close(release)
	for lane := range wire.Lanes {
		until(func() bool { return h.worker.HostCall(wire.Slots+lane).State.Load() == Running })
	}
	until(func() bool { return h.Active() == 0 })
	assert.EqualValues(t, wire.Lanes, under.Load())
	until(func() bool { return h.lanes.free.Load() <= spareListeners })
}

// contextErr is an error where a call of no load is given a context.
func contextErr(ctx context.Context) error {
	if ctx == nil {
		return nil
	}
	return assert.AnError
}

// TestHostCall_MessagesOfNothing: a worker that announces messages which it has no memory
// for does not have its host take any amount of it.
func TestHostCall_MessagesOfNothing(t *testing.T) {
	release := make(chan struct{})
	var under atomic.Int32
	h := newHostile(t, asked{invoke: func(_ context.Context, c *abi.Call, _ hostvtable.Caller) {
		under.Add(1)
		<-release
		c.Code, c.ResultLength = abi.OK, 0
	}})
	const callers = maxLarge + 4
	var slots []int
	var all []<-chan error
	for range callers {
		slot, done := h.start(t.Context())
		slots, all = append(slots, slot), append(all, done)
	}
	for _, slot := range slots {
		head := h.worker.HostCall(slot)
		head.Args, head.ArgsLength, head.Room = WorkerArena, wire.MaxHostMessage, CallResultOffset(slot)
		h.worker.Slot(slot).State.Store(Calling)
		h.tell()
	}
	refused := func() (n int) {
		for _, slot := range slots {
			if h.worker.Slot(slot).State.Load() == Running && abi.Code(h.worker.HostCall(slot).Code) == abi.ErrOutOfMemory {
				n++
			}
		}
		return n
	}
	until(func() bool { return under.Load() == maxLarge && refused() == callers-maxLarge })
	close(release)
	for i, slot := range slots {
		until(func() bool { return h.worker.Slot(slot).State.Load() == Running })
		h.finish(slot)
		require.NoError(t, <-all[i])
	}
	slot, done := h.start(t.Context())
	head := h.worker.HostCall(slot)
	head.Args, head.ArgsLength, head.Room = WorkerArena, wire.MaxHostMessage, CallResultOffset(slot)
	h.ask(slot)
	assert.Zero(t, head.Code, "all was given back")
	h.finish(slot)
	require.NoError(t, <-done)
}

// maxLarge is how many of the longest messages there may be at a time.
const maxLarge = 16

// TestHostCall_AnswersItself: a worker that answers a request, or its own call, while the
// host carries that out, does not have the host wait for ever.
func TestHostCall_AnswersItself(t *testing.T) {
	for _, state := range []uint32{Done, Running, 0, 77} {
		var h *hostile
		var slot atomic.Int32
		h = newHostile(t, asked{invoke: func(_ context.Context, c *abi.Call, _ hostvtable.Caller) {
			h.worker.Slot(int(slot.Load())).State.Store(state)
			echo(c)
		}})
		i, done := h.start(t.Context())
		slot.Store(int32(i))
		h.worker.HostCall(i).Args = CallArgsOffset(i)
		h.ask(i)
		if state != Done {
			h.finish(i)
		}
		require.NoError(t, <-done)
	}
}

// TestHostCall_DeathInTheMiddle: the memory stays until the host has carried out what it
// was asked, and not longer.
func TestHostCall_DeathInTheMiddle(t *testing.T) {
	release := make(chan struct{})
	var under atomic.Int32
	h := newHostile(t, asked{invoke: func(_ context.Context, c *abi.Call, _ hostvtable.Caller) {
		under.Add(1)
		<-release
		echo(c)
	}})
	h.hearLanes()
	slot, done := h.start(t.Context())
	for _, i := range []int{slot, wire.Slots + 3} {
		head := h.worker.HostCall(i)
		head.Args, head.ArgsLength, head.Room, head.RoomLength = CallArgsOffset(i), 10, WorkerArena, 100
		h.worker.HostCallState(i).Store(Calling)
	}
	h.tell()
	h.ring(1 << 3)
	until(func() bool { return under.Load() == 2 })
	h.die()
	require.True(t, h.mapped())
	close(release)
	require.ErrorIs(t, <-done, transport.ErrCrashed)
	until(func() bool { return !h.mapped() })
}

// FuzzHostCall has the host carry out whatever stands in a head.
func FuzzHostCall(f *testing.F) {
	f.Add(uint32(0), uint32(1), uint64(0), uint64(24), uint64(0), uint64(100), []byte("\x01\x00\x01\x00\x0a\x00\x10\x00abcdefgh\x10\x00\x00\x00\x00\x00\x00\x00"))
	f.Add(uint32(1), uint32(4), uint64(0), uint64(10), uint64(1), uint64(1), []byte("nameother"))
	f.Add(uint32(0), uint32(1), WorkerArena, uint64(1<<24), WorkerArena, uint64(1<<40), []byte{})
	var base uint64
	h := newHostile(f, asked{
		resolve: func(box, method string) {
			if len(box) > contract.MaxName || len(method) > contract.MaxName {
				panic("names that are too long")
			}
		},
		invoke: func(_ context.Context, c *abi.Call, _ hostvtable.Caller) {
			_ = contract.EachBlob(c.Message(), func(addr, length uint64) (uint64, error) {
				if length > 0 && (addr < base+WorkerArena || length > Size || addr+length > base+Size) {
					panic("a blob elsewhere")
				}
				return addr, nil
			})
			echo(c)
		},
	})
	base = h.mem.Base()
	caller := transport.NewHostCaller(h.peer, h.placeBlob)
	f.Fuzz(func(_ *testing.T, resolve, instance uint32, args, length, room, roomLength uint64, message []byte) {
		const i = 7
		copy(h.worker.Bytes(CallArgsOffset(i), BufferSize), message)
		head := h.worker.HostCall(i)
		head.Resolve, head.Instance = resolve, instance
		// Offsets are tried from where they may be.
		head.Args, head.ArgsLength, head.Room, head.RoomLength = args, length, room, roomLength
		if args < BufferSize {
			head.Args += CallArgsOffset(i)
		}
		if room < BufferSize {
			head.Room += CallResultOffset(i)
		}
		h.mem.HostCallState(i).Store(Calling)
		h.answer(nil, i, caller) //nolint:staticcheck // as in a lane
		h.handBack(i)
	})
}
