// Package probe is what testers of plugins need of a worker beyond what hosts do:
// calls in memory that is laid out so that faults show, batches, loading again, and
// a look at what the plugin changes in its process. Both ends are here: the hooks
// that a tester's worker registers ([Main]), and the functions that ask for them.
//
// Workers that ship have none of it. A plugin that is opened with Config.Hooks in a
// worker without them is refused.
package probe

import (
	"context"
	"encoding/json"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// Call is a call whose memory is laid out so that faults show. After the call the
// whole result buffer is as the plugin left it; what it did not write is
// [wire.Filler], or 0 in the first four bytes.
type Call struct {
	abi.Call
	wire.Probe
}

// Invoke makes a call in memory of its own; otherwise it is [isolate.Session.Invoke].
func Invoke(ctx context.Context, s *isolate.Session, c *Call) error {
	return s.Call(ctx, &c.Call, &c.Probe)
}

// RunBatch makes calls in one crossing, as hosts do where the plugin offers that, and
// fills in what came of them. Calls with large results do not fit. ctx is as for
// [isolate.Session.Operate].
func RunBatch(ctx context.Context, s *isolate.Session, b *Batch) error {
	request, err := json.Marshal(b)
	if err != nil {
		return err
	}
	addr, err := s.Lend(context.Background(), request)
	if err != nil {
		return err
	}
	defer s.TakeBack(addr, len(request))
	answer, err := s.Operate(ctx, wire.OpBatch, addr, uint64(len(request)))
	if err != nil {
		return err
	}
	return json.Unmarshal(answer, b)
}

// Shutdown calls the plugin's shutdown, and has the library closed if it was
// opened with Unload. No call may be under way, and none may follow but Reload. ctx is as
// for [isolate.Session.Operate].
func Shutdown(ctx context.Context, s *isolate.Session) error {
	_, err := s.Operate(ctx, wire.OpShutdown, 0, 0)
	return err
}

// Reload is Shutdown, if that was not called, and loading again. The library's
// description must still be the same; that is not checked. ctx is as for
// [isolate.Session.Operate].
func Reload(ctx context.Context, s *isolate.Session) error {
	_, err := s.Operate(ctx, wire.OpReload, 0, 0)
	return err
}

// Unanswered tells how often the library has asked its host for something when that did
// not answer any more.
func Unanswered(s *isolate.Session) (uint64, error) {
	answer, err := s.Operate(context.Background(), wire.OpUnanswered, 0, 0)
	if err != nil {
		return 0, err
	}
	var n uint64
	return n, json.Unmarshal(answer, &n)
}

// LookAtConfig tells what has become of the library's text on itself. No call may be
// under way.
func LookAtConfig(s *isolate.Session) (c Config, err error) {
	text, err := s.Operate(context.Background(), wire.OpConfig, 0, 0)
	if err != nil {
		return c, err
	}
	return c, json.Unmarshal(text, &c)
}

// Survey tells what the process was like before the library was loaded, and what it
// is like now; looking at the threads takes some milliseconds. The error is
// [transport.ErrUnsupported] where that cannot be told, or where the plugin was not
// opened with Survey.
func Survey(s *isolate.Session, threads bool) (c Changes, err error) {
	what := uint64(0)
	if threads {
		what = 1
	}
	text, err := s.Operate(context.Background(), wire.OpSurroundings, what, 0)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return c, err
	}
	if c.Before.Dir == "" {
		return c, transport.ErrUnsupported
	}
	return c, nil
}
