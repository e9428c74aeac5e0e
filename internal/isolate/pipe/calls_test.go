package pipe

import (
	"context"
	"encoding/binary"
	"io"
	"runtime"
	"strings"
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

// served answers with a function of the test.
type served func(ctx context.Context, c *abi.Call, from hostvtable.Caller)

func (served) Resolve(context.Context, string, string) (typeID, methodID uint32, code abi.Code) {
	return 1, 2, abi.OK
}

func (s served) Invoke(ctx context.Context, c *abi.Call, from hostvtable.Caller) { s(ctx, c, from) }

// ask sends a call of the plugin.
func (d *driven) ask(id uint32, message, blobs string) {
	payload := string(binary.LittleEndian.AppendUint64(nil, 7)) + message + blobs
	_, err := d.answers.WriteString(frame(Frame{Op: wire.OpHostCall, ID: id, TypeID: 1, Method: 2, Instance: 3, A: 100, B: uint64(len(message))}, payload))
	require.NoError(d.t, err)
}

// busy tells whether the host carries a call out.
func (d *driven) busy(id uint32) bool {
	s := d.hostCalls[id].Load()
	return s != nil && s.busy.Load()
}

// reply reads the host's answer.
func (d *driven) reply() (Frame, string) {
	f := d.read()
	payload := make([]byte, f.Length)
	_, err := io.ReadFull(d.requests, payload)
	require.NoError(d.t, err)
	return f, string(payload)
}

func TestHostCall(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "outer")
	var of []any
	d := driveWith(t, served(func(ctx context.Context, c *abi.Call, from hostvtable.Caller) {
		of = append(of, ctx.Value(key{}), from.Thread(), c.TypeID, c.Method, c.Instance, len(c.ResultBuffer()))
		echoes{}.Invoke(ctx, c, from)
	}))
	done := d.start(ctx, 0)
	id := d.read().ID
	for range 3 {
		d.ask(id, "hello", "")
		f, payload := d.reply()
		assert.Equal(t, Frame{Op: wire.OpHostAnswer, ID: id, A: 5, Length: 5}, f)
		assert.Equal(t, "hello", payload)
	}
	d.answer(id)
	require.NoError(t, <-done)
	for range 3 {
		assert.Equal(t, []any{"outer", uint64(7), uint32(1), uint32(2), uint32(3), 100}, of[:6])
		of = of[6:]
	}
	assert.Zero(t, d.Active())
}

// TestHostCall_TooMuch: a message for which there is no memory left is passed over.
func TestHostCall_TooMuch(t *testing.T) {
	d := driveWith(t, echoes{})
	const others = 1 << 50
	require.True(t, d.peer.TakeMessages(others), "one is taken however large")
	d.ask(wire.Slots, "hello", strings.Repeat("x", 2*keep))
	f, text := d.reply()
	assert.Equal(t, abi.ErrOutOfMemory, abi.Code(f.Code))
	assert.Contains(t, text, "too many bytes")
	d.ask(wire.Slots, "small", "")
	_, text = d.reply()
	assert.Equal(t, "small", text)
	d.peer.GiveMessages(others)
	d.ask(wire.Slots, "hello", strings.Repeat("x", 2*keep))
	_, text = d.reply()
	assert.Equal(t, "hello", text)
	assert.True(t, d.peer.TakeMessages(others), "all is given back")
}

// TestHostCall_Uninvited: within an operation that runs no code of the library, the host
// answers nothing: it could be in the middle of a call of another plugin.
func TestHostCall_Uninvited(t *testing.T) {
	d := driveWith(t, served(func(context.Context, *abi.Call, hostvtable.Caller) { t.Error("carried out") }))
	done := make(chan error, 1)
	go func() {
		_, _, err := d.Adopt(t.Context(), 1000, 10)
		done <- err
	}()
	d.ask(d.read().ID, "hello", "")
	require.ErrorContains(t, <-d.killed, "no code of its library runs")
	require.ErrorIs(t, <-done, transport.ErrCrashed)
}

// TestHostCall_Blobs: a blob is a part of what came with the call, or refused.
func TestHostCall_Blobs(t *testing.T) {
	const behind = threadSize + 24
	tests := map[string]struct {
		at, length uint64
		data       string
		code       abi.Code
	}{
		"all":             {behind, 4, "blob", abi.OK},
		"a part":          {behind + 1, 2, "lo", abi.OK},
		"nothing":         {1 << 60, 0, "", abi.OK},
		"the message":     {threadSize, 4, "", abi.ErrInvalidArgs},
		"over the end":    {behind + 1, 4, "", abi.ErrInvalidArgs},
		"behind the end":  {behind + 5, 1, "", abi.ErrInvalidArgs},
		"far away":        {1 << 60, 1, "", abi.ErrInvalidArgs},
		"longer than all": {behind, 1<<64 - 1, "", abi.ErrInvalidArgs},
		"an address":      {cmem.Address([]byte("x")), 1, "", abi.ErrInvalidArgs},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			seen := make(chan string, 1)
			d := driveWith(t, served(func(_ context.Context, c *abi.Call, _ hostvtable.Caller) {
				_ = contract.EachBlob(c.Message(), func(addr, length uint64) (uint64, error) {
					seen <- string(cmem.Memory(uintptr(addr), int(length)))
					return addr, nil
				})
				c.Code, c.ResultLength = abi.OK, 0
			}))
			done := d.start(t.Context(), 0)
			id := d.read().ID
			message := tlv.AppendBlob(tlv.AppendHeader(nil), tt.at, tt.length)
			require.NoError(t, tlv.PatchArgc(message, 1))
			d.ask(id, string(message), "blob")
			f, _ := d.reply()
			assert.Equal(t, tt.code, abi.Code(f.Code))
			if tt.code == abi.OK {
				assert.Equal(t, tt.data, <-seen)
			}
			d.answer(id)
			require.NoError(t, <-done)
			assert.Empty(t, seen)
		})
	}
}

