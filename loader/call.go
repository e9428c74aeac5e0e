package loader

import (
	"context"
	"errors"
	"runtime"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/plan"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// call makes one method call: Go values in, a Go value out.
func (b *Box) call(ctx context.Context, plan *plan.Plan, cache *slotCache, args []any) (r Result, err error) {
	in := b.in
	if b.closed.Load() {
		return Result{}, errNotSent(plan, ErrClosed)
	}
	s, err := in.run(ctx, plan, cache, args)
	// The program may have dropped the Box: it must not be finalised before the call
	// has ended.
	runtime.KeepAlive(b)
	if err != nil {
		return Result{}, err
	}
	if bits, ok := plan.DecodeFixed(s.resultBytes()); ok {
		r = Result{num: bits, kind: &kinds[plan.Returns.Tag]}
	} else {
		r, err = in.result(ctx, plan, s.boxes, s.resultBytes(), nil)
	}
	in.host.slots.release(s)
	return r, err
}

// run makes a call up to a result that is successful and within its buffer. The
// returned slot holds it; the caller reads it and releases the slot. Errors are
// complete.
func (in *instance) run(ctx context.Context, plan *plan.Plan, cache *slotCache, args []any) (*callSlot, error) {
	if ctx.Err() != nil {
		return nil, errNotSent(plan, context.Cause(ctx))
	}
	h := in.host
	s := cache.slot.Load()
	if s == nil || !s.owner.CompareAndSwap(0, in.number) {
		var err error
		if s, err = h.slot(ctx, in, cache); err != nil {
			return nil, errNotSent(plan, err)
		}
	}
	// Hazard pointer: the slot must be published (owner set) before closed is read.
	// instance.close sets closed first and scans the slots second, so either it sees
	// this slot or this call sees closed.
	if in.closed.Load() {
		h.slots.release(s)
		return nil, errNotSent(plan, ErrClosed)
	}
	n := plan.EncodeFixed(s.args, args)
	if n == 0 {
		msg, err := in.encodeArgs(s.args[:0], &s.borrowed, plan, args)
		if !s.borrowed.empty() || len(msg) > maxKeptBuf {
			s.needsCleanup = true
		}
		if err == nil && in.lendsInTurn(&s.borrowed) {
			ctx, err = in.enter(ctx, s)
		}
		if err == nil {
			err = s.lend(ctx, in)
		}
		if err != nil {
			h.slots.release(s)
			return nil, errNotSent(plan, err)
		}
		for i := range s.blobs {
			s.blobs[i].writeTo(msg)
		}
		n, s.args = len(msg), msg[:cap(msg)]
	}
	s.TypeID, s.Method, s.Instance = in.typ.ID, plan.ID, in.id
	s.SetArgs(s.args[:n])
	armResult(&s.Call, s.resultBuf)
	if in.connected && s.turn == nil {
		var err error
		if ctx, err = in.enter(ctx, s); err != nil {
			h.slots.release(s)
			return nil, errNotSent(plan, err)
		}
	}
	var err error
	if plan.Leaf != nil && in.leaf != nil {
		err = in.invokeLeaf(ctx, plan.Leaf, s)
	} else {
		err = in.backend.Invoke(ctx, &s.Call)
	}
	if err == nil && fastOK(&s.Call, s.resultBuf) {
		return s, nil
	}
	abandoned, err := in.finishCall(ctx, plan, s, err)
	if err == nil {
		return s, nil
	}
	if !abandoned {
		h.slots.release(s)
	}
	return nil, err
}

// finishCall handles what fastOK does not: err of Invoke, an error code, a short
// buffer, a result that breaks the rules. It returns the call's error, or nil where
// the slot holds a result. A call that is abandoned goes on with the slot, which must
// then not be released.
func (in *instance) finishCall(ctx context.Context, plan *plan.Plan, s *callSlot, err error) (abandoned bool, _ error) {
	if err == nil {
		err = s.retryShortBuffer(ctx, in.backend, in.host.options.maxResult)
	}
	if late := asAbandoned(err); late != nil {
		return true, in.abandon(plan, s, late)
	}
	return false, in.callError(plan, &s.Call, s.resultBuf, err)
}

// callError is the error of a call that has ended, or nil: err, if there is one, or
// the plugin's code. The result has been checked.
func (in *instance) callError(plan *plan.Plan, c *abi.Call, buf []byte, err error) error {
	switch {
	case err != nil:
		return in.errHost(plan, err)
	case c.Code != abi.OK:
		return in.errCode(plan, c.Code, buf[:c.ResultLength])
	}
	return nil
}

// asAbandoned is err where it means that the call goes on, or nil.
func asAbandoned(err error) *transport.AbandonedError {
	if err == nil { // errors.As makes late escape, and only errors may pay for that
		return nil
	}
	var late *transport.AbandonedError
	errors.As(err, &late)
	return late
}

// result decodes the plugin's result and takes over what it refers to: a value, a box
// or a blob. boxes are those that were arguments of the call. A box or blob that dst
// does not take is discarded; the Result then has its tag alone. The call's slot must
// still be held: Host.Close waits for it and only then collects the instances that
// are left, a new one among them.
func (in *instance) result(ctx context.Context, plan *plan.Plan, boxes []boxArg, msg []byte, dst any) (Result, error) {
	v, err := plan.Result(msg)
	if err != nil {
		// An instance that was not declared is the host's all the same. A blob is left
		// alone: what was not declared need not be memory of the host table.
		if v, decodeErr := tlv.DecodeOne(msg); decodeErr == nil && v.Tag() == tlv.TagHandle {
			in.discard(boxes, v)
		}
		return Result{}, in.errHost(plan, err)
	}
	tag := v.Tag()
	switch {
	case tag != tlv.TagHandle && tag != tlv.TagBlob:
	case !takes(dst, tag):
		in.discard(boxes, v)
	case tag == tlv.TagHandle:
		return in.boxResult(plan, boxes, v)
	default:
		return in.blobResult(ctx, plan, v)
	}
	return resultOf(v), nil
}

// boxResult finds the box that a handle names.
func (in *instance) boxResult(plan *plan.Plan, boxes []boxArg, v tlv.Value) (Result, error) {
	handle, err := v.Handle()
	if err != nil {
		return Result{}, in.errHost(plan, err)
	}
	box, err := in.boxForHandle(handle, boxes, plan.Returns.Box)
	if err != nil {
		in.discard(boxes, v)
		return Result{}, in.errHost(plan, err)
	}
	return Result{kind: &box.result}, nil
}

// errNotSent is the error of a call that did not reach the plugin. It has no log
// lines, because none can be about it.
func errNotSent(plan *plan.Plan, cause error) error {
	return &CallError{Box: plan.Box, Method: plan.Name, Err: cause}
}

// errHost is the error of a call that was lost, or whose result the host refuses.
func (in *instance) errHost(plan *plan.Plan, cause error) error {
	return &CallError{Box: plan.Box, Method: plan.Name, Err: asProtocolError(cause), Log: in.lib.lastLines()}
}

// errCode is the error of a call that the plugin ended with a code.
func (in *instance) errCode(plan *plan.Plan, code abi.Code, result []byte) error {
	e := &CallError{Box: plan.Box, Method: plan.Name, Code: code, Message: message(result), Log: in.lib.lastLines()}
	if code == abi.ErrInvalidType && plan.ID == abi.MethodBirth {
		e.Advice = in.lib.wrongType(in.typ)
	}
	if e.Advice == "" {
		e.Advice = in.lib.foreign.named(e.Message)
	}
	return e
}
