package registry

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/nyash-plugins/nyash-go/internal/contract"
)

// document is a nyash.toml while it is read.
type document struct {
	name     string
	data     []byte
	source   string // data; names, texts and lines are parts of it
	lines    []int  // where each line begins
	errs     Errors
	warnings Errors
	plugins  map[string]*Library // of [plugins], by name
	self     bool                // a library's text; see ParseDescription
	manifest bool                // a nyash_box.toml
}

// foreign tells whether the text comes with a library. It is not trusted: what is shown
// of it has control characters escaped.
func (d *document) foreign() bool { return d.self || d.manifest }

// byteOrderMark begins the files of some editors. It says nothing.
const byteOrderMark = "\uFEFF"

func newDocument(name string, data []byte) *document {
	data = bytes.TrimPrefix(data, []byte(byteOrderMark))
	if len(data) > math.MaxInt32 {
		d := &document{name: name, lines: []int{0}}
		d.fail(0, "", "the file is larger than 2 GiB", "is it the right file?")
		return d
	}
	d := &document{
		name: name, data: data, source: string(data), plugins: make(map[string]*Library),
		lines: make([]int, 1, 1+bytes.Count(data, []byte{'\n'})),
	}
	for at := 0; ; {
		i := bytes.IndexByte(data[at:], '\n')
		if i < 0 {
			return d
		}
		at += i + 1
		d.lines = append(d.lines, at)
	}
}

func (d *document) position(offset int) Position {
	at := min(offset, len(d.data))
	line, exact := slices.BinarySearch(d.lines, at)
	if exact {
		line++
	}
	return Position{File: d.name, Line: line, Column: at - d.lines[line-1] + 1}
}

// offset is the byte that a position of the document is at.
func (d *document) offset(p Position) int { return d.lines[p.Line-1] + p.Column - 1 }

func (d *document) newError(offset int, key, msg, advice string) *Error {
	p := d.position(offset)
	line, _, _ := strings.Cut(d.source[d.lines[p.Line-1]:], "\n")
	line = strings.TrimSuffix(line, "\r")
	if d.foreign() {
		key, msg, advice, line = contract.Excerpt(key), contract.Excerpt(msg), contract.Excerpt(advice), printableLine(line)
	}
	return &Error{Position: p, Key: key, Msg: msg, Advice: advice, line: line}
}

// printableLine makes a library's line fit to be shown, and keeps its columns.
func printableLine(line string) string {
	if contract.Printable(line) == line {
		return line
	}
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf && r >= ' ' && r != 0x7f {
			return r
		}
		return '?'
	}, line)
}

func (d *document) fail(offset int, key, msg, advice string) {
	d.errs = append(d.errs, d.newError(offset, key, msg, advice))
}

// failAt reports an error at a key.
func (d *document) failAt(k *key, msg, advice string) { d.fail(k.at, k.path(), msg, advice) }

func (d *document) warn(offset int, key, msg, advice string) {
	d.warnings = append(d.warnings, d.newError(offset, key, msg, advice))
}

// notUTF8 reports the first byte that is not UTF-8.
func (d *document) notUTF8() {
	for i := 0; i < len(d.data); {
		r, n := utf8.DecodeRune(d.data[i:])
		if r == utf8.RuneError && n == 1 {
			d.fail(i, "", fmt.Sprintf("byte %#02x is not UTF-8", d.data[i]), "save the file as UTF-8")
			return
		}
		i += n
	}
}

// inOrder sorts errors as they stand in the file.
func (e Errors) inOrder() Errors {
	slices.SortStableFunc(e, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return e
}
