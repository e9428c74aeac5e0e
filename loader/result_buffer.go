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
const canarySize = 8

const canaryValue = 0x5ca1ab1e0ddba11 // any value that is unlikely to be written by chance

// maxRetries bounds how often a plugin may ask for a larger buffer in one call.
const maxRetries = 8

// seal gives a call its room for a result: all of it but the canary behind it is
// the plugin's to write to.
func armResult(c *abi.Call, buf []byte) {
	capacity := len(buf) - canarySize
	c.SetRoom(buf[:capacity])
	binary.LittleEndian.PutUint64(buf[capacity:], canaryValue)
	resetResult(c, buf)
}

// renew is seal for a call that has that room already, and a canary that is
// alive.
func resetResult(c *abi.Call, buf []byte) {
	c.ResultLength = uintptr(len(buf) - canarySize)
	// A plugin that leaves its buffer alone shows by these bytes.
	binary.LittleEndian.PutUint32(buf, 0)
}

// plain reports whether a call was answered with success and a result inside of
// its resultBuf: nothing that [check] would have to say or do anything about.
func fastOK(c *abi.Call, buf []byte) bool {
	capacity := len(buf) - canarySize
	return c.Code == abi.OK && c.ResultLength < uintptr(capacity) &&
		binary.LittleEndian.Uint64(buf[capacity:]) == canaryValue
}

// check sees to it that an answer is one that the specification allows (section
// 1, invoke), and sets the length of one that has none: a plugin without a
// result may leave the buffer and the length as they were, and an error's
// message is optional.
func checkResult(c *abi.Call, buf []byte) error {
	capacity := len(buf) - canarySize
	if binary.LittleEndian.Uint64(buf[capacity:]) != canaryValue {
		return protocolErrorf("the plugin wrote past the end of its %d-byte result buffer: memory may be damaged", capacity)
	}
	if c.ResultLength < uintptr(capacity) || c.Code == abi.ErrShortBuffer {
		return nil
	}
	if c.ResultLength > uintptr(capacity) && c.Code == abi.OK {
		return protocolErrorf("the plugin says that it wrote %d bytes to a %d-byte result buffer: memory may be damaged", c.ResultLength, capacity)
	}
	if c.ResultLength > uintptr(capacity) || binary.LittleEndian.Uint32(buf) == 0 {
		c.ResultLength = 0
	}
	return nil
}

// settle checks the answer of the call that f holds, and makes the call again
// with more room as long as the plugin asks for it. Afterwards f.Code is the
// answer's code and f.ResultLength its length.
func (f *callSlot) retryShortBuffer(ctx context.Context, b backend, maxResult int) error {
	for tries := 1; ; tries++ {
		if err := checkResult(&f.Call, f.resultBuf); err != nil || f.Code != abi.ErrShortBuffer {
			return err
		}
		if tries == maxRetries {
			return protocolErrorf("the plugin answered %d times that its result buffer was too short", maxRetries)
		}
		// The plugin has done nothing yet, and for nobody.
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := f.grow(uint64(f.ResultLength), maxResult); err != nil {
			return err
		}
		armResult(&f.Call, f.resultBuf)
		if err := b.Invoke(ctx, &f.Call); err != nil {
			return err
		}
	}
}

// answer is what the plugin wrote. It is valid until the frame's end.
func (f *callSlot) resultBytes() []byte { return f.resultBuf[:f.ResultLength] }

func (f *callSlot) grow(need uint64, maxResult int) error {
	if capacity := len(f.resultBuf) - canarySize; need <= uint64(capacity) {
		return protocolErrorf("the plugin answered that %d bytes are too short and asked for %d", capacity, need)
	}
	if need > uint64(maxResult) {
		return fmt.Errorf("%w: the plugin asks for %d bytes, the host allows %d (loader.WithMaxResult)", ErrResultSize, need, maxResult)
	}
	f.resultBuf = make([]byte, int(need)+canarySize)
	f.needsCleanup = true
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
