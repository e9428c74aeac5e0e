package tlv

import (
	"errors"
	"fmt"

	"github.com/nyash-plugins/nyash-go/abi"
)

// What can be wrong with a message, for errors.Is.
var (
	ErrVersion      = errors.New("unsupported TLV version")
	ErrTag          = errors.New("unknown tag")
	ErrReservedTag  = errors.New("reserved tag")
	ErrReservedByte = errors.New("reserved byte is not zero")
	ErrSize         = errors.New("wrong payload size")
	ErrTruncated    = errors.New("message is cut short")
	ErrTrailing     = errors.New("trailing bytes")
	// ErrUTF8 also matches [abi.ErrInvalidUTF8].
	ErrUTF8 = fmt.Errorf("string is not UTF-8: %w", abi.ErrInvalidUTF8)

	// ErrTooLarge: a payload of more than MaxPayload bytes cannot be encoded.
	ErrTooLarge = errors.New("payload too large")
	// ErrTooMany: a message of more than MaxEntries entries cannot be encoded.
	ErrTooMany = errors.New("too many entries")
)

// DecodeError is a message that the decoder rejected.
type DecodeError struct {
	Offset int    // of the byte that is wrong, from the start of the message
	Detail string // what was found there and what belongs there
	Err    error  // one of the errors of this package
}

func (e *DecodeError) Error() string {
	return fmt.Sprintf("decode TLV: byte %d: %s", e.Offset, e.Detail)
}

// Unwrap returns the kind of error.
func (e *DecodeError) Unwrap() error { return e.Err }

// TypeError is an accessor of [Value] that does not fit the value.
type TypeError struct {
	Have Tag
	Want string
}

func (e *TypeError) Error() string {
	return fmt.Sprintf("the value is %v, not %s", e.Have, e.Want)
}
