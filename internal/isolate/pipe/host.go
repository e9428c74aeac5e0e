package pipe

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// Host reaches a worker through two pipes, on any system that has them.
// Everything is copied through them, blobs too.
type Host struct {
	peer      *transport.Peer
	out       *requestWriter
	in        *os.File      // answers and lines
	loading   atomic.Bool   // the worker has come to that
	listening sync.Once     // begun with the first load
	silent    chan struct{} // closed when there is nothing more to hear

	free    chan uint32 // requests for calls that are not under way
	nested  chan uint32 // those that are kept for nested calls
	control chan uint32 // those for what is not a call
	waiters atomic.Int32
	gate    chan struct{} // has a sign when one of those who wait may look again whether too many were abandoned
	callers [wire.Slots]pipeCaller
	running atomic.Int32
	calls   atomic.Uint64
	failed  atomic.Uint64
	done    atomic.Uint64 // calls that were answered
	single  atomic.Bool   // the library offers no batches

	hostCalls [wire.MaxHostCalls]atomic.Pointer[hostSide] // made by the listener when the first comes
	serving   atomic.Int32                                // calls of the plugin to its host under way
	asked     atomic.Uint64                               // that there were
}

// pipeCaller is who waits for the answer to a request. What belongs to the answer
// is written by the listener between asked and told, and by nobody else then: asked is
// set by whoever writes the request, with its last bytes, and once a request was begun
// the caller is not released before it is told, or the worker has ended.
type pipeCaller struct {
	id     uint32
	asked  atomic.Bool
	told   chan struct{} // has room for one sign: of the answer, or of a call to the host
	most   uint64        // bytes that the answer may have
	answer Frame
	data   []byte
	moved  atomic.Uint64 // bytes of the request and of its answer that went through
	began  atomic.Int64  // Unix time in ns since when a call is under way; see busyCalls
	until  transport.Deadline
	op     wire.Op // of a request that is not a call
}

// New makes the host's end for a worker, and the files that the worker is started with.
func New(peer *transport.Peer) (transport.Transport, *transport.Files, error) {
	theirIn, out, err := os.Pipe()
	if err != nil {
		return nil, nil, err
	}
	in, theirOut, err := os.Pipe()
	if err != nil {
		theirIn.Close()
		out.Close()
		return nil, nil, err
	}
	h := &Host{
		peer: peer, in: in, out: newRequestWriter(peer, out), silent: make(chan struct{}),
		free: make(chan uint32, wire.Slots), control: make(chan uint32, transport.ControlSlots), gate: make(chan struct{}, 1),
		nested: make(chan uint32, transport.NestedSlots),
	}
	for i := range h.callers {
		c := &h.callers[i]
		c.told, c.id = make(chan struct{}, 1), uint32(i)
		h.giveID(c)
	}
	return h, &transport.Files{Files: []*os.File{theirIn, theirOut}, Kind: wire.KindPipe}, nil
}

func (h *Host) giveID(c *pipeCaller) {
	switch {
	case c.id < transport.ControlSlots:
		h.control <- c.id
	case c.id < transport.ControlSlots+transport.NestedSlots && h.peer.Nested:
		h.nested <- c.id
	default:
		h.free <- c.id
	}
}

// pipeText is the longest text of an answer that is one, in bytes.
const pipeText = wire.MaxMessage

// Load implements [transport.Transport].
func (h *Host) Load(ctx context.Context, load *wire.Load) (answer wire.Loaded, err error) {
	h.listening.Do(func() { go h.listen() })
	text, err := json.Marshal(load)
	if err != nil {
		return answer, err
	}
	// Whoever starts a worker bounds the loading.
	c, err := h.ask(context.Background(), ctx, &Frame{Op: wire.OpLoad}, text, pipeText, h.peer.NoDeadline(), nil)
	if err != nil {
		return answer, io.EOF // how it ended tells more
	}
	err = wire.Decode(c.data, &answer)
	h.release(c)
	return answer, err
}

// listen hears the worker until it ends or says what no worker says.
func (h *Host) listen() {
	err := h.receive(bufio.NewReaderSize(h.in, 64<<10))
	close(h.silent)
	if !errors.Is(err, errNonsense) {
		// It is ending, and how is for watch to see; or it lives, and is none
		// without its pipe.
		err = transport.ErrHungUp
		select {
		case <-h.peer.Ended:
			return
		case <-time.After(transport.CloseWait):
		}
		if h.peer.Expected.Load() {
			return
		}
	}
	h.peer.Kill(err)
}

