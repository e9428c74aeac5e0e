package loader

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/internal/plan"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// call runs one method call from Go values to a Go value.
func (b *Box) call(ctx context.Context, plan *plan.Plan, hint *hint, args []any) (r Result, err error) {
	in := b.in
	f, err := in.run(ctx, plan, hint, args)
	// Until here the box counts as in use, whatever the caller does with it.
	runtime.KeepAlive(b)
	if err != nil {
		return Result{}, err
	}
	if v, ok := plan.DecodeFixed(f.answer()); ok {
		r.Value = v
	} else {
		r, err = in.result(ctx, plan, f.lent, f.answer())
	}
	in.host.frames.release(f)
	return r, err
}

// result turns what the plugin wrote into a value or a box. The frame of the
// call must still be held: a host that closes waits for it, and then finds the
// box that the call may have brought.
func (in *instance) result(ctx context.Context, plan *plan.Plan, lent []*instance, answer []byte) (Result, error) {
	v, err := plan.Result(answer)
	if err != nil {
		return Result{}, in.failed(plan, err)
	}
	switch v.Tag() {
	case tlv.TagHandle:
		return in.boxResult(plan, lent, v)
	case tlv.TagBlob:
		return in.blobResult(ctx, plan, v)
	}
	return Result{Value: v}, nil
}

// run makes a call up to the plugin's answer, which the returned frame holds.
// The caller reads it and releases the frame. Errors are complete.
func (in *instance) run(ctx context.Context, plan *plan.Plan, hint *hint, args []any) (*frame, error) {
	if ctx.Done() != nil && ctx.Err() != nil {
		return nil, unmade(plan, context.Cause(ctx))
	}
	h := in.host
	f := hint.frame.Load()
	if f == nil || !f.busy.CompareAndSwap(0, in.number) {
		var err error
		if f, err = h.frames.acquire(ctx, in, hint); err != nil {
			return nil, unmade(plan, err)
		}
	}
	// Asked only now: who closes looks through the frames after saying so.
	if in.closed.Load() {
		h.frames.release(f)
		return nil, unmade(plan, ErrClosed)
	}
	n := plan.EncodeFixed(f.args, args)
	if n == 0 {
		msg, err := f.encode(ctx, in, plan, args)
		if err != nil {
			h.frames.release(f)
			return nil, unmade(plan, err)
		}
		n, f.args = len(msg), msg[:cap(msg)]
		f.untidy = f.untidy || n > maxKept
	}
	f.TypeID, f.Method, f.Instance = in.typ.ID, plan.ID, in.id
	f.SetArgs(f.args[:n])
	seal(&f.Call, f.room)
	err := in.to.Invoke(ctx, &f.Call)
	if err == nil && plain(&f.Call, f.room) {
		return f, nil
	}
	return in.settle(ctx, plan, f, err)
}

// settle goes on after a call that was not answered plainly: with a message, a
// wish for more room, a violation, or not at all. It returns f or releases it.
func (in *instance) settle(ctx context.Context, plan *plan.Plan, f *frame, err error) (*frame, error) {
	h := in.host
	if err == nil {
		err = f.settle(ctx, in.to, h.options.maxResult)
	}
	late := abandoned(err)
	switch {
	case late != nil:
		return nil, in.abandon(plan, f, late)
	case err != nil:
		err = in.failed(plan, err)
	case f.Code != abi.OK:
		err = in.refused(plan, f.Code, f.answer())
	default:
		return f, nil
	}
	h.frames.release(f)
	return nil, err
}

// abandoned is a call that goes on, or nil.
func abandoned(err error) *isolate.AbandonedError {
	if err == nil { // apart from what follows, which allocates
		return nil
	}
	var late *isolate.AbandonedError
	errors.As(err, &late)
	return late
}

// encode writes the arguments as a TLV message. The Boxes among them are lent
// until the frame's release.
func (f *frame) encode(ctx context.Context, in *instance, plan *plan.Plan, args []any) (msg []byte, err error) {
	if err := plan.CheckCount(len(args)); err != nil {
		return nil, err
	}
	msg = tlv.AppendHeader(f.args[:0])
	for i, arg := range args {
		switch box, ok := arg.(*Box); {
		case ok:
			msg, err = f.appendBox(msg, in, plan, i, box)
		case plan.IsBlob(i):
			f.untidy = true
			f.to = in.to
			msg, f.blobs, err = appendBlob(ctx, msg, f.blobs, in.to, plan, i, arg)
		default:
			msg, err = plan.AppendArg(msg, i, arg)
		}
		if err != nil {
			return nil, err
		}
	}
	return msg, tlv.PatchArgc(msg, len(args))
}

func (f *frame) appendBox(msg []byte, in *instance, plan *plan.Plan, i int, box *Box) ([]byte, error) {
	if err := in.lendable(box, i); err != nil {
		return msg, err
	}
	if !box.in.lend() {
		return msg, notLent(box.in, i, ErrClosed)
	}
	f.untidy = true
	f.lent = append(f.lent, box.in)
	return plan.AppendArg(msg, i, box.in.handle())
}

// lendable tells whether a box can be argument i of a call on in: it belongs to the
// same host, lives, and its type id means no other box to the library.
func (in *instance) lendable(box *Box, i int) error {
	if box == nil {
		return fmt.Errorf("argument %d is a nil *loader.Box", i+1)
	}
	arg := box.in
	switch {
	case arg.host != in.host:
		return fmt.Errorf("argument %d: %w", i+1, ErrForeignBox)
	// An id of one life of a library names another instance in the next one.
	case arg.to.Lost(), arg.lib == in.lib && arg.to != in.to:
		return notLent(arg, i, ErrInstanceLost)
	case arg.lib == in.lib:
		return nil
	}
	if own := in.lib.kindOf(arg.typ.ID); own != nil {
		return fmt.Errorf("argument %d is a %s of %s, whose type_id %d is that of %s in %s: give one of the two another type_id to pass boxes between them",
			i+1, arg.typ.Name, arg.lib.name, arg.typ.ID, own.name, in.lib.name)
	}
	return nil
}

// notLent is the error of an argument that cannot be lent. It takes the instance and
// not the Box: an argument that reaches fmt would have to be on the heap in every
// call.
func notLent(arg *instance, i int, why error) error {
	return fmt.Errorf("argument %d is %s: %w", i+1, arg.String(), why)
}

// boxResult turns a handle into the box that it names.
func (in *instance) boxResult(plan *plan.Plan, lent []*instance, v tlv.Value) (Result, error) {
	handle, err := v.Handle()
	if err != nil {
		return Result{}, in.failed(plan, err)
	}
	box, err := in.boxFor(handle, lent, plan.Returns.Box)
	if err != nil {
		return Result{}, in.failed(plan, err)
	}
	return Result{Value: v, box: box}, nil
}

// unmade is the error of a call that never reached the plugin, so that its log
// has nothing to say about it.
func unmade(plan *plan.Plan, cause error) error {
	return &CallError{Box: plan.Box, Method: plan.Name, Err: cause}
}

// failed is the error of a call whose answer the host cannot accept.
func (in *instance) failed(plan *plan.Plan, cause error) error {
	return &CallError{Box: plan.Box, Method: plan.Name, Err: cause, Log: in.lib.lastLines()}
}

// refused is the error of a call that the plugin answered with a code.
func (in *instance) refused(plan *plan.Plan, code abi.Code, answer []byte) error {
	return &CallError{Box: plan.Box, Method: plan.Name, Code: code, Message: message(answer), Log: in.lib.lastLines()}
}
