package loader

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Close finalises every instance that is left, waits for the calls under way,
// and shuts the libraries down in the reverse order of loading. New calls get
// [ErrClosed] from the start. Closing again waits for the first Close and does
// nothing. Close must not be called by a plugin's call: it would wait for itself. From a
// host function that a plugin calls it does nothing, and returns [ErrCircle]; elsewhere,
// in a log handler say, it waits for ever. [Host.Shutdown] bounds the waiting.
//
// Calls of isolated plugins whose contexts have ended are waited for as well: as
// long as their call_timeout or cancel_grace lets them go on.
//
// While a plugin's shutdown runs in the host's process, so does the Close that called it,
// even if a Shutdown meanwhile goes on without that library.
func (h *Host) Close() error { return h.Shutdown(context.Background()) }

// Shutdown is Close that waits no longer than until ctx ends. Then the workers of
// isolated libraries are killed, whose calls get [ErrPluginCrashed]. A library in the
// host's own process that then has a call under way for another second, or is still
// loading, stays loaded and is not shut down; the error names it, and matches ctx's.
// fini of its instances follows their last calls.
func (h *Host) Shutdown(ctx context.Context) error {
	if h.called(ctx) {
		return fmt.Errorf("close the host of %s from a call that it has to wait for: %w", h.config.Path, ErrCircle)
	}
	h.mu.Lock()
	first := !h.closing
	h.closing = true
	h.mu.Unlock()
	if first {
		if ctx.Done() == nil {
			h.shutDown()
		} else {
			go h.shutDown()
		}
	}
	select {
	case <-h.closed:
	case <-ctx.Done():
		h.force(context.Cause(ctx))
		<-h.closed // bounded, see shutDown
	}
	if first {
		return h.closeErr
	}
	return nil
}

// closeGrace is how long, when a Shutdown's context has ended, calls and fini in the
// host's process may still take, and then each shutdown.
const closeGrace = time.Second

// shutDown closes the host, once. Nothing that it waits for outlasts h.over: a worker
// has been killed by then, and a library in this process is left as it is (stuck).
func (h *Host) shutDown() {
	c := &closing{host: h, stuck: make(map[*library]bool)}
	c.stop = context.AfterFunc(h.forced, func() {
		h.killWorkers()
		time.AfterFunc(closeGrace, h.giveUp)
	})
	if h.slots.wait(h.over, h.nothingPending) != nil {
		h.markBusy(c.stuck)
	}
	// A call under way can hand over a new instance until it ends, and so can one that
	// was abandoned: this goes on until nothing is left of either.
	for {
		h.finishAll(c.stuck)
		settled := func() bool { return h.abandonedCalls.Load() == 0 || len(h.liveInstances(c.stuck)) > 0 }
		if h.slots.wait(h.over, settled) != nil || h.over.Err() != nil || len(h.liveInstances(c.stuck)) == 0 {
			break
		}
	}
	for _, in := range h.liveInstances(c.stuck) { // that were not waited for
		c.stuck[in.lib] = !in.lib.source.killable()
	}
	c.order = h.closingOrder()
	c.closeLibraries(0)
}

// closing is the last part of a host's close: one library after the other.
type closing struct {
	host  *Host
	order []*library
	stop  func() bool

	// at is the index of the library that is being closed. Who moves it on owns the
	// fields below, and goes on with the next one: the goroutine that closed the library,
	// or, after a Shutdown's context and closeGrace, one that leaves the library stuck.
	// So no goroutine has to be started for a library that closes in time.
	at    atomic.Int64
	stuck map[*library]bool
	errs  []error
}

// closeLibraries closes the libraries from the one with an index on, and then the host.
func (c *closing) closeLibraries(from int) {
	for i := from; i < len(c.order); i++ {
		l := c.order[i]
		c.at.Store(int64(i))
		if c.stuck[l] {
			continue
		}
		stop := c.passBy(i)
		err := l.close()
		stop()
		if !c.at.CompareAndSwap(int64(i), int64(i+1)) {
			return
		}
		c.errs = append(c.errs, err)
	}
	h := c.host
	h.notices.flush(h.forced.Done())
	c.stop()
	h.force(nil)
	h.giveUp()
	h.closeErr = errors.Join(append(c.errs, h.stuckError(c.stuck))...)
	close(h.closed)
}

// passBy sees to it that the close goes on without a library in this process that is
// still at its shutdown closeGrace after a Shutdown's context has ended.
func (c *closing) passBy(i int) (stop func() bool) {
	if c.order[i].source.killable() {
		return func() bool { return true }
	}
	return context.AfterFunc(c.host.forced, func() {
		time.AfterFunc(closeGrace, func() {
			if c.at.CompareAndSwap(int64(i), int64(i+1)) {
				c.stuck[c.order[i]] = true
				c.closeLibraries(i + 1)
			}
		})
	})
}

// finishAll finalises the instances that there are. Libraries in this process that
// do not let go of theirs are noted as stuck.
func (h *Host) finishAll(stuck map[*library]bool) {
	for left := h.liveInstances(stuck); len(left) > 0; left = h.liveInstances(stuck) {
		for _, in := range left {
			in.closed.Store(true)
		}
		for _, in := range left {
			if !stuck[in.lib] && !h.closeInstance(in) {
				stuck[in.lib] = !in.lib.source.killable()
			}
		}
		if h.over.Err() != nil {
			return
		}
	}
}

func (h *Host) nothingPending() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pending == 0
}

// killWorkers kills the workers, and with them all calls of isolated libraries.
func (h *Host) killWorkers() {
	for _, l := range h.libraries {
		l.source.kill(errShutdown)
	}
}

var errShutdown = fmt.Errorf("the host was shut down: %w", ErrClosed)

// markBusy notes the libraries in this process that are still being loaded, or make an
// instance: such a one is not among the live ones.
func (h *Host) markBusy(stuck map[*library]bool) {
	for _, l := range h.libraries {
		if (l.busyLoading.Load() || l.births.Load() > 0) && !l.source.killable() {
			stuck[l] = true
		}
	}
}

// closeInstance closes an instance and waits for its fini. It reports whether that was
// called: a call in this process may not end before h.over. It can be one that another
// library's instance was lent to.
func (h *Host) closeInstance(in *instance) bool {
	_ = in.close(h.over)
	select {
	case <-in.finalised:
		return true
	case <-h.over.Done():
		return false
	}
}

func (h *Host) stuckError(stuck map[*library]bool) error {
	var names []string
	for _, l := range h.libraries {
		if stuck[l] {
			names = append(names, l.name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	return fmt.Errorf("host of %s: %w: these libraries in the host's process have calls under way, and stay loaded without shutdown: %s",
		h.config.Path, context.Cause(h.forced), strings.Join(names, ", "))
}

// closingOrder lists the libraries to shut down: those that have a worker and were never
// ready, and then the others in the reverse order of loading, but each behind those that use
// it.
func (h *Host) closingOrder() []*library {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []*library
	for _, l := range h.libraries {
		if !slices.Contains(h.loaded, l) {
			all = append(all, l)
		}
	}
	for _, l := range slices.Backward(h.loaded) {
		all = append(all, l)
	}
	return h.order.usersFirst(all)
}

// liveInstances lists the instances without a fini, the youngest first, except those of
// libraries that are stuck.
func (h *Host) liveInstances(stuck map[*library]bool) []*instance {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []*instance
	for _, in := range h.live {
		if !stuck[in.lib] {
			all = append(all, in)
		}
	}
	slices.SortFunc(all, func(a, b *instance) int { return cmp.Compare(b.number, a.number) })
	return all
}
