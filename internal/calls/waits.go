package calls

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
)

// ErrCircle is the error of a wait that would never end: who is waited for waits, itself
// or through others, for the chain that would wait.
var ErrCircle = errors.New("it would wait for itself: what it waits for waits for this chain of calls")

// Waits knows which chain waits for what, and finds circles. Only chains that may hold
// something others wait for need be known to it: those of calls of libraries that call
// their host.
//
// A circle is closed by the wait that is begun last, since a chain waits for nothing while
// it takes something: so it is enough to look when a wait begins.
type Waits struct {
	mu      sync.Mutex
	waiting map[uint64][]*Lock // by chain: what its branches wait for
}

// Lock is something that one chain has and others wait for.
type Lock struct {
	owner Position // where in the chain that has it, which is 0 for none; guarded by Waits.mu
}

// Own notes that a call of a chain has the lock, until [Waits.Disown].
func (w *Waits) Own(at Position, l *Lock) {
	w.mu.Lock()
	l.owner = at
	w.mu.Unlock()
}

// Disown notes that nobody has the lock.
func (w *Waits) Disown(l *Lock) { w.Own(Position{}, l) }

// Begin notes that a call of a chain waits for the lock, until the returned function is
// called. It returns [ErrCircle] where the wait would not end.
func (w *Waits) Begin(at Position, l *Lock) (end func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reaches(l, at, nil) {
		return nil, ErrCircle
	}
	chain := at.Chain
	if w.waiting == nil {
		w.waiting = make(map[uint64][]*Lock)
	}
	w.waiting[chain] = append(w.waiting[chain], l)
	return func() { w.end(chain, l) }, nil
}

func (w *Waits) end(chain uint64, l *Lock) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := w.waiting[chain]
	if i := slices.Index(all, l); i >= 0 {
		all = slices.Delete(all, i, i+1)
	}
	if len(all) == 0 {
		delete(w.waiting, chain)
		return
	}
	w.waiting[chain] = all
}

// reaches reports whether the lock's owner is around the call that would wait, or waits for
// what is. A call of the same chain that is as deep is no call around it, but one beside it: a
// host function can make several at once, and each ends without the others. seen are the
// chains that were looked at, of which a branch may wait for what it has itself.
func (w *Waits) reaches(l *Lock, at Position, seen []uint64) bool {
	chain := l.owner.Chain
	switch {
	case chain == 0:
		return false
	case chain == at.Chain:
		return l.owner.Depth < at.Depth
	case slices.Contains(seen, chain):
		return false
	}
	seen = append(seen, chain)
	for _, next := range w.waiting[chain] {
		if w.reaches(next, at, seen) {
			return true
		}
	}
	return false
}

// Turn is the turn of a library that takes one call at a time.
type Turn struct {
	Lock
	taken chan struct{}
	queue atomic.Int32
}

// NewTurn makes a turn that nobody has.
func NewTurn() *Turn { return &Turn{taken: make(chan struct{}, 1)} }

// Queue is how many chains wait for the turn.
func (t *Turn) Queue() int { return int(t.queue.Load()) }

// Take waits for the turn until ctx ends. The error is ctx's, or [ErrCircle].
func (w *Waits) Take(ctx context.Context, at Position, t *Turn) error {
	select {
	case t.taken <- struct{}{}:
		w.Own(at, &t.Lock)
		return nil
	default:
	}
	end, err := w.Begin(at, &t.Lock)
	if err != nil {
		return err
	}
	defer end()
	t.queue.Add(1)
	defer t.queue.Add(-1)
	select {
	case t.taken <- struct{}{}:
		w.Own(at, &t.Lock)
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Pass gives the turn up.
func (w *Waits) Pass(t *Turn) {
	w.Disown(&t.Lock)
	<-t.taken
}
