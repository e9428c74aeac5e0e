package wasm

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
)

// put copies data to memory that the module owns from then on.
func (m *Module) put(data []byte) (addr uint64, err error) {
	if uint64(len(data)) > math.MaxUint32 {
		return 0, fmt.Errorf("%w: a module has no room for %d bytes", abi.ErrOutOfMemory, len(data))
	}
	at, err := m.allocate(uint32(len(data)))
	if err != nil {
		return 0, fmt.Errorf("%w: %w", abi.ErrOutOfMemory, err)
	}
	if !m.memory.Write(at, data) {
		return 0, errShrunk
	}
	return uint64(at), nil
}

// Lend copies data to the module and returns its address there. When it returns, data is the
// caller's again. It waits for the module's turn until ctx ends.
func (m *Module) Lend(ctx context.Context, data []byte) (addr uint64, err error) {
	if len(data) == 0 {
		return 0, nil
	}
	if err := m.enter(ctx); err != nil {
		return 0, err
	}
	done := false
	defer m.leave(&done)
	addr, err = m.put(data)
	done = true
	return addr, err
}

// TakeBack ends the use of what Lend lent. It does not wait.
func (m *Module) TakeBack(addr uint64, length int) {
	if length != 0 {
		m.freeLater(addr)
	}
}

// Adopt copies a blob that a call returned, and frees the module's. It waits for the module's
// turn until ctx ends; then the blob is freed alone.
func (m *Module) Adopt(ctx context.Context, addr, length uint64) (data []byte, release func(), err error) {
	release = func() {}
	if addr == 0 && length == 0 {
		return nil, release, nil
	}
	if err := m.enter(ctx); err != nil {
		if !m.Lost() {
			m.Discard(addr, length)
		}
		return nil, nil, err
	}
	done := false
	defer m.leave(&done)
	at, err := m.pointer(addr, length)
	if err == nil && at == 0 {
		err = fmt.Errorf("%d bytes at NULL", length)
	}
	if err == nil {
		view, ok := m.memory.Read(at, uint32(length))
		if !ok {
			err = errShrunk
		}
		data = bytes.Clone(view)
	}
	if err == nil {
		if err = m.release(at); err != nil {
			err = m.lostCall(err)
		}
	}
	done = true
	if err != nil {
		return nil, nil, err
	}
	return data, release, nil
}

// Discard frees a blob that a call returned and that nobody wants. It does not wait.
func (m *Module) Discard(addr, length uint64) {
	if addr != 0 {
		m.freeLater(addr)
	}
}

// freeLater frees memory now, where the module has nothing to do, or else at its next turn.
func (m *Module) freeLater(addr uint64) {
	if addr == 0 || addr > math.MaxUint32 {
		return
	}
	m.pending.Lock()
	m.pending.addrs = append(m.pending.addrs, uint32(addr))
	m.attention.Store(true)
	m.pending.Unlock()
	if !m.turn.try() {
		return
	}
	done := false
	defer m.leave(&done)
	if !m.ends() {
		// Whoever has this freed waits for it, and has no time limit of its own.
		m.call = underWay{ctx: context.Background(), limit: freeLimit, late: errFreeing}
		m.freePending()
		m.call = m.ordinary()
	}
	done = true
}

// freeLimit is how long freeing may take, for which nobody has set a limit.
const freeLimit = time.Second

var errFreeing = fmt.Errorf("%w: nyash_free took longer than %v, and its module was ended", transport.ErrTimeout, freeLimit)

// freePending frees what is to be freed; the caller has the turn.
func (m *Module) freePending() {
	m.pending.Lock()
	addrs := m.pending.addrs
	m.pending.addrs, m.pending.spare = m.pending.spare, nil
	m.pending.Unlock()
	for _, at := range addrs {
		if m.release(at) != nil {
			break
		}
	}
	m.pending.Lock()
	m.pending.spare = addrs[:0]
	m.pending.Unlock()
}
