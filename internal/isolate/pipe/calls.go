package pipe

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/cmem"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// hostSide is the host's side of a call of the plugin to its host. While it is busy, frame
// and payload belong to the listener until it says so, and then to who answers.
type hostSide struct {
	busy    atomic.Bool
	came    chan struct{} // of a lane: has room for the one sign of a call
	frame   Frame
	payload []byte
	taken   uint64 // of the peer's budget, for payload
	refused bool   // payload would have been too much, and is not there

	caller *transport.HostCaller
	until  transport.Deadline
	reply  pipeCaller // stands for the reply where it is written
}

// called takes a call of the plugin to its host, where one may come: within a request that
// is under way and has none already, or in a lane that is free.
func (h *Host) called(r *bufio.Reader, f *Frame) error {
	s := h.hostCalls[f.ID].Load()
	if h.peer.Calls == nil || f.ID < wire.Slots && !h.callers[f.ID].asked.Load() || !fits(f, h.peer.MaxBlobs()) {
		return errNonsense
	}
	if s == nil {
		s = h.newHostSide(f.ID)
	}
	if !s.busy.CompareAndSwap(false, true) {
		return errNonsense
	}
	if err := h.readCall(r, s, f); err != nil {
		return err
	}
	if f.ID >= wire.Slots {
		s.came <- struct{}{}
		return nil
	}
	h.callers[f.ID].told <- struct{}{}
	return nil
}

// readCall reads the payload of a call, and passes over one for which the worker has too many
// others under way.
func (h *Host) readCall(r *bufio.Reader, s *hostSide, f *Frame) (err error) {
	s.frame, s.taken, s.refused = *f, 0, false
	if f.Length > keep {
		if s.refused = !h.peer.TakeMessages(f.Length); s.refused {
			_, err = io.CopyN(io.Discard, r, int64(f.Length)) // which fits bounds
			return err
		}
		s.taken = f.Length
	}
	s.payload, err = readPayload(r, s.payload, f.Length, nil)
	return err
}

func (h *Host) newHostSide(id uint32) *hostSide {
	s := &hostSide{caller: transport.NewHostCaller(h.peer, h.place)}
	if id >= wire.Slots {
		s.came = make(chan struct{}, 1)
		go h.answerLane(s)
	}
	h.hostCalls[id].Store(s)
	return s
}

// fits tells whether a frame announces no more than a call may have.
func fits(f *Frame, blobs uint64) bool {
	if f.Op == wire.OpHostResolve {
		return f.Length <= 2*contract.MaxName
	}
	return f.B <= wire.MaxHostMessage && f.Length >= threadSize+f.B && f.Length-threadSize-f.B <= blobs
}

// await waits for the answer to a request, until one context ends, and answers what the
// plugin asks of its host meanwhile with the other.
func (h *Host) await(until, ctx context.Context, c *pipeCaller, d *transport.Deadline) transport.Outcome {
	for {
		o := h.wait(until, c, d)
		if o != transport.Calling {
			return o
		}
		// As wait looks: a plugin may do nothing but call its host.
		if h.peer.Dead.Load() {
			return transport.Died
		}
		if !transport.RunsLibrary(c.op) {
			return h.peer.Uninvited(until)
		}
		began := time.Now()
		h.running.Add(-1)
		h.answer(ctx, h.hostCalls[c.id].Load())
		h.running.Add(1)
		d.Exclude(time.Since(began))
		d.Check()
	}
}

// answerLane answers the calls in a lane, which come one after another, until the
// worker's end.
func (h *Host) answerLane(s *hostSide) {
	for {
		select {
		case <-s.came:
			h.answer(nil, s) //nolint:staticcheck // a thread of the plugin's own has no context
		case <-h.peer.Ended:
			return
		}
	}
}

// answer carries out a call of the plugin to its host, and sends what came of it.
func (h *Host) answer(ctx context.Context, s *hostSide) {
	h.serving.Add(1)
	defer h.serving.Add(-1)
	h.asked.Add(1)
	h.peer.FlushFor(ctx)
	reply := h.carryOut(ctx, s)
	f := Frame{
		Op: wire.OpHostAnswer, ID: s.frame.ID, TypeID: reply.TypeID, Method: reply.Method, Code: int32(reply.Code), A: reply.Length,
	}
	if cap(s.payload) > keep {
		s.payload = nil
	}
	h.peer.GiveMessages(s.taken)
	s.until = h.peer.TransferDeadline(wire.OpHostAnswer, 0)
	// Before the plugin can go on: its next call must not find this one under way.
	s.busy.Store(false)
	// Where the worker is gone, nobody waits for it.
	_ = h.out.write(context.Background(), &f, reply.Result, &s.reply, &s.until)
}

func (h *Host) carryOut(ctx context.Context, s *hostSide) transport.HostReply {
	f := &s.frame
	if s.refused {
		return s.caller.Refuse(abi.ErrOutOfMemory, f.A, "the messages and blobs of this plugin that are under way have too many bytes")
	}
	if f.Op == wire.OpHostResolve {
		return s.caller.Answer(ctx, &transport.HostCall{Resolve: true, Instance: f.Instance, Message: s.payload})
	}
	c := transport.HostCall{
		TypeID: f.TypeID, Method: f.Method, Instance: f.Instance,
		Thread:  binary.LittleEndian.Uint64(s.payload),
		Message: s.payload[threadSize:][:f.B],
		Room:    f.A,
	}
	if err := s.findBlobs(c.Message); err != nil {
		return s.caller.Refuse(abi.ErrInvalidArgs, f.A, "%v", err)
	}
	return s.caller.Answer(ctx, &c)
}

// findBlobs has the blobs of a message be where they are in the payload.
func (s *hostSide) findBlobs(message []byte) error {
	return contract.EachBlob(message, func(at, length uint64) (uint64, error) {
		if length == 0 {
			return 0, nil
		}
		size := uint64(len(s.payload))
		if at < threadSize+s.frame.B || at > size || length > size-at {
			return 0, fmt.Errorf("a blob of %d bytes that did not come with the call", length)
		}
		return cmem.Address(s.payload[at:]), nil
	})
}

// place has the worker copy a blob to memory of the library's own.
func (h *Host) place(data []byte) (addr uint64, err error) {
	ctx := context.Background()
	c, err := h.ask(ctx, ctx, &Frame{Op: wire.OpPlace}, data, pipeText, h.peer.TransferDeadline(wire.OpPlace, 0), nil)
	if err != nil {
		return 0, err
	}
	defer h.release(c)
	if len(c.data) != 8 {
		return 0, fmt.Errorf("the worker answered %d bytes, and an address has 8", len(c.data))
	}
	return binary.LittleEndian.Uint64(c.data), nil
}
