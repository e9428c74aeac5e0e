package loader

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/calls"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// finalising are the instances of a library that are to be finalised and that nobody waits
// for. There can be any number of them at once, when a worker dies that held them say, and
// each fini may have an OS thread for as long as it likes.
type finalising struct {
	mu      sync.Mutex
	queue   []*instance
	running int // goroutines that take from the queue
}

// maxFinalising is how many instances of a library are finalised at once that way.
const maxFinalising = 16

// finalise has a closed instance finalised, and waits for nothing.
func (l *library) finalise(in *instance) {
	if !l.host.slots.idle(in) { // or those that can be finalised would wait for its calls
		go in.close(context.Background()) //nolint:errcheck // Background never ends
		return
	}
	f := &l.finalising
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queue = append(f.queue, in)
	if f.running < maxFinalising {
		f.running++
		go f.run()
	}
}

func (f *finalising) run() {
	for in := f.next(); in != nil; in = f.next() {
		_ = in.close(context.Background()) // Background never ends
	}
}

// next returns nil where there is none: the goroutine then ends.
func (f *finalising) next() *instance {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queue) == 0 {
		f.queue = nil
		f.running--
		return nil
	}
	in := f.queue[0]
	f.queue[0] = nil
	f.queue = f.queue[1:]
	return in
}

// closeWithin is close for a chain of calls, of which others may wait for what it has. So
// it waits for no calls under way, and its fini is part of the chain. Where it cannot be
// called at once, or is called by another goroutine, it follows. The error is [ErrCircle]
// where fini would wait for the chain itself, or ctx's.
func (in *instance) closeWithin(ctx context.Context, at calls.Position) error {
	in.closed.Store(true)
	if !in.ending.CompareAndSwap(false, true) {
		return nil
	}
	if ctx.Done() == nil {
		return in.finaliseWithin(ctx, at)
	}
	done := make(chan error, 1)
	go func() { done <- in.finaliseWithin(ctx, at) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (in *instance) finaliseWithin(ctx context.Context, at calls.Position) (err error) {
	if in.host.slots.idle(in) {
		var made bool
		if made, err = in.fini(ctx, at); made {
			in.ended(err)
			close(in.closeDone)
			return nil
		}
	}
	go in.finaliseWhenIdle()
	if err == nil || errors.Is(err, transport.ErrNoSlot) {
		return nil
	}
	return fmt.Errorf("fini follows: %w", err)
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
	_, err := in.fini(context.Background(), calls.Position{})
	in.ended(err)
}

// ended removes an instance from the live ones. err is why its fini could not be called.
func (in *instance) ended(err error) {
	h := in.host
	if err != nil && !errors.Is(err, ErrInstanceLost) {
		h.options.logger.Error(fmt.Sprintf("finalise %s instance %d: %v", in.typ.Name, in.id, err), "plugin", in.lib.name)
	}
	h.mu.Lock()
	if h.live[in.key()] == in {
		delete(h.live, in.key())
	}
	h.mu.Unlock()
	h.forget(in)
	close(in.finalised)
}

// finiResultSize is the size of the result buffer of a fini, which may return a Void.
const finiResultSize = 64

// finiTimeout is how long a fini of an isolated plugin may take before it is abandoned.
// The waiting for the library's turn, or while many calls are abandoned, does not count: it
// ends with the calls that are waited for, and an instance is not forgotten.
var finiTimeout = 30 * time.Second

// fini calls the plugin's fini, unless the instance was lost, as part of the chain at a
// position, or of one of its own. Its result is ignored (docs/abi.md, invoke). made is false
// where it was not called and has to be later: in a chain there may be no place for it, the
// turn may be what waits for the chain, or not come before ctx ends. The call itself does
// not end with ctx.
func (in *instance) fini(ctx context.Context, at calls.Position) (made bool, err error) {
	if in.backend.Lost() {
		return true, nil
	}
	own := context.Background()
	if in.lib.source.killable() {
		var cancel func()
		own, cancel = transport.Patient(own, finiTimeout, fmt.Errorf("fini has not returned in %v", finiTimeout))
		defer cancel()
	}
	c := &abi.Call{TypeID: in.typ.ID, Method: abi.MethodFini, Instance: in.id}
	c.SetArgs(tlv.AppendHeader(nil))
	c.SetResultBuffer(make([]byte, finiResultSize))
	if in.connected {
		if at.Chain == 0 {
			at.Chain = calls.NewChain()
		}
		s := new(callSlot) // none of the host's: nobody else looks at it
		defer s.leave()
		f := s.begin(own, at)
		if err := in.takeTurn(ctx, f, s); err != nil {
			return false, err
		}
		own = f
	}
	err = in.backend.Invoke(own, c)
	if call := asAbandoned(err); call != nil {
		go call.Wait() //nolint:errcheck // the result is ignored
	}
	return !errors.Is(err, transport.ErrNoSlot), err
}
