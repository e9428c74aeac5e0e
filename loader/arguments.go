package loader

import (
	"context"
	"fmt"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/plan"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// borrowed is what the arguments of a call, or of the calls of a batch, refer to and
// what therefore has to outlive it. It is filled by encodeArgs, and emptied by
// returnAll when the calls have ended.
type borrowed struct {
	boxes     []boxArg
	lent      int // the first so many boxes are lent, see lend
	blobs     []blobArg
	lentBlobs int   // the first so many blobs are lent
	to        *life // of the library that boxes and blobs are lent to
}

// boxArg is an instance that was passed as an argument.
type boxArg struct {
	in     *instance
	box    *Box       // Box.self of the program's argument, see there; nil for a plugin's
	handle tlv.Handle // by which the library that is called knows it
	index  int        // among the call's arguments
	guest  bool       // the host knows the instance by this call alone, see [instance.lentBy]
}

func (b *borrowed) empty() bool { return len(b.boxes)+len(b.blobs) == 0 }

// encodeArgs appends the TLV message with a call's arguments to msg, and what they
// refer to, to b. Nothing of that is lent yet, see lend. On an error b may have grown.
//
// No argument escapes but the data of blobs: of a Box its self is kept.
func (in *instance) encodeArgs(msg []byte, b *borrowed, plan *plan.Plan, args []any) ([]byte, error) {
	if err := plan.CheckCount(len(args)); err != nil {
		return nil, err
	}
	var err error
	msg = tlv.AppendHeader(msg)
	for i, arg := range args {
		switch box, ok := arg.(*Box); {
		case ok:
			var handle tlv.Handle
			if handle, err = in.lendable(box, i); err == nil {
				b.boxes = append(b.boxes, boxArg{in: box.in, box: box.self, handle: handle, index: i})
				msg, err = plan.AppendArg(msg, i, handle)
			}
		case isHandle(arg):
			err = errHandleArg(i)
		case plan.IsBlob(i):
			msg, err = b.appendBlob(msg, plan, i, arg)
		default:
			msg, err = plan.AppendArg(msg, i, arg)
		}
		if err != nil {
			return nil, err
		}
	}
	msg, count, err := plan.AppendDefaults(msg, len(args))
	if err != nil {
		return nil, err
	}
	return msg, tlv.PatchArgc(msg, count)
}

// isHandle reports whether an argument names a box by its numbers. Such a box would
// not be lent: nothing would keep it from being finalised during the call.
func isHandle(arg any) bool {
	switch v := arg.(type) {
	case tlv.Handle:
		return true
	case tlv.Value:
		return v.Tag() == tlv.TagHandle
	}
	return false
}

func errHandleArg(i int) error {
	return fmt.Errorf("argument %d is a handle: pass the *loader.Box instead: %w", i+1, abi.ErrInvalidArgs)
}

// lendable returns the handle by which the library of in is told of argument i of a call
// on in, or an error unless box can be one: it is open, belongs to the same host, and its
// instance has not been lost.
func (in *instance) lendable(box *Box, i int) (tlv.Handle, error) {
	if box == nil {
		return tlv.Handle{}, &ArgError{Index: i, Msg: "it is a nil *loader.Box"}
	}
	arg := box.in
	switch {
	case arg.host != in.host:
		return tlv.Handle{}, fmt.Errorf("argument %d: %w", i+1, ErrForeignBox)
	case arg.lostTo(in):
		return tlv.Handle{}, errNotLent(arg, i, arg.whyLostTo())
	case box.closed.Load():
		return tlv.Handle{}, errNotLent(arg, i, ErrClosed)
	}
	handle, err := in.life.nameOf(arg)
	if err != nil {
		return tlv.Handle{}, errNotLent(arg, i, err)
	}
	return handle, nil
}

// lostTo reports whether an argument cannot be meant by its id in a call on in: its
// instance is lost, or belongs to an earlier life of the library, whose ids name
// other instances now.
func (in *instance) lostTo(called *instance) bool {
	return in.backend.Lost() || in.lib == called.lib && in.backend != called.backend
}

// errOtherModule: an argument cannot be meant, because each module has memory of its own.
var errOtherModule = fmt.Errorf("it lives in another module of its library (instances in nyash.toml), which this one cannot reach: %w", abi.ErrInvalidHandle)

// whyLostTo says why lostTo is true.
func (in *instance) whyLostTo() error {
	if !in.backend.Lost() && in.lib.isModule() {
		return errOtherModule
	}
	return in.lib.errLost()
}

// lend keeps the boxes among the arguments of calls on in from being finalised until
// returnAll, and has the plugin see the blobs for as long; their addresses are then to be
// written to the calls' messages. It fails where a box is closed, or was lost since
// encodeArgs.
func (b *borrowed) lend(ctx context.Context, in *instance) error {
	b.to = in.life
	if len(b.boxes) > 0 {
		if err := b.lendBoxes(in); err != nil {
			return err
		}
	}
	if len(b.blobs) > 0 {
		return b.lendBlobs(ctx)
	}
	return nil
}

func (b *borrowed) lendBoxes(in *instance) error {
	for _, a := range b.boxes[b.lent:] {
		if a.in.lostTo(in) {
			return errNotLent(a.in, a.index, a.in.whyLostTo())
		}
		if !a.in.lend() {
			return errNotLent(a.in, a.index, ErrClosed)
		}
		if a.in.lib != in.lib && !in.life.handles.Lend(a.in) {
			a.in.unlend()
			return errNotLent(a.in, a.index, a.in.lib.errLost())
		}
		b.lent++
	}
	return nil
}

// errNotLent is the error of an argument that cannot be lent. It takes the instance
// and not the Box: an argument that reaches fmt escapes, and with it the arguments of
// every call.
func errNotLent(arg *instance, i int, why error) error {
	return fmt.Errorf("argument %d is %s: %w", i+1, arg.String(), why)
}

// abandon marks what is lent as lent to a call that was abandoned.
func (b *borrowed) abandon() {
	for _, a := range b.boxes[:b.lent] {
		a.in.lentAbandoned.Add(1)
	}
}

// returnAll ends the lending and empties b. abandoned is whether abandon was called.
func (b *borrowed) returnAll(abandoned bool) {
	for _, a := range b.boxes[:b.lent] {
		if abandoned {
			a.in.lentAbandoned.Add(-1)
		}
		if a.in.lib != b.to.lib {
			b.to.handles.Return(a.in)
		}
		a.in.unlend()
	}
	b.lent = 0
	for _, a := range b.boxes {
		if a.guest {
			a.in.host.forget(a.in)
		}
	}
	if b.lentBlobs > 0 {
		b.takeBackBlobs()
	}
	for i := range b.blobs {
		if copied := b.blobs[i].copied; copied != nil {
			copied.Give(len(b.blobs[i].data))
		}
	}
	b.truncate(0, 0)
}

// truncate forgets all but the first so many boxes and blobs. The others are not lent.
func (b *borrowed) truncate(boxes, blobs int) {
	clear(b.boxes[boxes:])
	b.boxes = b.boxes[:boxes]
	clear(b.blobs[blobs:])
	b.blobs = b.blobs[:blobs]
}
