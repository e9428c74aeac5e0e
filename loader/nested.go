package loader

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/calls"
	"github.com/nyash-plugins/nyash-go/internal/cmem"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/tlv"
)

var (
	errNoNestedSlot = fmt.Errorf("%d calls that plugins make are under way, and there is no room for another", maxNested)
	errNoShare      = fmt.Errorf("%d calls that this plugin has made are under way, those of its dead processes among them, and it can have no other", maxShare)
)

// slot takes a slot for a call of the program's. One that a host function makes in its
// caller's chain has a slot of those, and waits for none.
func (h *Host) slot(ctx context.Context, in *instance, cache *slotCache) (*callSlot, error) {
	if !h.connecting || calls.At(ctx).Depth == 0 {
		return h.slots.acquire(ctx, in, cache)
	}
	if s := h.slots.findNested(in); s != nil {
		return s, nil
	}
	return nil, errNoNestedSlot
}

// runNested is [instance.run] for a call that a plugin makes: its arguments are on the wire.
func (in *instance) runNested(n *nestedCall) (*callSlot, error) {
	h := in.host
	s, err := n.slot(in)
	if err != nil {
		return nil, err
	}
	if in.closed.Load() { // after the slot was taken, see run
		h.slots.release(s)
		if h.isClosing() {
			return nil, errClosing
		}
		return nil, codeErrorf(abi.ErrInvalidHandle, "%v: %v", in, ErrClosed)
	}
	length, err := n.encode(in, s)
	ctx := s.begin(n.frame, n.at)
	apart := n.isolated && (!in.lib.isGo || n.phase)
	if apart && !in.lib.isGo {
		// The call goes on as one that is waited for: the plugin is not to pay for the
		// end of the worker that has called it.
		ctx.Context = n.frame.Caller()
	}
	if err == nil && in.lendsInTurn(&s.borrowed) {
		err = in.takeTurn(n.frame, ctx, s)
	}
	if err == nil && !s.borrowed.empty() {
		err = s.lend(n.frame, in)
		for i := range s.blobs {
			s.blobs[i].writeTo(s.args)
		}
	}
	if err == nil && in.connected && s.turn == nil {
		err = in.takeTurn(n.frame, ctx, s)
	}
	if err != nil {
		h.slots.release(s)
		return nil, err
	}
	s.TypeID, s.Method, s.Instance = in.typ.ID, n.plan.ID, in.id
	s.SetArgs(s.args[:length])
	armResult(&s.Call, s.resultBuf)
	if apart {
		err = in.invokeApart(n.frame, ctx, s)
	} else {
		err = in.invokeHere(ctx, s)
	}
	if err == nil && fastOK(&s.Call, s.resultBuf) {
		return s, nil
	}
	abandoned, err := in.finishCall(ctx, n.plan, s, err)
	if err == nil {
		return s, nil
	}
	if !abandoned {
		h.slots.release(s)
	}
	return nil, err
}

func (n *nestedCall) slot(in *instance) (*callSlot, error) {
	if n.isolated && n.share.Add(1) > maxShare {
		n.share.Add(-1)
		return nil, errNoShare
	}
	s := in.host.slots.findNested(in)
	switch {
	case s == nil && n.isolated:
		n.share.Add(-1)
		fallthrough
	case s == nil:
		return nil, errNoNestedSlot
	case n.isolated:
		s.share = &n.share
	}
	return s, nil
}

// invokeHere makes a call on this goroutine, by which a host function that closes what it is
// called for is told.
func (in *instance) invokeHere(ctx context.Context, s *callSlot) error {
	if in.lib.isGo {
		defer hostvtable.Enter(ctx).Leave()
	}
	return in.backend.Invoke(ctx, &s.Call)
}

