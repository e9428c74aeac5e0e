package loader

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"
	"weak"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/internal/plan"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// instance is an object inside a plugin that the host owes a fini. It lives
// until that is done, whether or not the program still has the Box.
type instance struct {
	host   *Host
	lib    *library
	to     backend // where it lives
	typ    *boundType
	id     uint32
	number uint64 // in the order of making; never 0

	closed   atomic.Bool  // no further call may begin
	lent     atomic.Int32 // calls under way that have it as an argument
	lentLate atomic.Int32 // of them, those that nobody waits for

	ending atomic.Bool   // somebody sees to its fini
	calm   chan struct{} // closed when Close may return: fini was called, or follows calls that nobody waits for
	gone   chan struct{} // closed when fini was called

	// Of one whose birth was abandoned: bornLate is set then, and later is called
	// with its Box, or nil, when the birth has ended. Without later it is finalised.
	bornLate bool
	later    func(*Box)

	// Guarded by host.mu. The Box is held weakly, so that a program's dropping
	// it can be noticed; owner tells the Box in use from those before it.
	box   weak.Pointer[Box]
	owner uint64
}

// liveKey names an instance that is owed a fini. Ids are a library's own, and of
// one life of it.
type liveKey struct {
	to     backend
	handle tlv.Handle
}

func (in *instance) key() liveKey { return liveKey{in.to, in.handle()} }

// String returns a name for logs, such as "FileBox(3)".
func (in *instance) String() string { return fmt.Sprintf("%s(%d)", in.typ.Name, in.id) }

func (in *instance) handle() tlv.Handle { return tlv.Handle{Type: in.typ.ID, Instance: in.id} }

// birth makes a new instance. The host is kept open by the caller. goesOn tells
// that the birth was abandoned; later is then called when it has ended, with the
// box that came of it or nil. Without later such a box is finalised.
func (h *Host) birth(ctx context.Context, k *kind, args []any, later func(*Box)) (box *Box, goesOn bool, err error) {
	typ := k.typ.Load()
	in, f, err := h.deliver(ctx, k, typ, args, later)
	if errors.Is(err, ErrInstanceLost) {
		// The worker ended before it was called: idle, or killed. The next one
		// is as good.
		in, f, err = h.deliver(ctx, k, typ, args, later)
	}
	if err != nil {
		return nil, in != nil && in.bornLate, err
	}
	defer h.frames.release(f)
	box, err = in.born(f.answer())
	return box, false, err
}

// deliver calls birth. The frame holds the answer.
func (h *Host) deliver(ctx context.Context, k *kind, typ *boundType, args []any, later func(*Box)) (*instance, *frame, error) {
	to, err := k.lib.session(ctx)
	if err != nil {
		return nil, nil, err
	}
	in := h.newInstance(k.lib, to, typ, 0)
	in.later = later
	f, err := in.run(ctx, typ.birth, &h.births, args)
	return in, f, err
}

// born takes what birth answered.
func (in *instance) born(answer []byte) (box *Box, err error) {
	if in.id, err = newborn(in.typ, answer); err == nil {
		box, err = in.host.register(in)
	}
	if err != nil {
		return nil, in.failed(in.typ.birth, err)
	}
	return box, nil
}

func (h *Host) newInstance(l *library, to backend, typ *boundType, id uint32) *instance {
	return &instance{
		host: h, lib: l, to: to, typ: typ, id: id, number: h.made.Add(1),
		calm: make(chan struct{}), gone: make(chan struct{}),
	}
}

// newborn reads the answer to a birth: a raw u32, or a TLV with one Handle.
func newborn(t *boundType, result []byte) (id uint32, err error) {
	if len(result) == 4 {
		id = binary.LittleEndian.Uint32(result)
	} else {
		v, err := tlv.DecodeOne(result)
		if err != nil {
			return 0, violation("birth must answer the instance id in 4 bytes, or a handle; it answered %d bytes: % x", len(result), result[:min(len(result), 16)])
		}
		handle, err := v.Handle()
		if err != nil {
			return 0, violation("birth must answer the instance id in 4 bytes, or a handle; it answered %v %v", v.Tag(), v)
		}
		if handle.Type != t.ID {
			return 0, violation("birth answered a handle of type %d, and %s has type_id %d", handle.Type, t.Name, t.ID)
		}
		id = handle.Instance
	}
	if id == 0 {
		return 0, violation("birth answered instance id 0, which is never one")
	}
	return id, nil
}

