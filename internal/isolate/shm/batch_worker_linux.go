package shm

import (
	"context"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// runBatch makes the calls of a batch: in one crossing where the library offers that and
// the host permits it, and otherwise one by one, with each answer told as it comes.
func (w *Worker) runBatch(ctx context.Context, to wire.Handler, i int, slot *Slot) {
	b := &w.batches[i]
	batch := wire.Batch{TypeID: slot.TypeID, Instance: slot.Instance, Calls: int(slot.Method), Room: slot.Length}
	b.Parse(&batch, w.mem.Bytes(slot.Args, slot.ArgsLength), w.mem.Bytes(ResultOffset(i), BufferSize))
	answers := w.mem.Bytes(slot.Room, slot.RoomLength)
	at := uint64(0)
	slot.Code = 0
	if slot.Single == 0 {
		b.Arm()
		if made := to.InvokeBatch(ctx, b.Calls); made > 0 {
			b.Check()
			for k := range made {
				at = b.Put(answers, at, k, false)
			}
			slot.Made.Store(uint32(made))
			return
		}
	}
	for k := range b.Calls {
		if slot.Stop.Load() != 0 {
			return
		}
		c := b.Single(k)
		to.Invoke(ctx, c)
		at = b.Put(answers, at, k, true)
		slot.Made.Store(uint32(k + 1))
		if c.Code == abi.ErrShortBuffer {
			return
		}
	}
}
