package pipe

import (
	"bufio"
	"bytes"
	"context"
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
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// Worker is the worker's end of two pipes.
type Worker struct {
	load     uint32 // the request that tells what to load
	reading  sync.Mutex
	in       *bufio.Reader
	requests [wire.Slots]request

	out   FrameWriter
	timed bool // the host asks which thread makes a call

	mu   sync.Mutex
	lent map[uint64][]byte // by address

	host  wire.HostCalls
	calls [wire.MaxHostCalls]hostCall
}

// request is what the host has asked, and the memory for its answer.
type request struct {
	frame   Frame
	payload []byte
	room    []byte // with what stands behind it
	call    *abi.Call
	batch   wire.BatchCalls
	outer   wire.Outer

	// For OpServing, which another server answers.
	thread    atomic.Uint32 // 0 while no call is made
	threadCPU atomic.Uint64 // written before
}

// NewWorker makes the worker's end, of the descriptors that the host gave it.
func NewWorker(in, out uintptr) *Worker {
	l := &Worker{
		in:   bufio.NewReaderSize(os.NewFile(in, "requests"), 64<<10),
		out:  FrameWriter{Out: os.NewFile(out, "answers")},
		lent: make(map[uint64][]byte),
	}
	for i := range l.requests {
		l.requests[i].outer = wire.NewOuter(i)
	}
	for i := range l.calls {
		l.calls[i].told = make(chan struct{}, 1)
	}
	l.host.Init()
	return l
}

// read reads a request, and hands on the answers to the library's own calls. An error is
// a host that has gone.
func (l *Worker) read() (id int, err error) {
	l.reading.Lock()
	defer l.reading.Unlock()
	var head [FrameSize]byte
	var f Frame
	for {
		if _, err := io.ReadFull(l.in, head[:]); err != nil {
			return 0, err
		}
		if f = ParseFrame(&head); f.Op != wire.OpHostAnswer {
			break
		}
		if err := l.hostAnswered(&f); err != nil {
			return 0, err
		}
	}
	if f.ID >= wire.Slots {
		return 0, fmt.Errorf("request %d, and there are %d", f.ID, wire.Slots)
	}
	r := &l.requests[f.ID]
	r.frame = f
	if uint64(cap(r.payload)) < f.Length || f.Op == wire.OpLend {
		r.payload = make([]byte, f.Length)
	}
	r.payload = r.payload[:f.Length]
	_, err = io.ReadFull(l.in, r.payload)
	return int(f.ID), err
}

// Receive implements the worker's transport.
func (l *Worker) Receive(load *wire.Load) error {
	id, err := l.read()
	if err != nil {
		return err
	}
	r := &l.requests[id]
	l.load = r.frame.ID
	if r.frame.Op != wire.OpLoad {
		return errors.New("the host did not say what to load")
	}
	return json.Unmarshal(r.payload, load)
}

// Prepare implements the worker's transport.
func (l *Worker) Prepare(load *wire.Load) error {
	l.timed = load.Limits.CPUTime != nil
	l.host.Limit(load.MaxBlobs)
	return nil
}

// Begin implements the worker's transport.
func (l *Worker) Begin() error { return l.out.Write(&Frame{Op: wire.OpBegun}, nil) }

// Answer implements the worker's transport.
func (l *Worker) Answer(answer *wire.Loaded) error {
	text, err := wire.Encode(answer)
	if err != nil {
		return err
	}
	return l.out.Write(&Frame{Op: wire.OpAnswer, ID: l.load}, text)
}

// Watch implements the worker's transport: whoever waits for requests sees that the host has gone.
func (l *Worker) Watch() { select {} }

// Take implements the worker's transport.
func (l *Worker) Take() int {
	id, err := l.read()
	if err != nil {
		os.Exit(0)
	}
	return id
}

// Run implements the worker's transport.
func (l *Worker) Run(w wire.Handler, id int, call *abi.Call) {
	r := &l.requests[id]
	r.call = call
	out := Frame{Op: wire.OpAnswer, ID: r.frame.ID}
	var text []byte
	var err error
	ctx := &r.outer
	switch r.frame.Op {
	case wire.OpInvoke:
		text = r.invoke(ctx, w, l.timed)
		out.Code, out.A = int32(r.call.Code), uint64(r.call.ResultLength)
	case wire.OpInvokeBatch:
		text, out.A = r.invokeBatch(ctx, w)
	case wire.OpProbe:
		var damage wire.Damage
		text, damage, err = r.probe(ctx, w)
		out.Code, out.A, out.B = int32(r.call.Code), uint64(r.call.ResultLength), uint64(damage)
	case wire.OpLend:
		out.A = l.lend(r.payload)
		r.payload = nil // it is the blob now
	case wire.OpTakeBack:
		l.takeBack(r.frame.A)
	case wire.OpServing:
		text = l.serving(r.frame.A)
	case wire.OpPlace:
		text, err = l.host.Place(r.payload)
	default:
		text, err = w.Operate(ctx, r.frame.Op, r.frame.A, r.frame.B)
	}
	if err != nil {
		out.Code, text = wire.Refused, []byte(err.Error())
	}
	r.drop()
	if l.out.Write(&out, text) != nil {
		os.Exit(0) // the host has gone
	}
}

// kept is the largest buffer that a request or call keeps for the next, in bytes: there are
// many of them, which come one after the other.
const kept = 128 << 10

// drop gives up large buffers, before the host is answered and may use the request again.
func (r *request) drop() {
	if cap(r.payload) <= kept && cap(r.room) <= kept {
		return
	}
	r.payload, r.room, *r.call, r.batch = nil, nil, abi.Call{}, wire.BatchCalls{}
}

// fence stands behind the room for a result, to see what is written past it.
var fence = bytes.Repeat([]byte{0xfd}, 64)

// invoke calls the plugin and returns what it has written.
func (r *request) invoke(ctx context.Context, w wire.Handler, timed bool) []byte {
	size := int(r.frame.A)
	if cap(r.room) < size+len(fence) {
		r.room = make([]byte, size+len(fence))
	}
	r.room = r.room[:size+len(fence)]
	clear(r.room[:min(size, 4)]) // see the loader's seal
	copy(r.room[size:], fence)
	c := r.call
	c.TypeID, c.Method, c.Instance = r.frame.TypeID, r.frame.Method, r.frame.Instance
	c.SetArgs(r.payload)
	c.SetResultBuffer(r.room[:size:size])
	if timed {
		w.InvokeTimed(ctx, c, func(thread int, used time.Duration) {
			r.threadCPU.Store(uint64(used))
			r.thread.Store(uint32(thread))
		})
		r.thread.Store(0)
	} else {
		w.Invoke(ctx, c)
	}
	if !bytes.Equal(r.room[size:], fence) {
		wire.Overrun()
	}
	return r.room[:min(uintptr(size), c.ResultLength)]
}

// invokeBatch makes the calls of a batch in one crossing, and returns the answers and how
// many there are: none where the library does not offer that.
func (r *request) invokeBatch(ctx context.Context, w wire.Handler) (answers []byte, made uint64) {
	f, most := &r.frame, int(r.frame.B) // of the answers
	batch := wire.Batch{TypeID: f.TypeID, Instance: f.Instance, Calls: int(f.Method), Room: f.A}
	size := int(batch.RoomsSize())
	if cap(r.room) < size+len(fence)+most {
		r.room = make([]byte, size+len(fence)+most)
	}
	rooms, behind, answers := r.room[:size], r.room[size:size+len(fence)], r.room[size+len(fence):][:most]
	copy(behind, fence)
	b := &r.batch
	b.Parse(&batch, r.payload, rooms)
	b.Arm()
	n := w.InvokeBatch(ctx, b.Calls)
	if n == 0 {
		return nil, 0
	}
	b.Check()
	if !bytes.Equal(behind, fence) {
		wire.Overrun()
	}
	at := uint64(0)
	for i := range n {
		at = b.Put(answers, at, i, false)
	}
	return answers[:at], uint64(n)
}

// probe is invoke with memory that is laid out for the call, and returns the
// whole room.
func (r *request) probe(ctx context.Context, w wire.Handler) ([]byte, wire.Damage, error) {
	size := int(r.frame.A)
	if cap(r.room) < size {
		r.room = make([]byte, size)
	}
	r.room = r.room[:size]
	c := r.call
	c.TypeID, c.Method, c.Instance = r.frame.TypeID, r.frame.Method, r.frame.Instance
	c.SetArgs(r.payload)
	c.SetResultBuffer(r.room)
	damage, err := w.Probe(ctx, c, wire.Layout(r.frame.B))
	return r.room, damage, err
}

// serving is the answer to OpServing.
func (l *Worker) serving(id uint64) []byte {
	var thread uint32
	var used uint64
	if id < wire.Slots {
		r := &l.requests[id]
		thread, used = r.thread.Load(), r.threadCPU.Load()
	}
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint32(nil, thread), used)
}

func (l *Worker) lend(data []byte) uint64 {
	addr := cmem.Address(data)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lent[addr] = data
	return addr
}

func (l *Worker) takeBack(addr uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.lent, addr)
}

// Share implements the worker's transport: what is in this process is sent when it is taken over.
func (l *Worker) Share(blob []byte) (addr uint64, free func(), err error) {
	if len(blob) == 0 {
		blob = make([]byte, 1)[:0] // with an address of its own
	}
	addr = l.lend(blob)
	return addr, func() { l.takeBack(addr) }, nil
}

// Line implements the worker's transport. A plugin whose host does not read waits for it.
func (l *Worker) Line(kind uint32, text []byte) {
	_ = l.out.Write(&Frame{Op: wire.OpLine, ID: kind}, text[:min(len(text), wire.MaxLine)])
}
