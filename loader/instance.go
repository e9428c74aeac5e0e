package loader

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"weak"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/native"
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
	backend backend         // where calls go; the same for the whole life of the instance
	life    *life           // of its library, with that backend
	leaf    *native.Library // backend, where leaf methods can be called as such; else nil
	typ     *boundType
	id      uint32
	number  uint64 // unique in the host and increasing; never 0

	singleton bool // the one of its type: the host holds it
	connected bool // its library calls its host: see [instance.enter]

	closed        atomic.Bool  // no further call may begin; see callSlot
	named         atomic.Bool  // a library knows the instance by a number; see [Host.forget]
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

	// Who holds the instance, guarded by host.mu: the program, from the making of a Box
	// until that is closed, and libraries, by so many holds. The last one to give it up
	// closes it (docs/abi.md, Holding).
	program bool
	holds   int
}

// liveKey identifies an instance in a host. Ids are unique in one life of a library
// only, and so the backend is part of the key.
type liveKey struct {
	backend backend
	handle  tlv.Handle
}

func (in *instance) key() liveKey { return liveKey{in.backend, in.handle()} }

// boxType is the type of the box.
func (in *instance) boxType() *boxType { return in.typ.of }

// String returns a name for logs, such as "FileBox(3)".
func (in *instance) String() string { return fmt.Sprintf("%s(%d)", in.typ.Name, in.id) }

func (in *instance) handle() tlv.Handle { return tlv.Handle{Type: in.typ.ID, Instance: in.id} }

// birth makes a new instance. The caller has retained the host. abandoned means that
// the birth goes on; onLate, if it is not nil, is called when it has ended, see
// instance.onLateBirth.
func (h *Host) birth(ctx context.Context, t *boxType, args birthArgs, onLate func(*Box)) (box *Box, abandoned bool, err error) {
	t.lib.births.Add(1)
	in, s, err := h.callBirth(ctx, t, args, onLate)
	if abandoned = in != nil && in.birthAbandoned; !abandoned { // or else endLateBirth does it
		defer t.lib.births.Add(-1)
	}
	if err != nil {
		return nil, abandoned, err
	}
	defer h.slots.release(s)
	if box, err = in.born(s.resultBytes()); err == nil && h.over.Err() != nil {
		// A Shutdown did not wait for this birth: nobody else will finalise it.
		go in.close(context.Background()) //nolint:errcheck // Background never ends. It waits for this call.
		return nil, false, in.errHost(in.typ.birth, ErrClosed)
	}
	return box, false, err
}

// birthArgs are the arguments of a birth: Go values, or those of a plugin's call.
type birthArgs struct {
	values []any
	nested *nestedCall // or nil
}

// callBirth calls birth in a session of the library. The returned slot holds the result; the
// caller releases it.
func (h *Host) callBirth(ctx context.Context, t *boxType, args birthArgs, onLate func(*Box)) (*instance, *callSlot, error) {
	typ := t.typ.Load()
	in, s, err := h.tryBirth(ctx, t, typ, args, onLate)
	if errors.Is(err, ErrInstanceLost) && in != nil && !in.birthAbandoned && in.backend.Lost() && ctx.Err() == nil {
		// The worker ended before the call was made: it was idle, or killed. No instance
		// was made, and a new worker can make it. (A context's cause is the program's own
		// error, and may be of this kind.)
		return h.tryBirth(ctx, t, typ, args, onLate)
	}
	return in, s, err
}

func (h *Host) tryBirth(ctx context.Context, t *boxType, typ *boundType, args birthArgs, onLate func(*Box)) (*instance, *callSlot, error) {
	b, err := t.lib.session(ctx, typ.Singleton)
	if err != nil {
		return nil, nil, err
	}
	in := h.newInstance(t.lib.lifeOf(b), typ, 0)
	in.onLateBirth, in.singleton = onLate, typ.Singleton // births of others are methods
	if args.nested != nil {
		s, err := in.runNested(args.nested)
		return in, s, err
	}
	cache := &h.births
	if t.lib.isGo {
		cache = &h.goBirths
	}
	s, err := in.run(ctx, typ.birth, cache, args.values)
	return in, s, err
}

