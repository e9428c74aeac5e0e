package probe

import (
	"context"
	"encoding/json"
	"time"

	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// opWatch asks for a Watch. It is answered by [hooks] alone, and far from the numbers of the
// operations that all workers know.
const opWatch = wire.OpTesters

// Watch is what a tester asks about a method that promises to return soon and not to block:
// one call, which is made many times on a thread of its own, and what that shows.
type Watch struct {
	Call BatchCall

	// Times are those of the calls of the first round: the processor time of the thread, so
	// that waiting for a processor does not count.
	Times []time.Duration
	// Sleeps is how many of them gave up the processor of themselves.
	Sleeps int

	// Traced is how many calls the second round has, in which Waits are the system calls that
	// can sleep, made by code that is not the worker's own; 0 where the kernel does not tell.
	Traced int
	Waits  []Wait

	// Stack is how much of the C stack the deepest call took, in bytes; 0 where that is next to
	// nothing, or cannot be told. With StackEnd it took all that is looked at, and perhaps more.
	Stack    int
	StackEnd bool

	// Results are the short ones, among which are those that give an instance or a blob.
	Results []BatchCall
}

// Wait is a system call that can sleep.
type Wait struct {
	Name  string
	Calls int // of the method, in which it was made
}

// stackWatched is how much of the stack is looked at, in bytes: more than a leaf method has, to see
// what a large frame touches beyond.
const stackWatched = 2 << 20

// RunWatch makes the calls and fills in the rest. ctx is as for [isolate.Session.Operate]. The
// error is [transport.ErrUnsupported] where calls cannot be watched.
func RunWatch(ctx context.Context, s *isolate.Session, w *Watch) error {
	request, err := json.Marshal(w)
	if err != nil {
		return err
	}
	addr, err := s.Lend(context.Background(), request)
	if err != nil {
		return err
	}
	defer s.TakeBack(addr, len(request))
	answer, err := s.Operate(ctx, opWatch, addr, uint64(len(request)))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(answer, w); err != nil {
		return err
	}
	if len(w.Times) == 0 {
		return transport.ErrUnsupported
	}
	return nil
}
