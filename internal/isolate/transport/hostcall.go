package transport

import (
	"context"
	"fmt"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// HostCall is a call of the plugin to its host, as its worker has sent it: the numbers may
// be any. Message is the host's own copy.
type HostCall struct {
	Resolve  bool   // a method is looked for: Message is the names, and Instance the length of the first
	TypeID   uint32 // of the method
	Method   uint32
	Instance uint32
	Thread   uint64 // of the library
	Message  []byte
	Room     uint64 // for the result, in bytes
}

// HostReply is the host's answer.
type HostReply struct {
	Code           abi.Code
	TypeID, Method uint32 // that were looked for
	Length         uint64 // *result_len
	Result         []byte // the caller's until it is used again
}

// HostCaller makes the calls of the plugin to its host that come one after another in one
// place: during one request, or in one lane. It is the [hostvtable.Caller] of these calls.
type HostCaller struct {
	peer  *Peer
	place func(data []byte) (addr uint64, err error)

	thread  uint64
	call    abi.Call
	message []byte
	room    []byte
	taken   uint64 // of the peer's budget
}

// NewHostCaller makes a caller; place has the worker place a blob, see
// [hostvtable.Caller].
func NewHostCaller(p *Peer, place func(data []byte) (addr uint64, err error)) *HostCaller {
	return &HostCaller{peer: p, place: place}
}

// Thread implements [hostvtable.Caller].
func (h *HostCaller) Thread() uint64 { return h.thread }

// Place implements [hostvtable.Caller]. It waits for the worker, for bounded time.
func (h *HostCaller) Place(data []byte) (addr uint64, err error) {
	if len(data) == 0 {
		return 0, nil
	}
	return h.place(data)
}

// Session implements [hostvtable.Caller].
func (h *HostCaller) Session() any { return h.peer.Session }

// Life implements [hostvtable.Caller].
func (h *HostCaller) Life() context.Context { return h.peer.Life }

// keptBuffer is the largest buffer that is kept for the next call to the host, in bytes.
const keptBuffer = 128 << 10

func buffer(old []byte, size uint64) []byte {
	if uint64(cap(old)) < size {
		return make([]byte, size)
	}
	return old[:size]
}

// MessageBuffer is memory of the host's own for a message, until Answer has returned; nil
// where such messages have too much of the host's memory.
func (h *HostCaller) MessageBuffer(size uint64) []byte {
	if size > keptBuffer {
		if h.peer.hostMessages.Add(int64(size)) > maxHostMessages {
			h.peer.hostMessages.Add(-int64(size))
			return nil
		}
		h.taken = size
	}
	h.message = buffer(h.message, size)
	return h.message
}

// release gives back what large messages and results have.
func (h *HostCaller) release() {
	h.peer.hostMessages.Add(-int64(h.taken))
	h.taken = 0
	if cap(h.message) > keptBuffer {
		h.message = nil
	}
}

// MaxBlobs is how many bytes the blobs of one call to the host may have.
func (p *Peer) MaxBlobs() uint64 {
	if p.MaxBlob == 0 {
		return wire.MaxBlob
	}
	return min(p.MaxBlob, wire.MaxBlob)
}

// maxHostMessages is how many bytes all large messages of one worker's calls to the host
// may have at a time: a worker can announce what it has no memory for.
const maxHostMessages = 16 * wire.MaxHostMessage

// TakeMessages takes host memory for a large message of the plugin's and its blobs, that came
// through a pipe, until [Peer.GiveMessages]. It returns false where those that are under way
// would have more than the largest blob, or maxHostMessages.
func (p *Peer) TakeMessages(size uint64) bool {
	most := max(maxHostMessages, p.MaxBlobs()+wire.MaxHostMessage)
	if all := p.hostMessages.Add(int64(size)); all > 0 && uint64(all) > most && uint64(all) != size {
		p.hostMessages.Add(-int64(size))
		return false
	}
	return true
}

// GiveMessages gives back what TakeMessages has taken.
func (p *Peer) GiveMessages(size uint64) { p.hostMessages.Add(-int64(size)) }

// Refuse is the reply to a call that cannot be made.
func (h *HostCaller) Refuse(code abi.Code, room uint64, format string, args ...any) HostReply {
	h.release()
	h.room = buffer(h.room, min(room, contract.InitialResultSize))
	n := contract.WriteMessage(h.room, fmt.Sprintf(format, args...))
	return HostReply{Code: code, Length: uint64(n), Result: h.room[:n]}
}

// Answer carries out a call of the plugin. ctx is nil for a thread of its own.
func (h *HostCaller) Answer(ctx context.Context, c *HostCall) HostReply {
	defer h.release()
	h.thread = c.Thread
	switch {
	case h.peer.Calls == nil || h.peer.mute.Load():
		return HostReply{Code: abi.ErrNotPermitted}
	case c.Resolve:
		return h.resolve(ctx, c)
	}
	return h.invoke(ctx, c)
}

func (h *HostCaller) resolve(ctx context.Context, c *HostCall) (r HostReply) {
	names, box := c.Message, uint64(c.Instance)
	if box > uint64(len(names)) || box > contract.MaxName || uint64(len(names))-box > contract.MaxName {
		return HostReply{Code: abi.ErrInvalidArgs}
	}
	r.TypeID, r.Method, r.Code = h.peer.Calls.Resolve(ctx, string(names[:box]), string(names[box:]))
	return r
}

// invoke gives Calls memory of the host's own, which the worker does not see. It is as
// large as an ordinary result; for a larger one the call is repeated, as a plugin would,
// so that the worker cannot have the host take memory by a number.
func (h *HostCaller) invoke(ctx context.Context, c *HostCall) HostReply {
	room := min(c.Room, wire.MaxHostMessage)
	size := min(room, contract.InitialResultSize)
	for range contract.MaxShortBuffers {
		h.room = buffer(h.room, size)
		clear(h.room[:min(size, 4)])
		h.call = abi.Call{TypeID: c.TypeID, Method: c.Method, Instance: c.Instance}
		h.call.SetArgs(c.Message)
		h.call.SetResultBuffer(h.room)
		h.peer.Calls.Invoke(ctx, &h.call, h)
		needed := uint64(h.call.ResultLength)
		if h.call.Code != abi.ErrShortBuffer || needed <= size || needed > room {
			break
		}
		size = needed
	}
	r := HostReply{Code: h.call.Code, Length: uint64(h.call.ResultLength)}
	if r.Code != abi.ErrShortBuffer {
		r.Result = h.room[:min(r.Length, size)]
	}
	h.call = abi.Call{} // what was lent to it
	if cap(h.room) > keptBuffer {
		h.room = nil
	}
	return r
}

// Nested reports whether a call with this context is one that another call of a plugin
// waits for: it has a method Nested that says so. Such a call never waits for a slot.
func Nested(ctx context.Context) bool {
	n, ok := ctx.(interface{ Nested() bool })
	return ok && n.Nested()
}
