package isolate

import (
	"context"
	"encoding/json"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/channel"
)

// Probe is a call whose memory is laid out so that faults show: it is for those
// who test plugins. After the call the whole room is as the plugin left it;
// what it did not write is [channel.Filler], or 0 in the first four bytes.
type Probe struct {
	abi.Call
	Layout channel.Layout
	// Damage is what the plugin did to memory that is not its own.
	Damage channel.Damage
}

// Probe makes a call in memory of its own; otherwise it is [Session.Invoke].
func (s *Session) Probe(ctx context.Context, p *Probe) error { return s.inTurn(ctx, &p.Call, p) }

// Batch makes calls in one crossing, as hosts do where the plugin offers that, and
// fills in what came of them. Calls with large results do not fit.
func (s *Session) Batch(b *channel.Batch) error {
	request, err := json.Marshal(b)
	if err != nil {
		return err
	}
	addr, err := s.link.lend(context.Background(), request)
	if err != nil {
		return err
	}
	defer s.link.takeBack(addr, len(request))
	answer, err := s.link.operate(context.Background(), channel.OpBatch, addr, uint64(len(request)))
	if err != nil {
		return err
	}
	return json.Unmarshal(answer, b)
}

// Kill ends the worker, for a reason that those who call it are told.
func (s *Session) Kill(cause error) { s.kill(cause) }

// Shutdown calls the plugin's shutdown, and has the library closed if it was
// opened with Unload. No call may be under way, and none may follow but Reload.
func (s *Session) Shutdown() error {
	_, err := s.link.operate(context.Background(), channel.OpShutdown, 0, 0)
	return err
}

// Reload is Shutdown, if that was not called, and loading again. The library's
// description must still be the same; that is not checked.
func (s *Session) Reload() error {
	_, err := s.link.operate(context.Background(), channel.OpReload, 0, 0)
	return err
}

// Surroundings tells what the process was like before the library was loaded, and
// what it is like now; looking at the threads takes some milliseconds. The error is [ErrUnsupported] where that cannot be told, or where the
// plugin was not opened with Survey.
func (s *Session) Surroundings(threads bool) (c channel.Changes, err error) {
	what := uint64(0)
	if threads {
		what = 1
	}
	text, err := s.link.operate(context.Background(), channel.OpSurroundings, what, 0)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return c, err
	}
	if c.Before.Dir == "" {
		return c, ErrUnsupported
	}
	return c, nil
}
