package isolate

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/channel"
)

// pipeLink reaches a worker through two pipes, on any system that has them.
// Everything is copied through them, blobs too.
type pipeLink struct {
	s       *Session
	out     *requestWriter
	in      *os.File      // answers and lines
	loading atomic.Bool   // the worker has come to that
	silent  chan struct{} // closed when there is nothing more to hear

	free    chan uint32 // requests for calls that are not under way
	control chan uint32 // those for what is not a call
	waiters atomic.Int32
	gate    chan struct{} // has a sign when a call may look again whether too many were abandoned
	callers [channel.Slots]pipeCaller
	running atomic.Int32
	calls   atomic.Uint64
	failed  atomic.Uint64
	done    atomic.Uint64 // calls that were answered
}

// pipeCaller is who waits for the answer to a request. What belongs to the answer
// is written by the listener between asked and told.
type pipeCaller struct {
	id     uint32
	asked  atomic.Bool
	told   chan struct{}
	most   uint64 // bytes that the answer may have
	answer channel.Frame
	data   []byte
	moved  atomic.Uint64 // bytes of the request and of its answer that went through
	began  atomic.Int64  // Unix time in ns since when a call is under way; see busyCalls
	until  deadline
}

func newPipeLink(s *Session) (link, *gift, error) {
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
	l := &pipeLink{
		s: s, in: in, out: newRequestWriter(s, out), silent: make(chan struct{}),
		free: make(chan uint32, channel.Slots), control: make(chan uint32, controlSlots), gate: make(chan struct{}, channel.Slots),
	}
	for i := range l.callers {
		c := &l.callers[i]
		c.told, c.id = make(chan struct{}, 1), uint32(i)
		l.giveID(c)
	}
	return l, &gift{[]*os.File{theirIn, theirOut}, channel.KindPipe}, nil
}

func (l *pipeLink) giveID(c *pipeCaller) {
	if c.id < controlSlots {
		l.control <- c.id
		return
	}
	l.free <- c.id
}

// pipeText is the longest text of an answer that is one, in bytes.
const pipeText = channel.MaxMessage

func (l *pipeLink) load(load *channel.Load) (answer channel.Loaded, err error) {
	go l.listen()
	text, err := json.Marshal(load)
	if err != nil {
		return answer, err
	}
	// Whoever starts a worker bounds the loading.
	c, err := l.ask(context.Background(), &channel.Frame{Op: channel.OpLoad}, text, pipeText, deadline{s: l.s}, nil)
	if err != nil {
		return answer, io.EOF // how it ended tells more
	}
	err = channel.Decode(c.data, &answer)
	l.release(c)
	return answer, err
}

// listen hears the worker until it ends or says what no worker says.
func (l *pipeLink) listen() {
	err := l.receive(bufio.NewReaderSize(l.in, 64<<10))
	close(l.silent)
	if !errors.Is(err, errNonsense) {
		// It is ending, and how is for watch to see; or it lives, and is none
		// without its pipe.
		err = errSocket
		select {
		case <-l.s.ended:
			return
		case <-time.After(closedWait):
		}
		if l.s.expected.Load() {
			return
		}
	}
	l.s.kill(err)
}

var errNonsense = errors.New("it wrote nonsense to its host's pipe")

func (l *pipeLink) receive(r *bufio.Reader) error {
	var head [channel.FrameSize]byte
	var line []byte
	for {
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return err
		}
		var err error
		switch f := channel.ParseFrame(&head); {
		case f.Op == channel.OpAnswer && f.ID < channel.Slots:
			err = l.answered(r, &f)
		case f.Op == channel.OpLine && f.Length <= channel.MaxLine:
			if line, err = readPayload(r, line, f.Length, nil); err == nil {
				l.s.hear(f.ID, line)
			}
		case f.Op == channel.OpBegun && f.Length == 0:
			l.loading.Store(true)
		default:
			err = errNonsense
		}
		if err != nil {
			return err
		}
	}
}

