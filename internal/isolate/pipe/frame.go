package pipe

import (
	"encoding/binary"
	"io"
	"sync"
)

// Frame is the head of what goes through a pipe. Length bytes follow it.
type Frame struct {
	Op       uint32 // a request's operation; OpAnswer or OpLine from the worker
	ID       uint32 // of the request that is asked or answered; of a line its kind
	TypeID   uint32
	Method   uint32
	Instance uint32
	Code     int32
	// A is the room for the result in a request of OpInvoke or OpProbe, and
	// *result_len in its answer; the room for each result in a request of OpInvokeBatch,
	// of which Method is the number of calls, and in its answer how many were made;
	// otherwise an address. B is the length of what is at that address; of
	// OpInvokeBatch the most that the answers have; of OpProbe the layout, and in its
	// answer the damage.
	A, B   uint64
	Length uint64
}

// FrameSize is the size of a frame's head in bytes.
const FrameSize = 48

// Append appends the head as it goes through the pipe.
func (f *Frame) Append(out []byte) []byte {
	for _, word := range []uint32{f.Op, f.ID, f.TypeID, f.Method, f.Instance, uint32(f.Code)} {
		out = binary.LittleEndian.AppendUint32(out, word)
	}
	for _, long := range []uint64{f.A, f.B, f.Length} {
		out = binary.LittleEndian.AppendUint64(out, long)
	}
	return out
}

// ParseFrame reads what Append wrote. Any bytes are a frame: what it means is the
// reader's to check.
func ParseFrame(head *[FrameSize]byte) Frame {
	word := func(at int) uint32 { return binary.LittleEndian.Uint32(head[at:]) }
	long := func(at int) uint64 { return binary.LittleEndian.Uint64(head[at:]) }
	return Frame{
		Op: word(0), ID: word(4), TypeID: word(8), Method: word(12), Instance: word(16), Code: int32(word(20)),
		A: long(24), B: long(32), Length: long(40),
	}
}

// FrameWriter writes whole frames to a pipe, for several goroutines.
type FrameWriter struct {
	Out    io.Writer
	mu     sync.Mutex
	buffer []byte
}

// together is the most that is written at once, in bytes: head and payload.
const together = 64 << 10

// Write writes a frame with its payload, of which it sets the length.
func (w *FrameWriter) Write(f *Frame, payload []byte) error {
	f.Length = uint64(len(payload))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buffer = f.Append(w.buffer[:0])
	if len(payload) <= together {
		w.buffer = append(w.buffer, payload...)
		payload = nil
	}
	if _, err := w.Out.Write(w.buffer); err != nil {
		return err
	}
	if len(payload) == 0 {
		return nil
	}
	_, err := w.Out.Write(payload)
	return err
}
