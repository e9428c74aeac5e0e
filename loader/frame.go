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

// argsRoom is the room that arguments start with.
const argsRoom = 256

// maxKept is the largest buffer that a frame keeps after a call.
const maxKept = 256 << 10

// A frame is the room that one call needs, and the sign that the call is under
// way: busy is the number of the instance that is being called, 0 while the
// frame is free.
type frame struct {
	busy atomic.Uint64
	abi.Call
	args   []byte      // room for the message with the arguments
	room   []byte      // the result and the canary behind it
	lent   []*instance // arguments that must outlive the call
	blobs  []lentBlob  // among the arguments
	to     backend     // that they are lent to
	pooled bool        // goes to the pool when it is free

	// abandoned is set when the caller has left and the plugin still works on the call.
	abandoned atomic.Bool
	untidy    bool // has something to give back besides itself
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

// A hint remembers a frame for a caller to try first the next time. The frame is
// nobody's own: who finds it taken takes another. A hint that several goroutines
// use at once is given up, because they would fight for the frame; the pool then
// serves them better.
type hint struct {
	frame  atomic.Pointer[frame]
	misses atomic.Int32
}

// maxMisses is how often a hint may be wrong before it is given up.
const maxMisses = 64

// remember keeps f for the next call, unless that has failed too often.
func (h *hint) remember(f *frame) {
	if h.misses.Load() > maxMisses {
		return
	}
	if h.frame.Load() != nil && h.misses.Add(1) > maxMisses {
		h.frame.Store(nil)
		return
	}
	h.frame.Store(f)
	f.pooled = false // or the pool would offer it to others
	f.untidy = false
}

// acquire marks a free frame with in. It waits while all frames are in use,
// until ctx is done. h remembers the frame.
func (fs *frames) acquire(ctx context.Context, in *instance, h *hint) (*frame, error) {
	f, _ := fs.pool.Get().(*frame)
	if f == nil || !f.busy.CompareAndSwap(0, in.number) {
		if f = fs.find(in); f == nil {
			if err := fs.wait(ctx, func() bool { f = fs.find(in); return f != nil }); err != nil {
				return nil, err
			}
		}
	}
	f.pooled, f.untidy = true, true
	h.remember(f)
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
	f := &frame{args: make([]byte, argsRoom), room: newRoom()}
	f.busy.Store(in.number)
	next := append(all[:len(all):len(all)], f)
	fs.all.Store(&next)
	return f
}

// release ends the frame's call and gives back what it held.
func (fs *frames) release(f *frame) {
	if f.untidy {
		fs.putBack(f)
		return
	}
	f.busy.Store(0)
	if fs.waiters.Load() != 0 {
		fs.signal()
	}
}

func (fs *frames) putBack(f *frame) {
	abandoned := f.abandoned.Load()
	for _, in := range f.lent {
		if abandoned {
			in.lentLate.Add(-1)
		}
		in.giveBack()
	}
	clear(f.lent)
	f.lent, f.blobs = f.lent[:0], takeBack(f.to, f.blobs)
	if len(f.args) > maxKept {
		f.args = make([]byte, argsRoom)
	}
	if len(f.room) > maxKept {
		f.room = newRoom()
	}
	pooled := f.pooled
	f.pooled, f.untidy = false, false
	f.abandoned.Store(false)
	f.busy.Store(0)
	if pooled {
		fs.pool.Put(f)
	}
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

// idle reports whether no call on in is under way, nor one that it is lent to.
func (fs *frames) idle(in *instance) bool {
	for _, f := range *fs.all.Load() {
		if f.busy.Load() == in.number {
			return false
		}
	}
	return in.lent.Load() == 0
}

// deserted is idle but for calls that nobody waits for.
func (fs *frames) deserted(in *instance) bool {
	for _, f := range *fs.all.Load() {
		if f.busy.Load() == in.number && !f.abandoned.Load() {
			return false
		}
	}
	return in.lent.Load() <= in.lentLate.Load()
}

// abandon notes that the caller of f has left, and the call goes on.
func (fs *frames) abandon(f *frame) {
	f.untidy = true
	for _, in := range f.lent {
		in.lentLate.Add(1)
	}
	f.abandoned.Store(true)
	if fs.waiters.Load() != 0 {
		fs.signal()
	}
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