// answered takes the answer to a request, if it was asked and is as large as it
// may be.
func (l *pipeLink) answered(r *bufio.Reader, f *channel.Frame) (err error) {
	c := &l.callers[f.ID]
	if !c.asked.CompareAndSwap(true, false) {
		return errNonsense
	}
	if f.Length > c.most {
		return errNonsense
	}
	c.answer = *f
	if c.data, err = readPayload(r, c.data, f.Length, &c.moved); err != nil {
		return err
	}
	c.told <- struct{}{}
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
			buf = append(make([]byte, 0, max(2*cap(buf), len(buf)+part)), buf...)
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
// while too many calls were abandoned.
func (l *pipeLink) claim(ctx context.Context) (*pipeCaller, error) {
	l.waiters.Add(1)
	defer l.waiters.Add(-1)
	for l.s.abandoned.Load() >= maxAbandoned {
		select {
		case <-l.gate:
		case <-l.s.ended:
			return nil, ErrLost
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return l.claimFrom(ctx, l.free)
}

func (l *pipeLink) claimFrom(ctx context.Context, free <-chan uint32) (*pipeCaller, error) {
	if l.s.dead.Load() {
		return nil, ErrLost
	}
	var id uint32
	select {
	case id = <-free:
	default:
		select {
		case id = <-free:
		case <-l.s.ended:
			return nil, ErrLost
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	l.running.Add(1)
	return &l.callers[id], nil
}

// release ends a request.
func (l *pipeLink) release(c *pipeCaller) {
	c.began.Store(0)
	l.running.Add(-1)
	l.giveID(c)
}

func (l *pipeLink) queue() int { return int(l.waiters.Load()) }

// admit implements link.
func (l *pipeLink) admit() {
	for range channel.Slots {
		signal(l.gate)
	}
}

// keep is the largest buffer that is kept for the next answer, in bytes.
const keep = 1 << 20

// send sends a request. An error means that nothing of it was sent; when ctx ends
// later, the request is still completed.
func (l *pipeLink) send(ctx context.Context, c *pipeCaller, f *channel.Frame, payload []byte, d *deadline) error {
	if cap(c.data) > keep {
		c.data = nil
	}
	select {
	case <-c.told: // of a request whose worker died
	default:
	}
	f.ID = c.id
	c.moved.Store(0)
	c.asked.Store(true)
	err := l.out.write(ctx, f, payload, c, d)
	if err != nil {
		c.asked.Store(false)
	}
	return err
}

// wait waits for the answer to a request. The deadline of a transfer is put off
// while bytes of the request or its answer go through, and no others'.
func (l *pipeLink) wait(ctx context.Context, c *pipeCaller, d *deadline) outcome {
	var timer *time.Timer
	var late <-chan time.Time
	defer func() {
		if timer != nil {
			timer.Stop()
		}
	}()
	for {
		if left := d.left(); left >= 0 {
			if timer == nil {
				timer = time.NewTimer(left)
			} else {
				timer.Reset(left)
			}
			late = timer.C
		}
		select {
		case <-c.told:
			return answered
		case <-l.s.ended:
			select {
			case <-c.told: // the last thing it did
				return answered
			default:
				return died
			}
		case <-ctx.Done():
			return gaveUp
		case <-late:
			late = nil
			if !d.putOff(c.moved.Load()) {
				d.passed()
			}
		}
	}
}

// call implements link.
func (l *pipeLink) call(ctx context.Context, call *abi.Call, p *Probe) error {
	c, err := l.claim(ctx)
	if err != nil {
		return err
	}
	l.calls.Add(1)
	c.began.Store(time.Now().UnixNano())
	room := call.ResultBuffer()
	c.most = uint64(len(room))
	f := channel.Frame{Op: channel.OpInvoke, TypeID: call.TypeID, Method: call.Method, Instance: call.Instance, A: uint64(len(room))}
	if p != nil {
		f.Op, f.B = channel.OpProbe, uint64(p.Layout)
	}
	c.until = l.s.ofPipedCall()
	if err := l.send(ctx, c, &f, call.Message(), &c.until); err != nil {
		l.release(c)
		return err
	}
	switch l.wait(ctx, c, &c.until) {
	case answered:
		l.take(c, call, p)
		return nil
	case died:
		return l.lose(c, &c.until)
	}
	return l.s.abandon(ctx, &c.until, func(d *deadline) error {
		if l.wait(context.Background(), c, d) == died {
			return l.lose(c, d)
		}
		l.take(c, call, p)
		return nil
	})
}

// take takes the answer to a call, and ends the request.
func (l *pipeLink) take(c *pipeCaller, call *abi.Call, p *Probe) {
	copy(call.ResultBuffer(), c.data)
	call.Code, call.ResultLength = abi.Code(c.answer.Code), uintptr(c.answer.A)
	if p != nil {
		p.Damage = channel.Damage(c.answer.B)
	}
	if c.answer.Code != 0 {
		l.failed.Add(1)
	}
	l.done.Add(1)
	l.release(c)
}

// lose ends a call whose worker has died.
func (l *pipeLink) lose(c *pipeCaller, d *deadline) error {
	l.s.plugin.lostCalls.Add(1)
	err := l.s.lostCall(d)
	l.release(c)
	return err
}

// ask makes a request that is not a call. The caller is to be released; an error
// may be the worker's. late is called with the answer if that comes after ctx has
// ended; nil for nothing.
func (l *pipeLink) ask(ctx context.Context, f *channel.Frame, payload []byte, most uint64, limit deadline, late func(*pipeCaller)) (*pipeCaller, error) {
	c, err := l.claimFrom(ctx, l.control)
	if err != nil {
		return nil, err
	}
	c.most, c.until = most, limit
	d := &c.until
	if err := l.send(ctx, c, f, payload, d); err != nil {
		l.release(c)
		return nil, err
	}
	switch l.wait(ctx, c, d) {
	case died:
		err := l.s.lostCall(d)
		l.release(c)
		return nil, err
	case gaveUp:
		go func() {
			if l.wait(context.Background(), c, d) == answered && c.answer.Code == 0 && late != nil {
				late(c)
			}
			l.release(c)
		}()
		return nil, context.Cause(ctx)
	}
	if c.answer.Code != 0 {
		err = refusal(c.data)
		l.release(c)
		return nil, err
	}
	return c, nil
}

// operate implements link.
func (l *pipeLink) operate(ctx context.Context, op uint32, args, length uint64) ([]byte, error) {
	c, err := l.ask(ctx, &channel.Frame{Op: op, A: args, B: length}, nil, pipeText, l.s.ofTransfer(0), nil)
	if err != nil {
		return nil, err
	}
	defer l.release(c)
	return append([]byte(nil), c.data...), nil
}

// lend implements link: the worker has a copy.
func (l *pipeLink) lend(ctx context.Context, data []byte) (addr uint64, err error) {
	late := func(c *pipeCaller) { l.takeBack(c.answer.A, len(data)) }
	c, err := l.ask(ctx, &channel.Frame{Op: channel.OpLend}, data, pipeText, l.s.ofTransfer(0), late)
	if err != nil {
		return 0, err
	}
	defer l.release(c)
	return c.answer.A, nil
}

// takeBack implements link.
func (l *pipeLink) takeBack(addr uint64, _ int) {
	// A worker that is gone has forgotten it.
	go func() { _, _ = l.operate(context.Background(), channel.OpTakeBack, addr, 0) }()
}

// adopt implements link: the host has a copy, and the worker keeps the blob until
// that is released, as where it is shared.
func (l *pipeLink) adopt(ctx context.Context, addr, length uint64) (data []byte, release func(), err error) {
	if length > channel.ArenaSize {
		return nil, nil, fmt.Errorf("its length of %d bytes is more than the %d that can be taken over", length, uint64(channel.ArenaSize))
	}
	free := func() { _, _ = l.operate(context.Background(), channel.OpFree, addr, 0) }
	c, err := l.ask(ctx, &channel.Frame{Op: channel.OpAdopt, A: addr, B: length}, nil, max(length, pipeText), l.s.ofTransfer(length), func(*pipeCaller) { go free() })
	if err != nil {
		return nil, nil, err
	}
	defer l.release(c)
	if uint64(len(c.data)) != length {
		return nil, nil, fmt.Errorf("the worker sent %d bytes of a blob of %d", len(c.data), length)
	}
	data, c.data = c.data, nil
	return data, free, nil
}

// discard implements link.
func (l *pipeLink) discard(addr, length uint64) {
	go func() { _, _ = l.operate(context.Background(), channel.OpDiscard, addr, length) }()
}

func (l *pipeLink) active() int { return int(l.running.Load()) }

func (l *pipeLink) counts() (calls, failed uint64) { return l.calls.Load(), l.failed.Load() }

func (l *pipeLink) answers() uint64 { return l.done.Load() }

// lastWords waits until what a worker wrote before its end is heard.
func (l *pipeLink) lastWords() {
	// Somebody else may have its end of the pipe.
	_ = l.in.SetReadDeadline(time.Now().Add(lastWordsWait))
	select {
	case <-l.silent:
	case <-time.After(lastWordsWait):
	}
}

// begun implements link.
func (l *pipeLink) begun() bool { return l.loading.Load() }

// hangUp implements link.
func (l *pipeLink) hangUp() { l.out.close() }

// die implements link. A write or a read that waits for the worker ends now.
func (l *pipeLink) die() {
	l.out.close()
	l.in.Close()
}
