package loader

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// canary is the number of bytes behind a result buffer that no plugin may
// write to; a call that changed them ran over its buffer.
const canary = 8

const canaryValue = 0x5ca1ab1e0ddba11 // any value that is unlikely to be written by chance

// maxRetries bounds how often a plugin may ask for a larger buffer in one call.
const maxRetries = 8

// seal gives a call its room for a result: all of it but the canary behind it is
// the plugin's to write to.
func seal(c *abi.Call, room []byte) {
	capacity := len(room) - canary
	c.SetResultBuffer(room[:capacity])
	binary.LittleEndian.PutUint64(room[capacity:], canaryValue)
	renew(c, room)
}

// renew is seal for a call that has that room already, and a canary that is
// alive.
func renew(c *abi.Call, room []byte) {
	c.ResultLength = uintptr(len(room) - canary)
	// A plugin that leaves its buffer alone shows by these bytes.
	binary.LittleEndian.PutUint32(room, 0)
}

// plain reports whether a call was answered with success and a result inside of
// its room: nothing that [check] would have to say or do anything about.
func plain(c *abi.Call, room []byte) bool {
	capacity := len(room) - canary
	return c.Code == abi.OK && c.ResultLength < uintptr(capacity) &&
		binary.LittleEndian.Uint64(room[capacity:]) == canaryValue
}

// check sees to it that an answer is one that the specification allows (section
// 1, invoke), and sets the length of one that has none: a plugin without a
// result may leave the buffer and the length as they were, and an error's
// message is optional.
func check(c *abi.Call, room []byte) error {
	capacity := len(room) - canary
	if binary.LittleEndian.Uint64(room[capacity:]) != canaryValue {
		return violation("the plugin wrote past the end of its %d-byte result buffer: memory may be damaged", capacity)
	}
	if c.ResultLength < uintptr(capacity) || c.Code == abi.ErrShortBuffer {
		return nil
	}
	if c.ResultLength > uintptr(capacity) && c.Code == abi.OK {
		return violation("the plugin says that it wrote %d bytes to a %d-byte result buffer: memory may be damaged", c.ResultLength, capacity)
	}
	if c.ResultLength > uintptr(capacity) || binary.LittleEndian.Uint32(room) == 0 {
		c.ResultLength = 0
	}
	return nil
}

// settle checks the answer of the call that f holds, and makes the call again
// with more room as long as the plugin asks for it. Afterwards f.Code is the
// answer's code and f.ResultLength its length.
func (f *frame) settle(ctx context.Context, b backend, maxResult int) error {
	for tries := 1; ; tries++ {
		if err := check(&f.Call, f.room); err != nil || f.Code != abi.ErrShortBuffer {
			return err
		}
		if tries == maxRetries {
			return violation("the plugin answered %d times that its result buffer was too short", maxRetries)
		}
		// The plugin has done nothing yet, and for nobody.
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := f.grow(uint64(f.ResultLength), maxResult); err != nil {
			return err
		}
		seal(&f.Call, f.room)
		if err := b.Invoke(ctx, &f.Call); err != nil {
			return err
		}
	}
}

// answer is what the plugin wrote. It is valid until the frame's end.
func (f *frame) answer() []byte { return f.room[:f.ResultLength] }

func (f *frame) grow(need uint64, maxResult int) error {
	if capacity := len(f.room) - canary; need <= uint64(capacity) {
		return violation("the plugin answered that %d bytes are too short and asked for %d", capacity, need)
	}
	if need > uint64(maxResult) {
		return fmt.Errorf("%w: the plugin asks for %d bytes, the host allows %d (loader.WithMaxResult)", ErrResultSize, need, maxResult)
	}
	f.room = make([]byte, int(need)+canary)
	f.untidy = true
	return nil
}

// message is the plugin's explanation of an error code: a TLV with exactly one
// String. What it would do to a terminal is written out.
func message(answer []byte) string {
	v, err := tlv.DecodeOne(answer)
	if err != nil {
		return ""
	}
	text, err := v.Text()
	if err != nil {
		return ""
	}
	return contract.Printable(text)
}
