package calls

import (
	"errors"
	"sync"
	"sync/atomic"
)

// IDs gives out numbers from 1 on, each once. A library has one for all its lives, so that
// a number of an earlier life names nothing in a later one.
type IDs struct{ last atomic.Uint32 }

// next is 0 when all numbers were given out.
func (n *IDs) next() uint32 {
	for {
		last := n.last.Load()
		if last == 1<<32-1 {
			return 0
		}
		if n.last.CompareAndSwap(last, last+1) {
			return last + 1
		}
	}
}

// Handles are the instances that one life of a library was lent or holds, with the numbers
// by which it knows those of other libraries. T identifies an instance. An instance keeps
// its number until [Handles.Forget]; what the library may do with it depends on whether it
// holds it, or is lent it at the time.
//
// All methods are safe for concurrent use. They take a short lock and call nobody.
type Handles[T comparable] struct {
	ids *IDs

	most int // instances that are held

	mu      sync.Mutex
	byID    map[uint32]*handle[T]
	entries map[T]*handle[T]
	holding int // of entries, those with holds
	ended   bool
}

type handle[T comparable] struct {
	instance T
	id       uint32 // 0 for an instance of the library itself, which has a number of its own
	held     int    // how many holds the library has
	lent     int    // in how many calls under way it is lent
}

// NewHandles makes the handles of a life, which is given its numbers by ids and may hold so
// many instances.
func NewHandles[T comparable](ids *IDs, most int) *Handles[T] {
	return &Handles[T]{ids: ids, most: most, byID: make(map[uint32]*handle[T]), entries: make(map[T]*handle[T])}
}

// Name returns the number of another library's instance, which is neither lent nor held by
// that; 0 where the numbers have run out or the life has ended.
func (h *Handles[T]) Name(x T) uint32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e := h.entry(x, false); e != nil {
		return e.id
	}
	return 0
}

// entry finds or makes the entry of an instance, with mu held.
func (h *Handles[T]) entry(x T, own bool) *handle[T] {
	if e := h.entries[x]; e != nil {
		return e
	}
	if h.ended {
		return nil
	}
	e := &handle[T]{instance: x}
	if !own {
		if e.id = h.ids.next(); e.id == 0 {
			return nil
		}
		h.byID[e.id] = e
	}
	h.entries[x] = e
	return e
}

// Lend notes that a call under way lends an instance of another library, until
// [Handles.Return]. It returns false where the life has ended.
func (h *Handles[T]) Lend(x T) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.entry(x, false)
	if e == nil {
		return false
	}
	e.lent++
	return true
}

// Return ends a lending.
func (h *Handles[T]) Return(x T) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e := h.entries[x]; e != nil && e.lent > 0 {
		e.lent--
	}
}

// Hold gives the library a hold of an instance, own or another library's, and returns the
// instance's number, which is 0 for an own one. The error is [ErrTooMany] or [ErrNoNumber].
func (h *Handles[T]) Hold(x T, own bool) (id uint32, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.entry(x, own)
	switch {
	case e == nil:
		return 0, ErrNoNumber
	case e.held == 0 && h.holding == h.most:
		return 0, ErrTooMany
	case e.held == 0:
		h.holding++
	}
	e.held++
	return e.id, nil
}

var (
	// ErrNoNumber: the numbers have run out, or the life has ended.
	ErrNoNumber = errors.New("no number can be given out")
	// ErrTooMany: the library holds as many instances as it may.
	ErrTooMany = errors.New("too many instances are held")
)

// Find returns the instance of another library that a number stands for, if the library
// holds it or is lent it.
func (h *Handles[T]) Find(id uint32) (x T, ok bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.byID[id]
	if e == nil || e.held+e.lent == 0 {
		return x, false
	}
	return e.instance, true
}

// Holds reports whether the library holds an instance.
func (h *Handles[T]) Holds(x T) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.entries[x]
	return e != nil && e.held > 0
}

// GiveUp takes one hold of an instance away, and returns false where there is none.
func (h *Handles[T]) GiveUp(x T) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.entries[x]
	if e == nil || e.held == 0 {
		return false
	}
	if e.held--; e.held == 0 {
		h.holding--
	}
	return true
}

// Forget ends the use of an instance's number: the instance has ended.
func (h *Handles[T]) Forget(x T) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e := h.entries[x]; e != nil {
		delete(h.byID, e.id)
		delete(h.entries, x)
		if e.held > 0 {
			h.holding--
		}
	}
}

// End ends the life. It returns the instances that were held, and how many holds each had.
func (h *Handles[T]) End() (held map[T]int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	held = make(map[T]int, h.holding)
	for _, e := range h.entries {
		if e.held > 0 {
			held[e.instance] = e.held
		}
	}
	h.ended, h.holding = true, 0
	clear(h.byID)
	clear(h.entries)
	return held
}

// Counts are how many holds there are, and how many lendings.
func (h *Handles[T]) Counts() (held, lent int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, e := range h.entries {
		held += e.held
		lent += e.lent
	}
	return held, lent
}
