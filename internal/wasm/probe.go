package wasm

import (
	"bytes"
	"context"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
)

// What testers of plugins need of a module beyond what hosts do.

// Damage is where a call wrote that it must not.
type Damage struct{ Args, BeforeResult, BehindResult bool }

// guardSize is how many bytes behind a result buffer are looked at.
const guardSize = 256

// Probe is [Module.Invoke] for testers: filler is what the result buffer holds before the call,
// behind its first four bytes, which are 0, and what is around it. After the call the buffer of c
// is as the plugin left its own.
func (m *Module) Probe(ctx context.Context, c *abi.Call, filler byte) (damage Damage, err error) {
	if err := m.enter(ctx); err != nil {
		return damage, err
	}
	done := false
	defer m.leave(&done)
	transport.Began(ctx)
	damage, err = m.probe(c, filler)
	done = true
	return damage, err
}

func (m *Module) probe(c *abi.Call, filler byte) (damage Damage, err error) {
	message, room := c.Message(), c.ResultBuffer()
	view, err := m.layOut(len(message), len(room)+guardSize)
	if err != nil { // which the call finds, too
		return damage, m.invokeMethod(c)
	}
	s := &m.scratch
	around := view[s.args:]
	for i := range around {
		around[i] = filler
	}
	end := s.result + uint32(len(room))
	clear(view[s.result:min(end, s.result+4)])
	if err := m.invokeMethod(c); err != nil {
		return damage, err
	}
	view, ok := m.memory.Read(s.at, s.size)
	if !ok {
		return damage, m.lostCall(errShrunk)
	}
	filled := func(part []byte) bool { return !slices.ContainsFunc(part, func(b byte) bool { return b != filler }) }
	copy(room, view[s.result:end])
	return Damage{
		Args:         !bytes.Equal(view[s.args:][:len(message)], message),
		BeforeResult: !filled(view[int(s.args)+len(message) : s.result]),
		BehindResult: !filled(view[end:][:guardSize]),
	}, nil
}

// MemorySize is how many bytes of memory the module has. It waits for the module's turn until
// ctx ends.
func (m *Module) MemorySize(ctx context.Context) (size uint64, err error) {
	if err := m.enter(ctx); err != nil {
		return 0, err
	}
	done := false
	defer m.leave(&done)
	size = uint64(m.memory.Size())
	done = true
	return size, nil
}

// AskConfig calls nyash_plugin_config again, which the module must export. It waits for the
// module's turn until ctx ends.
func (m *Module) AskConfig(ctx context.Context) (text string, err error) {
	if err := m.enter(ctx); err != nil {
		return "", err
	}
	done := false
	defer m.leave(&done)
	at, err := m.ask(m.config)
	if err != nil {
		err = m.lostCall(err)
	} else {
		text, err = m.text(uint64(at), contract.MaxConfig)
	}
	done = true
	return text, err
}
