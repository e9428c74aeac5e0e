package contract

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf16"
)

// WriteJSON writes v as JSON in lines that begin with indent for each level, or in one line without
// it. What [Printable] would write out stands in strings as \u202e, so that a terminal may show the
// text, and a reader of JSON gets what it was.
func WriteJSON(w io.Writer, v any, indent string) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetIndent("", indent)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return err
	}
	var out bytes.Buffer
	out.Grow(text.Len())
	for _, r := range text.String() {
		switch {
		case r == '\n' || !special(r): // the first are between strings: encoding/json escapes those within
			out.WriteRune(r)
		case r <= 0xffff:
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		}
	}
	_, err := w.Write(out.Bytes())
	return err
}
