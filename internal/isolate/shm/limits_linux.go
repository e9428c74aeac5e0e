package shm

import (
	"time"

	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// BusyCalls implements [transport.Limited].
func (h *Host) BusyCalls(to []transport.BusyCall) []transport.BusyCall {
	for i := transport.ControlSlots; i < wire.Slots; i++ {
		to = transport.AppendBusy(to, i, h.callers[i].began.Load())
	}
	return to
}

// look runs f while the memory is mapped; it is not once it has been given back.
func (h *Host) look(f func()) {
	h.lines.Lock()
	defer h.lines.Unlock()
	if !h.unmapped {
		f()
	}
}

// Serving implements [transport.Limited].
func (h *Host) Serving(i int) (thread int, before time.Duration) {
	h.look(func() {
		slot := h.mem.Slot(i)
		if state := slot.State.Load(); state != Running && state != Calling {
			return
		}
		if thread = int(slot.Thread.Load()); thread != 0 {
			before = transport.Nanoseconds(slot.ThreadCPU)
		}
	})
	return thread, before
}

// SharedBytes implements [transport.Limited].
func (h *Host) SharedBytes() (own, all uint64) {
	h.look(func() {
		all, _ = h.mem.Allocated() // 0 is nothing to object to
		own = h.arena.Held()
	})
	return own, all
}

// Spun implements [transport.Limited].
func (h *Host) Spun() (t time.Duration) {
	h.look(func() { t = transport.Nanoseconds(h.mem.Spun().Load()) })
	return t
}

// FixedShared implements [transport.Limited].
func (h *Host) FixedShared() uint64 {
	if !h.lanes.heard.Load() {
		return offHostCalls
	}
	return HostArena
}

// HostCalls implements [transport.Limited].
func (h *Host) HostCalls() uint64 { return h.asked.Load() }