// TestHostCall_TooSoon: a worker that does not wait for the answers to its calls is none.
func TestHostCall_TooSoon(t *testing.T) {
	for name, next := range map[string]func(d *driven, id uint32){
		"another call":        func(d *driven, id uint32) { d.ask(id, "", "") },
		"the call's answer":   func(d *driven, id uint32) { d.answer(id) },
		"another in its lane": func(d *driven, id uint32) { d.ask(wire.Slots, "", ""); d.ask(wire.Slots, "", "") },
	} {
		t.Run(name, func(t *testing.T) {
			began, release := make(chan struct{}, 10), make(chan struct{})
			d := driveWith(t, served(func(_ context.Context, c *abi.Call, _ hostvtable.Caller) {
				began <- struct{}{}
				<-release
				c.Code, c.ResultLength = abi.OK, 0
			}))
			done := d.start(t.Context(), 0)
			id := d.read().ID
			d.ask(id, "", "")
			<-began
			next(d, id)
			require.ErrorIs(t, <-d.killed, errNonsense)
			assert.Empty(t, done, "it is carried out to its end")
			close(release)
			require.ErrorIs(t, <-done, transport.ErrCrashed)
		})
	}
}

// TestHostCall_Flood has a worker that asks in all lanes, over and over, and reads no
// answer: it is served by as many goroutines as there are lanes, and is killed in the end.
func TestHostCall_Flood(t *testing.T) {
	t.Parallel() // it takes as long as a worker may read nothing
	var under, most atomic.Int32
	large := make([]byte, 1<<20)
	d := driveWith(t, served(func(_ context.Context, c *abi.Call, _ hostvtable.Caller) {
		if n := under.Add(1); n > most.Load() {
			most.Store(n)
		}
		runtime.Gosched()
		under.Add(-1)
		c.Code, c.ResultLength = abi.OK, uintptr(copy(c.ResultBuffer(), large))
	}))
	before := runtime.NumGoroutine()
	flooded := make(chan struct{})
	go func() {
		defer close(flooded)
		payload := string(make([]byte, threadSize))
		for i := uint32(0); ; i++ {
			lane := wire.Slots + i%wire.Lanes
			until(func() bool { return !d.busy(lane) || d.peer.Dead.Load() }) // as early as it may
			if _, err := d.answers.WriteString(frame(Frame{Op: wire.OpHostCall, ID: lane, A: 1 << 20}, payload)); err != nil {
				return
			}
			until(func() bool {
				return d.busy(lane) || d.asked.Load() > uint64(i) || d.peer.Dead.Load() // it is heard
			})
		}
	}()
	require.ErrorIs(t, <-d.killed, transport.ErrNoAnswer)
	assert.LessOrEqual(t, runtime.NumGoroutine(), before+2*wire.Lanes+10)
	<-flooded
	assert.LessOrEqual(t, most.Load(), int32(wire.Lanes))
}

// TestHostCall_LargeBothWays: a large request that the worker reads slowly, and its calls,
// do not wait for each other.
func TestHostCall_LargeBothWays(t *testing.T) {
	d := driveWith(t, served(func(ctx context.Context, c *abi.Call, from hostvtable.Caller) {
		echoes{}.Invoke(ctx, c, from)
	}))
	first := d.start(t.Context(), 0)
	id := d.read().ID
	second := d.start(t.Context(), large)
	f := d.read() // and does not read its payload
	d.ask(id, strings.Repeat("x", large), "")
	until(func() bool { return d.asked.Load() == 1 && !d.busy(id) })
	_, err := io.CopyN(io.Discard, d.requests, int64(f.Length))
	require.NoError(t, err)
	answer, payload := d.reply()
	assert.Equal(t, []any{wire.OpHostAnswer, id, 100}, []any{answer.Op, answer.ID, len(payload)})
	d.answer(f.ID)
	require.NoError(t, <-second)
	d.answer(id)
	require.NoError(t, <-first)
}

// TestHostCall_DeathInTheMiddle: what a worker has asked is carried out after its end, and
// its request is lost.
func TestHostCall_DeathInTheMiddle(t *testing.T) {
	release, ended := make(chan struct{}), make(chan error, 2)
	var under atomic.Int32
	d := driveWith(t, served(func(_ context.Context, c *abi.Call, from hostvtable.Caller) {
		under.Add(1)
		<-release
		_, err := from.Place([]byte("data"))
		ended <- err
		c.Code, c.ResultLength = abi.OK, 0
	}))
	done := d.start(t.Context(), 0)
	d.ask(d.read().ID, "", "")
	d.ask(wire.Slots+4, "", "")
	until(func() bool { return under.Load() == 2 })
	d.die()
	close(release)
	require.ErrorIs(t, <-done, transport.ErrCrashed)
	require.ErrorIs(t, <-ended, transport.ErrLost)
	require.ErrorIs(t, <-ended, transport.ErrLost)
	until(func() bool { return d.Active() == 0 })
}
