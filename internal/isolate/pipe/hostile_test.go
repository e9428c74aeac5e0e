package pipe

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// driven is a host whose worker is the test.
type driven struct {
	*Host
	t        testing.TB
	requests *os.File
	answers  *os.File
	killed   chan error // why the worker was, if it was
	die      func()     // ends the worker, as its session does
}

func drive(t testing.TB) *driven { return driveWith(t, nil) }

// driveWith is drive for a host that answers the worker's calls.
func driveWith(t testing.TB, calls hostvtable.Calls) *driven {
	t.Helper()
	d := &driven{t: t, killed: make(chan error, 1)}
	peer := &transport.Peer{
		CancelGrace: time.Hour,
		Line:        func(uint32, []byte) bool { return true }, Flush: func(context.Context) {},
		Contended: func() bool { return false }, Closing: func() bool { return false },
		Lost: new(atomic.Uint64), Calls: calls,
	}
	d.die = sync.OnceFunc(func() {
		peer.Crash.Store(&transport.CrashError{Status: 1})
		peer.Dead.Store(true)
		close(peer.Ended)
		peer.Transport.Close()
		<-d.silent
		d.requests.Close()
		d.answers.Close()
	})
	peer.Kill = func(cause error) {
		select {
		case d.killed <- cause:
			go d.die()
		default:
		}
	}
	peer.Init()
	link, theirs, err := New(peer)
	require.NoError(t, err)
	peer.Transport = link
	d.Host, d.requests, d.answers = link.(*Host), theirs.Files[0], theirs.Files[1]
	d.listening.Do(func() { go d.listen() })
	t.Cleanup(d.die)
	return d
}

// read reads a request's head, and leaves its payload in the pipe.
func (d *driven) read() Frame {
	var head [FrameSize]byte
	_, err := io.ReadFull(d.requests, head[:])
	require.NoError(d.t, err)
	return ParseFrame(&head)
}

func (d *driven) answer(id uint32) {
	_, err := d.answers.WriteString(frame(Frame{Op: wire.OpAnswer, ID: id, A: 4}, "1234"))
	require.NoError(d.t, err)
}

// serve answers the requests that come.
func (d *driven) serve(n int) {
	for range n {
		f := d.read()
		_, err := io.CopyN(io.Discard, d.requests, int64(f.Length))
		require.NoError(d.t, err)
		d.answer(f.ID)
	}
}

// call is a call with so many bytes of arguments.
func call(bytes int) *abi.Call {
	c := new(abi.Call)
	c.SetArgs(make([]byte, bytes))
	c.SetResultBuffer(make([]byte, 64))
	return c
}

// start begins a call in a goroutine.
func (d *driven) start(ctx context.Context, bytes int) (done <-chan error) {
	ended := make(chan error, 1)
	go func() { ended <- d.Call(ctx, call(bytes), nil) }()
	return ended
}

func until(ok func() bool) {
	for !ok() {
		runtime.Gosched()
	}
}

// more than a pipe has room for
const large = 4 << 20

// TestReceive_NotWritten: an answer to a request that is not written yet, or not to its
// end, is none.
func TestReceive_NotWritten(t *testing.T) {
	t.Run("half of it is", func(t *testing.T) {
		d := drive(t)
		first := d.start(t.Context(), large)
		d.answer(d.read().ID)
		require.ErrorIs(t, <-d.killed, errNonsense)
		require.ErrorIs(t, <-first, transport.ErrCrashed)
	})
	t.Run("it waits for its turn", func(t *testing.T) {
		d := drive(t)
		first := d.start(t.Context(), large)
		id := d.read().ID
		second := d.start(t.Context(), 0)
		until(func() bool { return d.running.Load() == 2 })
		d.answer(id + 1)
		require.ErrorIs(t, <-d.killed, errNonsense)
		require.ErrorIs(t, <-first, transport.ErrCrashed)
		err := <-second // it may have come to its turn when the worker was dead
		require.True(t, errors.Is(err, transport.ErrLost) || errors.Is(err, transport.ErrCrashed), err)
	})
}

// TestReceive_CallerLeft has a worker answer a request that waits for its turn, and whose
// caller leaves in the middle of the answer: nobody else is then given its memory.
func TestReceive_CallerLeft(t *testing.T) {
	const slots = wire.Slots - transport.ControlSlots
	d := drive(t)
	calls := []<-chan error{d.start(t.Context(), large)}
	id := d.read().ID + 1
	short, leave := context.WithCancel(t.Context())
	left := d.start(short, 0)
	until(func() bool { return d.running.Load() == 2 })
	for range slots { // one more than there are places for
		calls = append(calls, d.start(t.Context(), 0))
	}
	until(func() bool { return d.running.Load() == slots && d.Queue() > 0 })
	answer := frame(Frame{Op: wire.OpAnswer, ID: id, A: 60}, strings.Repeat("x", 60))
	_, err := d.answers.WriteString(answer[:FrameSize+30])
	require.NoError(t, err)
	until(func() bool { return !d.callers[id].asked.Load() })
	leave()
	require.Error(t, <-left)
	_, _ = d.answers.WriteString(answer[FrameSize+30:]) // where it is still heard
	require.ErrorIs(t, <-d.killed, errNonsense)
	for _, done := range calls {
		require.Error(t, <-done)
	}
}

// TestAdmit_All: when there are few abandoned calls again, everybody who waited is served.
func TestAdmit_All(t *testing.T) {
	const callers = 5 * wire.Slots
	d := drive(t)
	short, leave := context.WithCancel(t.Context())
	var left []<-chan error
	for range transport.MaxAbandoned {
		left = append(left, d.start(short, 0))
	}
	var under []uint32
	for range transport.MaxAbandoned {
		under = append(under, d.read().ID)
	}
	leave()
	var late []*transport.AbandonedError
	for _, done := range left {
		var abandoned *transport.AbandonedError
		require.ErrorAs(t, <-done, &abandoned)
		late = append(late, abandoned)
	}
	require.True(t, d.peer.Full())
	var waiting []<-chan error
	for range callers {
		waiting = append(waiting, d.start(t.Context(), 0))
	}
	until(func() bool { return d.Queue() == callers })
	var ended sync.WaitGroup
	for _, abandoned := range late {
		ended.Go(func() { assert.NoError(t, abandoned.Wait()) })
	}
	for _, id := range under {
		d.answer(id)
	}
	ended.Wait()
	d.serve(callers)
	for _, done := range waiting {
		require.NoError(t, <-done)
	}
	assert.Zero(t, d.Queue())
}
