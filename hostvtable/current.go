package hostvtable

import (
	"context"
	"sync"
	"sync/atomic"
)

// Goroutines that are inside of a library are found by the address of the runtime's
// structure for them, which stays the same while they live: a callback runs on the very
// goroutine whose call of the library it came from, or, on a thread that the library
// made, on one that the runtime keeps for such threads.
const (
	bucketBits = 8
	perBucket  = 2
)

// place holds the context of one goroutine. Only the goroutine that is named in it touches
// ctx, and only goroutine 0 can be replaced.
type place struct {
	goroutine atomic.Uintptr
	ctx       context.Context
	spilled   bool // it is in overflow
}

// bucket is a cache line, where addresses have 64 bits.
type bucket [perBucket]place

var buckets [1 << bucketBits]bucket

// overflow has the places of goroutines whose buckets are full.
var overflow struct {
	count atomic.Int64 // of places; a goroutine that has one sees it here
	sync.Mutex
	places map[uintptr]*place
}

// Entry is a goroutine's being inside of a library; see [Enter].
type Entry struct {
	place  *place
	outer  context.Context
	nested bool
}

// Enter has [Current] return ctx on this goroutine, until Leave is called on it, exactly
// once. Within, Enter may be called again; its Leave brings the outer ctx back.
func Enter(ctx context.Context) Entry {
	g := goroutine()
	if p := placeOf(g); p != nil {
		outer := p.ctx
		p.ctx = ctx
		return Entry{place: p, outer: outer, nested: true}
	}
	b := bucketOf(g)
	for i := range b {
		p := &b[i]
		if p.goroutine.Load() == 0 && p.goroutine.CompareAndSwap(0, g) {
			p.ctx = ctx
			return Entry{place: p}
		}
	}
	return Entry{place: spill(g, ctx)}
}

// Leave ends what Enter began.
func (e Entry) Leave() {
	e.place.ctx = e.outer
	if e.nested {
		return
	}
	if e.place.spilled {
		overflow.Lock()
		delete(overflow.places, e.place.goroutine.Load())
		overflow.Unlock()
		overflow.count.Add(-1)
		return
	}
	e.place.goroutine.Store(0)
}

// Current is the context that this goroutine has entered a library with, or nil where it
// has not.
func Current() context.Context {
	if p := placeOf(goroutine()); p != nil {
		return p.ctx
	}
	return nil
}

func bucketOf(g uintptr) *bucket {
	return &buckets[uint64(g)*0x9e3779b97f4a7c15>>(64-bucketBits)]
}

// placeOf finds the place of the calling goroutine g.
func placeOf(g uintptr) *place {
	b := bucketOf(g)
	for i := range b {
		if b[i].goroutine.Load() == g {
			return &b[i]
		}
	}
	if overflow.count.Load() == 0 {
		return nil
	}
	overflow.Lock()
	defer overflow.Unlock()
	return overflow.places[g]
}

func spill(g uintptr, ctx context.Context) *place {
	p := &place{ctx: ctx, spilled: true}
	p.goroutine.Store(g)
	overflow.count.Add(1)
	overflow.Lock()
	defer overflow.Unlock()
	if overflow.places == nil {
		overflow.places = make(map[uintptr]*place)
	}
	overflow.places[g] = p
	return p
}
