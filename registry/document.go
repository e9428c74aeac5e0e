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
	mistakes int                 // that are or were in errs
	ignored  int                 // warnings beyond maxWarnings
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

// newError makes an error that keeps little of the text, which may be one line.
func (d *document) newError(offset int, key, msg, advice string) *Error {
	p := d.position(offset)
	if d.foreign() {
		key, msg, advice = contract.Excerpt(key), contract.Excerpt(msg), contract.Excerpt(advice)
	} else {
		key, msg, advice = contract.Printable(key), contract.Printable(msg), contract.Printable(advice)
	}
	e := &Error{Position: p, Key: key, Msg: msg, Advice: advice}
	e.before, e.after = excerpt(d.line(p.Line), p.Column-1)
	e.before, e.after = sameWidth(e.before), sameWidth(e.after)
	return e
}

// line is the text of a line, without its end.
func (d *document) line(number int) string {
	begin, end := d.lines[number-1], len(d.source)
	if number < len(d.lines) {
		end = d.lines[number] - 1
	}
	line := d.source[begin:end]
	return strings.TrimSuffix(line, "\r")
}

// sameWidth makes a part of a line fit to be shown: what a terminal would obey is a
// question mark, so that the columns stay what they are.
func sameWidth(text string) string {
	if contract.PrintableLines(text) == text {
		return text
	}
	return strings.Map(func(r rune) rune {
		if one := string(r); contract.PrintableLines(one) == one && r != utf8.RuneError {
			return r
		}
		return '?'
	}, text)
}

// maxMistakes and maxWarnings are how many mistakes and warnings of a foreign text are
// collected: one of 1 MiB has room for 100,000.
const (
	maxMistakes = 20
	maxWarnings = 20
)

// full tells whether the reading of a foreign text has found as many mistakes as are
// collected. Each part of the text that is judged by itself, as a manifest's boxes are,
// keeps one in any case.
func (d *document) full() bool {
	return d.foreign() && len(d.errs) > 0 && d.mistakes >= maxMistakes
}

func (d *document) fail(offset int, key, msg, advice string) {
	switch {
	case d.full():
		return
	case d.foreign() && d.mistakes == maxMistakes-1 && len(d.errs) > 0:
		key, msg, advice = "", "there are more mistakes: the reading ended here", ""
	}
	d.mistakes++
	d.errs = append(d.errs, d.newError(offset, key, msg, advice))
}

// failAt reports an error at a key.
func (d *document) failAt(k *key, msg, advice string) { d.fail(k.at, k.path(), msg, advice) }

func (d *document) warn(offset int, key, msg, advice string) {
	if d.warns() {
		d.warnings = append(d.warnings, d.newError(offset, key, msg, advice))
	}
}

// warns tells whether a warning is to be collected, and counts those that are not.
func (d *document) warns() bool {
	if !d.foreign() || len(d.warnings) < maxWarnings {
		return true
	}
	d.ignored++
	return false
}

// allWarnings are the warnings in the order of the text.
func (d *document) allWarnings() Errors { return d.warnings.inOrder().andMore(d.ignored) }

// andMore adds a line for n warnings that were not collected, behind the last that was.
func (e Errors) andMore(n int) Errors {
	if n == 0 {
		return e
	}
	last := *e[len(e)-1]
	last.Key, last.Msg, last.Advice = "", fmt.Sprintf("there are %d more warnings", n), ""
	return append(e, &last)
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
