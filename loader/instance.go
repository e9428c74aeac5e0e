package loader

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"time"
	"weak"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/plan"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// instance is an object inside a plugin, from its birth until its fini, whether or not
// the program still has a Box for it. The host calls fini exactly once, unless the
// instance was lost with its process.
//
// States: open; closed (no call begins); ending (one goroutine waits for the calls
// under way); finalised.
type instance struct {
	host    *Host
	lib     *library
	backend backend // where calls go; the same for the whole life of the instance
	typ     *boundType
	id      uint32
	number  uint64 // unique in the host and increasing; never 0

	closed        atomic.Bool  // no further call may begin; see callSlot
	lent          atomic.Int32 // how often it is an argument of a call under way
	lentAbandoned atomic.Int32 // of these, in abandoned calls

	ending    atomic.Bool   // a goroutine runs finaliseWhenIdle
	closeDone chan struct{} // closed when Close may return: fini has returned, or follows abandoned calls
	finalised chan struct{} // closed when fini has returned

	// birthAbandoned is set when the birth was abandoned. onLateBirth, if there is one,
	// is then called when the birth has ended, with the Box or nil; without it the
	// instance is finalised.
	birthAbandoned bool
	onLateBirth    func(*Box)

	// Guarded by host.mu. The host holds the Box weakly, so that the garbage collector
	// finds one that the program has dropped. boxSeq counts the Boxes that the instance
	// has had: a cleanup of an earlier one must not close the instance.
	box    weak.Pointer[Box]
	boxSeq uint64
}

// liveKey identifies an instance in a host. Ids are unique in one life of a library
// only, and so the backend is part of the key.
type liveKey struct {
	backend backend
	handle  tlv.Handle
}

func (in *instance) key() liveKey { return liveKey{in.backend, in.handle()} }

// String returns a name for logs, such as "FileBox(3)".
func (in *instance) String() string { return fmt.Sprintf("%s(%d)", in.typ.Name, in.id) }

func (in *instance) handle() tlv.Handle { return tlv.Handle{Type: in.typ.ID, Instance: in.id} }

// birth makes a new instance. The caller has retained the host. abandoned means that
// the birth goes on; onLate, if it is not nil, is called when it has ended, see
// instance.onLateBirth.
func (h *Host) birth(ctx context.Context, t *boxType, args []any, onLate func(*Box)) (box *Box, abandoned bool, err error) {
	t.lib.births.Add(1)
	defer func() {
		if !abandoned { // or else endLateBirth does it
			t.lib.births.Add(-1)
		}
	}()
	typ := t.typ.Load()
	in, s, err := h.callBirth(ctx, t, typ, args, onLate)
	if errors.Is(err, ErrInstanceLost) && in != nil && !in.birthAbandoned && in.backend.Lost() && ctx.Err() == nil {
		// The worker ended before the call was made: it was idle, or killed. No instance
		// was made, and a new worker can make it. (A context's cause is the program's own
		// error, and may be of this kind.)
		in, s, err = h.callBirth(ctx, t, typ, args, onLate)
	}
	if err != nil {
		return nil, in != nil && in.birthAbandoned, err
	}
	defer h.slots.release(s)
	if box, err = in.born(s.resultBytes()); err == nil && h.over.Err() != nil {
		// A Shutdown did not wait for this birth: nobody else will finalise it.
		go in.close(context.Background()) //nolint:errcheck // Background never ends. It waits for this call.
		return nil, false, in.errHost(typ.birth, ErrClosed)
	}
	return box, false, err
}

// callBirth calls birth. The returned slot holds the result; the caller releases it.
func (h *Host) callBirth(ctx context.Context, t *boxType, typ *boundType, args []any, onLate func(*Box)) (*instance, *callSlot, error) {
	b, err := t.lib.source.session(ctx)
	if err != nil {
		return nil, nil, err
	}
	in := h.newInstance(t.lib, b, typ, 0)
	in.onLateBirth = onLate
	s, err := in.run(ctx, typ.birth, &h.births, args)
	return in, s, err
}

// born gives the instance the id that birth returned, and registers it.
func (in *instance) born(result []byte) (box *Box, err error) {
	if in.id, err = contract.ParseBirth(result, in.typ.ID); err != nil {
		return nil, in.errHost(in.typ.birth, protocolErrorf("%w", err))
	}
	if box, err = in.host.registerInstance(in); err != nil {
		return nil, in.errHost(in.typ.birth, err)
	}
	return box, nil
}

func (h *Host) newInstance(l *library, b backend, typ *boundType, id uint32) *instance {
	return &instance{
		host: h, lib: l, backend: b, typ: typ, id: id, number: h.lastNumber.Add(1),
		closeDone: make(chan struct{}), finalised: make(chan struct{}),
	}
}

