package modules

import (
	"math"
	"sync/atomic"

	"github.com/nyash-plugins/nyash-go/abi"
)

// Slot is a call slot of package loader's that belongs to one module. Who has it has the module's
// turn, and its buffers are parts of the module's memory where that can be: so a call takes one
// lock, and its message and its result are not copied once more.
type Slot interface {
	// Bind tells the slot its module, once, and returns what the two share.
	Bind(m Module) SlotParts
}

// SlotParts are what a module shares with the owner of its slot. All but the word belong to who
// has the slot. [Module.Invoke] with Call is made by the owner, and waits for no turn; other
// methods that wait for the turn would wait for the owner itself.
type SlotParts struct {
	// Owner is 0 while nobody has the slot, the number of the instance that is called, or
	// [Taken] where the module's turn is used otherwise. Who has it gives it up by
	// [Module.Pass].
	Owner *atomic.Uint64
	Call  *abi.Call
	// Args and Result are the buffers for the message and for the result. The owner may use
	// others for a call. The module sets its own in Invoke, when they have moved, and in Pass.
	Args, Result *[]byte
}

// Taken is the owner where that is no call of the slot.
const Taken = math.MaxUint64