var errNonsense = errors.New("it wrote nonsense to its host's pipe")

func (h *Host) receive(r *bufio.Reader) error {
	var head [FrameSize]byte
	var line []byte
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return err
		}
		var err error
		switch f := ParseFrame(&head); {
		case f.Op == wire.OpAnswer && f.ID < wire.Slots:
			err = h.answered(r, &f)
		case f.Op == wire.OpLine && f.Length <= wire.MaxLine:
			if line, err = readPayload(r, line, f.Length, nil); err == nil {
				h.peer.Line(f.ID, line)
			}
		case f.Op == wire.OpBegun && f.Length == 0:
			h.loading.Store(true)
		case (f.Op == wire.OpHostCall || f.Op == wire.OpHostResolve) && f.ID < wire.MaxHostCalls:
			err = h.called(r, &f)
		default:
			err = errNonsense
		}
		if err != nil {
			return err
		}
	}
}

// answered takes the answer to a request, if that was written to its end and the
// answer is as large as it may be.
func (h *Host) answered(r *bufio.Reader, f *Frame) (err error) {
	c := &h.callers[f.ID]
	if s := h.hostCalls[f.ID].Load(); s != nil && s.busy.Load() || !c.asked.CompareAndSwap(true, false) {
		return errNonsense
	}
	if f.Length > c.most {
		return errNonsense
	}
	c.answer = *f
	if c.data, err = readPayload(r, c.data, f.Length, &c.moved); err != nil {
		return err
	}
	transport.Signal(c.told)
	return nil
}

// readPayload reads n bytes into a buffer that grows as they come: a worker that
// announces more than it sends costs nothing. moved counts them, if it is not nil.
func readPayload(r io.Reader, buf []byte, n uint64, moved *atomic.Uint64) ([]byte, error) {
	const step = 1 << 20
	buf = buf[:0]
	for n > 0 {
		part := int(min(n, step))
		if cap(buf)-len(buf) < part {
			most := min(max(2*uint64(cap(buf)), uint64(len(buf)+part)), uint64(len(buf))+n)
			buf = append(make([]byte, 0, most), buf...)
		}
		at := len(buf)
		buf = buf[:at+part]
		if _, err := io.ReadFull(r, buf[at:]); err != nil {
			return buf, err
		}
		if moved != nil {
			moved.Add(uint64(part))
		}
		n -= uint64(part)
	}
	return buf, nil
}

// claim takes a request for a call, and waits for one while all are under way, or
// while too many calls were abandoned. A nested call does not wait; some requests are kept
// for such.
func (h *Host) claim(ctx context.Context) (*pipeCaller, error) {
	kept := chan uint32(nil)
	if h.peer.Nested && transport.Nested(ctx) {
		kept = h.nested
	}
	if !h.peer.Full() {
		select {
		case id := <-kept:
			return h.claimed(id)
		default:
		}
		select {
		case id := <-h.free:
			return h.claimed(id)
		default:
		}
	}
	if transport.Nested(ctx) {
		return nil, transport.ErrNoSlot
	}
	h.waiters.Add(1)
	defer h.waiters.Add(-1)
	for {
		if err := h.passGate(ctx); err != nil {
			return nil, err
		}
		c, err := h.claimFrom(ctx, h.free)
		if err != nil || !h.peer.Full() {
			return c, err
		}
		h.release(c)
	}
}

