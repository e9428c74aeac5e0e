package contract

import (
	"encoding/binary"

	"github.com/nyash-plugins/nyash-go/tlv"
)

const blobSize = 16 // of an entry's payload, in bytes

// BlobResultSize is the length of a result that is one Blob, in bytes.
const BlobResultSize = tlv.HeaderSize + tlv.EntryHeaderSize + blobSize

// EachBlob has f replace the address of each Blob in a message, in place. It stops at an
// error of f's, and where the message is malformed, which is for a decoder to refuse:
// none accepts a message with a Blob that was not met here.
func EachBlob(message []byte, f func(addr, length uint64) (uint64, error)) error {
	if len(message) < tlv.HeaderSize {
		return nil
	}
	count, rest := binary.LittleEndian.Uint16(message[2:]), message[tlv.HeaderSize:]
	for ; count > 0 && len(rest) >= tlv.EntryHeaderSize; count-- {
		tag, size := tlv.Tag(rest[0]), int(binary.LittleEndian.Uint16(rest[2:]))
		if size > len(rest)-tlv.EntryHeaderSize {
			return nil
		}
		payload := rest[tlv.EntryHeaderSize:][:size]
		rest = rest[tlv.EntryHeaderSize+size:]
		if tag != tlv.TagBlob || size != blobSize {
			continue
		}
		addr, err := f(binary.LittleEndian.Uint64(payload), binary.LittleEndian.Uint64(payload[8:]))
		if err != nil {
			return err
		}
		binary.LittleEndian.PutUint64(payload, addr)
	}
	return nil
}
