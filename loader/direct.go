package loader

import (
	"github.com/nyash-plugins/nyash-go/internal/modules"
	"github.com/nyash-plugins/nyash-go/internal/plan"
)

// A WebAssembly module takes one call at a time, and has a call slot of its own, which is that
// turn too. A resolved method whose messages refer to nothing else tries it first: the call then
// is encoded into the module's memory and decoded from it. While another call has it, calls take
// other slots, and wait for their turn in the module.

// Bind implements [modules.Slot].
func (s *callSlot) Bind(m modules.Module) modules.SlotParts {
	s.module, s.needsCleanup = m, true // always: release is releaseDirect
	s.args, s.resultBuf = make([]byte, initialArgsSize), newResultBuf()
	return modules.SlotParts{Owner: &s.owner, Call: &s.Call, Args: &s.args, Result: &s.resultBuf}
}

// directSlot is the slot of the instance's module, where calls of the method may use that; else
// nil. What a call does while it has the slot must not wait for the module's turn: it neither
// lends nor adopts blobs, and is no part of a chain of calls.
func (in *instance) directSlot(plan *plan.Plan) *callSlot {
	if in.connected || !plan.Plain() {
		return nil
	}
	return in.life.direct
}

// calledDirectly reports whether a call on the instance has its module's own slot.
func (in *instance) calledDirectly() bool {
	return in.life.direct != nil && in.life.direct.owner.Load() == in.number
}