// register takes a newborn instance into the host's care.
func (h *Host) register(in *instance) (*Box, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	// An instance that is being closed may have freed its id already, and one
	// that was lost has.
	if other := h.live[in.key()]; other != nil && !other.closed.Load() && !in.to.Lost() {
		return nil, violation("birth answered instance id %d, which is alive already", in.id)
	}
	return h.own(in), nil
}

// own enters an instance and makes its Box, with h.mu held.
func (h *Host) own(in *instance) *Box {
	h.live[in.key()] = in
	return in.newBox()
}

// newBox makes the Box for an instance that has none, with host.mu held.
func (in *instance) newBox() *Box {
	box := &Box{in: in}
	box.self = box
	in.box = weak.Make(box)
	in.owner++
	runtime.AddCleanup(box, (*dropped).collect, &dropped{in, in.owner})
	return box
}

// dropped is a Box that the program let go without closing it.
type dropped struct {
	in    *instance
	owner uint64
}

// collect runs on the runtime's cleanup goroutine, which must not be kept
// waiting for a plugin.
func (d *dropped) collect() {
	in := d.in
	if !in.markUnreachable(d.owner) {
		return
	}
	in.host.options.logger.Warn(fmt.Sprintf("%s instance %d was dropped without Close; it is finalised now", in.typ.Name, in.id),
		"plugin", in.lib.name)
	go in.close(context.Background()) //nolint:errcheck // there is none without an end
}

// markUnreachable closes the instance to new calls if the Box that was dropped is the
// last one that it had, and nobody closes it already. A handle that brings the
// instance back is either adopted before, and then has made another Box, or
// finds it closed.
func (in *instance) markUnreachable(owner uint64) bool {
	in.host.mu.Lock()
	defer in.host.mu.Unlock()
	return owner == in.owner && in.closed.CompareAndSwap(false, true)
}

// boxFor finds or makes the Box for a handle that the plugin returned to a call on
// in, to which boxes were lent. A handle is believed only if it names one of those,
// or an instance of the answering library (docs/abi.md, Handles). want is the box
// that nyash.toml declares, or empty.
func (in *instance) boxFor(handle tlv.Handle, lent []*instance, want string) (*Box, error) {
	if handle.Instance == 0 {
		return nil, violation("the result is a handle with instance id 0, which is never one")
	}
	for _, arg := range lent {
		if arg.handle() == handle {
			return arg.boxAgain(want)
		}
	}
	k := in.lib.kindOf(handle.Type)
	if k == nil {
		return nil, violation("the result is a handle of type %d, instance %d: no box of %s has that type_id, and no such box was an argument of this call (a plugin cannot keep boxes that it was lent, nor name another library's)",
			handle.Type, handle.Instance, in.lib.name)
	}
	if err := wanted(want, k.name); err != nil {
		return nil, err
	}
	h := in.host
	h.mu.Lock()
	known := h.live[liveKey{in.to, handle}]
	if known == nil {
		defer h.mu.Unlock()
		return h.own(h.newInstance(in.lib, in.to, k.typ.Load(), handle.Instance)), nil
	}
	h.mu.Unlock()
	return known.boxAgain(want)
}

func wanted(want, name string) error {
	if want != "" && want != name {
		return fmt.Errorf("the result is a %s, and nyash.toml declares %s", name, want)
	}
	return nil
}

// boxAgain is the Box of an instance that a plugin has named: the one that the
// program has, or a new one where it has dropped that.
func (in *instance) boxAgain(want string) (*Box, error) {
	if err := wanted(want, in.typ.Name); err != nil {
		return nil, err
	}
	in.host.mu.Lock()
	defer in.host.mu.Unlock()
	if box := in.box.Value(); box != nil {
		return box, nil
	}
	if in.closed.Load() {
		return nil, fmt.Errorf("the result is %v, which is being finalised: %w", in, ErrClosed)
	}
	return in.newBox(), nil
}

