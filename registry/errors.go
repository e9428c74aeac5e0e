package registry

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Position is a place in a nyash.toml.
type Position struct {
	File   string
	Line   int // from 1
	Column int // from 1, in bytes
}

// String returns file:line:column.
func (p Position) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// Error is one thing that is wrong with a nyash.toml, or with a library that
// does not fit it. %+v adds the line of the file, with a caret.
type Error struct {
	Position
	Key    string // the key at fault, such as plugins.FileBox.type_id; may be empty
	Msg    string // what is wrong
	Advice string // how to fix it; may be empty
	Err    error  // the cause, or nil

	before, after string // what of the line stands before the column, and from there on
}

// Error is one line.
func (e *Error) Error() string {
	s := e.where() + e.Msg
	if e.Advice != "" {
		s += "; " + e.Advice
	}
	return s
}

func (e *Error) where() string {
	s := e.Position.String() + ": "
	if e.Key != "" {
		s += e.Key + ": "
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Format implements %+v.
func (e *Error) Format(s fmt.State, verb rune) {
	if verb != 'v' || !s.Flag('+') || e.before+e.after == "" {
		io.WriteString(s, e.Error())
		return
	}
	// The caret stands below the column whatever the line's tabs are.
	indent := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, e.before)
	number := fmt.Sprint(e.Line)
	fmt.Fprintf(s, "%s%s\n\n  %s | %s%s\n  %*s | %s^", e.where(), e.Msg, number, e.before, e.after, len(number), "", indent)
	if e.Advice != "" {
		fmt.Fprintf(s, "\n\n  %s", e.Advice)
	}
}

// excerpt is what is kept of a line, which may have a length of any size: what stands
// before the byte at, and from there on.
func excerpt(line string, at int) (before, after string) {
	const most = 80         // bytes of each
	at = min(at, len(line)) // the end of the line, or of the text
	before, after = line[:at], line[at:]
	if from := len(before) - most; from > 0 {
		for from < len(before) && !utf8.RuneStart(before[from]) {
			from++
		}
		before = "…" + before[from:]
	}
	if end := most; len(after) > most {
		for end > 0 && !utf8.RuneStart(after[end]) {
			end--
		}
		after = after[:end] + "…"
	}
	return before, after
}

// Errors is everything that is wrong with a file, in the order of the file.
type Errors []*Error

// shown is how many errors of a file are printed.
const shown = 20

// Error is a line for each of the first 20, and how many follow.
func (e Errors) Error() string { return e.join("%v", "\n") }

// Format implements %+v.
func (e Errors) Format(s fmt.State, verb rune) {
	if verb == 'v' && s.Flag('+') {
		io.WriteString(s, e.join("%+v", "\n\n"))
		return
	}
	io.WriteString(s, e.Error())
}

func (e Errors) join(format, separator string) string {
	lines := make([]string, 0, min(len(e), shown+1))
	for i, one := range e {
		if i == shown {
			lines = append(lines, fmt.Sprintf("… and %d more", len(e)-shown))
			break
		}
		lines = append(lines, fmt.Sprintf(format, one))
	}
	return strings.Join(lines, separator)
}

// Unwrap returns the single errors.
func (e Errors) Unwrap() []error {
	all := make([]error, len(e))
	for i, one := range e {
		all[i] = one
	}
	return all
}
