package loader

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/plan"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// Batch collects calls on one box and makes them together: in a single crossing
// into the plugin where it offers one (nyash_plugin_invoke_batch, one line for
// the plugin's author), one by one where it does not. Results and errors are
// those of single calls, in order; only an error message of more than about
// 1,000 bytes may be cut (docs/abi.md, Batches).
//
// A Batch is for one goroutine at a time. It may be used again after Run, and then
// allocates nothing but what its results need.
type Batch struct {
	box   *Box
	n     int         // calls that were added
	calls []abi.Call  // the first n are as the plugin gets them
	extra []batchCall // to each of calls, what the host needs beside it
	borrowed
}

// batchCall is what belongs to a call of a batch beside the abi.Call. Its buffers are
// used again by the next batch.
type batchCall struct {
	plan      *plan.Plan
	args      []byte // the message with the arguments
	resultBuf *[contract.BatchResultSize + canarySize]byte
	boxes     span // its own among the batch's borrowed.boxes
}

type span struct{ from, to uint32 }

// BatchResult is the outcome of one call of a batch.
type BatchResult struct {
	Result
	Err error // what [Box.Call] would return; a *[CallError]
}

// String formats the result, or the error, for people.
func (r BatchResult) String() string {
	if r.Err != nil {
		return r.Err.Error()
	}
	return r.Result.String()
}

// Batch makes an empty batch.
func (b *Box) Batch() *Batch { return &Batch{box: b} }

// Len is the number of calls that were added since the last Run or Reset.
func (b *Batch) Len() int { return b.n }

// Reset removes the calls, and keeps the memory for others.
func (b *Batch) Reset() {
	b.n = 0
	if !b.borrowed.empty() {
		b.borrowed.returnAll(false)
	}
}

// Add appends a call. An unknown method or arguments that do not fit are an
// error as for [Box.Call]; nothing is then added. The boxes and blobs among the
// arguments are lent when the calls are made: until Run has returned, the data of a
// blob must not change. A Batch that is dropped instead holds nothing.
func (b *Batch) Add(method string, args ...any) error {
	plan, err := b.box.plan(method)
	if err != nil {
		return err
	}
	return b.add(b.box, plan, args)
}

// AddMethod is [Batch.Add] for a method that was found before. It must be a
// method of the batch's box.
func (b *Batch) AddMethod(m *Method, args ...any) error {
	return b.add(m.box, m.plan, args)
}

// add is addOther for a call that needs no more than what is there: the most calls.
func (b *Batch) add(of *Box, plan *plan.Plan, args []any) error {
	if b.n >= len(b.calls) || b.n >= len(b.extra) || of != b.box {
		return b.addOther(of, plan, args)
	}
	x, c := &b.extra[b.n], &b.calls[b.n]
	n := plan.EncodeFixed(x.args, args)
	if n == 0 {
		return b.addOther(of, plan, args)
	}
	if x.plan != plan { // most batches call one method: saves the write barrier
		x.plan = plan
	}
	x.boxes = span{}
	c.Method, c.ArgsLength = plan.ID, uintptr(n)
	resetResult(c, x.resultBuf[:])
	b.n++
	return nil
}

func (b *Batch) addOther(of *Box, plan *plan.Plan, args []any) error {
	if of.in != b.box.in {
		return fmt.Errorf("batch on %v: %s is a method of %v", b.box, plan.Name, of)
	}
	if b.n == len(b.calls) {
		b.grow()
	}
	x := &b.extra[b.n]
	boxes := len(b.boxes)
	n := plan.EncodeFixed(x.args, args)
	if n == 0 {
		blobs := len(b.blobs)
		msg, err := b.box.in.encodeArgs(x.args[:0], &b.borrowed, plan, args)
		if err != nil {
			b.borrowed.truncate(boxes, blobs)
			return errNotSent(plan, err)
		}
		for i := blobs; i < len(b.blobs); i++ {
			b.blobs[i].call = b.n
		}
		n, x.args = len(msg), msg[:cap(msg)]
		b.calls[b.n].SetArgs(x.args)
	}
	if x.plan != plan { // most batches call one method: saves the write barrier
		x.plan = plan
	}
	x.boxes = span{uint32(boxes), uint32(len(b.boxes))}
	c := &b.calls[b.n]
	c.Method, c.ArgsLength = plan.ID, uintptr(n)
	resetResult(c, x.resultBuf[:])
	b.n++
	return nil
}