// abandon leaves a call whose context has ended to the plugin, and clears away
// what comes of it. Until then the frame, and all that was lent, stay as they are.
func (in *instance) abandon(plan *plan.Plan, f *frame, late *isolate.AbandonedError) error {
	h := in.host
	in.bornLate = plan.ID == abi.MethodBirth
	h.late.Add(1)
	h.frames.abandon(f)
	err := in.failed(plan, late.Err)
	go func() {
		var box *Box
		if late.Wait() == nil && check(&f.Call, f.room) == nil && f.Code == abi.OK {
			box = in.comesLate(plan, f)
		}
		if in.later != nil && plan.ID == abi.MethodBirth {
			in.later(box)
		}
		h.late.Add(-1)
		h.frames.release(f)
	}()
	return err
}

// comesLate clears away what an abandoned call has made, unless it is a singleton.
func (in *instance) comesLate(plan *plan.Plan, f *frame) *Box {
	if plan.ID == abi.MethodBirth {
		box, err := in.born(f.answer())
		if err != nil || in.later != nil {
			return box
		}
		go in.close(context.Background()) //nolint:errcheck // there is none without an end; it waits for this call
		return nil
	}
	v, err := tlv.DecodeOne(f.answer())
	if err != nil {
		return nil
	}
	switch v.Tag() {
	case tlv.TagHandle:
		handle, _ := v.Handle()
		if in.unknown(handle) {
			if box, err := in.boxFor(handle, nil, ""); err == nil {
				go box.Close()
			}
		}
	case tlv.TagBlob:
		addr, length, _ := v.Blob()
		in.to.Discard(addr, length)
	}
	return nil
}

// unknown reports whether a handle of the library names no instance that the host
// owes a fini.
func (in *instance) unknown(handle tlv.Handle) bool {
	in.host.mu.Lock()
	defer in.host.mu.Unlock()
	return in.host.live[liveKey{in.to, handle}] == nil
}

// close has the instance finalised, once, when the calls under way have ended, and
// returns then, or with ctx's error when ctx ends. It does not wait for calls that
// were abandoned: fini follows them.
func (in *instance) close(ctx context.Context) error {
	in.closed.Store(true)
	if in.ending.CompareAndSwap(false, true) {
		if ctx.Done() == nil {
			in.end()
		} else {
			go in.end()
		}
	}
	select {
	case <-in.calm:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// end waits for the calls under way and finalises the instance. Where only abandoned
// ones are left it returns, and goes on by itself.
func (in *instance) end() {
	frames := in.host.frames
	_ = frames.wait(context.Background(), func() bool { return frames.deserted(in) }) // Background is never done
	if frames.idle(in) {
		in.finalise()
		close(in.calm)
		return
	}
	close(in.calm)
	go func() {
		_ = frames.wait(context.Background(), func() bool { return frames.idle(in) })
		in.finalise()
	}()
}

func (in *instance) finalise() {
	h := in.host
	in.fini()
	h.mu.Lock()
	if h.live[in.key()] == in {
		delete(h.live, in.key())
	}
	h.mu.Unlock()
	close(in.gone)
}

// finiRoom is enough for the Void that a fini may answer.
const finiRoom = 64

// finiTimeout is how long a fini of an isolated plugin may take that has no
// call_timeout. Then it is abandoned.
const finiTimeout = 30 * time.Second

// fini calls the plugin, if it lives. The answer is ignored, as the specification
// says; an error that kept the call from being made is worth a line.
func (in *instance) fini() {
	if in.to.Lost() {
		return
	}
	ctx := context.Background()
	if in.lib.plugin.Load() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, finiTimeout, fmt.Errorf("fini has not returned in %v", finiTimeout))
		defer cancel()
	}
	c := &abi.Call{TypeID: in.typ.ID, Method: abi.MethodFini, Instance: in.id}
	c.SetArgs(tlv.AppendHeader(nil))
	c.SetResultBuffer(make([]byte, finiRoom))
	err := in.to.Invoke(ctx, c)
	if late := abandoned(err); late != nil {
		go late.Wait() //nolint:errcheck // the answer is ignored
	}
	if err != nil {
		in.host.options.logger.Error(fmt.Sprintf("finalise %s instance %d: %v", in.typ.Name, in.id, err), "plugin", in.lib.name)
	}
}

// lend keeps the instance from being finalised until giveBack.
func (in *instance) lend() bool {
	in.lent.Add(1)
	if !in.closed.Load() {
		return true
	}
	in.giveBack()
	return false
}

func (in *instance) giveBack() {
	in.lent.Add(-1)
	if fs := in.host.frames; fs.waiters.Load() != 0 {
		fs.signal()
	}
}
