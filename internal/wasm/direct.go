package wasm

import (
	"bytes"
	"context"
	"encoding/binary"

	"github.com/tetratelabs/wazero/api"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/modules"
)

// direct is the module's slot, see [modules.Slot]. The slot's buffers are those of scratch while
// nobody has the turn: who passes it has seen to that, by settle.
type direct struct {
	slot  modules.Slot // nil for none, and then parts are zero
	parts modules.SlotParts
	// What the buffers were cut from: memory of the module's, and how it was divided.
	view   []byte // nil while they are the host's own
	laid   scratch
	placed abi.Call // with the buffers' addresses
	away   bool     // the owner has used other buffers
}

// ownBuffer is the size of buffers outside of the module, in bytes.
const ownBuffer = 256

// bind gives a module that nobody knows yet its slot.
func (m *Module) bind() {
	if m.plugin.config.Slot == nil {
		return
	}
	d := &m.direct
	d.slot = m.plugin.config.Slot()
	d.parts = d.slot.Bind(m)
	m.turn.shared = d.parts.Owner
}

// Slot implements [modules.Module].
func (m *Module) Slot() modules.Slot { return m.direct.slot }

// Pass implements [modules.Module].
func (m *Module) Pass() {
	if m.attention.Load() {
		m.finish()
	}
	if m.direct.away || m.direct.view == nil {
		m.settle()
	}
	t := &m.turn
	if t.wanted.Load() == 0 { // turn.pass, which is not inlined
		t.shared.Store(0)
		if t.wanted.Load() == 0 {
			return
		}
		if !t.try() {
			return
		}
	}
	t.handOver()
}

// settle has the slot's buffers lie in the module's memory; the caller has the turn, and the
// module may have run since they were cut.
func (m *Module) settle() {
	d := &m.direct
	switch {
	case d.slot == nil:
	case m.instance == nil || m.scratch.size == 0:
		m.displace()
	default:
		view, ok := m.memory.Read(m.scratch.at, m.scratch.size)
		if !ok {
			m.displace()
			m.fail(errShrunk)
			return
		}
		if d.away || d.view == nil || &view[0] != &d.view[0] || d.laid != m.scratch {
			m.cut(view)
		}
	}
}

// cut makes the slot's buffers of scratch.
func (m *Module) cut(view []byte) {
	d, s := &m.direct, m.scratch
	d.view, d.laid, d.away = view, s, false
	*d.parts.Args, *d.parts.Result = view[s.args:s.result:s.result], view[s.result:]
	d.placed.SetArgs(*d.parts.Args)
	d.placed.SetResultBuffer(*d.parts.Result)
}

// displace has the slot's buffers be the host's own.
func (m *Module) displace() {
	d := &m.direct
	if d.view == nil && !d.away {
		return
	}
	d.view, d.laid, d.placed, d.away = nil, scratch{}, abi.Call{}, false
	*d.parts.Args, *d.parts.Result = make([]byte, ownBuffer), make([]byte, ownBuffer)
}

// invokeDirect makes a call of the slot; the caller is its owner. No context that is to be told
// of its beginning comes here: those are fini's.
func (m *Module) invokeDirect(ctx context.Context, c *abi.Call) error {
	freed := m.attention.Load() // perhaps, by begins
	if err := m.begins(ctx); err != nil {
		return err
	}
	done := false
	defer m.leaveDirect(&done)
	if freed {
		m.follow(c)
	}
	err := m.invokeInPlace(c)
	if err != nil {
		m.finish()
	}
	done = true
	return err
}

// follow has a call's buffers be those of the module's memory where that has moved since they
// were filled: a free can make it grow. What was in them has moved too.
func (m *Module) follow(c *abi.Call) {
	d := &m.direct
	if d.view == nil || c.Args != d.placed.Args || c.Result != d.placed.Result {
		return
	}
	message, room := c.ArgsLength, c.ResultLength
	if m.settle(); d.view == nil {
		return // the call finds out why
	}
	c.SetArgs((*d.parts.Args)[:message])
	c.SetResultBuffer((*d.parts.Result)[:room])
}

// leaveDirect ends a call of the slot. Where the goroutine ends in the middle of it, nobody else
// would give the slot up.
func (m *Module) leaveDirect(done *bool) {
	if !*done {
		m.leave(done)
		return
	}
	m.call.ctx = nil
}

// invokeInPlace is invokeMethod for a call whose buffers are those that cut has made.
func (m *Module) invokeInPlace(c *abi.Call) error {
	d := &m.direct
	if d.view == nil || c.Args != d.placed.Args || c.Result != d.placed.Result {
		return m.invokeElsewhere(c)
	}
	s := &m.scratch
	binary.LittleEndian.PutUint32(d.view, uint32(c.ResultLength))
	// Word by word, as in invokeMethod.
	m.stack[0], m.stack[1], m.stack[2] = uint64(c.TypeID), uint64(c.Method), uint64(c.Instance)
	m.stack[3], m.stack[4] = uint64(s.at+s.args), uint64(c.ArgsLength)
	m.stack[5], m.stack[6] = uint64(s.at+s.result), uint64(s.at)
	if err := m.invoke.CallWithStack(m.ctx, m.stack[:]); err != nil {
		return m.lostCall(err)
	}
	c.Code = abi.Code(api.DecodeI32(m.stack[0]))
	view, ok := m.memory.Read(s.at, s.size)
	if !ok {
		return m.lostCall(errShrunk)
	}
	if &view[0] != &d.view[0] { // it has moved
		m.cut(view)
	}
	c.ResultLength = uintptr(binary.LittleEndian.Uint32(view))
	return nil
}

// invokeElsewhere makes a call of the slot with other buffers: a message or a result is too long
// for those that there are, or there are none yet.
func (m *Module) invokeElsewhere(c *abi.Call) error {
	d := &m.direct
	d.away = true
	// The call leaves the module's memory with both of them: layOut may free what they lie in.
	if d.view != nil && c.Args == d.placed.Args {
		c.SetArgs(bytes.Clone(c.Message()))
	}
	if d.view != nil && c.Result == d.placed.Result {
		*d.parts.Result = bytes.Clone(*d.parts.Result)
		c.SetResultBuffer((*d.parts.Result)[:c.ResultLength])
	}
	return m.invokeMethod(c)
}