// invokeApart makes a call that an isolated plugin waits for. The plugin's worker may end
// before it does, and the context of who called the plugin: then until ends, the call goes on,
// and the error is an [*transport.AbandonedError]. A host function is given the context and
// sees to that itself, which saves the change of goroutines; but a worker's start and its
// shutdown have their time whatever it does.
func (in *instance) invokeApart(until, ctx context.Context, s *callSlot) error {
	done := make(chan error, 1)
	go func() { done <- in.invokeHere(ctx, s) }()
	select {
	case err := <-done:
		return err
	case <-until.Done():
		return transport.NewAbandoned(context.Cause(until), func() error {
			err := <-done
			if late := asAbandoned(err); late != nil {
				return late.Wait()
			}
			return err
		})
	}
}

// encode copies the call's message into the slot, checked against what is declared, with
// handles as the library of in knows them, and returns its length. What the arguments refer
// to is added to the slot, and not lent yet.
func (n *nestedCall) encode(in *instance, s *callSlot) (length int, err error) {
	if n.call.Args == nil && n.call.ArgsLength > 0 {
		return 0, codeErrorf(abi.ErrInvalidArgs, "the arguments are %d bytes at NULL", n.call.ArgsLength)
	}
	if most := uintptr(in.host.options.maxResult); n.call.ArgsLength > most {
		return 0, codeErrorf(abi.ErrInvalidArgs, "the arguments have %d bytes, and the host takes %d (loader.WithMaxResult)", n.call.ArgsLength, most)
	}
	s.args = append(s.args[:0], n.call.Message()...)
	defer func() { s.args = s.args[:cap(s.args)] }()
	if n.plan.IsFixed(s.args) {
		return len(s.args), nil
	}
	d := tlv.NewDecoder(s.args)
	count := 0
	for e, ok := d.Next(); ok; e, ok = d.Next() {
		if err := n.plan.CheckWire(count, e); err != nil {
			return 0, err
		}
		switch e.Tag {
		case tlv.TagHandle:
			err = n.appendBox(in, s, count, e)
		case tlv.TagBlob:
			err = n.appendBlob(s, count, e)
		}
		if err != nil {
			return 0, err
		}
		count++
	}
	if err := d.Err(); err != nil {
		return 0, fmt.Errorf("%w: %w", abi.ErrInvalidArgs, err)
	}
	if err := n.plan.CheckCount(count); err != nil {
		return 0, err
	}
	msg, count, err := n.plan.AppendDefaults(s.args, count)
	s.args = msg
	if err != nil {
		return 0, err
	}
	return len(msg), tlv.PatchArgc(msg, count)
}

func (n *nestedCall) appendBox(in *instance, s *callSlot, i int, e tlv.Entry) error {
	a, err := n.argument(i, e.Value())
	if err != nil {
		return err
	}
	if a.in.lostTo(in) {
		return codeErrorf(abi.ErrInvalidHandle, "argument %d is %v: %v", i+1, a.in, a.in.whyLostTo())
	}
	if a.handle, err = in.life.nameOf(a.in); err != nil {
		return err
	}
	s.boxes = append(s.boxes, a)
	binary.LittleEndian.PutUint32(e.Payload, a.handle.Type)
	binary.LittleEndian.PutUint32(e.Payload[4:], a.handle.Instance)
	return nil
}

func (n *nestedCall) appendBlob(s *callSlot, i int, e tlv.Entry) error {
	addr, length := e.Blob()
	most := n.lib.host.options.maxBlob
	if length > most {
		return codeErrorf(abi.ErrInvalidArgs, "argument %d is a blob of %d bytes, and the host takes %d (loader.WithMaxBlob)", i+1, length, most)
	}
	var data []byte
	var copied *calls.Budget
	if length > 0 {
		if err := cmem.Probe(uintptr(addr), int(length)); err != nil {
			return codeErrorf(abi.ErrInvalidArgs, "argument %d is a blob that cannot be read: %v", i+1, err)
		}
		data = cmem.Memory(uintptr(addr), int(length))
		if n.isolated {
			// In memory that a worker shares it could change while it is read, and be gone with
			// the worker while the call goes on.
			if copied = n.blobBytes; !copied.Take(len(data)) {
				return codeErrorf(abi.ErrOutOfMemory, "argument %d is a blob of %d bytes, and those that %s has lent would have more than %d together (loader.WithMaxBlob)", i+1, length, n.lib.name, copied.Most())
			}
			data = bytes.Clone(data)
		}
	}
	s.blobs = append(s.blobs, blobArg{data: data, copied: copied, index: uint32(i), at: uint32(e.Offset + tlv.EntryHeaderSize)})
	return nil
}

