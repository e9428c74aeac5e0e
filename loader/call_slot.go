package loader

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/calls"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/fence"
	"github.com/nyash-plugins/nyash-go/internal/modules"
	"github.com/nyash-plugins/nyash-go/internal/native"
)

const (
	// initialArgsSize is the capacity that the buffer for arguments starts with.
	initialArgsSize = 256
	// maxKeptBuf is the largest buffer that a slot keeps after a call.
	maxKeptBuf = 256 << 10
)

// callSlot holds the buffers of one call. While owner is non-zero it also protects
// the instance of that number from fini, as a hazard pointer does
// (docs/rationale.md): a call publishes owner first and reads instance.closed
// second; instance.close sets closed first and scans the slots second. So either the
// scan finds the slot, or the call finds the instance closed. Both are sequentially
// consistent atomics.
//
// All other fields belong to the goroutine that set owner, until it clears it. A call
// that is abandoned passes them to the goroutine that waits for its end.
type callSlot struct {
	owner atomic.Uint64 // instance.number of the instance that is called; 0 while the slot is free
	abi.Call
	args      []byte // the message with the arguments
	resultBuf []byte // the result, and the canary behind it
	borrowed         // what the arguments refer to

	home         *slotList   // that it is of
	fromPool     bool        // goes back to the pool on release
	needsCleanup bool        // release has more to do than to clear owner
	abandoned    atomic.Bool // the caller has returned and the plugin still works on the call

	frame *calls.Frame  // of a call that is part of a chain; kept for the next one
	chain atomic.Uint64 // of that; 0 for none
	turn  *calls.Turn   // that the call has of its library, see [instance.enter]; or nil
	waits *calls.Waits  // of turn
	share *atomic.Int32 // of the nested slots, that an isolated library has; or nil

	module modules.Module    // whose slot it is, see [modules.Slot]; or nil
	leaf   *native.LeafStack // for calls of leaf methods; nil before the first

	// The slot has 256 bytes. Processors fetch cache lines in pairs of 128 bytes, and calls on
	// different processors must not share one.
}

// maxNested is how many calls that plugins make of their host are under way at once. They
// have slots of their own, for which nobody waits: a call that waits for them holds one of
// the others.
const maxNested = 1024

// maxShare is how many of them the calls of one isolated library have. Those of workers that
// have died go on in the host's process: without a bound, a library that crashes again and
// again would leave none for others.
const maxShare = maxNested / 4

// callSlots are the slots of a host. A slot is never freed before its host.
//
// There is no counter of calls, in a box or in the host: every call would write to
// its cache line, and all processors would wait for each other. Calls on different
// processors take different slots from a pool and so write to no memory in common;
// idle scans the slots instead, which only happens when an instance is closed.
type callSlots struct {
	plugins slotList // for calls of plugins
	// hosted is for boxes written in Go, and has no limit: their calls hold no OS thread, and
	// may wait for calls of plugins, which must not wait for them.
	hosted slotList
	nested slotList // for calls that plugins make

	waiters atomic.Int32 // goroutines in wait; release signals only if there are any
	queue   atomic.Int32 // of them, callers that wait for a slot

	mu      sync.Mutex
	changed chan struct{} // closed and replaced, with mu held, by signal
}

// slotList are as many slots as calls of one kind were ever in flight at once, and never more
// than limit.
type slotList struct {
	limit int
	pool  sync.Pool                   // of *callSlot: free ones to try first; all of them are in all
	all   atomic.Pointer[[]*callSlot] // replaced, with mu of callSlots held, and never changed in place
}

func newResultBuf() []byte { return make([]byte, contract.InitialResultSize+canarySize) }

func newCallSlots(limit int) *callSlots {
	cs := &callSlots{changed: make(chan struct{})}
	cs.plugins.limit, cs.hosted.limit, cs.nested.limit = limit, math.MaxInt, maxNested
	for _, l := range cs.lists() {
		l.all.Store(new([]*callSlot))
	}
	return cs
}

func (cs *callSlots) lists() [3]*slotList {
	return [3]*slotList{&cs.plugins, &cs.hosted, &cs.nested}
}

// of is the list for the program's calls on an instance.
func (cs *callSlots) of(in *instance) *slotList {
	if in.lib.isGo {
		return &cs.hosted
	}
	return &cs.plugins
}

// slotCache keeps the slot that a Box or Method used last, to be tried first the next
// time. That saves the pool's work. It reserves nothing: a slot that is taken
// meanwhile is a miss. Goroutines that share a cache would contend for its slot, so
// that after maxMisses it stays empty, and the pool spreads them over slots.
//
// A slot is in at most one of a cache and the pool: store takes it out of the pool's
// hands, or two boxes would contend for it.
type slotCache struct {
	slot   atomic.Pointer[callSlot]
	misses atomic.Int32
}

const maxMisses = 64

// store caches a slot that the caller owns, unless the cache has missed too often.
func (c *slotCache) store(s *callSlot) {
	if c.misses.Load() > maxMisses {
		return
	}
	if c.slot.Load() != nil && c.misses.Add(1) > maxMisses {
		c.slot.Store(nil)
		return
	}
	c.slot.Store(s)
	s.fromPool = false
	s.needsCleanup = false
}

// keep caches a slot for good.
func (c *slotCache) keep(s *callSlot) {
	c.slot.Store(s)
	c.misses.Store(maxMisses + 1)
}

