//go:build linux

package shm

import (
	"encoding/binary"
	"fmt"

	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// A line of the ring is its length and kind as two u32, and its bytes.
const lineHead = 8

// AppendLine adds a line, if the ring has room for it. first tells that the host
// may have to be told: it had read all that there was. One writer at a time.
func (m *Memory) AppendLine(kind uint32, text []byte) (ok, first bool) {
	text = text[:min(len(text), wire.MaxLine)]
	head, tail := m.long(offLogHead), m.long(offLogTail)
	at := head.Load()
	size := uint64(lineHead + len(text))
	if at+size-tail.Load() > LogSize {
		return false, false
	}
	var header [lineHead]byte
	binary.LittleEndian.PutUint32(header[0:], uint32(len(text)))
	binary.LittleEndian.PutUint32(header[4:], kind)
	m.putRing(at, header[:])
	m.putRing(at+lineHead, text)
	head.Store(at + size)
	return true, tail.Load() == at
}

func (m *Memory) putRing(at uint64, data []byte) {
	ring := m.mem[offLog : offLog+LogSize]
	n := copy(ring[at%LogSize:], data)
	copy(ring, data[n:])
}

// HasLines reports whether there is anything to read.
func (m *Memory) HasLines() bool { return m.long(offLogHead).Load() != m.long(offLogTail).Load() }

// ReadLines hands every line to f, and empties the ring. What the worker has
// written there is not trusted: nonsense is an error and is skipped. One reader
// at a time.
func (m *Memory) ReadLines(f func(kind uint32, text []byte)) error {
	head, tail := m.long(offLogHead), m.long(offLogTail)
	first := tail.Load()
	at, end := first, head.Load()
	for {
		if end-at > LogSize {
			tail.Store(end)
			return fmt.Errorf("the ring of log lines is damaged: %d bytes in %d", end-at, LogSize)
		}
		if at == end {
			// A writer that has not seen the last line read does not tell the host of
			// the next. One that writes without end is left to its next line.
			if end = head.Load(); at == end || at-first > LogSize {
				return nil
			}
			continue
		}
		var header [lineHead]byte
		m.getRing(at, header[:])
		length := uint64(binary.LittleEndian.Uint32(header[0:]))
		if end-at < lineHead || length > wire.MaxLine || length > end-at-lineHead {
			tail.Store(end)
			return fmt.Errorf("the ring of log lines is damaged: a line of %d bytes, and %d are left", length, end-at)
		}
		text := make([]byte, length)
		m.getRing(at+lineHead, text)
		at += lineHead + length
		f(binary.LittleEndian.Uint32(header[4:]), text)
		// Only now: until it is handed on, HasLines has it.
		tail.Store(at)
	}
}

func (m *Memory) getRing(at uint64, data []byte) {
	ring := m.mem[offLog : offLog+LogSize]
	n := copy(data, ring[at%LogSize:])
	copy(data[n:], ring)
}
