// Package restart decides when a life of a plugin that has ended by itself may be followed
// by another: one rule for worker processes and for WebAssembly modules.
package restart

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrBroken: the plugin died too often to be started again.
var ErrBroken = errors.New("plugin keeps crashing")

// Policy is when a life that died is replaced. With more than Max deaths within Within it is
// not. Backoff is the wait before the first new life; it is doubled for each further one.
type Policy struct {
	Max     int
	Within  time.Duration
	Backoff time.Duration
}

// History are the deaths of one plugin. It is safe for concurrent use.
type History struct {
	mu     sync.Mutex
	deaths []time.Time // within the time that the policy looks at
	last   error
	reset  chan struct{} // closed by Reset; nil before somebody waits
}

// Failed counts a death.
func (h *History) Failed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deaths = append(h.deaths, time.Now())
}

// Note keeps the error that [ErrBroken] tells as the last one.
func (h *History) Note(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = err
}

// Last is the error that was noted last.
func (h *History) Last() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last
}

// Reset forgets the deaths, so that another life may begin at once.
func (h *History) Reset() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.deaths = nil
	if h.reset != nil {
		close(h.reset)
		h.reset = nil
	}
}

// Wait waits until another life may begin. again tells that it takes the place of one that
// died. The error is ctx's cause, or matches [ErrBroken].
func (h *History) Wait(ctx context.Context, p Policy) (again bool, err error) {
	h.mu.Lock()
	recent := h.deaths[:0]
	for _, t := range h.deaths {
		if time.Since(t) < p.Within {
			recent = append(recent, t)
		}
	}
	h.deaths = recent
	if h.reset == nil {
		h.reset = make(chan struct{})
	}
	count, last, reset := len(recent), h.last, h.reset
	var youngest time.Time
	if count > 0 {
		youngest = recent[count-1]
	}
	h.mu.Unlock()
	if count == 0 {
		return false, nil
	}
	if count > p.Max {
		return false, fmt.Errorf("%w: %d times within %v, more than restart.max = %d allows; Host.Reset lets it start again, and so does time (last: %w)",
			ErrBroken, count, p.Within, p.Max, last)
	}
	// A death that is longer ago than Within does not count, so the wait is no longer.
	wait := time.Until(youngest.Add(min(p.Backoff<<min(count-1, 16), p.Within)))
	if wait <= 0 {
		return true, nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true, nil
	case <-reset:
		return true, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}
