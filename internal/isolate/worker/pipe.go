package worker

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/cmem"
	"github.com/nyash-plugins/nyash-go/internal/isolate/channel"
)

// pipeLink is the worker's end of two pipes.
type pipeLink struct {
	reading  sync.Mutex
	in       *bufio.Reader
	requests [channel.Slots]request

	out channel.FrameWriter

	mu   sync.Mutex
	lent map[uint64][]byte // by address
}

// request is what the host has asked, and the memory for its answer.
type request struct {
	frame   channel.Frame
	payload []byte
	room    []byte // with what stands behind it
	call    *abi.Call

	// For OpServing, which another server answers.
	thread    atomic.Uint32 // 0 while no call is made
	threadCPU atomic.Uint64 // written before
}

func newPipeLink(in, out uintptr) link {
	return &pipeLink{
		in:   bufio.NewReaderSize(os.NewFile(in, "requests"), 64<<10),
		out:  channel.FrameWriter{Out: os.NewFile(out, "answers")},
		lent: make(map[uint64][]byte),
	}
}

// read reads a request. An error is a host that has gone.
func (l *pipeLink) read() (id int, err error) {
	l.reading.Lock()
	defer l.reading.Unlock()
	var head [channel.FrameSize]byte
	if _, err := io.ReadFull(l.in, head[:]); err != nil {
		return 0, err
	}
	f := channel.ParseFrame(&head)
	if f.ID >= channel.Slots {
		return 0, fmt.Errorf("request %d, and there are %d", f.ID, channel.Slots)
	}
	r := &l.requests[f.ID]
	r.frame = f
	if uint64(cap(r.payload)) < f.Length || cap(r.payload) > keep || f.Op == channel.OpLend {
		r.payload = make([]byte, f.Length)
	}
	r.payload = r.payload[:f.Length]
	_, err = io.ReadFull(l.in, r.payload)
	return int(f.ID), err
}

// keep is the largest buffer that is kept for the next request, in bytes.
const keep = 1 << 20

func (l *pipeLink) receive(load *channel.Load) error {
	id, err := l.read()
	if err != nil {
		return err
	}
	r := &l.requests[id]
	if r.frame.Op != channel.OpLoad {
		return errors.New("the host did not say what to load")
	}
	return json.Unmarshal(r.payload, load)
}

func (l *pipeLink) prepare(*channel.Load) error { return nil }

func (l *pipeLink) begin() error { return l.out.Write(&channel.Frame{Op: channel.OpBegun}, nil) }

func (l *pipeLink) answer(answer *channel.Loaded) error {
	text, err := channel.Encode(answer)
	if err != nil {
		return err
	}
	return l.out.Write(&channel.Frame{Op: channel.OpAnswer}, text)
}

// watch implements link: whoever waits for requests sees that the host has gone.
func (l *pipeLink) watch() { select {} }

// take implements link.
func (l *pipeLink) take() int {
	id, err := l.read()
	if err != nil {
		os.Exit(0)
	}
	return id
}

// run implements link.
func (l *pipeLink) run(w *worker, id int, call *abi.Call) {
	r := &l.requests[id]
	r.call = call
	out := channel.Frame{Op: channel.OpAnswer, ID: r.frame.ID}
	var text []byte
	var err error
	switch r.frame.Op {
	case channel.OpInvoke:
		text = r.invoke(w)
		out.Code, out.A = int32(r.call.Code), uint64(r.call.ResultLength)
	case channel.OpProbe:
		var damage channel.Damage
		text, damage = r.probe(w)
		out.Code, out.A, out.B = int32(r.call.Code), uint64(r.call.ResultLength), uint64(damage)
	case channel.OpLend:
		out.A = l.lend(r.payload)
		r.payload = nil // it is the blob now
	case channel.OpTakeBack:
		l.takeBack(r.frame.A)
	case channel.OpServing:
		text = l.serving(r.frame.A)
	default:
		text, err = w.operate(r.frame.Op, r.frame.A, r.frame.B)
	}
	if err != nil {
		out.Code, text = channel.Refused, []byte(err.Error())
	}
	if l.out.Write(&out, text) != nil {
		os.Exit(0) // the host has gone
	}
}

// fence stands behind the room for a result, to see what is written past it.
var fence = bytes.Repeat([]byte{0xfd}, 64)

// invoke calls the plugin and returns what it has written.
func (r *request) invoke(w *worker) []byte {
	size := int(r.frame.A)
	if cap(r.room) < size+len(fence) || cap(r.room) > keep {
		r.room = make([]byte, size+len(fence))
	}
	r.room = r.room[:size+len(fence)]
	clear(r.room[:min(size, 4)]) // see the loader's seal
	copy(r.room[size:], fence)
	c := r.call
	c.TypeID, c.Method, c.Instance = r.frame.TypeID, r.frame.Method, r.frame.Instance
	c.SetArgs(r.payload)
	c.SetResultBuffer(r.room[:size:size])
	if w.timed {
		w.invokeTimed(c, func(thread int, used time.Duration) {
			r.threadCPU.Store(uint64(used))
			r.thread.Store(uint32(thread))
		})
		r.thread.Store(0)
	} else {
		w.invoke(c)
	}
	if !bytes.Equal(r.room[size:], fence) {
		// What else it has written to, nobody knows.
		fmt.Fprintln(os.Stderr, "the plugin has written past the end of its result")
		os.Exit(1)
	}
	return r.room[:min(uintptr(size), c.ResultLength)]
}

// probe is invoke with memory that is laid out for the call, and returns the
// whole room.
func (r *request) probe(w *worker) ([]byte, channel.Damage) {
	size := int(r.frame.A)
	if cap(r.room) < size || cap(r.room) > keep {
		r.room = make([]byte, size)
	}
	r.room = r.room[:size]
	c := r.call
	c.TypeID, c.Method, c.Instance = r.frame.TypeID, r.frame.Method, r.frame.Instance
	c.SetArgs(r.payload)
	c.SetResultBuffer(r.room)
	return r.room, w.probe(c, channel.Layout(r.frame.B))
}

// serving is the answer to OpServing.
func (l *pipeLink) serving(id uint64) []byte {
	var thread uint32
	var used uint64
	if id < channel.Slots {
		r := &l.requests[id]
		thread, used = r.thread.Load(), r.threadCPU.Load()
	}
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint32(nil, thread), used)
}

func (l *pipeLink) lend(data []byte) uint64 {
	addr := cmem.Address(data)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lent[addr] = data
	return addr
}

func (l *pipeLink) takeBack(addr uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.lent, addr)
}

// line implements link. A plugin whose host does not read waits for it.
func (l *pipeLink) line(kind uint32, text []byte) {
	_ = l.out.Write(&channel.Frame{Op: channel.OpLine, ID: kind}, text[:min(len(text), channel.MaxLine)])
}
