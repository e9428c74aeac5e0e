package wire

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/cmem"
	"github.com/nyash-plugins/nyash-go/internal/contract"
)

// Outer is the context of a request in the worker: by it a call that the plugin makes to
// its host meanwhile is known to belong to that request. It never ends.
type Outer struct {
	context.Context
	ID int // of the request, or [Loading]
}

// Loading is the ID of the library's connect and init, where those are no request.
const Loading = -1

// NewOuter is the context of a request.
func NewOuter(id int) Outer { return Outer{context.Background(), id} }

// OuterOf is the request that the context of a call to the host is of; ok is false on a
// thread of the plugin's own.
func OuterOf(ctx context.Context) (id int, ok bool) {
	o, ok := ctx.(*Outer)
	if !ok {
		return 0, false
	}
	return o.ID, true
}

// HostCalls is what a worker's end has for the calls of its library to the host, whatever
// carries them. They are numbered: as the requests that they belong to, or as their lanes.
type HostCalls struct {
	lanes    chan int      // that no call has
	wait     time.Duration // for one
	from     atomic.Pointer[hostvtable.Caller]
	maxBlobs uint64
}

// MaxHostCalls is how many there can be at once.
const MaxHostCalls = Slots + Lanes

// Init makes it ready, before any other method.
func (h *HostCalls) Init() {
	h.lanes, h.wait = make(chan int, Lanes), laneWait
	for i := Slots; i < MaxHostCalls; i++ {
		h.lanes <- i
	}
}

// Limit says how many bytes the blobs of a call may have.
func (h *HostCalls) Limit(bytes uint64) { h.maxBlobs = bytes }

// laneWait is how long a call waits for a lane. The calls that have them may wait for that
// very call: nobody knows it of threads.
const laneWait = 10 * time.Second

// Begin finds the number of a call with this context. A thread of the plugin's own, and
// connect and init where they are no request, wait for a lane, for bounded time.
func (h *HostCalls) Begin(ctx context.Context) (i int, lane bool, err error) {
	if i, ok := OuterOf(ctx); ok && i != Loading {
		return i, false, nil
	}
	select {
	case i = <-h.lanes:
		return i, true, nil
	default:
	}
	timer := time.NewTimer(h.wait)
	defer timer.Stop()
	select {
	case i = <-h.lanes:
		return i, true, nil
	case <-timer.C:
		return 0, false, &CallError{abi.ErrPlugin, fmt.Sprintf("threads of the library have %d calls to the host under way, and none has ended in %v", Lanes, h.wait)}
	}
}

// End ends a call.
func (h *HostCalls) End(i int) {
	if i >= Slots {
		h.lanes <- i
	}
}

// Use tells who calls. It is the same for all threads.
func (h *HostCalls) Use(from hostvtable.Caller) {
	if h.from.Load() == nil {
		first := from
		h.from.CompareAndSwap(nil, &first)
	}
}

// Place carries out OpPlace: it copies data to memory that the library owns, and answers
// the address.
func (h *HostCalls) Place(data []byte) (address []byte, err error) {
	from := h.from.Load()
	if from == nil {
		return nil, errors.New("the library has not called its host")
	}
	addr, err := (*from).Place(data)
	if err != nil {
		return nil, err
	}
	return binary.LittleEndian.AppendUint64(nil, addr), nil
}

// Move has each blob of a message be where the host will find it, in place: move returns
// what stands for its address.
func (h *HostCalls) Move(message []byte, move func(addr, length uint64) (uint64, error)) error {
	left := h.maxBlobs
	return contract.EachBlob(message, func(addr, length uint64) (uint64, error) {
		switch {
		case length == 0:
			return 0, nil
		case length > left:
			return 0, &CallError{abi.ErrInvalidArgs, fmt.Sprintf("its blobs have more than %d bytes, which is what the host takes over", h.maxBlobs)}
		}
		left -= length
		return move(addr, length)
	})
}

// CopyBlob copies a blob, or a part of one, of the library's.
func CopyBlob(to []byte, addr uint64) error {
	if err := cmem.Copy(unsafe.Pointer(unsafe.SliceData(to)), uintptr(addr), uintptr(len(to))); err != nil {
		return &CallError{abi.ErrInvalidArgs, fmt.Sprintf("a blob: %v", err)}
	}
	return nil
}

// CheckMessage is why a message cannot be sent to the host, or nil.
func CheckMessage(message []byte) error {
	if len(message) > MaxHostMessage {
		return &CallError{abi.ErrInvalidArgs, fmt.Sprintf("a message of %d bytes, and the host reads %d", len(message), MaxHostMessage)}
	}
	return nil
}

// CallError is a call to the host that the worker itself refuses.
type CallError struct {
	Code abi.Code
	Text string
}

func (e *CallError) Error() string { return e.Text }

// ErrNoMemory is a call to the host for which the plugin's limits leave no memory.
var ErrNoMemory = &CallError{abi.ErrOutOfMemory, "there is no memory left to call the host"}

// Refuse answers a call that the worker itself refuses.
func Refuse(c *abi.Call, err error) {
	room := c.ResultBuffer()
	c.Code = abi.ErrPlugin
	var refused *CallError
	if errors.As(err, &refused) {
		c.Code = refused.Code
	}
	c.ResultLength = uintptr(contract.WriteMessage(room, err.Error()))
}

// Take gives the library the host's answer: a code, *result_len, and the result, of which
// result has no less than there is room for, but for what the host never sends.
func Take(c *abi.Call, code abi.Code, length uint64, result []byte) {
	room := uint64(c.ResultLength)
	if code == abi.ErrShortBuffer && length <= room {
		Refuse(c, &CallError{abi.ErrPlugin, fmt.Sprintf("a result of %d bytes, and the host sends %d", length, MaxHostMessage)})
		return
	}
	// A plugin may say that there is more room than it has: what is not written to is not touched.
	if n := min(length, uint64(len(result)), room); n > 0 && code != abi.ErrShortBuffer {
		c.ResultLength = uintptr(n)
		copy(c.ResultBuffer(), result)
	}
	c.Code, c.ResultLength = code, uintptr(length)
}
