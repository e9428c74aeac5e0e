package contract

import (
	"strings"
	"unicode/utf8"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// WriteMessage writes the message of an error to the result buffer of a call, one String,
// and returns its length for *result_len. A text that does not fit is cut in the middle: it
// begins with what was called, and ends with the cause. Where there is no room for a
// message worth reading it returns 0, which is none.
func WriteMessage(buffer []byte, text string) (length int) {
	text = strings.ToValidUTF8(text, "\uFFFD")
	room := min(len(buffer)-tlv.HeaderSize-tlv.EntryHeaderSize, tlv.MaxPayload)
	if len(text) > room {
		if room < leastMessage {
			return 0
		}
		text = cut(text, room)
	}
	msg := tlv.AppendHeader(buffer[:0])
	msg, _ = tlv.AppendString(msg, text) // which can only fail for what was looked at
	_ = tlv.PatchArgc(msg, 1)
	return len(msg)
}

// leastMessage is the shortest part of a text that is worth being read, in bytes.
const leastMessage = 32

// cut leaves out the middle of a text that is longer than room.
func cut(text string, room int) string {
	const gap = " … "
	head := (room - len(gap)) / 3
	tail := len(text) - (room - len(gap) - head)
	for head > 0 && !utf8.RuneStart(text[head]) {
		head--
	}
	for tail < len(text) && !utf8.RuneStart(text[tail]) {
		tail++
	}
	return text[:head] + gap + text[tail:]
}
