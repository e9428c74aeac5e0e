package native

import (
	"context"
	"runtime"
)

// turn runs functions one at a time.
type turn interface {
	// do runs f when its turn comes, or returns ctx's error without having
	// run it.
	do(ctx context.Context, f func()) error
	stop()
}

func newTurn(t Threads) turn {
	switch t {
	case Serial:
		return make(serial, 1)
	case Pinned:
		return newPinned()
	}
	return nil
}

// serial is a lock that can be given up waiting for.
type serial chan struct{}

func (s serial) do(ctx context.Context, f func()) error {
	select {
	case s <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-s }()
	f()
	return nil
}

func (s serial) stop() {}

// pinned hands functions to a goroutine that never leaves its OS thread.
type pinned struct {
	work chan func()
}

func newPinned() *pinned {
	p := &pinned{work: make(chan func())}
	go func() {
		// The lock is never released, so the thread ends with the goroutine
		// and nothing of the plugin's thread-local state is inherited.
		runtime.LockOSThread()
		for f := range p.work {
			f()
		}
	}()
	return p
}

func (p *pinned) do(ctx context.Context, f func()) error {
	done := make(chan struct{})
	select {
	case p.work <- func() { defer close(done); f() }:
		<-done
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *pinned) stop() { close(p.work) }
