package loader

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// canary is the number of bytes behind a result buffer that no plugin may
// write to; a call that changed them ran over its buffer.
const canary = 8

const canaryValue = 0x5ca1ab1e0ddba11 // any value that is unlikely to be written by chance

// maxRetries bounds how often a plugin may ask for a larger buffer in one call.
const maxRetries = 8

// exchange makes the call that f holds and sees to it that the plugin's answer
// is one that the specification allows (section 1, invoke). Afterwards f.Code
// is the answer's code and f.Length its length, checked.
func (f *frame) exchange(ctx context.Context, b backend, maxResult int) error {
	for range maxRetries {
		capacity := len(f.room) - canary
		f.Result = f.room[:capacity]
		// A plugin that leaves its buffer alone shows by these bytes.
		binary.LittleEndian.PutUint32(f.room, 0)
		binary.LittleEndian.PutUint64(f.room[capacity:], canaryValue)
		if err := b.Invoke(ctx, &f.Invocation); err != nil {
			return err
		}
		if binary.LittleEndian.Uint64(f.room[capacity:]) != canaryValue {
			return violation("the plugin wrote past the end of its %d-byte result buffer: memory may be damaged", capacity)
		}
		if f.Code != abi.ErrShortBuffer {
			return f.check(capacity)
		}
		if err := f.grow(uint64(f.Length), capacity, maxResult); err != nil {
			return err
		}
	}
	return violation("the plugin answered %d times that its result buffer was too short", maxRetries)
}

// check sets the length of an answer that has none: a plugin without a result
// may leave the buffer and the length as they were, and an error's message is
// optional.
func (f *frame) check(capacity int) error {
	if f.Length < uintptr(capacity) {
		return nil
	}
	untouched := f.Length == uintptr(capacity) && binary.LittleEndian.Uint32(f.room) == 0
	if f.Length > uintptr(capacity) && f.Code == abi.OK {
		return violation("the plugin says that it wrote %d bytes to a %d-byte result buffer: memory may be damaged", f.Length, capacity)
	}
	if untouched || f.Length > uintptr(capacity) {
		f.Length = 0
	}
	return nil
}

// answer is what the plugin wrote. It is valid until the frame's end.
func (f *frame) answer() []byte { return f.room[:f.Length] }

func (f *frame) grow(need uint64, capacity, maxResult int) error {
	if need <= uint64(capacity) {
		return violation("the plugin answered that %d bytes are too short and asked for %d", capacity, need)
	}
	if need > uint64(maxResult) {
		return fmt.Errorf("%w: the plugin asks for %d bytes, the host allows %d (loader.WithMaxResult)", ErrResultSize, need, maxResult)
	}
	f.room = make([]byte, int(need)+canary)
	f.pooled = true // so that the room is looked at when the frame is given back
	return nil
}

// message is the plugin's explanation of an error code: a TLV with exactly one
// String.
func (f *frame) message() string {
	v, err := tlv.DecodeOne(f.answer())
	if err != nil {
		return ""
	}
	text, err := v.Text()
	if err != nil {
		return ""
	}
	return text
}