// passGate waits while too many calls were abandoned. Any number may wait, and Admit
// wakes one: who passes wakes the next.
func (h *Host) passGate(ctx context.Context) error {
	for h.peer.Full() {
		select {
		case <-h.gate:
		case <-h.peer.Ended:
			return transport.ErrLost
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	transport.Signal(h.gate)
	return nil
}

func (h *Host) claimFrom(ctx context.Context, free <-chan uint32) (*pipeCaller, error) {
	select {
	case id := <-free:
		return h.claimed(id)
	case <-h.peer.Ended:
		return nil, transport.ErrLost
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (h *Host) claimed(id uint32) (*pipeCaller, error) {
	if h.peer.Dead.Load() {
		h.giveID(&h.callers[id])
		return nil, transport.ErrLost
	}
	h.running.Add(1)
	return &h.callers[id], nil
}

// release ends a request.
func (h *Host) release(c *pipeCaller) {
	c.began.Store(0)
	h.running.Add(-1)
	h.giveID(c)
}

// Queue implements [transport.Transport].
func (h *Host) Queue() int { return int(h.waiters.Load()) }

// Admit implements [transport.Transport].
func (h *Host) Admit() { transport.Signal(h.gate) }

// keep is the largest buffer that is kept for the next request or answer, in bytes.
const keep = 1 << 20

// send sends a request. An error means that nothing of it was sent; when ctx ends
// later, the request is still completed.
func (h *Host) send(ctx context.Context, c *pipeCaller, f *Frame, payload []byte, d *transport.Deadline) error {
	if cap(c.data) > keep {
		c.data = nil
	}
	select {
	case <-c.told: // of a request whose worker died
	default:
	}
	f.ID = c.id
	c.moved.Store(0)
	return h.out.write(ctx, f, payload, c, d)
}

// wait waits for the answer to a request. The deadline of a transfer is put off
// while bytes of the request or its answer go through, and no others'.
func (h *Host) wait(ctx context.Context, c *pipeCaller, d *transport.Deadline) transport.Outcome {
	var timer *time.Timer
	var late <-chan time.Time
	defer func() {
		if timer != nil {
			timer.Stop()
		}
	}()
	for {
		if left := d.Left(); left >= 0 {
			if timer == nil {
				timer = time.NewTimer(left)
			} else {
				timer.Reset(left)
			}
			late = timer.C
		}
		select {
		case <-c.told:
			return h.toldOf(c)
		case <-h.peer.Ended:
			select {
			case <-c.told: // the last thing it did
				return h.toldOf(c)
			default:
				return transport.Died
			}
		case <-ctx.Done():
			return transport.Ended
		case <-late:
			late = nil
			if !d.PutOff(c.moved.Load()) {
				d.Check()
			}
		}
	}
}

// toldOf is what a caller was told of: the answer, or a call of the plugin to its host,
// which has to be answered before.
func (h *Host) toldOf(c *pipeCaller) transport.Outcome {
	if s := h.hostCalls[c.id].Load(); s != nil && s.busy.Load() {
		return transport.Calling
	}
	return transport.Answered
}

// Call implements [transport.Transport].
func (h *Host) Call(ctx context.Context, call *abi.Call, p *wire.Probe) error {
	c, err := h.claim(ctx)
	if err != nil {
		return err
	}
	h.calls.Add(1)
	c.began.Store(time.Now().UnixNano())
	room := call.ResultBuffer()
	c.most = uint64(len(room))
	f := Frame{Op: wire.OpInvoke, TypeID: call.TypeID, Method: call.Method, Instance: call.Instance, A: uint64(len(room))}
	if p != nil {
		f.Op, f.B = wire.OpProbe, uint64(p.Layout)
	}
	c.until = h.peer.CallDeadline()
	if err := h.send(ctx, c, &f, call.Message(), &c.until); err != nil {
		h.release(c)
		return err
	}
	switch h.await(ctx, ctx, c, &c.until) {
	case transport.Answered:
		h.take(ctx, c, call, p)
		return nil
	case transport.Died:
		return h.lose(ctx, c, &c.until)
	}
	return h.peer.Abandon(ctx, &c.until, func(d *transport.Deadline) error {
		if h.await(context.Background(), ctx, c, d) == transport.Died {
			return h.lose(context.Background(), c, d)
		}
		h.take(context.Background(), c, call, p)
		return nil
	})
}

// take takes the answer to a call, and ends the request.
func (h *Host) take(ctx context.Context, c *pipeCaller, call *abi.Call, p *wire.Probe) {
	copy(call.ResultBuffer(), c.data)
	call.Code, call.ResultLength = abi.Code(c.answer.Code), uintptr(c.answer.A)
	if p != nil {
		p.Damage = wire.Damage(c.answer.B)
	}
	if c.answer.Code != 0 {
		h.failed.Add(1)
	}
	h.done.Add(1)
	h.release(c)
	h.peer.Flush(ctx)
}

// lose ends a call whose worker has died.
func (h *Host) lose(ctx context.Context, c *pipeCaller, d *transport.Deadline) error {
	h.peer.Lost.Add(1)
	err := h.peer.LostCall(d)
	h.release(c)
	h.peer.Flush(ctx)
	return err
}

// ask makes a request that is not a call. The caller is to be released; an error
// may be the worker's. until bounds the waiting; late is called with the answer if that
// comes after it has ended; nil for nothing. ctx is for what the plugin asks meanwhile.
func (h *Host) ask(until, ctx context.Context, f *Frame, payload []byte, most uint64, limit transport.Deadline, late func(*pipeCaller)) (*pipeCaller, error) {
	c, err := h.claimFrom(until, h.control)
	if err != nil {
		return nil, err
	}
	c.most, c.until, c.op = most, limit, f.Op
	d := &c.until
	if err := h.send(until, c, f, payload, d); err != nil {
		h.release(c)
		return nil, err
	}
	switch h.await(until, ctx, c, d) {
	case transport.Died:
		err := h.peer.LostCall(d)
		h.release(c)
		return nil, err
	case transport.Ended:
		go func() {
			if h.await(context.Background(), ctx, c, d) == transport.Answered && c.answer.Code == 0 && late != nil {
				late(c)
			}
			h.release(c)
		}()
		return nil, context.Cause(until)
	}
	if c.answer.Code != 0 {
		err = transport.Refusal(c.data)
		h.release(c)
		return nil, err
	}
	return c, nil
}

// Operate implements [transport.Transport].
func (h *Host) Operate(ctx context.Context, op wire.Op, args, length uint64) ([]byte, error) {
	c, err := h.ask(ctx, ctx, &Frame{Op: op, A: args, B: length}, nil, pipeText, h.peer.TransferDeadline(op, 0), nil)
	if err != nil {
		return nil, err
	}
	defer h.release(c)
	return append([]byte(nil), c.data...), nil
}

// Lend implements [transport.Transport]: the worker has a copy.
func (h *Host) Lend(ctx context.Context, data []byte) (addr uint64, err error) {
	late := func(c *pipeCaller) { h.TakeBack(c.answer.A, len(data)) }
	c, err := h.ask(ctx, ctx, &Frame{Op: wire.OpLend}, data, pipeText, h.peer.TransferDeadline(wire.OpLend, 0), late)
	if err != nil {
		return 0, err
	}
	defer h.release(c)
	return c.answer.A, nil
}

// TakeBack implements [transport.Transport].
func (h *Host) TakeBack(addr uint64, _ int) {
	// A worker that is gone has forgotten it.
	go func() { _, _ = h.Operate(context.Background(), wire.OpTakeBack, addr, 0) }()
}

// Adopt implements [transport.Transport]: the host has a copy, and the worker keeps the blob until
// that is released, as where it is shared.
func (h *Host) Adopt(ctx context.Context, addr, length uint64) (data []byte, release func(), err error) {
	if length > wire.MaxBlob {
		return nil, nil, fmt.Errorf("its length of %d bytes is more than the %d that can be taken over", length, uint64(wire.MaxBlob))
	}
	free := func() { _, _ = h.Operate(context.Background(), wire.OpFree, addr, 0) }
	c, err := h.ask(ctx, ctx, &Frame{Op: wire.OpAdopt, A: addr, B: length}, nil, max(length, pipeText), h.peer.TransferDeadline(wire.OpAdopt, length), func(*pipeCaller) { go free() })
	if err != nil {
		return nil, nil, err
	}
	defer h.release(c)
	if uint64(len(c.data)) != length {
		return nil, nil, fmt.Errorf("the worker sent %d bytes of a blob of %d", len(c.data), length)
	}
	data, c.data = c.data, nil
	return data, free, nil
}

// Discard implements [transport.Transport].
func (h *Host) Discard(addr, length uint64) {
	go func() { _, _ = h.Operate(context.Background(), wire.OpDiscard, addr, length) }()
}

// Active implements [transport.Transport].
func (h *Host) Active() int { return int(h.running.Load() + h.serving.Load()) }

// Counts implements [transport.Transport].
func (h *Host) Counts() (calls, failed uint64) { return h.calls.Load(), h.failed.Load() }

// Answers implements [transport.Transport].
func (h *Host) Answers() uint64 { return h.done.Load() }

// Drain implements [transport.Transport].
// lastWords waits until what a worker wrote before its end is heard.
func (h *Host) Drain() {
	// Somebody else may have its end of the pipe.
	_ = h.in.SetReadDeadline(time.Now().Add(transport.DrainWait))
	select {
	case <-h.silent:
	case <-time.After(transport.DrainWait):
	}
}

// Begun implements [transport.Transport].
func (h *Host) Begun() bool { return h.loading.Load() }

// HangUp implements [transport.Transport].
func (h *Host) HangUp() { h.out.close() }

// Close implements [transport.Transport]. A write or a read that waits for the worker ends now.
func (h *Host) Close() {
	h.out.close()
	h.in.Close()
}
