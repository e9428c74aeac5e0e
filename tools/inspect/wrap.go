package inspect

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// columns is how wide listings are.
const columns = 80

// lines writes text with its own line ends, each line behind first or, from the second
// on, behind rest, and broken at spaces where it is too long. A longer word stands out.
func lines(w io.Writer, first, rest, text string) {
	prefix := first
	for _, line := range strings.Split(text, "\n") {
		if utf8.RuneCountInString(prefix+line) <= columns {
			fmt.Fprintln(w, strings.TrimRight(prefix+line, " "))
			prefix = rest
			continue
		}
		words := strings.Fields(line)
		out := prefix + leading(line)
		empty := true
		for _, word := range words {
			if !empty && utf8.RuneCountInString(out)+1+utf8.RuneCountInString(word) > columns {
				fmt.Fprintln(w, strings.TrimRight(out, " "))
				out, empty = rest+leading(line), true
			}
			if !empty {
				out += " "
			}
			out += word
			empty = false
		}
		fmt.Fprintln(w, strings.TrimRight(out, " "))
		prefix = rest
	}
}

// leading is the white space that a line begins with: examples and lists keep theirs.
func leading(line string) string {
	n := len(line) - len(strings.TrimLeft(line, " "))
	return line[:min(n, columns/4)]
}
