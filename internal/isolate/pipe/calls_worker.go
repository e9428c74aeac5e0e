package pipe

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// hostCall is a call of the library to its host. Its fields belong to who calls, but for
// the answer, which whoever reads the pipe writes before told.
type hostCall struct {
	payload []byte
	message []byte
	told    chan struct{} // has room for the one answer
	answer  Frame
	result  []byte
}

// threadSize is the part of a call's payload that says which thread of the library calls.
const threadSize = 8

// hostAnswered takes the host's answer to a call.
func (l *Worker) hostAnswered(f *Frame) (err error) {
	if f.ID >= wire.MaxHostCalls {
		return fmt.Errorf("an answer to call %d, and there are %d", f.ID, wire.MaxHostCalls)
	}
	h := &l.calls[f.ID]
	h.answer = *f
	if uint64(cap(h.result)) < f.Length {
		h.result = make([]byte, f.Length)
	}
	h.result = h.result[:f.Length]
	if _, err = io.ReadFull(l.in, h.result); err == nil {
		h.told <- struct{}{}
	}
	return err
}

// Loading implements the worker's transport: the load is a request.
func (l *Worker) Loading() context.Context { return &l.requests[l.load].outer }

// Resolve implements [hostvtable.Calls].
func (l *Worker) Resolve(ctx context.Context, box, method string) (typeID, methodID uint32, code abi.Code) {
	i, _, err := l.host.Begin(ctx)
	if err != nil {
		return 0, 0, abi.ErrPlugin
	}
	defer l.host.End(i)
	h := &l.calls[i]
	h.payload = append(append(h.payload[:0], box...), method...)
	l.ask(h, &Frame{Op: wire.OpHostResolve, ID: uint32(i), Instance: uint32(len(box))})
	return h.answer.TypeID, h.answer.Method, abi.Code(h.answer.Code)
}

// Invoke implements [hostvtable.Calls].
func (l *Worker) Invoke(ctx context.Context, c *abi.Call, from hostvtable.Caller) {
	l.host.Use(from)
	i, _, err := l.host.Begin(ctx)
	if err != nil {
		wire.Refuse(c, err)
		return
	}
	defer l.host.End(i)
	h := &l.calls[i]
	args, room := c.Message(), min(uint64(c.ResultLength), wire.MaxHostMessage)
	if err := l.fill(h, from.Thread(), args); err != nil {
		wire.Refuse(c, err)
		return
	}
	l.ask(h, &Frame{
		Op: wire.OpHostCall, ID: uint32(i), TypeID: c.TypeID, Method: c.Method, Instance: c.Instance, A: room, B: uint64(len(args)),
	})
	wire.Take(c, abi.Code(h.answer.Code), h.answer.A, h.result)
	if cap(h.result) > kept {
		h.result = nil
	}
}

// fill makes the payload: the thread, the message, and its blobs, which it names by where
// they begin in the payload.
func (l *Worker) fill(h *hostCall, thread uint64, args []byte) error {
	if err := wire.CheckMessage(args); err != nil {
		return err
	}
	h.payload = append(binary.LittleEndian.AppendUint64(h.payload[:0], thread), args...)
	h.message = append(h.message[:0], args...) // the payload moves when it grows
	err := l.host.Move(h.message, func(addr, length uint64) (uint64, error) {
		begin := uint64(len(h.payload))
		for length > 0 { // by pieces, so that a length which is wrong costs no memory
			part, at := min(length, piece), len(h.payload)
			h.payload = slices.Grow(h.payload, int(part))[:at+int(part)]
			if err := wire.CopyBlob(h.payload[at:], addr); err != nil {
				return 0, err
			}
			addr, length = addr+part, length-part
		}
		return begin, nil
	})
	copy(h.payload[threadSize:], h.message)
	return err
}

// ask sends a call, and waits for the answer. Whoever takes requests reads that.
func (l *Worker) ask(h *hostCall, f *Frame) {
	if l.out.Write(f, h.payload) != nil {
		os.Exit(0) // the host has gone
	}
	if cap(h.payload) > kept {
		h.payload, h.message = nil, nil
	}
	<-h.told
}
