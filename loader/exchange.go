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

// answer is what came back from a plugin, and the checks on it done.
type answer struct {
	code   abi.Code
	result []byte // the bytes that the plugin wrote; valid until the frame is released
}

// exchange makes the call that f holds and sees to it that the plugin's answer
// is one that the specification allows (section 1, invoke).
func (f *frame) exchange(ctx context.Context, b backend, maxResult int) (answer, error) {
	for range maxRetries {
		capacity := len(f.room) - canary
		f.Result = f.room[:capacity]
		// A plugin that leaves its buffer alone shows by these bytes.
		clear(f.Result[:tlv.HeaderSize])
		binary.LittleEndian.PutUint64(f.room[capacity:], canaryValue)
		if err := b.Invoke(ctx, &f.Invocation); err != nil {
			return answer{}, err
		}
		if binary.LittleEndian.Uint64(f.room[capacity:]) != canaryValue {
			return answer{}, violation("the plugin wrote past the end of its %d-byte result buffer: memory may be damaged", capacity)
		}
		if f.Code != abi.ErrShortBuffer {
			return f.checked(f.Code, uint64(f.Length), capacity)
		}
		if err := f.grow(uint64(f.Length), capacity, maxResult); err != nil {
			return answer{}, err
		}
	}
	return answer{}, violation("the plugin answered %d times that its result buffer was too short", maxRetries)
}

func (f *frame) checked(code abi.Code, length uint64, capacity int) (answer, error) {
	if code != abi.OK {
		// A message is optional: a length that cannot be one is no message.
		if length > uint64(capacity) || f.untouched(length, capacity) {
			length = 0
		}
		return answer{code, f.room[:length]}, nil
	}
	if length > uint64(capacity) {
		return answer{}, violation("the plugin says that it wrote %d bytes to a %d-byte result buffer: memory may be damaged", length, capacity)
	}
	if f.untouched(length, capacity) {
		length = 0
	}
	return answer{code, f.room[:length]}, nil
}

// untouched recognises a plugin that has no result and left the buffer and the
// length as they were.
func (f *frame) untouched(length uint64, capacity int) bool {
	return length == uint64(capacity) && binary.LittleEndian.Uint32(f.room) == 0
}

func (f *frame) grow(need uint64, capacity, maxResult int) error {
	if need <= uint64(capacity) {
		return violation("the plugin answered that %d bytes are too short and asked for %d", capacity, need)
	}
	if need > uint64(maxResult) {
		return fmt.Errorf("%w: the plugin asks for %d bytes, the host allows %d (loader.WithMaxResult)", ErrResultSize, need, maxResult)
	}
	f.room = make([]byte, int(need)+canary)
	return nil
}

// message is the plugin's explanation of an error code: a TLV with exactly one
// String.
func (a answer) message() string {
	v, err := tlv.DecodeOne(a.result)
	if err != nil {
		return ""
	}
	text, err := v.Text()
	if err != nil {
		return ""
	}
	return text
}
