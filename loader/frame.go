package loader

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// resultRoom is the capacity that results start with: the largest message of a
// single value, so that one call is the normal case.
const resultRoom = tlv.HeaderSize + tlv.EntryHeaderSize + tlv.MaxPayload

// maxKept is the largest result buffer that a frame keeps after a call.
const maxKept = 256 << 10

// A frame is the room that one call needs, and the sign that the call is under
// way: busy is the number of the instance that is being called, 0 while the
// frame is free.
type frame struct {
	busy atomic.Uint64
	abi.Invocation
	room   []byte      // Result and the canary behind it
	lent   []*instance // arguments that must outlive the call
	pooled bool        // goes to the pool when it is free
}

// frames are a host's frames. They bound the calls in flight by their number,
// and they tell when an instance is idle without a counter that every call
// would have to share: whoever wants to know looks through them. Calls on
// different processors find different frames through the pool and so write to
// no memory in common.
type frames struct {
	limit   int
	pool    sync.Pool // of *frame; where to look first, never the only place
	waiters atomic.Int32

	mu      sync.Mutex
	all     atomic.Pointer[[]*frame]
	changed chan struct{} // closed and renewed when something may have become free
}

func newRoom() []byte { return make([]byte, resultRoom+canary) }

func newFrames(limit int) *frames {
	fs := &frames{limit: limit, changed: make(chan struct{})}
	fs.all.Store(new([]*frame))
	return fs
}

// acquire marks a free frame with in. It waits while all frames are in use,
// until ctx is done.
//
// hint, if not nil, remembers the frame for the caller to try first the next
// time (see claim). It is nobody's own: who finds it taken takes another.
func (fs *frames) acquire(ctx context.Context, in *instance, hint *atomic.Pointer[frame]) (*frame, error) {
	f, err := fs.acquireAny(ctx, in)
	if hint != nil && err == nil {
		hint.Store(f)
	}
	return f, err
}

// claim marks a remembered frame with in, if it is free.
func claim(hint *atomic.Pointer[frame], in *instance) *frame {
	if hint == nil {
		return nil
	}
	if f := hint.Load(); f != nil && f.busy.CompareAndSwap(0, in.number) {
		return f
	}
	return nil
}

func (fs *frames) acquireAny(ctx context.Context, in *instance) (*frame, error) {
	if f, _ := fs.pool.Get().(*frame); f != nil && f.busy.CompareAndSwap(0, in.number) {
		f.pooled = true
		return f, nil
	}
	f := fs.find(in)
	if f == nil {
		if err := fs.wait(ctx, func() bool { f = fs.find(in); return f != nil }); err != nil {
			return nil, err
		}
	}
	f.pooled = true
	return f, nil
}

// find takes any free frame, or makes one where the limit allows it.
func (fs *frames) find(in *instance) *frame {
	for _, f := range *fs.all.Load() {
		if f.busy.Load() == 0 && f.busy.CompareAndSwap(0, in.number) {
			return f
		}
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	all := *fs.all.Load()
	if len(all) == fs.limit {
		return nil
	}
	f := &frame{room: newRoom()}
	f.busy.Store(in.number)
	next := append(all[:len(all):len(all)], f)
	fs.all.Store(&next)
	return f
}

func (fs *frames) release(f *frame) {
	if f.pooled {
		fs.putBack(f)
		return
	}
	f.busy.Store(0)
	if fs.waiters.Load() != 0 {
		fs.signal()
	}
}

func (fs *frames) putBack(f *frame) {
	f.pooled = false
	if len(f.room) > maxKept {
		f.room = newRoom()
	}
	f.busy.Store(0)
	fs.pool.Put(f)
	if fs.waiters.Load() != 0 {
		fs.signal()
	}
}

// signal has those who wait look again.
func (fs *frames) signal() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	close(fs.changed)
	fs.changed = make(chan struct{})
}

// idle reports whether no call on in is under way.
func (fs *frames) idle(in *instance) bool {
	for _, f := range *fs.all.Load() {
		if f.busy.Load() == in.number {
			return false
		}
	}
	return in.lent.Load() == 0
}

// wait returns when ready says so. ready is asked again after every change.
func (fs *frames) wait(ctx context.Context, ready func() bool) error {
	fs.waiters.Add(1)
	defer fs.waiters.Add(-1)
	for {
		fs.mu.Lock()
		changed := fs.changed
		fs.mu.Unlock()
		// Asked after the channel is in hand: a change since then closes it.
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
