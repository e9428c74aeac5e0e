package calls

import (
	"context"
	"sync/atomic"
)

// MaxDepth is how deep calls nest at most.
const MaxDepth = 64

var lastChain atomic.Uint64

// NewChain is the number of a chain of calls that begins. It is never 0.
func NewChain() uint64 { return lastChain.Add(1) }

// Position is where in a chain of calls a call is: Depth calls are around it. The zero
// Position is of no chain.
type Position struct {
	Chain uint64
	Depth int
}

type positionKey struct{}

// At returns the position of what is called with a context: by a plugin's call of a host
// function, or anything that a host function calls with the context that it was given.
func At(ctx context.Context) Position {
	switch c := ctx.(type) {
	case *Frame:
		return c.Position
	case *stable:
		return c.Position
	}
	if p, ok := ctx.Value(positionKey{}).(Position); ok {
		return p
	}
	return Position{}
}

// InChain returns a context that is in a chain: ctx, or one in which a chain begins.
func InChain(ctx context.Context) (context.Context, Position) {
	if at := At(ctx); at.Chain != 0 {
		return ctx, at
	}
	at := Position{Chain: NewChain()}
	return &stable{ctx, at}, at
}

// Within returns ctx at another position.
func Within(ctx context.Context, at Position) context.Context { return &stable{ctx, at} }

// Frame is the context of one call of a library that may call its host, or of a call that
// such a library makes. It belongs to the call: what outlives that is given
// [Frame.Stable]'s context. A Frame is used again for later calls.
type Frame struct {
	context.Context
	Position
	// Kept is an answer for which the library's buffer was too small. It is not for a frame
	// that several threads may be in.
	Kept    Kept
	Threads bool // several threads may be in it: of a library that is loaded or shut down

	stable atomic.Pointer[stable] // made by the first who asks

	life   context.Context // see EndWith
	caller context.Context // what Context was before that; nil without
	unbind func()          // has the context end; nil for nothing
}

// Reset makes the frame that of another call.
func (f *Frame) Reset(ctx context.Context, at Position) {
	f.Leave()
	f.Context, f.Position = ctx, at
	if f.stable.Load() != nil {
		f.stable.Store(nil)
	}
}

// EndWith has the context end when life does as well, and at [Frame.Leave] at the latest. It
// is not for a frame that several threads may be in.
func (f *Frame) EndWith(life context.Context) {
	if f.life == life {
		return
	}
	f.life, f.caller = life, f.Context
	switch {
	case f.Context == context.Background():
		f.Context = life
	case f.Context.Done() == nil:
		f.Context = &until{life, f.Context}
	default:
		f.Context, f.unbind = Join(f.Context, life)
	}
}

// Leave ends what EndWith has begun. The frame's context is of no use then.
func (f *Frame) Leave() {
	if f.unbind != nil {
		f.unbind()
	}
	f.life, f.caller, f.unbind = nil, nil, nil
}

// Caller is the context without the end that EndWith gives it.
func (f *Frame) Caller() context.Context {
	if f.caller != nil {
		return f.caller
	}
	return f.Context
}

// Join makes a context that ends with either of two, or when end is called, and has the
// values of the first.
func Join(ctx, other context.Context) (joined context.Context, end func()) {
	joined, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(other, func() { cancel(context.Cause(other)) })
	return joined, func() {
		stop()
		cancel(nil)
	}
}

// until ends with one context, and has the values of another that never ends.
type until struct {
	context.Context
	values context.Context
}

func (u *until) Value(key any) any {
	if v := u.values.Value(key); v != nil {
		return v
	}
	return u.Context.Value(key) // by which context finds the cause
}

// Unwrap returns the context that the call was made with.
func (f *Frame) Unwrap() context.Context { return f.Context }

// Nested reports whether the call is one that a plugin has made, which waits for no place
// among others.
func (f *Frame) Nested() bool { return f.Depth > 0 }

// Value is the context's.
func (f *Frame) Value(key any) any {
	if key == (positionKey{}) {
		return f.Position
	}
	return f.Context.Value(key)
}

// stable is the context of a host function. It may be kept for as long as anybody likes.
type stable struct {
	context.Context
	Position
}

func (s *stable) Value(key any) any {
	if key == (positionKey{}) {
		return s.Position
	}
	return s.Context.Value(key)
}

// Stable is the context that a host function is given: it ends as the frame's does, is at
// the same position, and may outlive the call. A context that is no frame is returned as it
// is.
func Stable(ctx context.Context) context.Context {
	f, ok := ctx.(*Frame)
	if !ok {
		return ctx
	}
	if s := f.stable.Load(); s != nil {
		return s
	}
	s := &stable{f.Context, f.Position}
	f.stable.CompareAndSwap(nil, s)
	return s
}