// answer answers with the result in the slot, and releases that.
func (n *nestedCall) answer(in *instance, s *callSlot) error {
	defer in.host.slots.release(s)
	msg := s.resultBytes()
	if _, ok := n.plan.DecodeFixed(msg); ok {
		n.reply(msg)
		return nil
	}
	e, err := n.plan.Entry(msg)
	if err != nil {
		if v, decodeErr := tlv.DecodeOne(msg); decodeErr == nil && v.Tag() == tlv.TagHandle {
			in.discard(s.boxes, v)
		}
		return err
	}
	switch e.Tag {
	case tlv.TagHandle:
		return n.answerBox(in, s, e)
	case tlv.TagBlob:
		return n.answerBlob(in, e)
	}
	n.reply(msg)
	return nil
}

// reply answers with a message that hands nothing over.
func (n *nestedCall) reply(msg []byte) {
	if len(msg) > len(n.room) {
		n.deliver(&calls.Answer{Message: append([]byte(nil), msg...)})
		return
	}
	n.call.Code, n.call.ResultLength = abi.OK, uintptr(copy(n.room, msg))
}

// deliver answers, or keeps the answer where the library's buffer is too small for it.
func (n *nestedCall) deliver(a *calls.Answer) {
	if len(a.Message) > len(n.room) {
		n.keep(a)
		return
	}
	if a.HasBlob {
		addr, err := n.from.Place(a.Blob)
		if err != nil {
			a.Drop()
			n.fail(codeErrorf(abi.ErrOutOfMemory, "the library's alloc has no %d bytes: %v", len(a.Blob), err))
			return
		}
		binary.LittleEndian.PutUint64(a.Message[blobAddress:], addr)
		a.Drop() // the library has a copy
	}
	n.call.Code, n.call.ResultLength = abi.OK, uintptr(copy(n.room, a.Message))
}

// keep keeps an answer until the library has a larger buffer for it.
func (n *nestedCall) keep(a *calls.Answer) {
	var kept bool
	if n.byThread {
		kept = n.kept.Keep(n.from.Thread(), n.call, n.call.Message(), a, n.keptBytes)
	} else {
		kept = n.frame.Kept.Keep(n.call, n.call.Message(), a, n.keptBytes)
	}
	if kept {
		n.call.Code, n.call.ResultLength = abi.ErrShortBuffer, uintptr(len(a.Message))
		return
	}
	if a.Drop != nil {
		a.Drop()
	}
	err := codeErrorf(abi.ErrOutOfMemory, "the answers that %s has asked for and not fetched, with their arguments, would have more than the %d bytes that the host keeps for a library (%d times loader.WithMaxResult)",
		n.lib.name, n.keptBytes.Most(), keptResults)
	n.warnOnce("keep", err.Error)
	n.fail(err)
}

// keptResults is how many times the longest result is kept for a library, in bytes of all
// answers and their arguments. It is enough for as many calls at once as are usual, each of
// which may be answered a second time.
const keptResults = 16

// blobAddress is where a message with one Blob has its address.
const blobAddress = tlv.HeaderSize + tlv.EntryHeaderSize

// answerBox gives the library a hold of the box that the result names.
func (n *nestedCall) answerBox(in *instance, s *callSlot, e tlv.Entry) error {
	handle, _ := e.Value().Handle()
	named, held, err := in.namedBy(handle, s.boxes)
	if err != nil {
		return err
	}
	out, err := n.handOver(named, n.plan.Returns.Box)
	if held {
		in.life.giveUp(named)
	}
	named.closeUnheld()
	if err != nil {
		return err
	}
	var memory [blobAddress + 8]byte
	msg := tlv.AppendHandle(tlv.AppendHeader(memory[:0]), out)
	if err := tlv.PatchArgc(msg, 1); err != nil {
		return err
	}
	if len(msg) <= len(n.room) {
		n.reply(msg)
		return nil
	}
	holder := n.life
	n.deliver(&calls.Answer{Message: msg, Drop: func() { holder.giveUp(named) }})
	return nil
}

