package loader

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/calls"
	"github.com/nyash-plugins/nyash-go/internal/plan"
	"github.com/nyash-plugins/nyash-go/registry"
)

// Box is an object that lives in a plugin. It is made by [Host.New] or comes as
// a call's result ([Result.Box]); the zero value is not useful.
//
// A Box is safe for concurrent use. Its owner closes it: a Box that is dropped
// instead is finalised some time after the garbage collector finds it, with a warning
// in the log.
type Box struct {
	in     *instance
	cache  slotCache
	closed atomic.Bool // by the program; the instance may go on, where a library holds it
	// self points to the Box itself. Retaining arg.self of a Box argument, instead of
	// arg, keeps escape analysis from moving the arguments of all calls to the heap.
	self   *Box
	result resultKind // of results that are the box
}

// New makes a box: it loads the library if this is the first use, and calls
// birth with args. For a singleton it returns the one shared box, which is born
// at the first New and to which later arguments do not matter. The caller closes the
// box.
//
// Errors: [ErrNoBox], [ErrClosed], a [*LoadError], or a [*CallError] of birth.
//
// ctx bounds all waiting: for the library's loading, which goes on for the next
// caller, for another goroutine's birth of the singleton, for a free call slot. A
// birth that has begun runs to its end, in the host's own process before New returns;
// of an isolated plugin it is abandoned when ctx ends, and finalised when it comes.
func (h *Host) New(ctx context.Context, name string, args ...any) (*Box, error) {
	t, err := h.acquireType(ctx, name)
	if err != nil {
		return nil, err
	}
	defer h.release()
	if !t.typ.Load().Singleton {
		box, _, err := h.birth(ctx, t, birthArgs{values: args}, nil)
		return box, err
	}
	return h.singleton(ctx, t, birthArgs{values: args})
}

// singleton returns the one box of a type, which it makes if there is none.
func (h *Host) singleton(ctx context.Context, t *boxType, args birthArgs) (*Box, error) {
	end, err := h.waitFor(ctx, t.name, &t.makingBy)
	if err != nil {
		return nil, &CallError{Box: t.name, Method: abi.NameBirth, Err: err}
	}
	err = t.making.Acquire(ctx, 1)
	end()
	if err != nil {
		return nil, &CallError{Box: t.name, Method: abi.NameBirth, Err: context.Cause(ctx)}
	}
	if t.singleton != nil && !t.singleton.in.backend.Lost() {
		defer t.making.Release(1)
		return t.singleton, nil
	}
	// An abandoned birth goes on and keeps making held, so that no second one begins.
	done := func(box *Box) {
		t.singleton = box
		h.waits.Disown(&t.makingBy)
		t.making.Release(1)
	}
	if h.connecting {
		var at calls.Position
		ctx, at = calls.InChain(ctx)
		h.waits.Own(at, &t.makingBy)
	}
	box, abandoned, err := h.birth(ctx, t, args, done)
	if !abandoned {
		done(box)
	}
	return box, err
}

// Call calls a method, whose result may be of any type; the function [Call] returns it as
// a Go value. args are Go values: any integer, float, string, bool, []byte,
// nil, *[Box] or tlv.Value. They are converted to the types that nyash.toml declares,
// or travel as their own where it declares none (docs/abi.md, invoke; docs/tlv.md). A
// Box among them is lent for the call, and so is the data of a blob, which must not
// change meanwhile; a handle is refused, because nothing would keep its box alive. The
// result is a copy.
//
// A failed call is a [*CallError]. errors.Is finds the plugin's code (an
// [abi.Code]), [ErrClosed], [ErrProtocol], [ErrNoMethod] or ctx's error
// in it. [Box.Method] finds a method once, for calls that allocate nothing.
//
// Call does not begin when ctx is done. Once begun, a call in the host's own process
// runs to its end. One of an isolated plugin returns when ctx ends, and is abandoned:
// the plugin goes on with it, what was lent to it stays lent, and what comes of it is
// cleared away.
func (b *Box) Call(ctx context.Context, method string, args ...any) (Result, error) {
	plan, err := b.plan(method)
	if err != nil {
		return Result{}, err
	}
	return b.call(ctx, plan, &b.cache, args)
}

// plan finds a method by name. The error is a [*CallError]. It is inlined into calls by
// name, of whose 88 ns a call of it would be 5 (BenchmarkCall).
func (b *Box) plan(method string) (*plan.Plan, error) {
	if p := b.in.typ.methods[method]; p != nil {
		return p, nil
	}
	return nil, b.errNoMethod(method)
}

// errNoMethod is apart from plan, which would be too large to be inlined with it.
//
//go:noinline
func (b *Box) errNoMethod(method string) error {
	return &CallError{Box: b.in.typ.Name, Method: method, Err: b.in.typ.errNoMethod(method)}
}

// Close finalises the box: it refuses new calls at once, waits for those under
// way and calls fini, once, whoever else closes. It returns nil, but for the cases below.
// [Box.Shutdown] bounds the waiting. Closing a singleton does nothing: it belongs to the
// host, which finalises it when it closes.
//
// A host function that a plugin calls can close boxes too. There Close does not wait for
// calls under way, which may wait for that plugin: fini follows them. Where fini would have
// to wait for the plugin's own call, because the library takes one call at a time, it
// follows too, and Close returns [ErrCircle]. A box that the plugin's call is on stays open,
// with the same error.
//
// Elsewhere Close must not be called by a call of the same box (from a log handler, say):
// it would wait for itself.
//
// A call of an isolated plugin whose context has ended does not count as under way:
// fini follows it, and Close returns before.
func (b *Box) Close() error { return b.Shutdown(context.Background()) }

// Shutdown is Close that waits no longer than until ctx ends. Then it returns ctx's
// error, and fini follows when the last call has ended.
func (b *Box) Shutdown(ctx context.Context) error {
	defer runtime.KeepAlive(b)
	if b.in.singleton {
		return nil
	}
	at := b.in.host.positionOf(ctx)
	if at.Chain != 0 && b.in.calledIn(at.Chain) {
		return fmt.Errorf("close %v from a call of it: %w", b, ErrCircle)
	}
	if b.closed.CompareAndSwap(false, true) {
		if !b.in.releaseProgram() {
			return nil
		}
	} else if !b.in.closed.Load() { // libraries hold it
		return nil
	}
	end := b.in.close
	if at.Chain != 0 {
		end = func(ctx context.Context) error { return b.in.closeWithin(ctx, at) }
	}
	if err := end(ctx); err != nil {
		return fmt.Errorf("close %v: %w", b, err)
	}
	return nil
}

// Name is the box's name in nyash.toml.
func (b *Box) Name() string { return b.in.typ.Name }

// ID is the instance id, which the plugin chose.
func (b *Box) ID() uint32 { return b.in.id }

// Type returns the box's type id and methods, which must not be changed.
func (b *Box) Type() *registry.Type { return &b.in.typ.Type }

// String returns a name for logs, such as "FileBox(3)".
func (b *Box) String() string { return b.in.String() }
