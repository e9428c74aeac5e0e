// Package transport is what the ways to reach a worker process have in common on
// the host's side: the interface [Transport] that a way implements, the [Peer] that
// it is given, deadlines, calls whose callers have left, and the errors of a worker's
// end. Packages shm and pipe are the two ways; each holds both ends of its protocol.
//
// A worker is never trusted: a transport checks every number that it reads, reads it
// once, and waits for nothing without a bound or a context.
package transport

import (
	"context"
	"math"
	"os"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// Transport is one way to reach a worker. Its methods may be called at any time by
// several goroutines, but for Load, which comes first. Where one waits, its context
// or the Peer's timeouts bound that.
type Transport interface {
	// Load has the worker load the library; it is called again where the answer has a
	// Config (see [wire.Load]). io.EOF is a worker that ended instead. ctx is given to
	// Peer.Calls for what connect and init ask; the waiting does not end with it.
	Load(ctx context.Context, load *wire.Load) (wire.Loaded, error)
	// Call calls nyash_plugin_invoke. When ctx ends, the error is an
	// [*AbandonedError], or ctx's where no call was made; [ErrLost] where there is no
	// worker; a [*CrashError], or one that matches [ErrTimeout], where the call was
	// lost. With probe, a tester's hook makes the call (see package probe). A call whose
	// ctx is [Nested] does not wait to be sent: the error is [ErrNoSlot] where it would
	// have to. What the plugin asks of its host meanwhile is answered by Peer.Calls, which
	// is given ctx, also when that has ended.
	Call(ctx context.Context, c *abi.Call, probe *wire.Probe) error
	// Batch makes calls in order in one crossing: as many as have room there, but none behind
	// one that answers short buffer. It returns how many were made; 0 without an error is a
	// batch whose first call has to be made by itself. The errors are those of Call; where
	// the batch was lost or abandoned, the first made of its calls were answered before.
	// The calls and their memory belong to it until the Wait of an [*AbandonedError] has
	// returned. No further call is made when ctx has ended, where the library does not
	// make them by itself.
	Batch(ctx context.Context, calls []abi.Call) (made int, err error)
	// Operate asks for something that is not a call, one of wire's operations. When
	// ctx ends, nobody learns what came of it. Peer.Calls is given ctx as by Call.
	Operate(ctx context.Context, op wire.Op, a, b uint64) (answer []byte, err error)

	// Lend copies data to where the worker sees it. TakeBack does not wait.
	Lend(ctx context.Context, data []byte) (addr uint64, err error)
	TakeBack(addr uint64, length int)
	// Adopt takes over a blob; when ctx ends, it is freed. release waits no longer
	// than [Peer.ControlLimit]. Discard frees a blob instead, and does not wait.
	Adopt(ctx context.Context, addr, length uint64) (data []byte, release func(), err error)
	Discard(addr, length uint64)

	// Active is the number of requests under way, in either direction; Counts are the calls that there
	// were, and Answers how many of them have ended.
	Active() int
	Counts() (calls, failed uint64)
	Answers() uint64
	// Queue is the number of calls that wait for a slot. Admit wakes them, to look
	// again.
	Queue() int
	Admit()
	// Drain hands on what a worker that has ended logged before.
	Drain()
	// Begun reports whether a worker that has died had come to loading the library.
	Begun() bool
	// HangUp has the worker exit by itself.
	HangUp()
	// Close wakes those who wait, and gives back what nobody uses any more. The
	// worker is dead by then, or was never started.
	Close()

	Limited
}

// Limited is what the watch of limits asks of a transport. The worker may have
// written anything.
type Limited interface {
	// BusyCalls appends the calls that are under way.
	BusyCalls([]BusyCall) []BusyCall
	// Serving tells which thread of the worker makes a call, and what that had used
	// of processor time before; thread is 0 where that is not known yet.
	Serving(id int) (thread int, before time.Duration)
	// SharedBytes is how much of the memory that both share has pages: what the host
	// itself has of it at most, and all. Zeros where nothing is shared.
	SharedBytes() (own, all uint64)
	// Spun is for how long the worker says that it has looked for requests, and for
	// answers of its host.
	Spun() time.Duration
	// HostCalls is how many calls of the plugin to its host there were.
	HostCalls() uint64
	// FixedShared is how much of the shared memory is neither arena's.
	FixedShared() uint64
}

// BusyCall is a call that is under way, by its slot or request.
type BusyCall struct {
	ID    int
	Began time.Time
}

// AppendBusy appends a call that began at a Unix time in nanoseconds; 0 is none.
func AppendBusy(to []BusyCall, id int, began int64) []BusyCall {
	if began == 0 {
		return to
	}
	return append(to, BusyCall{id, time.Unix(0, began)})
}

// Nanoseconds is a time that a worker has written.
func Nanoseconds(n uint64) time.Duration { return time.Duration(min(n, math.MaxInt64)) }

// ControlSlots is how many of a transport's slots, the first ones, are for what is
// not a call: however many calls there are, and however long they take, a blob can be
// freed and the plugin shut down.
const ControlSlots = 4

// NestedSlots is how many of the others, the ones that follow, are kept for nested calls
// where there can be any.
const NestedSlots = 12

// Files is what a worker is started with.
type Files struct {
	Files []*os.File // its first descriptors behind the standard ones
	Kind  wire.Kind
}

// Close closes the host's copies.
func (f *Files) Close() {
	for _, file := range f.Files {
		file.Close()
	}
}

// Outcome is how a wait for an answer ended.
type Outcome uint8

// The outcomes.
const (
	Answered Outcome = iota
	Died             // the worker has
	Ended            // the context has
	Calling          // none has: the plugin calls its host
)

// Signal leaves a token in a buffered channel, unless it is full.
func Signal(c chan<- struct{}) bool {
	select {
	case c <- struct{}{}:
		return true
	default:
		return false
	}
}
