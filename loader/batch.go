package loader

import (
	"context"
	"fmt"
	"runtime"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/registry"
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
	calls []batched
	invs  []abi.Invocation // one for each of calls
	rooms []byte           // their results' room, one behind the other
	args  []byte           // their arguments, one behind the other
	lent  []*Box           // boxes among the arguments
}

// batched is a call that waits for Run.
type batched struct {
	plan     *registry.Plan
	from, to int // its arguments in args
}

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
	b.calls, b.args = b.calls[:0], b.args[:0]
	clear(b.lent)
	b.lent = b.lent[:0]
}

// Add appends a call. An unknown method or arguments that do not fit are an
// error as for [Box.Call]; nothing is then added.
func (b *Batch) Add(method string, args ...any) error {
	plan, err := b.box.in.typ.Method(method)
	if err != nil {
		return &CallError{Box: b.box.in.typ.Name, Method: method, Err: err}
	}
	return b.add(plan, args)
}

// AddMethod is [Batch.Add] for a method that was found before. It must be a
// method of the batch's box.
func (b *Batch) AddMethod(m *Method, args ...any) error {
	if m.box.in != b.box.in {
		return fmt.Errorf("batch on %v: %s is a method of %v", b.box, m.plan.Name, m.box)
	}
	return b.add(m.plan, args)
}

func (b *Batch) add(plan *registry.Plan, args []any) error {
	from, lent := len(b.args), len(b.lent)
	msg, ok := plan.AppendNumbers(b.args, args)
	if !ok {
		var err error
		if msg, err = b.encode(plan, args); err != nil {
			b.lent = b.lent[:lent]
			return unmade(plan, err)
		}
	}
	b.args = msg
	b.calls = append(b.calls, batched{plan, from, len(msg)})
	return nil
}

// encode appends the arguments of a call. Boxes among them are lent when the
// batch runs.
func (b *Batch) encode(plan *registry.Plan, args []any) ([]byte, error) {
	if err := plan.CheckCount(len(args)); err != nil {
		return nil, err
	}
	msg := tlv.AppendHeader(b.args)
	for i, arg := range args {
		var err error
		if box, ok := arg.(*Box); ok {
			if err = b.box.in.host.lendable(box, i); err == nil {
				b.lent = append(b.lent, box.self)
				msg, err = plan.AppendArg(msg, i, box.in.handle())
			}
		} else {
			msg, err = plan.AppendArg(msg, i, arg)
		}
		if err != nil {
			return nil, err
		}
	}
	return msg, tlv.PatchArgc(msg[len(b.args):], len(args))
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
	f, err := in.host.frames.acquire(ctx, in, nil)
	if err != nil {
		return dst, fmt.Errorf("batch on %v: %w", b.box, err)
	}
	defer f.end(in.host)
	if err := b.lend(f); err != nil {
		return dst, fmt.Errorf("batch on %v: %w", b.box, err)
	}
	b.prepare()
	for at := 0; at < len(b.calls); {
		made, err := in.lib.backend.InvokeBatch(ctx, b.invs[at:])
		if err != nil {
			dst = b.fail(dst, at, err)
			break
		}
		for range made {
			if b.invs[at].Code == abi.ErrShortBuffer {
				break
			}
			dst = append(dst, b.outcome(ctx, at))
			at++
		}
		// What was not made, or needs more room, is made by itself; then the
		// batch goes on behind it.
		if at < len(b.calls) {
			dst = append(dst, b.single(ctx, f, at))
			at++
		}
	}
	runtime.KeepAlive(b.box)
	return dst, nil
}

// lend keeps the boxes among the arguments alive until the frame's end.
func (b *Batch) lend(f *frame) error {
	if b.box.in.closed.Load() {
		return ErrClosed
	}
	for _, box := range b.lent {
		if !box.in.lend() {
			return fmt.Errorf("an argument is %v: %w", box, ErrClosed)
		}
		f.lent = append(f.lent, box.in)
	}
	return nil
}

// prepare lays the calls out for the plugin.
func (b *Batch) prepare() {
	in := b.box.in
	const each = batchRoom + canary
	if need := len(b.calls) * each; cap(b.rooms) < need {
		b.rooms = make([]byte, need)
	}
	b.rooms = b.rooms[:cap(b.rooms)]
	b.invs = b.invs[:0]
	for i, c := range b.calls {
		b.invs = append(b.invs, abi.Invocation{
			TypeID:   in.typ.ID,
			Method:   c.plan.ID,
			Instance: in.id,
			Args:     b.args[c.from:c.to],
		})
		seal(&b.invs[i], b.room(i))
	}
}

func (b *Batch) room(i int) []byte {
	const each = batchRoom + canary
	return b.rooms[i*each : (i+1)*each : (i+1)*each]
}

// outcome is the result of a call that the plugin has answered.
func (b *Batch) outcome(ctx context.Context, i int) BatchResult {
	in, plan, inv := b.box.in, b.calls[i].plan, &b.invs[i]
	if err := check(inv, b.room(i)); err != nil {
		return BatchResult{Err: in.failed(plan, err)}
	}
	if inv.Code != abi.OK {
		return BatchResult{Err: in.refused(plan, inv)}
	}
	r, err := in.result(ctx, plan, inv.Result[:inv.Length])
	return BatchResult{Result: r, Err: err}
}

// single makes one of the calls by itself, with room for any result.
func (b *Batch) single(ctx context.Context, f *frame, i int) BatchResult {
	in, plan := b.box.in, b.calls[i].plan
	own := f.Args
	f.Invocation = b.invs[i]
	err := f.exchange(ctx, in.lib.backend, in.host.options.maxResult)
	f.Args = own
	switch {
	case err != nil:
		return BatchResult{Err: in.failed(plan, err)}
	case f.Code != abi.OK:
		return BatchResult{Err: in.refused(plan, &f.Invocation)}
	}
	r, err := in.result(ctx, plan, f.answer())
	return BatchResult{Result: r, Err: err}
}

// fail gives all calls from at on the same error.
func (b *Batch) fail(dst []BatchResult, at int, err error) []BatchResult {
	for _, c := range b.calls[at:] {
		dst = append(dst, BatchResult{Err: b.box.in.failed(c.plan, err)})
	}
	return dst
}
