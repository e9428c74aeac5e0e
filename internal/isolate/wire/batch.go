package wire

import (
	"encoding/binary"
	"fmt"
	"os"

	"github.com/nyash-plugins/nyash-go/abi"
)

// A request of OpInvokeBatch is, for each call, type, method and instance id, the length
// of the message and the room for the result (u32 each), 4 bytes of nothing, and the
// message. An answer is, for each call that was made, the code (i32), 4 bytes of nothing,
// *result_len (u64), and as much of the result as there was room for; none of it where the
// code is short buffer. Each begins at a multiple of 8 bytes.
const (
	batchHead  = 24
	answerHead = 16
	fenceSize  = 8 // behind each room of a batch that is made in one crossing
)

func aligned(n uint64) uint64 { return (n + 7) &^ 7 }

// FitBatch is how many of calls, from the first on, fit where request, rooms and answers
// have at most so many bytes each; and the sizes of the request and, at most, the answers.
func FitBatch(calls []abi.Call, most uint64) (n int, request, answers uint64) {
	for i := range calls {
		c := &calls[i]
		length, room := uint64(c.ArgsLength), uint64(c.ResultLength)
		if length > most || room > most {
			break
		}
		nextRequest, nextAnswers := request+batchHead+aligned(length), answers+answerHead+aligned(room)
		if nextRequest > most || nextAnswers > most { // the heads of answers are larger than fences
			break
		}
		n, request, answers = i+1, nextRequest, nextAnswers
	}
	return n, request, answers
}

// PutBatch writes a request, for which [FitBatch] has found that there is room.
func PutBatch(to []byte, calls []abi.Call) {
	for i := range calls {
		c := &calls[i]
		head := to[:batchHead]
		binary.LittleEndian.PutUint32(head[0:], c.TypeID)
		binary.LittleEndian.PutUint32(head[4:], c.Method)
		binary.LittleEndian.PutUint32(head[8:], c.Instance)
		binary.LittleEndian.PutUint32(head[12:], uint32(c.ArgsLength))
		binary.LittleEndian.PutUint32(head[16:], uint32(c.ResultLength))
		copy(to[batchHead:], c.Message())
		to = to[batchHead+aligned(uint64(c.ArgsLength)):]
	}
}

// Answers reads what a worker has answered to a batch, from the first answer on. The worker
// may change the bytes meanwhile: each head is read once, and no more of a result than the
// host's own buffer has room for.
type Answers struct {
	read int    // answers
	at   uint64 // where the next begins
}

// Read fills in the calls up to number made, and returns how many are filled in by then;
// fewer where data ends before.
func (a *Answers) Read(calls []abi.Call, made uint64, data []byte) int {
	for end := int(min(made, uint64(len(calls)))); a.read < end; a.read++ {
		c := &calls[a.read]
		if uint64(len(data)) < a.at+answerHead {
			break
		}
		code := abi.Code(int32(binary.LittleEndian.Uint32(data[a.at:])))
		length := binary.LittleEndian.Uint64(data[a.at+8:])
		n := copied(code, length, uint64(c.ResultLength))
		begin := a.at + answerHead
		if uint64(len(data)) < begin+n {
			break
		}
		copy(c.ResultBuffer(), data[begin:begin+n])
		c.Code, c.ResultLength = code, uintptr(length)
		a.at = begin + aligned(n)
	}
	return a.read
}

// copied is how many bytes of a result an answer has.
func copied(code abi.Code, length, room uint64) uint64 {
	if code == abi.ErrShortBuffer {
		return 0
	}
	return min(length, room)
}

// BatchCalls are the calls of a batch in a worker.
type BatchCalls struct {
	Calls []abi.Call
	sizes []uint64 // of the rooms for results
	rooms [][]byte // where the library cannot change them, as it can Calls
}

// Parse reads a request of the host with so many calls. The messages stay where they are.
func (b *BatchCalls) Parse(request []byte, n int) {
	b.Calls, b.sizes, b.rooms = b.Calls[:0], b.sizes[:0], b.rooms[:0]
	for range n {
		head := request[:batchHead]
		length := uint64(binary.LittleEndian.Uint32(head[12:]))
		c := abi.Call{
			TypeID:   binary.LittleEndian.Uint32(head[0:]),
			Method:   binary.LittleEndian.Uint32(head[4:]),
			Instance: binary.LittleEndian.Uint32(head[8:]),
		}
		c.SetArgs(request[batchHead : batchHead+length])
		b.Calls = append(b.Calls, c)
		b.sizes = append(b.sizes, uint64(binary.LittleEndian.Uint32(head[16:])))
		b.rooms = append(b.rooms, nil)
		request = request[batchHead+aligned(length):]
	}
}

// RoomSize is how many bytes Rooms needs, of at least one call.
func (b *BatchCalls) RoomSize() (size uint64) {
	for _, room := range b.sizes {
		size += aligned(room) + fenceSize
	}
	return size - fenceSize
}

const fenceValue = 0xfdfdfdfdfdfdfdfd

// Rooms gives each call its room for the result, the last one at the end of memory, and puts a
// fence behind each of the others.
func (b *BatchCalls) Rooms(memory []byte) {
	at := uint64(len(memory)) - b.RoomSize()
	for i, room := range b.sizes {
		b.setRoom(i, memory[at:at+room])
		if at += aligned(room); i < len(b.sizes)-1 {
			binary.LittleEndian.PutUint64(memory[at:], fenceValue)
			at += fenceSize
		}
	}
}

// Room gives call i its room at the end of memory.
func (b *BatchCalls) Room(i int, memory []byte) {
	at := uint64(len(memory)) - aligned(b.sizes[i])
	b.setRoom(i, memory[at:at+b.sizes[i]])
}

func (b *BatchCalls) setRoom(i int, room []byte) {
	clear(room[:min(len(room), 4)]) // a library that writes nothing shows by these bytes
	b.rooms[i] = room
	b.Calls[i].SetResultBuffer(room)
}

// Check ends the process where a call has written past the end of its room: what else it has
// written to, nobody knows.
func (b *BatchCalls) Check() {
	for i := range len(b.rooms) - 1 {
		at := aligned(b.sizes[i])
		if binary.LittleEndian.Uint64(b.rooms[i][at:at+fenceSize]) != fenceValue {
			Overrun()
		}
	}
}

// Overrun ends the process of a plugin that has written past the end of a result.
func Overrun() {
	fmt.Fprintln(os.Stderr, "the plugin has written past the end of its result")
	os.Exit(1)
}

// Put writes the answer of call i, and returns where the next begins.
func (b *BatchCalls) Put(answers []byte, at uint64, i int) uint64 {
	c := &b.Calls[i]
	length := uint64(c.ResultLength)
	binary.LittleEndian.PutUint32(answers[at:], uint32(c.Code))
	binary.LittleEndian.PutUint64(answers[at+8:], length)
	n := copied(c.Code, length, b.sizes[i])
	copy(answers[at+answerHead:], b.rooms[i][:n])
	return at + answerHead + aligned(n)
}
