package calls

import (
	"bytes"
	"slices"
	"sync"

	"github.com/nyash-plugins/nyash-go/abi"
)

// Answer is the answer to a call: a code and a message of TLV, or no bytes.
type Answer struct {
	Code    abi.Code
	Message []byte
	// Blob is data that the message refers to, at BlobAt: it is to be placed in the
	// caller's memory when the answer is delivered.
	Blob    []byte
	HasBlob bool
	// Drop gives back what the answer hands over, where it is not delivered; nil where
	// there is nothing. Done is called when it was delivered; nil for nothing.
	Drop, Done func()
}

// Kept is an answer that is kept for one thread of a library, until that makes the same
// call again or another one. The zero Kept has none. It is for one goroutine at a time.
type Kept struct {
	typeID, method, instance uint32
	args                     []byte
	answer                   *Answer
	budget                   *Budget
	size                     int // that was taken of it
}

// Keep keeps the answer to a call. It returns false, and keeps nothing, where answer and
// arguments have more bytes than the budget has left.
func (k *Kept) Keep(c *abi.Call, args []byte, a *Answer, b *Budget) bool {
	k.Drop()
	size := len(args) + len(a.Message) + len(a.Blob)
	if !b.Take(size) {
		return false
	}
	k.budget, k.size = b, size
	k.typeID, k.method, k.instance = c.TypeID, c.Method, c.Instance
	k.args, k.answer = bytes.Clone(args), a
	return true
}

// Take returns the answer to the same call, which is then kept no more, or drops the
// answer to another one and returns nil.
func (k *Kept) Take(c *abi.Call, args []byte) *Answer {
	if k.answer == nil {
		return nil
	}
	if k.typeID != c.TypeID || k.method != c.Method || k.instance != c.Instance || !bytes.Equal(k.args, args) {
		k.Drop()
		return nil
	}
	return k.remove()
}

// remove keeps no more what is kept, if anything is.
func (k *Kept) remove() *Answer {
	a := k.answer
	if a != nil {
		k.budget.Give(k.size)
	}
	k.answer, k.args = nil, nil
	return a
}

// Drop drops what is kept, and gives back what that hands over.
func (k *Kept) Drop() {
	if a := k.remove(); a != nil && a.Drop != nil {
		a.Drop()
	}
}

// maxThreads is for how many threads of a library an answer is kept: one that has ended never
// fetches its own. With more, the oldest answer is dropped (docs/abi.md, Results).
const maxThreads = 4096

// KeptByThread keeps answers for threads that a library has started itself.
type KeptByThread struct {
	mu       sync.Mutex
	byThread map[uint64]*Kept
	order    []uint64 // oldest first
}

// Keep is [Kept.Keep] for a thread. Where there are answers for too many threads, the oldest
// is dropped.
func (t *KeptByThread) Keep(thread uint64, c *abi.Call, args []byte, a *Answer, b *Budget) bool {
	k := new(Kept)
	if !k.Keep(c, args, a, b) {
		return false
	}
	t.mu.Lock()
	if t.byThread == nil {
		t.byThread = make(map[uint64]*Kept)
	}
	replaced := t.remove(thread)
	if replaced == nil && len(t.order) == maxThreads {
		replaced = t.remove(t.order[0])
	}
	t.byThread[thread] = k
	t.order = append(t.order, thread)
	t.mu.Unlock()
	if replaced != nil {
		replaced.Drop()
	}
	return true
}

// remove takes away what is kept for a thread, if anything is, with mu held.
func (t *KeptByThread) remove(thread uint64) *Kept {
	k := t.byThread[thread]
	if k != nil {
		delete(t.byThread, thread)
		i := slices.Index(t.order, thread)
		t.order = slices.Delete(t.order, i, i+1)
	}
	return k
}

// Take is [Kept.Take] for a thread.
func (t *KeptByThread) Take(thread uint64, c *abi.Call, args []byte) *Answer {
	t.mu.Lock()
	k := t.remove(thread)
	t.mu.Unlock()
	if k == nil {
		return nil
	}
	return k.Take(c, args)
}

// Any reports whether an answer is kept for any thread.
func (t *KeptByThread) Any() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.byThread) > 0
}

// Drop drops all answers.
func (t *KeptByThread) Drop() {
	t.mu.Lock()
	all := t.byThread
	t.byThread, t.order = nil, nil
	t.mu.Unlock()
	for _, k := range all {
		k.Drop()
	}
}