// registerInstance adds a new instance to the live ones, unless its id is alive.
func (h *Host) registerInstance(in *instance) (*Box, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	// The id of an instance that is being closed may be free again, and that of one
	// that was lost is.
	if other := h.live[in.key()]; other != nil && !other.closed.Load() && !in.backend.Lost() {
		return nil, protocolErrorf("birth answered instance id %d, which is alive already", in.id)
	}
	return h.addLive(in), nil
}

// addLive adds an instance to the live ones and makes its Box, with h.mu held.
func (h *Host) addLive(in *instance) *Box {
	h.live[in.key()] = in
	return in.newBox()
}

// newBox makes the Box for an instance that has none, with host.mu held.
func (in *instance) newBox() *Box {
	box := &Box{in: in}
	box.self = box
	in.box = weak.Make(box)
	in.boxSeq++
	runtime.AddCleanup(box, (*boxCleanup).run, &boxCleanup{in, in.boxSeq})
	return box
}

// boxCleanup finalises the instance of a Box that the garbage collector found
// unreachable.
type boxCleanup struct {
	in     *instance
	boxSeq uint64
}

// run runs on the runtime's cleanup goroutine, which must not wait for a plugin.
func (c *boxCleanup) run() {
	in := c.in
	if !in.markUnreachable(c.boxSeq) {
		return
	}
	in.host.options.logger.Warn(fmt.Sprintf("%s instance %d was dropped without Close; it is finalised now", in.typ.Name, in.id),
		"plugin", in.lib.name)
	go in.close(context.Background()) //nolint:errcheck // Background never ends
}

// markUnreachable sets closed if the Box number boxSeq is the last one that the
// instance had, and reports whether it was not set before. host.mu orders it with
// boxAgain: a handle that returns the instance to the program either makes another Box
// before, or finds it closed.
func (in *instance) markUnreachable(boxSeq uint64) bool {
	in.host.mu.Lock()
	defer in.host.mu.Unlock()
	return boxSeq == in.boxSeq && in.closed.CompareAndSwap(false, true)
}

// boxForHandle finds or makes the Box for a handle that a call on in returned. The
// handle must name one of boxes, the call's arguments, or an instance of the library
// that was called (docs/abi.md, invoke); anything else is [ErrProtocol]. want is the
// box that nyash.toml declares, or empty.
func (in *instance) boxForHandle(handle tlv.Handle, boxes []boxArg, want string) (*Box, error) {
	if handle.Instance == 0 {
		return nil, protocolErrorf("the result is a handle with instance id 0, which is never one")
	}
	for _, a := range boxes {
		if arg := a.box.in; arg.handle() == handle {
			return arg.boxAgain(want)
		}
	}
	t := in.lib.boxTypeByID(handle.Type)
	if t == nil {
		return nil, protocolErrorf("the result is a handle of type %d, instance %d: no box of %s has that type_id, and no such box was an argument of this call (a plugin cannot keep boxes that it was lent, nor name another library's)",
			handle.Type, handle.Instance, in.lib.name)
	}
	if err := wanted(want, t.name); err != nil {
		return nil, err
	}
	box, known := in.adopt(t, handle)
	if known != nil {
		return known.boxAgain(want)
	}
	return box, nil
}

// adopt makes the Box for a handle of the library that was called, or returns the live
// instance that the handle names.
func (in *instance) adopt(t *boxType, handle tlv.Handle) (box *Box, known *instance) {
	h := in.host
	h.mu.Lock()
	defer h.mu.Unlock()
	if known := h.live[liveKey{in.backend, handle}]; known != nil {
		return nil, known
	}
	return h.addLive(h.newInstance(in.lib, in.backend, t.typ.Load(), handle.Instance)), nil
}

// wanted checks a box that a call returned against the one that nyash.toml declares.
func wanted(want, name string) error {
	if want != "" && want != name {
		return fmt.Errorf("the result is a %s, and nyash.toml declares %s", name, want)
	}
	return nil
}

// boxAgain returns the Box of a live instance that a plugin has named: the one that
// the program holds, or a new one where it has dropped that.
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

// abandon returns the error of a call whose context has ended while the plugin works
// on it, and waits in a goroutine for its end. Until then that goroutine owns the slot,
// and all that was lent stays lent.
func (in *instance) abandon(plan *plan.Plan, s *callSlot, call *transport.AbandonedError) error {
	h := in.host
	isBirth := plan.ID == abi.MethodBirth
	if isBirth { // of an instance that no other call has
		in.birthAbandoned = true
	}
	h.abandonedCalls.Add(1)
	h.slots.abandon(s)
	err := in.errHost(plan, call.Err)
	go func() {
		ok := call.Wait() == nil && checkResult(&s.Call, s.resultBuf) == nil && s.Code == abi.OK
		switch {
		case isBirth:
			in.endLateBirth(ok, s)
		case ok:
			if v, err := tlv.DecodeOne(s.resultBytes()); err == nil {
				in.discard(s.boxes, v)
			}
		}
		h.abandonedCalls.Add(-1)
		h.slots.release(s)
	}()
	return err
}