// acquire takes a free slot for a call on in, and caches it in c. While all slots are
// in use it waits until ctx is done.
func (cs *callSlots) acquire(ctx context.Context, in *instance, c *slotCache) (s *callSlot, err error) {
	l := cs.of(in)
	s, _ = l.pool.Get().(*callSlot)
	if s == nil || !s.owner.CompareAndSwap(0, in.number) {
		if s = cs.find(l, in); s == nil {
			if s, err = cs.waitForSlot(ctx, in); err != nil {
				return nil, err
			}
		}
	}
	s.fromPool, s.needsCleanup = true, true
	c.store(s)
	return s, nil
}

func (cs *callSlots) waitForSlot(ctx context.Context, in *instance) (s *callSlot, err error) {
	cs.queue.Add(1)
	defer cs.queue.Add(-1)
	err = cs.wait(ctx, func() bool { s = cs.find(&cs.plugins, in); return s != nil })
	return s, err
}

// contended reports whether callers wait for a slot: those under way have all of them.
func (cs *callSlots) contended() bool { return cs.queue.Load() > 0 }

// findNested takes a slot for a call that a plugin makes, or returns nil.
func (cs *callSlots) findNested(in *instance) *callSlot {
	s := cs.find(&cs.nested, in)
	if s != nil {
		s.fromPool, s.needsCleanup = false, true
	}
	return s
}

// find takes any free slot of a list, or makes one if there are fewer than limit; else nil.
func (cs *callSlots) find(l *slotList, in *instance) *callSlot {
	for _, s := range *l.all.Load() {
		if s.owner.Load() == 0 && s.owner.CompareAndSwap(0, in.number) {
			return s
		}
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	all := *l.all.Load()
	if len(all) == l.limit {
		return nil
	}
	s := &callSlot{home: l, args: make([]byte, initialArgsSize), resultBuf: newResultBuf()}
	s.owner.Store(in.number)
	next := append(all[:len(all):len(all)], s)
	l.all.Store(&next)
	return s
}

// release ends the slot's call: what it borrowed is returned, and its result is no
// longer valid. Only the owner may call it, once.
func (cs *callSlots) release(s *callSlot) {
	if s.needsCleanup {
		cs.cleanUp(s)
		return
	}
	fence.Release(&s.owner)
	if cs.waiters.Load() != 0 {
		cs.signal()
	}
}

// cleanUp is release for a slot that has needsCleanup set.
func (cs *callSlots) cleanUp(s *callSlot) {
	if s.module != nil {
		cs.releaseDirect(s)
		return
	}
	s.borrowed.returnAll(s.abandoned.Load())
	if len(s.args) > maxKeptBuf {
		s.args = make([]byte, initialArgsSize)
	}
	if len(s.resultBuf) > maxKeptBuf {
		s.resultBuf = newResultBuf()
	}
	if s.chain.Load() != 0 {
		s.leave()
	}
	if s.share != nil {
		s.share.Add(-1)
		s.share = nil
	}
	fromPool := s.fromPool
	s.fromPool, s.needsCleanup = false, false
	s.abandoned.Store(false)
	s.owner.Store(0)
	if fromPool {
		s.home.pool.Put(s)
	}
	if cs.waiters.Load() != 0 {
		cs.signal()
	}
}

// releaseDirect is release for a module's own slot.
func (cs *callSlots) releaseDirect(s *callSlot) {
	if !s.borrowed.empty() { // of arguments that were refused
		s.borrowed.returnAll(false)
	}
	s.module.Pass()
	if cs.waiters.Load() != 0 {
		cs.signal()
	}
}

// signal wakes all goroutines in wait, which evaluate their conditions again.
func (cs *callSlots) signal() {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	close(cs.changed)
	cs.changed = make(chan struct{})
}

// idle reports whether no call on in is under way, nor one that it is lent to. It is
// final only when in.closed is set.
func (cs *callSlots) idle(in *instance) bool {
	return in.lent.Load() == 0 && !in.calledDirectly() && !cs.any(func(s *callSlot) bool { return s.owner.Load() == in.number })
}

// any reports whether a condition holds for a slot.
func (cs *callSlots) any(holds func(*callSlot) bool) bool {
	for _, l := range cs.lists() {
		if slices.ContainsFunc(*l.all.Load(), holds) {
			return true
		}
	}
	return false
}

// onlyAbandoned is idle, abandoned calls not counted.
func (cs *callSlots) onlyAbandoned(in *instance) bool {
	return in.lent.Load() <= in.lentAbandoned.Load() && !in.calledDirectly() &&
		!cs.any(func(s *callSlot) bool { return s.owner.Load() == in.number && !s.abandoned.Load() })
}

// abandon marks a call whose caller returns while the plugin goes on with it.
func (cs *callSlots) abandon(s *callSlot) {
	s.needsCleanup = true
	s.borrowed.abandon()
	s.abandoned.Store(true)
	if cs.waiters.Load() != 0 {
		cs.signal()
	}
}

// wait blocks until ready returns true, or returns ctx's error. ready is evaluated
// again after every signal.
func (cs *callSlots) wait(ctx context.Context, ready func() bool) error {
	cs.waiters.Add(1)
	defer cs.waiters.Add(-1)
	fence.Heavy() // for release, which looks for waiters without a barrier behind its store
	for {
		cs.mu.Lock()
		changed := cs.changed
		cs.mu.Unlock()
		// The channel is read before the condition: whatever makes ready true
		// later closes this channel.
		if ready() {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
