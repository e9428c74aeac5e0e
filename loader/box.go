package loader

import (
	"context"
	"fmt"
	"runtime"

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
// ctx bounds the waiting for a free place among the calls; a birth that has
// begun is not interrupted.
func (h *Host) New(ctx context.Context, name string, args ...any) (*Box, error) {
	k, err := h.ready(ctx, name)
	if err != nil {
		return nil, err
	}
	defer h.leave()
	if !k.typ.Load().Singleton {
		return h.birth(ctx, k, args)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.single == nil || k.single.in.to.Lost() {
		if k.single, err = h.birth(ctx, k, args); err != nil {
			return nil, err
		}
	}
	return k.single, nil
}

// Call calls a method. args are converted as nyash.toml says, or travel as
// their own types where it says nothing; a Box among them is lent for the call.
// The result is a copy.
//
// A failed call is a [*CallError]. errors.Is finds the plugin's code (an
// [abi.Code]), [ErrClosed], [ErrProtocol], registry.ErrNoMethod or ctx's error
// in it. Call does not begin when ctx is done; once begun it runs to its end.
func (b *Box) Call(ctx context.Context, method string, args ...any) (Result, error) {
	plan, err := b.in.typ.Method(method)
	if err != nil {
		return Result{}, &CallError{Box: b.in.typ.Name, Method: method, Err: err}
	}
	return b.call(ctx, plan, &b.hint, args)
}

// Close finalises the box: it refuses new calls at once, waits for those under
// way and calls fini, once, whoever else closes. It always returns nil; the
// error is there so that a Box is an io.Closer. Closing a singleton does
// nothing: it belongs to the host, which finalises it when it closes.
//
// Close must not be called by a call of the same box (from a log handler, say):
// it would wait for itself.
func (b *Box) Close() error {
	if !b.in.typ.Singleton {
		b.in.close()
	}
	runtime.KeepAlive(b)
	return nil
}

// Name is the box's name in nyash.toml.
func (b *Box) Name() string { return b.in.typ.Name }

// ID is the instance id, which the plugin chose.
func (b *Box) ID() uint32 { return b.in.id }

// Type tells the box's type id and methods.
func (b *Box) Type() *registry.Type { return b.in.typ }

// String returns a name for logs, such as "FileBox(3)".
func (b *Box) String() string { return fmt.Sprintf("%s(%d)", b.in.typ.Name, b.in.id) }
