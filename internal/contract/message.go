package contract

import (
	"strings"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// WriteMessage writes the message of an error to the result buffer of a call, one String,
// and returns its length for *result_len: 0, which is no message, where it does not fit.
func WriteMessage(buffer []byte, text string) (length int) {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) > tlv.MaxPayload || tlv.HeaderSize+tlv.EntryHeaderSize+len(text) > len(buffer) {
		return 0
	}
	msg := tlv.AppendHeader(buffer[:0])
	msg, _ = tlv.AppendString(msg, text) // which can only fail for what was looked at
	_ = tlv.PatchArgc(msg, 1)
	return len(msg)
}
