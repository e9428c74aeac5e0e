package loader

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/plan"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// batchRoom is the room for a result in a batch. A call that needs more is made
// again by itself, as the specification provides for a short buffer.
const batchRoom = 1 << 10

// Batch collects calls on one box and makes them together: in a single crossing
// into the plugin where it offers one (nyash_plugin_invoke_batch, one line for
// the plugin's author), one by one where it does not. Results and errors are
// those of single calls, in order; only an error message of more than about
// 1,000 bytes may be cut. A Batch is for one goroutine at a time.
type Batch struct {
	box   *Box
	calls []abi.Call // as the plugin gets them
	slots []slot     // what else there is to each of calls, and to further ones
	lent  []*Box     // boxes among the arguments
	blobs []lentBlob // among the arguments
}

// slot is a call's place in a batch. The next batch uses it again.
type slot struct {
	plan *plan.Plan
	args []byte // room for the message with the arguments
	room *[batchRoom + canary]byte
	lent span // its boxes in the batch's
}

type span struct{ from, to int }

// BatchResult is the outcome of one call of a batch.
type BatchResult struct {
	Result
	Err error // what [Box.Call] would return
}

// Batch makes an empty batch.
func (b *Box) Batch() *Batch { return &Batch{box: b} }

// Len is the number of calls that wait for Run.
func (b *Batch) Len() int { return len(b.calls) }

// Reset forgets the calls, and keeps the memory for others.
func (b *Batch) Reset() {
	b.calls = b.calls[:0]
	if len(b.lent) > 0 || len(b.blobs) > 0 {
		clear(b.lent)
		b.lent, b.blobs = b.lent[:0], takeBack(b.box.in.to, b.blobs)
	}
}

// Add appends a call. An unknown method or arguments that do not fit are an
// error as for [Box.Call]; nothing is then added.
func (b *Batch) Add(method string, args ...any) error {
	plan, err := b.box.in.typ.method(method)
	if err != nil {
		return &CallError{Box: b.box.in.typ.Name, Method: method, Err: err}
	}
	return b.add(b.box, plan, args)
}

// AddMethod is [Batch.Add] for a method that was found before. It must be a
// method of the batch's box.
func (b *Batch) AddMethod(m *Method, args ...any) error {
	return b.add(m.box, m.plan, args)
}

func (b *Batch) add(of *Box, plan *plan.Plan, args []any) error {
	if of.in != b.box.in {
		return fmt.Errorf("batch on %v: %s is a method of %v", b.box, plan.Name, of)
	}
	i := len(b.calls)
	if i == len(b.slots) {
		b.grow()
	}
	s := &b.slots[i]
	n := plan.EncodeFixed(s.args, args)
	lent := len(b.lent)
	if n == 0 {
		blobs := len(b.blobs)
		msg, err := b.encode(s.args[:0], plan, args)
		if err != nil {
			takeBack(b.box.in.to, b.blobs[blobs:])
			b.lent, b.blobs = b.lent[:lent], b.blobs[:blobs]
			return unmade(plan, err)
		}
		n, s.args = len(msg), msg[:cap(msg)]
		b.calls[:i+1][i].SetArgs(s.args)
	}
	if s.plan != plan {
		s.plan = plan
	}
	s.lent = span{lent, len(b.lent)}
	b.calls = b.calls[:i+1]
	c := &b.calls[i]
	c.Method, c.ArgsLength = plan.ID, uintptr(n)
	renew(c, s.room[:])
	return nil
}

// grow makes as many places again as there are.
func (b *Batch) grow() {
	const least = 8
	const each = argsRoom + batchRoom + canary
	more := max(least, len(b.slots))
	memory := make([]byte, more*each)
	b.calls = append(make([]abi.Call, 0, len(b.slots)+more), b.calls...)
	for range more {
		b.slots = append(b.slots, slot{args: memory[:argsRoom:argsRoom], room: (*[batchRoom + canary]byte)(memory[argsRoom:each])})
		memory = memory[each:]
	}
	// What does not change from call to call is set once; see add for the rest.
	in := b.box.in
	for i := len(b.calls); i < len(b.slots); i++ {
		c := &b.calls[:i+1][i]
		c.TypeID, c.Instance = in.typ.ID, in.id
		c.SetArgs(b.slots[i].args)
		seal(c, b.slots[i].room[:])
	}
}

// encode writes the arguments of a call to msg. Boxes among them are lent when
// the batch runs.
func (b *Batch) encode(msg []byte, plan *plan.Plan, args []any) (_ []byte, err error) {
	if err := plan.CheckCount(len(args)); err != nil {
		return nil, err
	}
	msg = tlv.AppendHeader(msg)
	for i, arg := range args {
		switch box, ok := arg.(*Box); {
		case ok:
			if err = b.box.in.lendable(box, i); err == nil {
				b.lent = append(b.lent, box.self)
				msg, err = plan.AppendArg(msg, i, box.in.handle())
			}
		case plan.IsBlob(i):
			msg, b.blobs, err = appendBlob(context.Background(), msg, b.blobs, b.box.in.to, plan, i, arg)
		default:
			msg, err = plan.AppendArg(msg, i, arg)
		}
		if err != nil {
			return nil, err
		}
	}
	return msg, tlv.PatchArgc(msg, len(args))
}

// Run makes the calls in order and empties the batch. There is a result for
// every call, which its Err belongs to. The error of Run itself means that no
// call was made: ctx was done, or the box or one among the arguments is closed.
func (b *Batch) Run(ctx context.Context) ([]BatchResult, error) {
	defer b.Reset()
	return b.AppendResults(ctx, make([]BatchResult, 0, len(b.calls)))
}

