package process

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
	"github.com/nyash-plugins/nyash-go/loader/process/channel"
)

// pipeLink reaches a worker through two pipes, on any system that has them.
// Everything is copied through them, blobs too.
type pipeLink struct {
	s       *Session
	out     *os.File      // requests
	in      *os.File      // answers and lines
	loading atomic.Bool   // the worker has come to that
	silent  chan struct{} // closed when there is nothing more to hear

	requests channel.FrameWriter // to out
	moved    atomic.Uint64       // bytes, either way

	free    chan uint32 // requests that are not under way
	times   callTimes
	callers [channel.Slots + 1]pipeCaller // the last is OpServing's
	running atomic.Int32
	calls   atomic.Uint64
	failed  atomic.Uint64
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
	l := &pipeLink{s: s, out: out, in: in, silent: make(chan struct{}), free: make(chan uint32, channel.Slots)}
	l.requests = channel.FrameWriter{Out: out, Moved: &l.moved}
	for i := range l.callers {
		l.callers[i].told = make(chan struct{}, 1)
		l.callers[i].id = uint32(i)
		if i < channel.Slots {
			l.free <- uint32(i)
		}
	}
	l.times.on = s.plugin.config.Limits.CPUTime != nil
	return l, &gift{[]*os.File{theirIn, theirOut}, channel.KindPipe}, nil
}

// pipeText is the longest text of an answer that is one, in bytes.
const pipeText = 64 << 20 // a description has about as much at most

func (l *pipeLink) load(load *channel.Load) (answer channel.Loaded, err error) {
	go l.listen()
	text, err := json.Marshal(load)
	if err != nil {
		return answer, err
	}
	c, err := l.ask(&channel.Frame{Op: channel.OpLoad}, text, 0)
	if err != nil {
		return answer, io.EOF // how it ended tells more
	}
	err = json.Unmarshal(c.data, &answer)
	c.give(l)
	return answer, err
}

