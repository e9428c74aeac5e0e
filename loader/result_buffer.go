package loader

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// A result buffer is a slice whose last canarySize bytes are no part of the capacity
// that the plugin is given. They hold canaryValue: a call that changed them wrote past
// the end of its buffer.
const (
	canarySize  = 8
	canaryValue = 0x5ca1ab1e0ddba11 // any value that is unlikely to be written by chance
)

// armResult gives a call its result buffer and sets the canary.
func armResult(c *abi.Call, buf []byte) {
	capacity := len(buf) - canarySize
	c.SetResultBuffer(buf[:capacity])
	binary.LittleEndian.PutUint64(buf[capacity:], canaryValue)
	resetResult(c, buf)
}

// resetResult is armResult for a call that has this buffer already, with an intact
// canary.
func resetResult(c *abi.Call, buf []byte) {
	c.ResultLength = uintptr(len(buf) - canarySize)
	// No message begins with these bytes, so checkResult can tell a buffer that the
	// plugin left alone.
	binary.LittleEndian.PutUint32(buf, 0)
}

// fastOK reports whether a call succeeded with a result inside of its buffer, the
// case in which [checkResult] would neither return an error nor change anything.
func fastOK(c *abi.Call, buf []byte) bool {
	capacity := len(buf) - canarySize
	return c.Code == abi.OK && c.ResultLength < uintptr(capacity) &&
		binary.LittleEndian.Uint64(buf[capacity:]) == canaryValue
}

// checkResult returns [ErrProtocol] unless the code, the length and the buffer are as
// docs/abi.md, invoke allows. It sets the length of a result that is missing to 0: a
// plugin that has none may leave buffer and length as they were, and the message of
// an error is optional.
func checkResult(c *abi.Call, buf []byte) error {
	capacity := len(buf) - canarySize
	if binary.LittleEndian.Uint64(buf[capacity:]) != canaryValue {
		return protocolErrorf("the plugin wrote past the end of its %d-byte result buffer: memory may be damaged", capacity)
	}
	if c.ResultLength < uintptr(capacity) || c.Code == abi.ErrShortBuffer {
		return nil
	}
	if c.ResultLength > uintptr(capacity) && c.Code == abi.OK {
		return protocolErrorf("the plugin returned a length of %d for a %d-byte result buffer: memory may be damaged", c.ResultLength, capacity)
	}
	if c.ResultLength > uintptr(capacity) || binary.LittleEndian.Uint32(buf) == 0 {
		c.ResultLength = 0
	}
	return nil
}

// retryShortBuffer checks the result of the slot's call, and makes the call again
// with a larger buffer for as long as the plugin answers short buffer: contract.MaxShortBuffers
// times at most, and up to maxResult bytes. Afterwards s.Code is the final code and
// s.ResultLength is within the buffer.
func (s *callSlot) retryShortBuffer(ctx context.Context, b backend, maxResult int) error {
	for tries := 1; ; tries++ {
		if err := checkResult(&s.Call, s.resultBuf); err != nil || s.Code != abi.ErrShortBuffer {
			return err
		}
		if tries == contract.MaxShortBuffers {
			return protocolErrorf("the plugin answered %d times that its result buffer was too short", contract.MaxShortBuffers)
		}
		// A call that answered short buffer had no effect, so it need not be repeated.
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := s.growResult(uint64(s.ResultLength), maxResult); err != nil {
			return err
		}
		armResult(&s.Call, s.resultBuf)
		if err := b.Invoke(ctx, &s.Call); err != nil {
			return err
		}
	}
}

// resultBytes is the result of a call that was checked, valid until the slot's
// release.
func (s *callSlot) resultBytes() []byte { return s.resultBuf[:s.ResultLength] }

func (s *callSlot) growResult(need uint64, maxResult int) error {
	if capacity := len(s.resultBuf) - canarySize; need <= uint64(capacity) {
		return protocolErrorf("the plugin answered that %d bytes are too short and asked for %d", capacity, need)
	}
	if need > uint64(maxResult) {
		return fmt.Errorf("%w: the plugin asks for %d bytes, the host allows %d (loader.WithMaxResult)", ErrResultSize, need, maxResult)
	}
	s.resultBuf = make([]byte, int(need)+canarySize)
	s.needsCleanup = true
	return nil
}

// message is the plugin's explanation of an error code, made printable: the result
// where that is a message of exactly one String, and otherwise empty.
func message(result []byte) string {
	v, err := tlv.DecodeOne(result)
	if err != nil {
		return ""
	}
	text, err := v.Text()
	if err != nil {
		return ""
	}
	return contract.Printable(text)
}