// handOver gives the library that calls a hold of an instance.
func (n *nestedCall) handOver(in *instance, want string) (tlv.Handle, error) {
	if err := wanted(want, in.typ.Name); err != nil {
		return tlv.Handle{}, err
	}
	if n.lib.host.isClosing() { // or the end of one box could follow the making of another for ever
		return tlv.Handle{}, errClosing
	}
	return n.life.hold(in)
}

// answerBlob answers with a copy of the result in memory of the library's.
func (n *nestedCall) answerBlob(in *instance, e tlv.Entry) error {
	addr, length := e.Blob()
	data, release, err := in.adoptBlob(n.frame, n.plan, addr, length)
	if err != nil {
		return err
	}
	msg := tlv.AppendBlob(tlv.AppendHeader(nil), 0, length)
	if err := tlv.PatchArgc(msg, 1); err != nil {
		release()
		return err
	}
	n.deliver(&calls.Answer{Message: msg, Blob: data, HasBlob: true, Drop: release})
	return nil
}

// birth makes an instance that the library holds, or gives it a hold of the singleton.
func (n *nestedCall) birth() error {
	if n.call.Instance != 0 {
		return codeErrorf(abi.ErrInvalidArgs, "birth is called with instance 0")
	}
	if n.lib.host.retain() != nil {
		return errClosing
	}
	defer n.lib.host.release()
	if err := n.target.load(n.within()); err != nil {
		return codeErrorf(abi.ErrPlugin, "%v", err)
	}
	typ := n.target.typ.Load()
	n.plan = typ.birth
	in, err := n.bear(typ)
	if err != nil {
		return err
	}
	handle, err := n.handOver(in, "")
	in.closeUnheld()
	if err != nil {
		return err
	}
	var id [4]byte
	binary.LittleEndian.PutUint32(id[:], handle.Instance)
	if len(id) <= len(n.room) {
		n.reply(id[:])
		return nil
	}
	n.deliver(&calls.Answer{Message: append([]byte(nil), id[:]...), Drop: func() { n.life.giveUp(in) }})
	return nil
}

func (n *nestedCall) bear(typ *boundType) (*instance, error) {
	h := n.lib.host
	if typ.Singleton {
		box, err := h.singleton(n.within(), n.target, birthArgs{nested: n})
		if err != nil {
			return nil, err
		}
		return box.in, nil
	}
	n.target.lib.births.Add(1)
	in, s, err := h.callBirth(n.within(), n.target, birthArgs{nested: n}, nil)
	if in == nil || !in.birthAbandoned { // or else endLateBirth does it
		defer n.target.lib.births.Add(-1)
	}
	if err != nil {
		return nil, err
	}
	defer h.slots.release(s)
	return in, in.bornUnheld(s.resultBytes())
}

// within is the context of what the call waits for.
func (n *nestedCall) within() context.Context { return calls.Within(n.frame, n.at) }

// fini gives up one of the library's holds.
func (n *nestedCall) fini() error {
	in, err := n.instance()
	if in == nil {
		return err
	}
	if !n.life.handles.GiveUp(in) {
		return codeErrorf(abi.ErrInvalidHandle, "%s does not hold %s %d", n.lib.name, n.target.name, n.call.Instance)
	}
	if in.dropHolds(1) {
		n.finalise(in)
	}
	if err == nil {
		n.reply(nil)
	}
	return err
}

// finalise has an instance finalised that the library was the last to hold. It waits for the
// fini as for a call, but for one that may have to wait for this very chain.
func (n *nestedCall) finalise(in *instance) {
	switch {
	case in.connected || !in.host.slots.idle(in):
		in.lib.finalise(in)
	case n.frame.Done() == nil, !n.isolated && !in.lib.source.killable():
		_ = in.close(context.Background()) // Background never ends
	default:
		in.lib.finalise(in)
		select {
		case <-in.closeDone:
		case <-n.frame.Done():
		}
	}
}
