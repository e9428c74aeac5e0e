package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"

	"github.com/nyash-plugins/nyash-go/abi"
)

// Batch is what the calls of one request of OpInvokeBatch have in common.
//
// The request is, for each call, method id and length of the message (u32 each) and the
// message. The answers are, for each call that was made, code (i32) and *result_len (u32;
// where that is 2³²−1 or more, 2³²−1 and a u64), and as much of the result as there was
// room for; none of it where the code is short buffer. Each begins at a multiple of 8
// bytes.
type Batch struct {
	TypeID, Instance uint32
	Calls            int
	Room             uint64 // for each result, in bytes
	Request, Answers uint64 // size of the request, and of the answers at most
}

const (
	requestHead = 8
	answerHead  = 8
	longHead    = 16 // of an answer whose length has more than 32 bits
	fenceSize   = 8  // behind each room of a batch that is made in one crossing
	fenceValue  = 0xfdfdfdfdfdfdfdfd
	longLength  = math.MaxUint32
)

func aligned(n uint64) uint64 { return (n + 7) &^ 7 }

// FitBatch is the batch of as many of calls, from the first on, as have all in common and
// fit where request, rooms and answers have at most so many bytes each.
func FitBatch(calls []abi.Call, most uint64) (b Batch) {
	if len(calls) == 0 || uint64(calls[0].ResultLength) > most {
		return b
	}
	b.TypeID, b.Instance, b.Room = calls[0].TypeID, calls[0].Instance, uint64(calls[0].ResultLength)
	// The heads of answers are larger than the fences between rooms.
	calls = calls[:min(uint64(len(calls)), most/(longHead+aligned(b.Room)))]
	for i := range calls {
		c := &calls[i]
		length := uint64(c.ArgsLength)
		if c.TypeID != b.TypeID || c.Instance != b.Instance || uint64(c.ResultLength) != b.Room ||
			length > most || b.Request+requestHead+aligned(length) > most {
			break
		}
		b.Request += requestHead + aligned(length)
		b.Calls++
	}
	b.Answers = uint64(b.Calls) * (longHead + aligned(b.Room))
	return b
}

// PutBatch writes the request of a batch.
func PutBatch(to []byte, calls []abi.Call) {
	for i := range calls {
		c := &calls[i]
		binary.LittleEndian.PutUint64(to, uint64(c.Method)|uint64(c.ArgsLength)<<32)
		copy(to[requestHead:], c.Message())
		to = to[requestHead+aligned(uint64(c.ArgsLength)):]
	}
}

// Answers reads what a worker has answered to a batch, from the first answer on. The worker
// may change the bytes meanwhile: each number is read once, and no more of a result than the
// host's own buffer has room for.
type Answers struct {
	read int    // answers
	at   uint64 // where the next begins
}

// Read fills in the calls up to number made, and returns how many are filled in by then;
// fewer where data ends before.
func (a *Answers) Read(calls []abi.Call, made uint64, data []byte) int {
	rest := data[min(a.at, uint64(len(data))):]
	for end := int(min(made, uint64(len(calls)))); a.read < end; a.read++ {
		c := &calls[a.read]
		if len(rest) < answerHead {
			break
		}
		head := binary.LittleEndian.Uint64(rest)
		code, length, begin := abi.Code(int32(uint32(head))), head>>32, uint64(answerHead)
		if length == longLength {
			if len(rest) < longHead {
				break
			}
			length, begin = binary.LittleEndian.Uint64(rest[answerHead:]), longHead
		}
		n := copied(code, length, uint64(c.ResultLength))
		if uint64(len(rest)) < begin+n {
			break
		}
		copy(c.ResultBuffer(), rest[begin:begin+n])
		c.Code, c.ResultLength = code, uintptr(length)
		rest = rest[min(begin+aligned(n), uint64(len(rest))):]
	}
	a.at = uint64(len(data) - len(rest))
	return a.read
}