// born gives the instance the id that birth returned, registers it, and makes its Box.
func (in *instance) born(result []byte) (box *Box, err error) {
	if err := in.parseBirth(result); err != nil {
		return nil, err
	}
	in.host.mu.Lock()
	if err = in.host.addBorn(in); err == nil {
		box = in.newBox()
	}
	in.host.mu.Unlock()
	if err != nil {
		return nil, in.errHost(in.typ.birth, err)
	}
	return box, nil
}

// bornUnheld is born for a birth that a plugin has called: the instance has no Box, and
// the caller sees to it that somebody holds it.
func (in *instance) bornUnheld(result []byte) error {
	if err := in.parseBirth(result); err != nil {
		return err
	}
	in.host.mu.Lock()
	defer in.host.mu.Unlock()
	if in.host.over.Err() != nil {
		return ErrClosed
	}
	return in.host.addBorn(in)
}

func (in *instance) parseBirth(result []byte) (err error) {
	if in.id, err = contract.ParseBirth(result, in.typ.ID); err != nil {
		return in.errHost(in.typ.birth, protocolErrorf("%w", err))
	}
	return nil
}

func (h *Host) newInstance(l *life, typ *boundType, id uint32) *instance {
	return &instance{
		host: h, lib: l.lib, backend: l.backend(), life: l, leaf: l.lib.leaf, connected: l.lib.connected, typ: typ, id: id, number: h.lastNumber.Add(1),
		closeDone: make(chan struct{}), finalised: make(chan struct{}),
	}
}

// addBorn adds a new instance to the live ones, unless its id is alive, with h.mu held.
func (h *Host) addBorn(in *instance) error {
	// The id of an instance that is being closed may be free again, and that of one
	// that was lost is.
	if other := h.live[in.key()]; other != nil && !other.closed.Load() && !in.backend.Lost() {
		return protocolErrorf("birth answered instance id %d, which is alive already", in.id)
	}
	h.live[in.key()] = in
	return nil
}

// newBox makes the Box for an instance that has none that is open, with host.mu held.
func (in *instance) newBox() *Box {
	box := &Box{in: in}
	in.program = true
	box.self, box.result = box, resultKind{tag: tlv.TagHandle, box: box}
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
	if in.singleton || in.backend.Lost() { // whose worker has ended
		in.lib.finalise(in)
		return
	}
	in.host.options.logger.Warn(fmt.Sprintf("%s instance %d was dropped without Close; it is finalised now", in.typ.Name, in.id),
		"plugin", in.lib.name)
	in.lib.finalise(in)
}

// markUnreachable gives up the program's hold if the Box number boxSeq is the last one that
// the instance had, and reports whether the instance is to be finalised. host.mu orders it
// with boxAgain: a handle that returns the instance to the program either makes another Box
// before, or finds it closed.
func (in *instance) markUnreachable(boxSeq uint64) bool {
	in.host.mu.Lock()
	defer in.host.mu.Unlock()
	if boxSeq != in.boxSeq {
		return false
	}
	in.program = false
	return in.holds == 0 && in.closed.CompareAndSwap(false, true)
}

// releaseProgram gives up the program's hold, and reports whether it was the last one. The
// instance is then closed, and the caller finalises it.
func (in *instance) releaseProgram() bool {
	in.host.mu.Lock()
	defer in.host.mu.Unlock()
	in.program = false
	if in.holds > 0 {
		return false
	}
	in.closed.Store(true)
	return true
}

// addHold notes the hold of a library, unless the instance is being finalised.
func (in *instance) addHold() bool {
	in.host.mu.Lock()
	defer in.host.mu.Unlock()
	if in.closed.Load() {
		return false
	}
	in.holds++
	return true
}

// dropHolds gives up holds of a library, and reports whether they were the last ones. The
// instance is then closed, and the caller has it finalised.
func (in *instance) dropHolds(n int) bool {
	if in.singleton {
		return false
	}
	in.host.mu.Lock()
	defer in.host.mu.Unlock()
	in.holds -= n
	return in.holds == 0 && !in.program && in.closed.CompareAndSwap(false, true)
}

// releaseHolds is dropHolds, and has the instance finalised after the last ones, which nobody
// waits for.
func (in *instance) releaseHolds(n int) {
	if in.dropHolds(n) {
		in.lib.finalise(in)
	}
}