// listen hears the worker until it ends or says what no worker says.
func (l *pipeLink) listen() {
	err := l.receive(bufio.NewReaderSize(counted{l.in, &l.moved}, 64<<10))
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

// counted counts what is read.
type counted struct {
	io.Reader
	moved *atomic.Uint64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.moved.Add(uint64(n))
	return n, err
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
		case f.Op == channel.OpAnswer && f.ID < uint32(len(l.callers)):
			err = l.answered(r, &f)
		case f.Op == channel.OpLine && f.Length <= channel.MaxLine:
			if line, err = readPayload(r, line, f.Length); err == nil {
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
	if c.data, err = readPayload(r, c.data, f.Length); err != nil {
		return err
	}
	c.told <- struct{}{}
	return nil
}

// readPayload reads n bytes into a buffer that grows as they come: a worker that
// announces more than it sends costs nothing.
func readPayload(r io.Reader, buf []byte, n uint64) ([]byte, error) {
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
		n -= uint64(part)
	}
	return buf, nil
}

// claim takes a request, and waits for one while all are under way.
func (l *pipeLink) claim(ctx context.Context) (*pipeCaller, error) {
	if l.s.dead.Load() {
		return nil, ErrLost
	}
	var id uint32
	select {
	case id = <-l.free:
	default:
		select {
		case id = <-l.free:
		case <-l.s.ended:
			return nil, ErrLost
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	l.running.Add(1)
	return &l.callers[id], nil
}

// give ends a request.
func (c *pipeCaller) give(l *pipeLink) {
	l.running.Add(-1)
	l.free <- c.id
}

// keep is the largest buffer that is kept for the next answer, in bytes.
const keep = 1 << 20

// exchange sends a request and waits for its answer; see [Session.guard].
func (l *pipeLink) exchange(ctx context.Context, c *pipeCaller, f *channel.Frame, payload []byte, limit time.Duration, late error, progress *atomic.Uint64) error {
	guard := l.s.guard(ctx, limit, late, progress)
	defer guard.end()
	if cap(c.data) > keep {
		c.data = nil
	}
	c.asked.Store(true)
	if err := l.requests.Write(f, payload); err != nil {
		// It is ending, or it does not listen.
		select {
		case <-l.s.ended:
		case <-time.After(closedWait):
			l.s.kill(errSocket)
		}
	}
	select {
	case <-c.told:
		return nil
	case <-l.s.ended:
	}
	select {
	case <-c.told: // the last thing it did
		return nil
	default:
		return l.s.lostCall(ctx, guard)
	}
}

// invoke implements link.
func (l *pipeLink) invoke(ctx context.Context, call *abi.Call) error { return l.call(ctx, call, nil) }

// probe implements link.
func (l *pipeLink) probe(ctx context.Context, p *Probe) error { return l.call(ctx, &p.Call, p) }

func (l *pipeLink) call(ctx context.Context, call *abi.Call, p *Probe) error {
	c, err := l.claim(ctx)
	if err != nil {
		return err
	}
	defer c.give(l)
	l.calls.Add(1)
	room := call.Room()
	c.most = uint64(len(room))
	f := channel.Frame{Op: channel.OpInvoke, ID: c.id, TypeID: call.TypeID, Method: call.Method, Instance: call.Instance, A: uint64(len(room))}
	if p != nil {
		f.Op, f.B = channel.OpProbe, uint64(p.Layout)
	}
	l.times.begin(int(c.id))
	defer l.times.end(int(c.id))
	if err := l.exchange(ctx, c, &f, call.Message(), l.s.plugin.config.CallTimeout, ErrTimeout, nil); err != nil {
		l.failed.Add(1)
		return err
	}
	copy(room, c.data)
	call.Code, call.ResultLength = abi.Code(c.answer.Code), uintptr(c.answer.A)
	if p != nil {
		p.Damage = channel.Damage(c.answer.B)
	}
	if c.answer.Code != 0 {
		l.failed.Add(1)
	}
	return nil
}

// ask makes a request that is not a call. The caller is to be given back; an
// error may be the worker's.
func (l *pipeLink) ask(f *channel.Frame, payload []byte, most uint64) (*pipeCaller, error) {
	ctx := context.Background()
	c, err := l.claim(ctx)
	if err != nil {
		return nil, err
	}
	f.ID, c.most = c.id, max(most, pipeText)
	limit := l.s.patience()
	if f.Op == channel.OpLoad {
		limit = 0 // its own context bounds it
	}
	if err = l.exchange(ctx, c, f, payload, limit, ErrNoAnswer, &l.moved); err == nil && c.answer.Code != 0 {
		err = errors.New(string(c.data))
	}
	if err != nil {
		c.give(l)
		return nil, err
	}
	return c, nil
}

func (l *pipeLink) operate(op uint32, args, length uint64) ([]byte, error) {
	c, err := l.ask(&channel.Frame{Op: op, A: args, B: length}, nil, 0)
	if err != nil {
		return nil, err
	}
	defer c.give(l)
	return append([]byte(nil), c.data...), nil
}

// lend implements link: the worker has a copy.
func (l *pipeLink) lend(data []byte) (addr uint64, err error) {
	c, err := l.ask(&channel.Frame{Op: channel.OpLend}, data, 0)
	if err != nil {
		return 0, err
	}
	defer c.give(l)
	return c.answer.A, nil
}

// takeBack implements link.
func (l *pipeLink) takeBack(addr uint64, _ int) {
	_, _ = l.operate(channel.OpTakeBack, addr, 0) // a worker that is gone has forgotten it
}

// adopt implements link: the host has a copy, and the worker keeps the blob until
// that is released, as where it is shared.
func (l *pipeLink) adopt(addr, length uint64) (data []byte, release func(), err error) {
	if length > channel.ArenaSize {
		return nil, nil, fmt.Errorf("its length of %d bytes is more than the %d that can be taken over", length, uint64(channel.ArenaSize))
	}
	c, err := l.ask(&channel.Frame{Op: channel.OpAdopt, A: addr, B: length}, nil, length)
	if err != nil {
		return nil, nil, err
	}
	defer c.give(l)
	if uint64(len(c.data)) != length {
		return nil, nil, fmt.Errorf("the worker sent %d bytes of a blob of %d", len(c.data), length)
	}
	data, c.data = c.data, nil
	return data, func() { _, _ = l.operate(channel.OpFree, addr, 0) }, nil
}

func (l *pipeLink) active() int { return int(l.running.Load()) }

func (l *pipeLink) counts() (calls, failed uint64) { return l.calls.Load(), l.failed.Load() }

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
func (l *pipeLink) hangUp() { l.out.Close() }

// die implements link. A write or a read that waits for the worker ends now.
func (l *pipeLink) die() {
	l.out.Close()
	l.in.Close()
}
