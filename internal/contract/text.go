package contract

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// MaxText is how much of a plugin's error text is kept, in bytes.
const MaxText = 4 << 10

// Printable is text that came from a plugin, made fit for terminals and logs:
// what a terminal would obey, what would begin another line and what changes how
// its neighbours look is written as in Go's strings (\n, \x1b, \u202e). Bytes that
// are not UTF-8 become U+FFFD. A backslash stays as it is, so that text which was
// made fit already does not change.
//
// Nothing is allocated for text that is fit.
func Printable(text string) string { return escape(text, "") }

// PrintableLines is Printable for text that the host has put together from a
// plugin's and its own: newlines and tabs stay.
func PrintableLines(text string) string { return escape(text, "\n\t") }

// Excerpt is Printable for text that may be of any length: what is beyond
// [MaxText] is left out.
func Excerpt(text string) string {
	if len(text) <= MaxText {
		return Printable(text)
	}
	end := MaxText
	for end > MaxText-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return Printable(text[:end]) + fmt.Sprintf(" … (%d bytes more)", len(text)-end)
}

// escape writes out what is not fit and not in stays, which is ASCII.
func escape(text, stays string) string {
	at := unfit(text, stays)
	if at == len(text) {
		return text
	}
	var b strings.Builder
	b.Grow(len(text) + 16)
	b.WriteString(text[:at])
	for _, r := range strings.ToValidUTF8(text[at:], "\uFFFD") {
		switch {
		case !special(r) || strings.ContainsRune(stays, r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < utf8.RuneSelf:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}

// unfit is where the first character is that is not fit, or the text's length.
func unfit(text, stays string) int {
	for at, r := range text {
		if r >= ' ' && r < 0x7f {
			continue
		}
		if r == utf8.RuneError {
			if _, size := utf8.DecodeRuneInString(text[at:]); size == 1 {
				return at
			}
		}
		if special(r) && !strings.ContainsRune(stays, r) {
			return at
		}
	}
	return len(text)
}

// special tells which characters text from a plugin must not bring to a terminal
// or a log. The joiners U+200C and U+200D are not among them: words and emoji
// need them.
func special(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7f && r <= 0x9f: // C0, DEL, C1
		return true
	case r < 0xad:
		return false
	}
	switch {
	case r == 0xad, // soft hyphen
		r == 0x061c, r == 0x200e, r == 0x200f, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, // bidi controls
		r == 0x2028, r == 0x2029, // line and paragraph separators
		r == 0x200b, r >= 0x2060 && r <= 0x2065, r == 0xfeff, // nothing to be seen
		r == 0x034f, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5, r >= 0x180b && r <= 0x180f, r == 0x3164, r == 0xffa0, // fillers
		r >= 0xfe00 && r <= 0xfe0d, r >= 0xe0100 && r <= 0xe01ef, // variants of a character; emoji need the last two of the first
		r >= 0x206a && r <= 0x206f, r >= 0xfff9 && r <= 0xfffb, // deprecated and annotations
		r >= 0xe0000 && r <= 0xe007f: // tags: text that is not seen
		return true
	}
	return false
}