// grow doubles the number of calls that there are buffers for, and sets what is the
// same for all calls of the batch's box.
func (b *Batch) grow() {
	const least = 8
	const each = initialArgsSize + contract.BatchResultSize + canarySize
	in, have := b.box.in, len(b.calls)
	more := max(least, have)
	memory := make([]byte, more*each)
	b.calls = append(b.calls, make([]abi.Call, more)...)
	for i := have; i < have+more; i++ {
		x := batchCall{args: memory[:initialArgsSize:initialArgsSize], resultBuf: (*[contract.BatchResultSize + canarySize]byte)(memory[initialArgsSize:each])}
		memory = memory[each:]
		b.extra = append(b.extra, x)
		c := &b.calls[i]
		c.TypeID, c.Instance = in.typ.ID, in.id
		c.SetArgs(x.args)
		armResult(c, x.resultBuf[:])
	}
}

// Run makes the calls in order and empties the batch. There is a result for
// every call, with its error. The error of Run itself means that no
// call was made: ctx was done, the box or one among the arguments is closed, or the
// arguments could not be lent.
//
// When ctx ends meanwhile, the calls that were not made get its error.
func (b *Batch) Run(ctx context.Context) ([]BatchResult, error) {
	defer b.Reset()
	return b.AppendResults(ctx, make([]BatchResult, 0, b.n))
}

// AppendResults is [Batch.Run] with the results appended to dst.
func (b *Batch) AppendResults(ctx context.Context, dst []BatchResult) ([]BatchResult, error) {
	defer b.Reset()
	if b.n == 0 {
		return dst, nil
	}
	in := b.box.in
	if err := context.Cause(ctx); err != nil {
		return dst, fmt.Errorf("batch on %v: %w", b.box, err)
	}
	s, err := in.host.slot(ctx, in, &b.box.cache)
	if err != nil {
		return dst, fmt.Errorf("batch on %v: %w", b.box, err)
	}
	// From here on the slot has what the calls borrow: if one of them is abandoned,
	// it keeps that for as long.
	b.borrowed, s.borrowed = s.borrowed, b.borrowed
	if !s.borrowed.empty() {
		s.needsCleanup = true
	}
	caller := ctx // also when a call is abandoned, which keeps the frame
	err = ErrClosed
	if !in.closed.Load() && !b.box.closed.Load() { // after acquire, see instance.run
		err = nil
		if in.lendsInTurn(&s.borrowed) {
			ctx, err = in.enter(ctx, s)
		}
		if err == nil {
			err = s.lend(ctx, in)
		}
	}
	if err == nil && in.connected && s.turn == nil {
		ctx, err = in.enter(ctx, s)
	}
	if err != nil {
		in.host.slots.release(s)
		return dst, fmt.Errorf("batch on %v: %w", b.box, err)
	}
	for i := range s.blobs {
		blob := &s.blobs[i]
		blob.writeTo(b.extra[blob.call].args)
	}
	first := len(dst)
	dst = slices.Grow(dst, b.n)[:first+b.n]
	if abandoned := b.run(ctx, caller, s, dst[first:]); !abandoned {
		in.host.slots.release(s)
	}
	runtime.KeepAlive(b.box)
	return dst, nil
}

