package loader

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"weak"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// instance is an object inside a plugin that the host owes a fini. It lives
// until that is done, whether or not the program still has the Box.
type instance struct {
	host   *Host
	lib    *library
	to     backend // where it lives
	typ    *registry.Type
	id     uint32
	number uint64 // in the order of making; never 0

	closed atomic.Bool  // no further call may begin
	lent   atomic.Int32 // calls under way that have it as an argument
	end    sync.Once

	// Guarded by host.mu. The Box is held weakly, so that a program's dropping
	// it can be noticed; owner tells the Box in use from those before it.
	box   weak.Pointer[Box]
	owner uint64
}

func (in *instance) handle() tlv.Handle { return tlv.Handle{Type: in.typ.ID, Instance: in.id} }

// birth makes a new instance. The host is kept open by the caller.
func (h *Host) birth(ctx context.Context, k *kind, args []any) (*Box, error) {
	typ := k.typ.Load()
	plan := typ.Birth
	in, f, err := h.deliver(ctx, k, typ, args)
	if errors.Is(err, ErrInstanceLost) {
		// The worker ended before it was called: idle, or killed. The next one
		// is as good.
		in, f, err = h.deliver(ctx, k, typ, args)
	}
	if err != nil {
		return nil, err
	}
	defer h.frames.release(f)
	in.id, err = newborn(typ, f.answer())
	if err != nil {
		return nil, in.failed(plan, err)
	}
	box, err := h.register(in)
	if err != nil {
		return nil, in.failed(plan, err)
	}
	return box, nil
}

// deliver calls birth. The frame holds the answer.
func (h *Host) deliver(ctx context.Context, k *kind, typ *registry.Type, args []any) (*instance, *frame, error) {
	to, err := k.lib.session(ctx)
	if err != nil {
		return nil, nil, err
	}
	in := h.newInstance(k, to, typ, 0)
	f, err := in.run(ctx, typ.Birth, &h.births, args)
	return in, f, err
}

func (h *Host) newInstance(k *kind, to backend, typ *registry.Type, id uint32) *instance {
	return &instance{host: h, lib: k.lib, to: to, typ: typ, id: id, number: h.made.Add(1)}
}

// newborn reads the answer to a birth: a raw u32, or a TLV with one Handle.
func newborn(t *registry.Type, result []byte) (id uint32, err error) {
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
	if other := h.live[in.handle()]; other != nil && !other.closed.Load() && !other.to.Lost() {
		return nil, violation("birth answered instance id %d, which is alive already", in.id)
	}
	return h.own(in), nil
}

// own enters an instance and makes its Box, with h.mu held.
func (h *Host) own(in *instance) *Box {
	h.live[in.handle()] = in
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
	if !in.abandon(d.owner) {
		return
	}
	in.host.options.logger.Warn(fmt.Sprintf("%s instance %d was dropped without Close; it is finalised now", in.typ.Name, in.id),
		"plugin", in.lib.name)
	go in.close()
}

// abandon closes the instance to new calls if the Box that was dropped is the
// last one that it had, and nobody closes it already. A handle that brings the
// instance back is either adopted before, and then has made another Box, or
// finds it closed.
func (in *instance) abandon(owner uint64) bool {
	in.host.mu.Lock()
	defer in.host.mu.Unlock()
	return owner == in.owner && in.closed.CompareAndSwap(false, true)
}

// adopt finds or makes the Box for a handle that a plugin returned to a call on
// by. want is the box that nyash.toml declares, or empty.
func (h *Host) adopt(ctx context.Context, by *instance, handle tlv.Handle, want string) (*Box, error) {
	if handle.Instance == 0 {
		return nil, violation("the result is a handle with instance id 0, which is never one")
	}
	h.mu.Lock()
	k := h.types[handle.Type]
	h.mu.Unlock()
	if k == nil {
		return nil, fmt.Errorf("the result is a handle of type %d, and no box of %s has that type_id", handle.Type, h.config.Path)
	}
	if want != "" && want != k.name {
		return nil, fmt.Errorf("the result is a %s, and nyash.toml declares %s", k.name, want)
	}
	if err := k.lib.load(ctx); err != nil {
		return nil, fmt.Errorf("the result is a %s: %w", k.name, err)
	}
	to := by.to
	if k.lib != by.lib {
		var err error
		if to, err = k.lib.session(ctx); err != nil {
			return nil, fmt.Errorf("the result is a %s: %w", k.name, err)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	in := h.live[handle]
	if in == nil || in.to.Lost() {
		return h.own(h.newInstance(k, to, k.typ.Load(), handle.Instance)), nil
	}
	if box := in.box.Value(); box != nil {
		return box, nil
	}
	if in.closed.Load() {
		return nil, fmt.Errorf("the result is %s instance %d, which is being finalised: %w", k.name, handle.Instance, ErrClosed)
	}
	return in.newBox(), nil
}

// close finalises the instance, once, when the calls under way have ended.
// Every caller returns after that.
func (in *instance) close() {
	in.closed.Store(true)
	in.end.Do(func() {
		h := in.host
		idle := func() bool { return h.frames.idle(in) }
		_ = h.frames.wait(context.Background(), idle) // Background is never done
		in.fini()
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.live[in.handle()] == in {
			delete(h.live, in.handle())
		}
	})
}

// finiRoom is enough for the Void that a fini may answer.
const finiRoom = 64

// fini calls the plugin, if it lives. The answer is ignored, as the specification
// says; an error that kept the call from being made is worth a line.
func (in *instance) fini() {
	if in.to.Lost() {
		return
	}
	c := &abi.Call{TypeID: in.typ.ID, Method: abi.MethodFini, Instance: in.id}
	c.SetArgs(tlv.AppendHeader(nil))
	c.SetRoom(make([]byte, finiRoom))
	if err := in.to.Invoke(context.Background(), c); err != nil {
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
