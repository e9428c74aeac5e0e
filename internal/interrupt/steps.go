package interrupt

import (
	"context"
	"os"
	"os/signal"
	"sync"
)

// Steps has SIGINT end what is under way instead of the program: for a session at a terminal.
type Steps struct {
	signals chan os.Signal
	resume  func()

	mu   sync.Mutex
	step context.CancelCauseFunc // of the step under way; nil between steps
}

// NewSteps takes SIGINT over from ctx, which [Context] made, until Close.
func NewSteps(ctx context.Context) *Steps {
	s := &Steps{signals: make(chan os.Signal, 1), resume: func() {}}
	s.take()
	if h, ok := ctx.Value(handlerKey{}).(*handler); ok {
		h.watch(others...)
		s.resume = func() { h.watch(append([]os.Signal{os.Interrupt}, others...)...) }
	}
	go func() {
		for range s.signals {
			s.interrupt()
		}
	}()
	return s
}

func (s *Steps) take() { signal.Notify(s.signals, os.Interrupt) }

// interrupt ends the step under way. Until that has ended, the next signal is the system's.
func (s *Steps) interrupt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.step == nil {
		return
	}
	signal.Stop(s.signals)
	s.step(ErrInterrupted)
}

// Begin begins a step: the first SIGINT ends its context, and the second one before end is called
// ends the process. end must be called.
func (s *Steps) Begin(ctx context.Context) (step context.Context, end func()) {
	step, cancel := context.WithCancelCause(ctx)
	s.mu.Lock()
	s.step = cancel
	s.mu.Unlock()
	return step, func() {
		s.mu.Lock()
		s.step = nil
		s.mu.Unlock()
		s.take()
		cancel(nil)
	}
}

// Close gives SIGINT back.
func (s *Steps) Close() {
	s.resume()
	signal.Stop(s.signals)
	close(s.signals)
}
