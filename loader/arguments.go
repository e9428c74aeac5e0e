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
	lentBlobs int     // the first so many blobs are lent
	backend   backend // that blobs are lent to
}

// boxArg is a Box that was passed as an argument.
type boxArg struct {
	box   *Box // Box.self of the argument, see there
	index int  // among the call's arguments
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
			if err = in.lendable(box, i); err == nil {
				b.boxes = append(b.boxes, boxArg{box.self, i})
				msg, err = plan.AppendArg(msg, i, box.in.handle())
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

// lendable returns an error unless box can be argument i of a call on in: it belongs
// to the same host, its instance has not been lost, and its type id is not that of
// another box in the library of in.
func (in *instance) lendable(box *Box, i int) error {
	if box == nil {
		return fmt.Errorf("argument %d is a nil *loader.Box", i+1)
	}
	arg := box.in
	switch {
	case arg.host != in.host:
		return fmt.Errorf("argument %d: %w", i+1, ErrForeignBox)
	case arg.lostTo(in):
		return errNotLent(arg, i, ErrInstanceLost)
	case arg.lib == in.lib:
		return nil
	}
	if own := in.lib.boxTypeByID(arg.typ.ID); own != nil {
		return fmt.Errorf("argument %d is a %s of %s, whose type_id %d is that of %s in %s: give one of the two another type_id to pass boxes between them",
			i+1, arg.typ.Name, arg.lib.name, arg.typ.ID, own.name, in.lib.name)
	}
	return nil
}

// lostTo reports whether an argument cannot be meant by its id in a call on in: its
// instance is lost, or belongs to an earlier life of the library, whose ids name
// other instances now.
func (in *instance) lostTo(called *instance) bool {
	return in.backend.Lost() || in.lib == called.lib && in.backend != called.backend
}

// lend keeps the boxes among the arguments of calls on in from being finalised until
// returnAll, and has the plugin see the blobs for as long; their addresses are then to be
// written to the calls' messages. It fails where a box is closed, or was lost since
// encodeArgs.
func (b *borrowed) lend(ctx context.Context, in *instance) error {
	if len(b.boxes) > 0 {
		if err := b.lendBoxes(in); err != nil {
			return err
		}
	}
	if len(b.blobs) > 0 {
		return b.lendBlobs(ctx, in.backend)
	}
	return nil
}

func (b *borrowed) lendBoxes(in *instance) error {
	for _, a := range b.boxes[b.lent:] {
		arg := a.box.in
		if arg.lostTo(in) {
			return errNotLent(arg, a.index, ErrInstanceLost)
		}
		if !arg.lend() {
			return errNotLent(arg, a.index, ErrClosed)
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
		a.box.in.lentAbandoned.Add(1)
	}
}

// returnAll ends the lending and empties b. abandoned is whether abandon was called.
func (b *borrowed) returnAll(abandoned bool) {
	for _, a := range b.boxes[:b.lent] {
		if abandoned {
			a.box.in.lentAbandoned.Add(-1)
		}
		a.box.in.unlend()
	}
	b.lent = 0
	if b.lentBlobs > 0 {
		b.takeBackBlobs()
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