// copied is how many bytes of a result an answer has.
func copied(code abi.Code, length, room uint64) uint64 {
	if code == abi.ErrShortBuffer {
		return 0
	}
	return min(length, room)
}

// BatchCalls are the calls of a batch in a worker. The library may change all of Calls.
type BatchCalls struct {
	Calls  []abi.Call
	room   uint64
	memory []byte // that the rooms are in
}

// RoomsSize is how many bytes the rooms of a batch have.
func (b *Batch) RoomsSize() uint64 { return uint64(b.Calls)*(aligned(b.Room)+fenceSize) - fenceSize }

// Parse reads a request of the host. The messages stay where they are. Each call has its room
// for the result, the last one at the end of memory, and behind each of the others is a fence.
func (b *BatchCalls) Parse(batch *Batch, request, memory []byte) {
	if cap(b.Calls) < batch.Calls {
		b.Calls = make([]abi.Call, batch.Calls)
	}
	b.Calls, b.room = b.Calls[:batch.Calls], batch.Room
	b.memory = memory[uint64(len(memory))-batch.RoomsSize():]
	for i := range b.Calls {
		c := &b.Calls[i]
		head := binary.LittleEndian.Uint64(request)
		length := head >> 32
		c.TypeID, c.Method, c.Instance, c.Code = batch.TypeID, uint32(head), batch.Instance, 0
		c.SetArgs(request[requestHead : requestHead+length])
		c.SetResultBuffer(b.result(i))
		request = request[requestHead+aligned(length):]
	}
}

// result is the room of call i.
func (b *BatchCalls) result(i int) []byte {
	at := uint64(i) * (aligned(b.room) + fenceSize)
	return b.memory[at : at+b.room]
}

// Arm prepares the rooms for a crossing.
func (b *BatchCalls) Arm() {
	for i := range b.Calls {
		seal(b.result(i))
		if i > 0 {
			binary.LittleEndian.PutUint64(b.fence(i), fenceValue)
		}
	}
}

// fence is in front of room i.
func (b *BatchCalls) fence(i int) []byte {
	at := uint64(i) * (aligned(b.room) + fenceSize)
	return b.memory[at-fenceSize : at]
}

// Check ends the process where a crossing has written past the end of a room: what else it has
// written to, nobody knows.
func (b *BatchCalls) Check() {
	for i := 1; i < len(b.Calls); i++ {
		if binary.LittleEndian.Uint64(b.fence(i)) != fenceValue {
			Overrun()
		}
	}
}

// Overrun ends the process of a plugin that has written past the end of a result.
func Overrun() {
	fmt.Fprintln(os.Stderr, "the plugin has written past the end of its result")
	os.Exit(1)
}

// Single is call i with the last room, at the end of the memory, for one that is made by itself.
func (b *BatchCalls) Single(i int) *abi.Call {
	c, last := &b.Calls[i], b.result(len(b.Calls)-1)
	seal(last)
	c.SetResultBuffer(last)
	return c
}

// seal has a library that writes nothing show by the first bytes of its result.
func seal(room []byte) {
	if len(room) >= 4 {
		binary.LittleEndian.PutUint32(room, 0)
		return
	}
	clear(room)
}

// Put writes the answer of call i, and returns where the next begins. single is a call that
// was made by itself.
func (b *BatchCalls) Put(answers []byte, at uint64, i int, single bool) uint64 {
	c, room := &b.Calls[i], i
	if single {
		room = len(b.Calls) - 1
	}
	length := uint64(c.ResultLength)
	binary.LittleEndian.PutUint64(answers[at:], uint64(uint32(c.Code))|min(length, longLength)<<32)
	at += answerHead
	if length >= longLength {
		binary.LittleEndian.PutUint64(answers[at:], length)
		at += longHead - answerHead
	}
	n := copied(c.Code, length, b.room)
	copy(answers[at:], b.result(room)[:n])
	return at + aligned(n)
}