// endLateBirth finalises the instance that an abandoned birth has made, unless
// onLateBirth takes it.
func (in *instance) endLateBirth(ok bool, s *callSlot) {
	defer in.lib.births.Add(-1)
	var box *Box
	if ok {
		box, _ = in.born(s.resultBytes()) // there is no caller to return the error to
	}
	switch {
	case in.onLateBirth != nil:
		in.onLateBirth(box)
	case box != nil:
		go in.close(context.Background()) //nolint:errcheck // Background never ends. It waits for this call.
	}
}

// discard frees what a result refers to that nobody wants: a blob, or a box that is
// neither one of boxes, the call's arguments, nor known to the program. It does not
// wait for the fini.
func (in *instance) discard(boxes []boxArg, v tlv.Value) {
	switch v.Tag() {
	case tlv.TagHandle:
		handle, _ := v.Handle()
		if handle.Instance == 0 || slices.ContainsFunc(boxes, func(a boxArg) bool { return a.box.in.handle() == handle }) {
			return
		}
		if t := in.lib.boxTypeByID(handle.Type); t != nil {
			if box, _ := in.adopt(t, handle); box != nil {
				go box.Close()
			}
		}
	case tlv.TagBlob:
		addr, length, _ := v.Blob()
		in.backend.Discard(addr, length)
	}
}

// close refuses new calls and has the instance finalised, once, when those under way
// have ended. It returns then, or with ctx's error when ctx ends. It does not wait for
// abandoned calls: fini follows them.
func (in *instance) close(ctx context.Context) error {
	in.closed.Store(true)
	if in.ending.CompareAndSwap(false, true) {
		if ctx.Done() == nil {
			in.finaliseWhenIdle()
		} else {
			go in.finaliseWhenIdle()
		}
	}
	select {
	case <-in.closeDone:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// finaliseWhenIdle waits for the calls under way and finalises the instance. When only
// abandoned calls are left it returns, and a goroutine waits for those.
func (in *instance) finaliseWhenIdle() {
	slots := in.host.slots
	_ = slots.wait(context.Background(), func() bool { return slots.onlyAbandoned(in) }) // Background never ends
	if slots.idle(in) {
		in.finalise()
		close(in.closeDone)
		return
	}
	close(in.closeDone)
	go func() {
		_ = slots.wait(context.Background(), func() bool { return slots.idle(in) })
		in.finalise()
	}()
}

// finalise calls fini and removes the instance from the live ones.
func (in *instance) finalise() {
	h := in.host
	in.fini()
	h.mu.Lock()
	if h.live[in.key()] == in {
		delete(h.live, in.key())
	}
	h.mu.Unlock()
	close(in.finalised)
}

// finiResultSize is the size of the result buffer of a fini, which may return a Void.
const finiResultSize = 64

// finiTimeout is how long a fini of an isolated plugin may take before it is abandoned.
// The waiting for the library's turn, or while many calls are abandoned, does not count: it
// ends with the calls that are waited for, and an instance is not forgotten.
var finiTimeout = 30 * time.Second

// fini calls the plugin's fini, unless the instance was lost. Its result is ignored
// (docs/abi.md, invoke); that it could not be called is logged.
func (in *instance) fini() {
	if in.backend.Lost() {
		return
	}
	ctx := context.Background()
	if in.lib.source.killable() {
		var cancel func()
		ctx, cancel = transport.Patient(ctx, finiTimeout, fmt.Errorf("fini has not returned in %v", finiTimeout))
		defer cancel()
	}
	c := &abi.Call{TypeID: in.typ.ID, Method: abi.MethodFini, Instance: in.id}
	c.SetArgs(tlv.AppendHeader(nil))
	c.SetResultBuffer(make([]byte, finiResultSize))
	err := in.backend.Invoke(ctx, c)
	if call := asAbandoned(err); call != nil {
		go call.Wait() //nolint:errcheck // the result is ignored
	}
	if err != nil && !errors.Is(err, ErrInstanceLost) {
		in.host.options.logger.Error(fmt.Sprintf("finalise %s instance %d: %v", in.typ.Name, in.id, err), "plugin", in.lib.name)
	}
}

// lend keeps the instance from being finalised until unlend, or fails if it is closed.
// As with slots, lent is published before closed is read.
func (in *instance) lend() bool {
	in.lent.Add(1)
	if !in.closed.Load() {
		return true
	}
	in.unlend()
	return false
}

func (in *instance) unlend() {
	in.lent.Add(-1)
	if slots := in.host.slots; slots.waiters.Load() != 0 {
		slots.signal()
	}
}
