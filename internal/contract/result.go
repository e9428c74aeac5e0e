package contract

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// The result buffers that a host gives to a plugin, in bytes.
const (
	// InitialResultSize is that of a call's first try: the largest message of one
	// value that is not a blob fits.
	InitialResultSize = tlv.HeaderSize + tlv.EntryHeaderSize + tlv.MaxPayload
	// BatchResultSize is that of each call of a batch. A call that needs more is
	// made again by itself.
	BatchResultSize = 1 << 10
	// DefaultMaxResult is the largest that a plugin gets by asking for it with a
	// short-buffer answer.
	DefaultMaxResult = 16 << 20
)

// MaxShortBuffers is how many short-buffer answers a host takes for one call. After
// each but the last it makes the call again, with the buffer that the plugin asked
// for; the last is an error.
const MaxShortBuffers = 8

// ParseBirth reads the result of a birth of a box with this type id: the id of the
// new instance, as a u32 in 4 bytes or in a message of one Handle.
func ParseBirth(result []byte, typeID uint32) (id uint32, err error) {
	if len(result) == 4 {
		id = binary.LittleEndian.Uint32(result)
	} else {
		v, err := tlv.DecodeOne(result)
		if err != nil {
			return 0, fmt.Errorf("birth must answer the instance id in 4 bytes, or a handle; it answered %d bytes: % x", len(result), result[:min(len(result), 16)])
		}
		h, err := v.Handle()
		if err != nil {
			return 0, fmt.Errorf("birth must answer the instance id in 4 bytes, or a handle; it answered %v %v", v.Tag(), v)
		}
		if h.Type != typeID {
			return 0, fmt.Errorf("birth answered a handle of type %d, and the box has type_id %d", h.Type, typeID)
		}
		id = h.Instance
	}
	if id == 0 {
		return 0, errors.New("birth answered instance id 0, which is never one")
	}
	return id, nil
}