// AppendResults is [Batch.Run] with the results appended to dst.
func (b *Batch) AppendResults(ctx context.Context, dst []BatchResult) ([]BatchResult, error) {
	defer b.Reset()
	if len(b.calls) == 0 {
		return dst, nil
	}
	in := b.box.in
	if err := context.Cause(ctx); err != nil {
		return dst, fmt.Errorf("batch on %v: %w", b.box, err)
	}
	f, err := in.host.frames.acquire(ctx, in, &b.box.hint)
	if err != nil {
		return dst, fmt.Errorf("batch on %v: %w", b.box, err)
	}
	if err := b.lend(f); err != nil {
		in.host.frames.release(f)
		return dst, fmt.Errorf("batch on %v: %w", b.box, err)
	}
	first := len(dst)
	dst = slices.Grow(dst, len(b.calls))[:first+len(b.calls)]
	if abandoned := b.run(ctx, f, dst[first:]); !abandoned {
		in.host.frames.release(f)
	}
	runtime.KeepAlive(b.box)
	return dst, nil
}

// run makes the calls; there is a place in results for each. When ctx ends, it makes
// no further one; abandoned tells that one is still under way, with the frame.
func (b *Batch) run(ctx context.Context, f *frame, results []BatchResult) (abandoned bool) {
	in := b.box.in
	for at := 0; at < len(results); {
		if at > 0 && ctx.Err() != nil {
			b.fail(results, at, context.Cause(ctx))
			return false
		}
		made, err := in.to.InvokeBatch(ctx, b.calls[at:])
		if err != nil {
			b.fail(results, at, err)
			return false
		}
		at += b.outcomes(ctx, b.calls[at:at+made], b.slots[at:], results[at:])
		// What was not made, or needs more room, is made by itself; then the
		// batch goes on behind it.
		if at < len(results) {
			if results[at], abandoned = b.single(ctx, f, at); abandoned {
				b.fail(results, at+1, context.Cause(ctx))
				return true
			}
			at++
		}
	}
	return false
}

// lend keeps the boxes among the arguments alive until the frame's release.
func (b *Batch) lend(f *frame) error {
	if b.box.in.closed.Load() {
		return ErrClosed
	}
	for _, box := range b.lent {
		if box.in.to.Lost() || box.in.lib == b.box.in.lib && box.in.to != b.box.in.to {
			return fmt.Errorf("an argument is %v: %w", box, ErrInstanceLost)
		}
		if !box.in.lend() {
			return fmt.Errorf("an argument is %v: %w", box, ErrClosed)
		}
		f.untidy = true
		f.lent = append(f.lent, box.in)
	}
	return nil
}

// outcomes sets the results of calls that the plugin has answered, up to one
// that needs more room, and returns how many there are.
func (b *Batch) outcomes(ctx context.Context, calls []abi.Call, slots []slot, results []BatchResult) int {
	for i := range calls {
		c, s := &calls[i], &slots[i]
		if plain(c, s.room[:]) {
			if v, ok := s.plan.DecodeFixed(s.room[:c.ResultLength]); ok {
				results[i] = BatchResult{Result: Result{Value: v}}
				continue
			}
		}
		if c.Code == abi.ErrShortBuffer {
			return i
		}
		results[i] = b.outcome(ctx, c, s)
	}
	return len(calls)
}

func (b *Batch) outcome(ctx context.Context, c *abi.Call, s *slot) BatchResult {
	in := b.box.in
	if err := check(c, s.room[:]); err != nil {
		seal(c, s.room[:])
		return BatchResult{Err: in.failed(s.plan, err)}
	}
	answer := s.room[:c.ResultLength]
	if c.Code != abi.OK {
		return BatchResult{Err: in.refused(s.plan, c.Code, answer)}
	}
	r, err := in.result(ctx, s.plan, b.lentTo(s), answer)
	return BatchResult{r, err}
}

// lentTo are the boxes among the arguments of one call.
func (b *Batch) lentTo(s *slot) (lent []*instance) {
	for _, box := range b.lent[s.lent.from:s.lent.to] {
		lent = append(lent, box.in)
	}
	return lent
}

// single makes one of the calls by itself, with room for any result.
func (b *Batch) single(ctx context.Context, f *frame, i int) (r BatchResult, goesOn bool) {
	in, plan := b.box.in, b.slots[i].plan
	f.Call = b.calls[i]
	seal(&f.Call, f.room)
	err := in.to.Invoke(ctx, &f.Call)
	if err == nil {
		err = f.settle(ctx, in.to, in.host.options.maxResult)
	}
	late := abandoned(err)
	switch {
	case late != nil:
		// What was lent goes with the call.
		f.to, f.blobs, b.blobs = in.to, b.blobs, nil
		return BatchResult{Err: in.abandon(plan, f, late)}, true
	case err != nil:
		return BatchResult{Err: in.failed(plan, err)}, false
	case f.Code != abi.OK:
		return BatchResult{Err: in.refused(plan, f.Code, f.answer())}, false
	}
	r.Result, r.Err = in.result(ctx, plan, b.lentTo(&b.slots[i]), f.answer())
	return r, false
}

// fail gives all calls from at on the same error.
func (b *Batch) fail(results []BatchResult, at int, err error) {
	for i := at; i < len(results); i++ {
		results[i] = BatchResult{Err: b.box.in.failed(b.slots[i].plan, err)}
	}
}
