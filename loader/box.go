package loader

import (
	"context"
	"fmt"
	"runtime"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/registry"
)

// Box is an object that lives in a plugin. It is made by [Host.New] or comes as
// a call's result; the zero value is not useful.
//
// A Box is safe for concurrent use. Close it when done: a Box that is dropped
// instead is finalised by the runtime at a time of its choosing, and the log
// says so.
type Box struct {
	in   *instance
	hint hint
	self *Box // what is kept of a Box that came as an argument, which must not escape
}

// New makes a box: it loads the library if this is the first use, and calls
// birth with args. For a singleton it returns the one shared box, which is born
// at the first New and to which later arguments do not matter.
//
// ctx bounds all waiting: for the library's loading, which goes on for the next
// caller, for another's birth of the singleton, for a free place among the calls. A
// birth that has begun runs to its end, in the host's own process before New returns;
// of an isolated plugin it is abandoned when ctx ends, and finalised when it comes.
func (h *Host) New(ctx context.Context, name string, args ...any) (*Box, error) {
	k, err := h.ready(ctx, name)
	if err != nil {
		return nil, err
	}
	defer h.leave()
	if !k.typ.Load().Singleton {
		box, _, err := h.birth(ctx, k, args, nil)
		return box, err
	}
	return h.singleton(ctx, k, args)
}

// singleton returns the one box of a kind, which it makes if there is none.
func (h *Host) singleton(ctx context.Context, k *kind, args []any) (*Box, error) {
	if err := k.making.Acquire(ctx, 1); err != nil {
		return nil, &CallError{Box: k.name, Method: abi.NameBirth, Err: context.Cause(ctx)}
	}
	if k.single != nil && !k.single.in.to.Lost() {
		defer k.making.Release(1)
		return k.single, nil
	}
	// A birth whose caller has left goes on, and there is no second one beside it.
	done := func(box *Box) {
		k.single = box
		k.making.Release(1)
	}
	box, goesOn, err := h.birth(ctx, k, args, done)
	if !goesOn {
		done(box)
	}
	return box, err
}

// Call calls a method. args are converted as nyash.toml says, or travel as
// their own types where it says nothing; a Box among them is lent for the call.
// The result is a copy.
//
// A failed call is a [*CallError]. errors.Is finds the plugin's code (an
// [abi.Code]), [ErrClosed], [ErrProtocol], ErrNoMethod or ctx's error
// in it.
//
// Call does not begin when ctx is done. Once begun, a call in the host's own process
// runs to its end. One of an isolated plugin returns when ctx ends, and is abandoned:
// the plugin goes on with it, what was lent to it stays lent, and what comes of it is
// cleared away.
func (b *Box) Call(ctx context.Context, method string, args ...any) (Result, error) {
	plan, err := b.in.typ.method(method)
	if err != nil {
		return Result{}, &CallError{Box: b.in.typ.Name, Method: method, Err: err}
	}
	return b.call(ctx, plan, &b.hint, args)
}

// Close finalises the box: it refuses new calls at once, waits for those under
// way and calls fini, once, whoever else closes. It always returns nil; the
// error is there so that a Box is an io.Closer. [Box.Shutdown] bounds the waiting. Closing a singleton does
// nothing: it belongs to the host, which finalises it when it closes.
//
// Close must not be called by a call of the same box (from a log handler, say):
// it would wait for itself.
//
// A call of an isolated plugin whose context has ended does not count as under way:
// fini follows it, and Close returns before.
func (b *Box) Close() error { return b.Shutdown(context.Background()) }

// Shutdown is Close that waits no longer than until ctx ends. Then it returns ctx's
// error, and fini follows when the last call has ended.
func (b *Box) Shutdown(ctx context.Context) error {
	defer runtime.KeepAlive(b)
	if b.in.typ.Singleton {
		return nil
	}
	if err := b.in.close(ctx); err != nil {
		return fmt.Errorf("close %v: %w", b, err)
	}
	return nil
}

// Name is the box's name in nyash.toml.
func (b *Box) Name() string { return b.in.typ.Name }

// ID is the instance id, which the plugin chose.
func (b *Box) ID() uint32 { return b.in.id }

// Type tells the box's type id and methods.
func (b *Box) Type() *registry.Type { return &b.in.typ.Type }

// String returns a name for logs, such as "FileBox(3)".
func (b *Box) String() string { return b.in.String() }
