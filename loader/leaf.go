package loader

import (
	"context"
	"math/rand/v2"

	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/internal/plan"
)

// leafEvery is one call of how many, on average, is measured.
const leafEvery = 1024

// catchEvery is how many of those pass between two looks at the handlers of crashes, which take some
// microseconds.
const catchEvery = 64

// planLeaves notes the leaf methods of a type, where calls on its instances can be made as such.
func (l *library) planLeaves(t *boundType) {
	if t == nil || l.host.options.noLeaf {
		return
	}
	for i := range t.Methods {
		if m := &t.Methods[i]; m.Leaf {
			l.hasLeaves = true
			t.methods[m.Name].Leaf = &plan.Leaf{Label: t.Name + "." + m.Name + " of " + l.conf.Name}
		}
	}
}

// invokeLeaf makes the slot's call of a leaf method, on the slot's stack. Where there is none,
// the call is made as others are.
func (in *instance) invokeLeaf(ctx context.Context, p *plan.Leaf, s *callSlot) error {
	if s.leaf == nil {
		if s.leaf = native.NewLeafStack(s); s.leaf == nil {
			in.host.noLeafStack()
			return in.backend.Invoke(ctx, &s.Call)
		}
	}
	s.leaf.Countdown--
	if s.leaf.Countdown == 0 || !p.Warm() {
		return in.measureLeaf(ctx, p, s)
	}
	asked, err := in.leaf.InvokeLeaf(ctx, &s.Call, s.leaf, p.Label)
	if asked > 0 {
		in.leafCalled(p)
	}
	return err
}

// noLeafStack says once why leaf methods are called as others, where something has failed.
func (h *Host) noLeafStack() {
	if h.leafWarned.Load() {
		return
	}
	if err := native.LeafError(); err != nil && !h.leafWarned.Swap(true) {
		h.options.logger.Warn("leaf methods are called as others", "error", err)
	}
}

// measureLeaf makes a call and warns of a method that takes too long. The next one to be
// measured is a random number of calls away, so that none of several methods that are called in
// turn is left out.
func (in *instance) measureLeaf(ctx context.Context, p *plan.Leaf, s *callSlot) error {
	if s.leaf.Countdown == 0 {
		s.leaf.Countdown = leafEvery/2 + rand.Uint32N(leafEvery)
		if s.leaf.Measured++; s.leaf.Measured%catchEvery == 0 {
			native.CatchAgain()
		}
	}
	s.leaf.Timed, s.leaf.Elapsed = true, 0
	asked, err := in.leaf.InvokeLeaf(ctx, &s.Call, s.leaf, p.Label)
	s.leaf.Timed = false
	if median := p.Measured(s.leaf.Elapsed); median > 0 {
		in.host.options.logger.Warn("a leaf method takes too long: garbage collection waits for it; its author should leave out leaf = true, or nyash.toml say leaf = false",
			"plugin", in.lib.name, "method", p.Label, "median", median, "limit", plan.LeafLimit)
	}
	if asked > 0 {
		in.leafCalled(p)
	}
	return err
}

// leafCalled warns once of a leaf method that calls its host.
func (in *instance) leafCalled(p *plan.Leaf) {
	if p.Called.Swap(true) {
		return
	}
	in.host.options.logger.Warn("a leaf method calls its host, and was answered -5: its author should leave out leaf = true, or nyash.toml say leaf = false",
		"plugin", in.lib.name, "method", p.Label)
}
