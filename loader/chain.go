package loader

import (
	"context"
	"errors"
	"fmt"

	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/calls"
)

// ErrCircle: the call, or the closing, would wait for itself: for a library that takes one
// call at a time and is in the middle of one of the same chain, for a load or a singleton's
// birth that is under way in it, or for the call that it is made from.
var ErrCircle = calls.ErrCircle

// enter makes a call that has a slot part of a chain, for a library that calls its host, and
// waits for the library's turn. The returned context is the call's. [callSlot.leave] ends it.
func (in *instance) enter(ctx context.Context, s *callSlot) (context.Context, error) {
	at := calls.At(ctx)
	if at.Chain == 0 {
		at.Chain = calls.NewChain()
	}
	f := s.begin(ctx, at)
	return f, in.takeTurn(f, f, s)
}

// takeTurn waits for the turn of a library that calls its host and takes one call at a time,
// until ctx ends.
func (in *instance) takeTurn(ctx context.Context, f *calls.Frame, s *callSlot) error {
	turn := in.lib.turn
	if in.life.turn != nil {
		turn = in.life.turn
	}
	if turn == nil {
		return nil
	}
	if err := in.host.waits.Take(ctx, f.Position, turn); errors.Is(err, ErrCircle) {
		return fmt.Errorf("%s takes one call at a time (threads), and this call waits for one that is under way: %w", in.lib.name, err)
	} else if err != nil {
		return err
	}
	s.turn, s.waits = turn, &in.host.waits
	return nil
}

// lendsInTurn reports whether the turn is to be taken before blobs are lent: a WebAssembly module
// allocates memory for them, which a call of the same chain may be in the middle of.
func (in *instance) lendsInTurn(b *borrowed) bool {
	return len(b.blobs) > 0 && in.connected && in.life.turn != nil
}

// begin makes the slot's call part of a chain.
func (s *callSlot) begin(ctx context.Context, at calls.Position) *calls.Frame {
	if s.frame == nil {
		s.frame = new(calls.Frame)
	}
	if outer, ok := ctx.(*calls.Frame); ok {
		ctx = outer.Context // which outlives the outer call
	}
	s.frame.Reset(ctx, at)
	s.chain.Store(at.Chain)
	s.needsCleanup = true
	return s.frame
}

// leave ends what enter has begun.
func (s *callSlot) leave() {
	if s.turn != nil {
		s.waits.Pass(s.turn)
		s.turn = nil
	}
	s.frame.Kept.Drop()
	s.frame.Leave()
	s.chain.Store(0)
}

// positionOf is the position in a chain that a context is at, or else this goroutine, where
// that runs a host function; zero for none.
func (h *Host) positionOf(ctx context.Context) calls.Position {
	if !h.connecting {
		return calls.Position{}
	}
	if at := calls.At(ctx); at.Chain != 0 {
		return at
	}
	if current := hostvtable.Current(); current != nil {
		return calls.At(current)
	}
	return calls.Position{}
}

// calledIn reports whether a call on the instance is under way in a chain.
func (in *instance) calledIn(chain uint64) bool {
	return in.host.slots.any(func(s *callSlot) bool { return s.chain.Load() == chain && s.owner.Load() == in.number })
}

// called reports whether any call is under way in the chain that ctx is in.
func (h *Host) called(ctx context.Context) bool {
	chain := h.positionOf(ctx).Chain
	return chain != 0 && h.slots.any(func(s *callSlot) bool { return s.chain.Load() == chain && s.owner.Load() != 0 })
}

// waitFor notes that the chain of ctx waits for a lock, until the returned function is called,
// or returns [ErrCircle].
func (h *Host) waitFor(ctx context.Context, what string, l *calls.Lock) (end func(), err error) {
	if !h.connecting {
		return func() {}, nil
	}
	at := calls.At(ctx)
	if at.Chain == 0 {
		return func() {}, nil
	}
	if end, err = h.waits.Begin(at, l); err != nil {
		return nil, fmt.Errorf("%s, which is not there yet: %w", what, err)
	}
	return end, nil
}
