package pipe

import (
	"bytes"
	"context"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// requestWriter writes whole requests to the worker's pipe, one after another.
// A message that was begun is always completed, whatever becomes of the caller's
// context: what comes after it would be misread otherwise.
type requestWriter struct {
	peer   *transport.Peer
	out    *os.File
	turn   chan struct{} // held by whoever writes
	buffer []byte        // of whoever has the turn
	now    message       // theirs, too
	moved  atomic.Uint64 // bytes that were written
}

func newRequestWriter(peer *transport.Peer, out *os.File) *requestWriter {
	return &requestWriter{peer: peer, out: out, turn: make(chan struct{}, 1)}
}

func (w *requestWriter) close() { w.out.Close() }

// piece is how much of a large payload is written at once, in bytes.
const piece = 1 << 20

// message is what is left to write of a request.
type message struct {
	mu   sync.Mutex
	head []byte      // in the writer's buffer
	rest []byte      // the caller's, until own
	from *pipeCaller // whose request it is
}

func (m *message) begin(head, rest []byte, from *pipeCaller) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.head, m.rest, m.from = head, rest, from
}

// next takes the next part, in the writer's buffer or in buf. last is its last one.
func (m *message) next(buf *[]byte) (part []byte, last bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if head := m.head; len(head) > 0 {
		m.head = nil
		return head, len(m.rest) == 0
	}
	n := min(len(m.rest), piece)
	*buf = append((*buf)[:0], m.rest[:n]...)
	m.rest = m.rest[n:]
	return *buf, len(m.rest) == 0
}

// own ends the use of the caller's memory. Where the message is complete, it does
// no harm to the one that follows.
func (m *message) own() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rest = bytes.Clone(m.rest)
}

// write writes a message, whose time begins when it has the turn. An error means
// that nothing was written. When ctx ends, or the deadline passes, in the middle,
// write returns, and the rest is written from a copy.
func (w *requestWriter) write(ctx context.Context, f *Frame, payload []byte, c *pipeCaller, d *transport.Deadline) error {
	if err := w.takeTurn(ctx, d); err != nil {
		return err
	}
	transport.Began(ctx)
	d.Start(uint64(len(payload)))
	f.Length = uint64(len(payload))
	w.buffer = f.Append(w.buffer[:0])
	if len(payload) <= together {
		w.buffer = append(w.buffer, payload...)
		payload = nil
	}
	m := &w.now
	m.begin(w.buffer, payload, c)
	if ctx.Done() == nil && d.Left() < 0 {
		w.complete(m)
		return nil
	}
	w.completeOrLeave(ctx, m, d)
	return nil
}

// takeTurn waits until no other message is being written. Where requests have a
// time limit, a worker that reads nothing for so long is killed.
func (w *requestWriter) takeTurn(ctx context.Context, d *transport.Deadline) error {
	select {
	case w.turn <- struct{}{}:
		return nil
	default:
	}
	var stalled <-chan time.Time
	if d.Limited() {
		ticker := time.NewTicker(w.peer.ControlLimit(wire.OpShutdown))
		defer ticker.Stop()
		stalled = ticker.C
	}
	moved := w.moved.Load()
	for {
		select {
		case w.turn <- struct{}{}:
			return nil
		case <-w.peer.Ended:
			return transport.ErrLost
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-stalled:
			now := w.moved.Load()
			if now == moved {
				w.peer.Kill(transport.ErrNoAnswer)
			}
			moved = now
		}
	}
}

// completeOrLeave has a goroutine write the message, and leaves it alone with the
// rest where it takes too long.
func (w *requestWriter) completeOrLeave(ctx context.Context, m *message, d *transport.Deadline) {
	moved := &m.from.moved
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.complete(m)
	}()
	var timer *time.Timer
	var late <-chan time.Time
	for {
		if left := d.Left(); left >= 0 {
			if timer == nil {
				timer = time.NewTimer(left)
				defer timer.Stop()
			} else {
				timer.Reset(left)
			}
			late = timer.C
		}
		select {
		case <-done:
			return
		case <-ctx.Done():
			m.own()
			return
		case <-late:
			if !d.PutOff(moved.Load()) {
				m.own()
				return
			}
		}
	}
}

// complete writes what is left of a message and passes the turn on.
func (w *requestWriter) complete(m *message) {
	defer func() { <-w.turn }()
	from := m.from
	var buf []byte // grows to a piece where there are any
	for last := false; !last; {
		var part []byte
		if part, last = m.next(&buf); last {
			from.asked.Store(true) // an answer to less is none
		}
		n, err := w.out.Write(part)
		w.moved.Add(uint64(n))
		from.moved.Add(uint64(n))
		if err != nil {
			w.gone()
			return
		}
	}
}

// gone is called when the pipe cannot be written to: the worker is ending, or it
// does not listen any more. Those who wait for answers hear of its end.
func (w *requestWriter) gone() {
	go func() {
		select {
		case <-w.peer.Ended:
		case <-time.After(transport.CloseWait):
			w.peer.Kill(transport.ErrHungUp)
		}
	}()
}
