package hostbox

import (
	"context"
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/nyash-plugins/nyash-go/abi"
)

// instance is what one birth made.
type instance struct {
	self  unsafe.Pointer // what calls get; keeps the value alive
	calls []call         // of the methods, in their order
	close func() error   // what fini calls; nil for nothing
}

// call makes a call of one method: it reads the message with the arguments and appends
// the message with the answer to result.
type call func(ctx context.Context, self unsafe.Pointer, args, result []byte) ([]byte, error)

// instances are those of a box that are alive, by their numbers. Every call looks one up,
// from any goroutine, and that takes no lock and writes nothing.
//
// Number n is in chunk bits.Len(n)-1, which holds as many as all chunks before it and
// one more. A chunk never moves, so that a reader needs none but atomic loads. The
// number that was given back first is given again first.
type instances struct {
	chunks [32]atomic.Pointer[[]atomic.Pointer[instance]]

	mu   sync.Mutex // guards what follows, and writes to chunks
	last uint32     // the largest number that was given
	free []uint32   // numbers that were given back
}

// slot is where the instance with a number is, or nil where no such number was given.
func (t *instances) slot(id uint32) *atomic.Pointer[instance] {
	if id == 0 {
		return nil
	}
	n := bits.Len32(id) - 1
	chunk := t.chunks[n].Load()
	if chunk == nil {
		return nil
	}
	return &(*chunk)[id-1<<n]
}

// get returns the instance with a number, or nil.
func (t *instances) get(id uint32) *instance {
	if at := t.slot(id); at != nil {
		return at.Load()
	}
	return nil
}

// add gives an instance its number, which is never 0.
func (t *instances) add(in *instance) (id uint32, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case len(t.free) > 0:
		id = t.free[0]
		t.free = t.free[1:]
	case t.last == 1<<32-1:
		return 0, fmt.Errorf("all %d instances are in use: %w", t.last, abi.ErrOutOfMemory)
	default:
		t.last++
		id = t.last
		if n := bits.Len32(id) - 1; id == 1<<n {
			chunk := make([]atomic.Pointer[instance], 1<<n)
			t.chunks[n].Store(&chunk)
		}
	}
	t.slot(id).Store(in)
	return id, nil
}

// remove takes an instance out, once. It returns nil where the number names none.
func (t *instances) remove(id uint32) *instance {
	t.mu.Lock()
	defer t.mu.Unlock()
	in := t.get(id)
	if in != nil {
		t.slot(id).Store(nil)
		t.free = append(t.free, id)
	}
	return in
}