// boxForHandle finds or makes the Box for a handle that a call on in returned; see
// [instance.namedBy]. want is the box that nyash.toml declares, or empty.
func (in *instance) boxForHandle(handle tlv.Handle, boxes []boxArg, want string) (*Box, error) {
	named, held, err := in.namedBy(handle, boxes)
	if err != nil {
		return nil, err
	}
	box, err := named.boxAgain(want)
	if held { // the hold passes to the program, or nobody wants it
		in.life.giveUp(named)
	}
	return box, err
}

// namedBy finds the instance that a handle in the answer of a call on in names. It must be
// one of boxes, the call's arguments, an instance of the library that was called, or one
// that this library holds (docs/abi.md, Handles); anything else is [ErrProtocol], or [ErrNoBox]
// where the library has the box and nyash.toml does not list it. held means
// that one of the library's holds passes on with the answer: the caller takes it from the
// library, with its own hold in place. An instance that is new to the host is among the live
// ones then, and nobody holds it yet.
func (in *instance) namedBy(handle tlv.Handle, boxes []boxArg) (named *instance, held bool, err error) {
	if handle.Instance == 0 {
		return nil, false, protocolErrorf("the result is a handle with instance id 0, which is never one")
	}
	for _, a := range boxes {
		if a.handle == handle {
			return a.in, in.life.handles.Holds(a.in), nil
		}
	}
	if t := in.lib.boxTypeByID(handle.Type); t != nil {
		named := in.known(t, handle)
		return named, in.life.handles.Holds(named), nil
	}
	if t := in.lib.foreign.byID(handle.Type); t != nil {
		if named, ok := in.life.handles.Find(handle.Instance); ok && named.boxType() == t && in.life.handles.Holds(named) {
			return named, true, nil
		}
		if in.backend.Lost() { // after it had answered, and what it held was given up
			return nil, false, in.lib.errLost()
		}
		return nil, false, protocolErrorf("the result is a handle of a %s, instance %d, which was no argument of this call, and which %s does not hold (a plugin cannot keep boxes that it was lent)",
			t.name, handle.Instance, in.lib.name)
	}
	if err := in.lib.errUnlisted(handle); err != nil {
		return nil, false, err
	}
	return nil, false, protocolErrorf("the result is a handle of type %d, instance %d: no box of %s has that type_id, nor has it been told of one of another library by that",
		handle.Type, handle.Instance, in.lib.name)
}

// known finds the live instance of the library of in that a handle names, or makes it one.
func (in *instance) known(t *boxType, handle tlv.Handle) *instance {
	h := in.host
	h.mu.Lock()
	defer h.mu.Unlock()
	key := liveKey{in.backend, handle}
	if known := h.live[key]; known != nil {
		return known
	}
	added := h.newInstance(in.life, t.typ.Load(), handle.Instance)
	h.live[key] = added
	return added
}

// wanted checks a box that a call returned against the one that nyash.toml declares.
func wanted(want, name string) error {
	if want != "" && want != name {
		return fmt.Errorf("the result is a %s, and is declared as %s", name, want)
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
	if box := in.box.Value(); box != nil && !box.closed.Load() {
		return box, nil
	}
	if in.closed.Load() {
		if in.backend.Lost() { // after it had answered
			return nil, in.lib.errLost()
		}
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

// discard frees what a result refers to that nobody wants: a blob, or a box that nobody
// holds and that is none of boxes, the call's arguments. It does not wait for the fini.
func (in *instance) discard(boxes []boxArg, v tlv.Value) {
	switch v.Tag() {
	case tlv.TagHandle:
		handle, _ := v.Handle()
		if slices.ContainsFunc(boxes, func(a boxArg) bool { return a.handle == handle }) {
			return
		}
		if named, held, err := in.namedBy(handle, boxes); err == nil {
			if held {
				in.life.giveUp(named)
			}
			named.closeUnheld()
		}
	case tlv.TagBlob:
		addr, length, _ := v.Blob()
		in.backend.Discard(addr, length)
	}
}

// closeUnheld finalises the instance, without waiting for that, if nobody holds it.
func (in *instance) closeUnheld() {
	in.host.mu.Lock()
	last := !in.program && in.holds == 0 && in.closed.CompareAndSwap(false, true)
	in.host.mu.Unlock()
	if last {
		in.lib.finalise(in)
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
