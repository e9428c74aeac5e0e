package pipe

import (
	"context"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// mostBatch is how many bytes a batch and its answers have at most, each.
const mostBatch = together

// Batch implements [transport.Transport]: only where the library makes the calls in one
// crossing. Nothing is heard of a batch before it has ended, so where calls have a time
// they are made one by one.
func (h *Host) Batch(ctx context.Context, calls []abi.Call) (made int, err error) {
	if h.single.Load() || h.peer.CallTimeout > 0 {
		return 0, nil
	}
	b := wire.FitBatch(calls, mostBatch)
	if b.Calls == 0 {
		return 0, nil
	}
	calls = calls[:b.Calls]
	c, err := h.claim(ctx)
	if err != nil {
		return 0, err
	}
	c.began.Store(time.Now().UnixNano())
	c.most = b.Answers
	request := make([]byte, b.Request)
	wire.PutBatch(request, calls)
	c.until = h.peer.CallDeadline()
	f := Frame{Op: wire.OpInvokeBatch, TypeID: b.TypeID, Instance: b.Instance, Method: uint32(b.Calls), A: b.Room, B: b.Answers}
	if err := h.send(ctx, c, &f, request, &c.until); err != nil {
		h.release(c)
		return 0, err
	}
	h.calls.Add(uint64(b.Calls))
	switch h.await(ctx, ctx, c, &c.until) {
	case transport.Answered:
		return h.takeBatch(ctx, c, calls), nil
	case transport.Died:
		return 0, h.lose(ctx, c, &c.until)
	}
	var late *transport.AbandonedError
	late = h.peer.Abandon(ctx, &c.until, func(d *transport.Deadline) error {
		if h.await(context.Background(), ctx, c, d) == transport.Died {
			return h.lose(context.Background(), c, d)
		}
		late.Made = h.takeBatch(context.Background(), c, calls)
		return nil
	})
	return 0, late
}

// takeBatch takes the answer to a batch, and ends the request. Calls that were not made are
// no calls.
func (h *Host) takeBatch(ctx context.Context, c *pipeCaller, calls []abi.Call) (made int) {
	var answers wire.Answers
	made = answers.Read(calls, c.answer.A, c.data)
	h.calls.Add(^uint64(len(calls) - made - 1))
	for i := range calls[:made] {
		if calls[i].Code != abi.OK {
			h.failed.Add(1)
		}
	}
	h.done.Add(uint64(made))
	if made == 0 {
		h.single.Store(true)
	}
	h.release(c)
	h.peer.Flush(ctx)
	return made
}
