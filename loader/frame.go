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
// way: in names the instance that is being called, nil while the frame is free.
type frame struct {
	in atomic.Pointer[instance]
	abi.Invocation
	room []byte      // Result and the canary behind it
	lent []*instance // arguments that must outlive the call
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
func (fs *frames) acquire(ctx context.Context, in *instance) (*frame, error) {
	if f, _ := fs.pool.Get().(*frame); f != nil && f.in.CompareAndSwap(nil, in) {
		return f, nil
	}
	if f := fs.find(in); f != nil {
		return f, nil
	}
	var f *frame
	err := fs.wait(ctx, func() bool {
		f = fs.find(in)
		return f != nil
	})
	return f, err
}

// find takes any free frame, or makes one where the limit allows it.
func (fs *frames) find(in *instance) *frame {
	for _, f := range *fs.all.Load() {
		if f.in.Load() == nil && f.in.CompareAndSwap(nil, in) {
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
	f.in.Store(in)
	next := append(all[:len(all):len(all)], f)
	fs.all.Store(&next)
	return f
}

func (fs *frames) release(f *frame) {
	if len(f.room) > maxKept {
		f.room = newRoom()
	}
	f.in.Store(nil)
	fs.pool.Put(f)
	fs.signal()
}

// signal has those who wait look again.
func (fs *frames) signal() {
	if fs.waiters.Load() == 0 {
		return
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	close(fs.changed)
	fs.changed = make(chan struct{})
}

// idle reports whether no call on in is under way.
func (fs *frames) idle(in *instance) bool {
	for _, f := range *fs.all.Load() {
		if f.in.Load() == in {
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
