package pipe

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// BusyCalls implements [transport.Limited].
func (h *Host) BusyCalls(to []transport.BusyCall) []transport.BusyCall {
	for i := range h.callers {
		to = transport.AppendBusy(to, i, h.callers[i].began.Load())
	}
	return to
}

// servingSize is that of an answer to OpServing, in bytes.
const servingSize = 12

// Serving implements [transport.Limited]: it asks the worker.
func (h *Host) Serving(id int) (thread int, before time.Duration) {
	answer, err := h.Operate(context.Background(), wire.OpServing, uint64(id), 0)
	if err != nil || len(answer) != servingSize {
		return 0, 0
	}
	return int(binary.LittleEndian.Uint32(answer)), transport.Nanoseconds(binary.LittleEndian.Uint64(answer[4:]))
}

// SharedBytes implements [transport.Limited]: there are none.
func (h *Host) SharedBytes() (own, all uint64) { return 0, 0 }

// FixedShared implements [transport.Limited].
func (h *Host) FixedShared() uint64 { return 0 }

// Spun implements [transport.Limited]. It is 0: who reads a pipe sleeps.
func (h *Host) Spun() time.Duration { return 0 }

// HostCalls implements [transport.Limited].
func (h *Host) HostCalls() uint64 { return h.asked.Load() }
