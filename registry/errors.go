package registry

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"
)

var (
	// ErrNoMethod: the box has no method of that name.
	ErrNoMethod = errors.New("no such method")
	// ErrBlob: a blob was to be passed, which this version cannot do.
	ErrBlob = errors.New("blobs cannot be passed")
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
	Advice string // how to mend it; may be empty
	Err    error  // the cause, or nil

	line string // of the file
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
	if verb != 'v' || !s.Flag('+') || e.line == "" {
		io.WriteString(s, e.Error())
		return
	}
	// The caret stands below the column whatever the line's tabs are.
	indent := strings.Map(func(r rune) rune {
		if r == '\t' {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(e.line[:min(e.Column-1, len(e.line))], " "))
	number := fmt.Sprint(e.Line)
	fmt.Fprintf(s, "%s%s\n\n  %s | %s\n  %*s | %s^", e.where(), e.Msg, number, e.line, len(number), "", indent)
	if e.Advice != "" {
		fmt.Fprintf(s, "\n\n  %s", e.Advice)
	}
}

// Errors is everything that is wrong with a file, in the order of the file.
type Errors []*Error

// Error is a line for each.
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
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = fmt.Sprintf(format, one)
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

// document is a nyash.toml while it is read.
type document struct {
	name     string
	data     []byte
	errs     Errors
	warnings Errors
	lines    []int // where each line begins
}

func newDocument(name string, data []byte) *document {
	d := &document{name: name, data: data, lines: make([]int, 1, 1+bytes.Count(data, []byte{'\n'}))}
	for at := 0; ; {
		i := bytes.IndexByte(data[at:], '\n')
		if i < 0 {
			return d
		}
		at += i + 1
		d.lines = append(d.lines, at)
	}
}

func (d *document) position(offset int32) Position {
	at := min(int(offset), len(d.data))
	line := sort.SearchInts(d.lines, at+1)
	return Position{File: d.name, Line: line, Column: at - d.lines[line-1] + 1}
}

func (d *document) newError(offset int32, key, msg, advice string) *Error {
	p := d.position(offset)
	rest := d.data[d.lines[p.Line-1]:]
	if i := bytes.IndexByte(rest, '\n'); i >= 0 {
		rest = rest[:i]
	}
	return &Error{Position: p, Key: key, Msg: msg, Advice: advice, line: string(bytes.TrimRight(rest, "\r"))}
}

func (d *document) fail(offset int32, key, msg, advice string) {
	d.errs = append(d.errs, d.newError(offset, key, msg, advice))
}

// failAt reports an error at a key.
func (d *document) failAt(k *key, advice, format string, args ...any) {
	d.fail(k.at, k.path(), fmt.Sprintf(format, args...), advice)
}
