package plugintest

import (
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// showCall is a call as text.
func showCall(s *step) string {
	text := fmt.Sprintf("%v(%s) on instance %d", s.m, showArgs(s.args), s.instance)
	if s.m.box != nil && s.typeID != s.m.box.typeID {
		text += fmt.Sprintf(" of type %d", s.typeID)
	}
	if s.resultSize != contract.InitialResultSize {
		text += fmt.Sprintf(", result buffer of %s", plural(s.resultSize, "byte"))
	}
	return text
}

// shownBytes is how much of a long value is shown.
const shownBytes = 40

func showArgs(args []byte) string {
	values, err := tlv.Decode(args)
	if err != nil {
		if len(args) == 0 {
			return "no message"
		}
		return "malformed: " + hexText(args)
	}
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = showValue(v)
	}
	return strings.Join(parts, ", ")
}

func showMessage(msg []byte) string {
	if len(msg) == 0 {
		return "void"
	}
	v, err := tlv.DecodeOne(msg)
	if err != nil {
		return hexText(msg)
	}
	return showValue(v)
}

func showValue(v tlv.Value) string {
	if text, err := v.Text(); err == nil && v.Tag() == tlv.TagString {
		return fmt.Sprintf("%q", cut(text))
	}
	if data, err := v.Bytes(); err == nil && v.Tag() == tlv.TagBytes {
		return fmt.Sprintf("bytes %q", cut(string(data)))
	}
	if v.Tag() == tlv.TagHandle || v.Tag() == tlv.TagVoid {
		return v.String() // which says what it is
	}
	return v.Tag().String() + " " + v.String()
}

func cut(text string) string {
	if len(text) <= shownBytes {
		return text
	}
	n := shownBytes
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return fmt.Sprintf("%s… %d bytes", text[:n], len(text))
}

// hexText is bytes in hexadecimal; a long message is cut.
func hexText(data []byte) string {
	const most = 256
	if len(data) > most {
		return hex.EncodeToString(data[:most]) + "…"
	}
	return hex.EncodeToString(data)
}