// run makes the calls and sets results, which has one for each. When the caller's context
// ends, it makes no further call. abandoned means that one is still under way, and keeps the
// slot with ctx.
func (b *Batch) run(ctx, caller context.Context, s *callSlot, results []BatchResult) (abandoned bool) {
	for at := 0; at < b.n; {
		if at > 0 && caller.Err() != nil {
			b.fail(results, at, context.Cause(caller))
			return false
		}
		made, err := b.box.in.backend.InvokeBatch(ctx, b.calls[at:b.n])
		at += b.setResults(ctx, s, results, at, made)
		if late := asAbandoned(err); late != nil {
			b.fail(results, at, late.Err)
			b.abandon(s, at, late)
			return true
		}
		if err != nil {
			b.fail(results, at, err)
			return false
		}
		// The next call was not made, or answered short buffer: it is made by
		// itself, and the batch goes on behind it.
		if at < b.n {
			if results[at], abandoned = b.single(ctx, s, at); abandoned {
				b.fail(results, at+1, context.Cause(caller))
				return true
			}
			at++
		}
	}
	return false
}

// abandon leaves the calls from at on, and their memory, to a goroutine that waits for the
// end of those that the plugin makes: see [instance.abandon].
func (b *Batch) abandon(s *callSlot, at int, late *transport.AbandonedError) {
	in, h := b.box.in, b.box.in.host
	calls, extra := b.calls[at:b.n], b.extra[at:b.n]
	b.calls, b.extra, b.n = nil, nil, 0
	h.abandonedCalls.Add(1)
	h.slots.abandon(s)
	go func() {
		_ = late.Wait()
		for i := range calls[:late.Made] {
			c, x := &calls[i], &extra[i]
			if checkResult(c, x.resultBuf[:]) != nil || c.Code != abi.OK {
				continue
			}
			if v, err := tlv.DecodeOne(x.resultBuf[:c.ResultLength]); err == nil {
				in.discard(s.boxes[x.boxes.from:x.boxes.to], v)
			}
		}
		h.abandonedCalls.Add(-1)
		h.slots.release(s)
	}()
}

// setResults sets the results of the calls that the plugin made, from at on and up to
// one that answered short buffer. It returns how many it set.
func (b *Batch) setResults(ctx context.Context, s *callSlot, results []BatchResult, at, made int) int {
	calls, extra, results := b.calls[at:at+made], b.extra[at:at+made], results[at:at+made]
	for i := range calls {
		c, x := &calls[i], &extra[i]
		if fastOK(c, x.resultBuf[:]) {
			if bits, ok := x.plan.DecodeFixed(x.resultBuf[:c.ResultLength]); ok {
				results[i] = BatchResult{Result: Result{num: bits, kind: &kinds[x.plan.Returns.Tag]}}
				continue
			}
		}
		if c.Code == abi.ErrShortBuffer {
			return i
		}
		err := checkResult(c, x.resultBuf[:])
		if err != nil {
			armResult(c, x.resultBuf[:]) // the canary may be damaged
		}
		results[i] = b.result(ctx, s, x, c, x.resultBuf[:], err)
	}
	return made
}

// single makes call i by itself, with a buffer for any result. abandoned is as for run.
func (b *Batch) single(ctx context.Context, s *callSlot, i int) (r BatchResult, abandoned bool) {
	in, x := b.box.in, &b.extra[i]
	s.Call = b.calls[i]
	armResult(&s.Call, s.resultBuf)
	err := in.backend.Invoke(ctx, &s.Call)
	if abandoned, err = in.finishCall(ctx, x.plan, s, err); err != nil {
		return BatchResult{Err: err}, abandoned
	}
	return b.result(ctx, s, x, &s.Call, s.resultBuf, nil), false
}

// result is the outcome of a call that has ended, whose result was checked with err.
func (b *Batch) result(ctx context.Context, s *callSlot, x *batchCall, c *abi.Call, buf []byte, err error) (r BatchResult) {
	in := b.box.in
	if r.Err = in.callError(x.plan, c, buf, err); r.Err == nil {
		r.Result, r.Err = in.result(ctx, x.plan, s.boxes[x.boxes.from:x.boxes.to], buf[:c.ResultLength], nil)
	}
	return r
}

// fail gives all calls from at on the same error.
func (b *Batch) fail(results []BatchResult, at int, err error) {
	for i := at; i < b.n; i++ {
		results[i] = BatchResult{Err: b.box.in.errHost(b.extra[i].plan, err)}
	}
}
