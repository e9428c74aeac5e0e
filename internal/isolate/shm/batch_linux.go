package shm

import (
	"context"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// sentBatch is a batch while it is in a slot.
type sentBatch struct {
	slot    int
	calls   []abi.Call
	answers wire.Answers
	size    uint64 // that the answers have at most
}

// Batch implements [transport.Transport].
func (h *Host) Batch(ctx context.Context, calls []abi.Call) (made int, err error) {
	b := wire.FitBatch(calls, BufferSize)
	if b.Calls == 0 {
		return 0, nil
	}
	i, err := h.claim(ctx)
	if err != nil {
		return 0, err
	}
	r := sentBatch{slot: i, calls: calls[:b.Calls], size: b.Answers}
	h.fillBatch(&r, &b)
	h.submit(i)
	state := h.spin(i, spinTime)
	if state == Done {
		return h.takeBatch(ctx, &r), nil
	}
	transport.Began(ctx)
	d := h.peer.BatchDeadline(b.Calls)
	d.Start(0)
	switch h.await(ctx, ctx, i, state, &d) {
	case transport.Answered:
		return h.takeBatch(ctx, &r), nil
	case transport.Died:
		return h.loseBatch(ctx, &r, &d)
	}
	h.mem.Slot(i).Stop.Store(1)
	return h.abandonBatch(ctx, r, &d)
}

// abandonBatch takes the answers that there are. The rest is the plugin's until the
// error's Wait returns.
func (h *Host) abandonBatch(ctx context.Context, r sentBatch, d *transport.Deadline) (made int, err error) {
	made = h.readBatch(&r)
	var late *transport.AbandonedError
	late = h.peer.Abandon(ctx, d, func(d *transport.Deadline) error {
		if h.await(context.Background(), ctx, r.slot, 0, d) == transport.Died {
			all, err := h.loseBatch(context.Background(), &r, d)
			late.Made = all - made
			return err
		}
		late.Made = h.takeBatch(context.Background(), &r) - made
		return nil
	})
	return made, late
}

// fillBatch puts a batch into its slot.
func (h *Host) fillBatch(r *sentBatch, b *wire.Batch) {
	slot, at := h.mem.Slot(r.slot), ArgsOffset(r.slot)
	wire.PutBatch(h.mem.Bytes(at, b.Request), r.calls)
	slot.Op, slot.TypeID, slot.Instance, slot.Method = wire.OpInvokeBatch, b.TypeID, b.Instance, uint32(b.Calls)
	slot.Single = 0
	if h.peer.CallTimeout > 0 {
		slot.Single = 1 // each has its own time
	}
	slot.Args, slot.ArgsLength = at, b.Request
	slot.Room, slot.RoomLength, slot.Length = AnswersOffset(r.slot), b.Answers, b.Room
	slot.Made.Store(0)
	slot.Stop.Store(0)
}

// readBatch takes the answers that there are, and returns how many.
func (h *Host) readBatch(r *sentBatch) (made int) {
	n := uint64(h.mem.Slot(r.slot).Made.Load())
	return r.answers.Read(r.calls, n, h.mem.Bytes(AnswersOffset(r.slot), r.size))
}

// takeBatch takes the answers out of a slot that was seen to be done, and frees it.
func (h *Host) takeBatch(ctx context.Context, r *sentBatch) (made int) {
	made = h.readBatch(r)
	h.finishBatch(ctx, r, made)
	return made
}

// loseBatch ends a batch whose worker has died.
func (h *Host) loseBatch(ctx context.Context, r *sentBatch, d *transport.Deadline) (made int, err error) {
	h.peer.Lost.Add(1)
	made = h.readBatch(r)
	h.finishBatch(ctx, r, made)
	return made, h.peer.LostCall(d)
}

func (h *Host) finishBatch(ctx context.Context, r *sentBatch, made int) {
	me := &h.callers[r.slot]
	if made > 1 { // submit has counted one
		me.calls.Add(uint64(made - 1))
	}
	for i := range r.calls[:made] {
		if r.calls[i].Code != abi.OK {
			me.errors.Add(1)
		}
	}
	h.finish(ctx, r.slot)
}
