package registry

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// document is a nyash.toml while it is read.
type document struct {
	name     string
	data     []byte
	source   string  // data; names, texts and lines are parts of it
	lines    []int32 // where each line begins
	errs     Errors
	warnings Errors

	// What the entries that are read one after another share.
	ids     map[uint32]*Method
	arg     argEntry
	plugins map[string]*Library // of [plugins], by name
}

// byteOrderMark begins the files of some editors. It says nothing.
const byteOrderMark = "\uFEFF"

func newDocument(name string, data []byte) *document {
	data = bytes.TrimPrefix(data, []byte(byteOrderMark))
	if len(data) > math.MaxInt32 {
		d := &document{name: name, lines: []int32{0}}
		d.fail(0, "", "the file is larger than 2 GiB", "is it the right file?")
		return d
	}
	d := &document{
		name: name, data: data, source: string(data), ids: make(map[uint32]*Method), plugins: make(map[string]*Library),
		lines: make([]int32, 1, 1+bytes.Count(data, []byte{'\n'})),
	}
	for at := 0; ; {
		i := bytes.IndexByte(data[at:], '\n')
		if i < 0 {
			return d
		}
		at += i + 1
		d.lines = append(d.lines, int32(at))
	}
}

func (d *document) position(offset int32) Position {
	at := min(offset, int32(len(d.data)))
	line, exact := slices.BinarySearch(d.lines, at)
	if exact {
		line++
	}
	return Position{File: d.name, Line: line, Column: int(at-d.lines[line-1]) + 1}
}

func (d *document) newError(offset int32, key, msg, advice string) *Error {
	p := d.position(offset)
	line, _, _ := strings.Cut(d.source[d.lines[p.Line-1]:], "\n")
	return &Error{Position: p, Key: key, Msg: msg, Advice: advice, line: strings.TrimSuffix(line, "\r")}
}

func (d *document) fail(offset int32, key, msg, advice string) {
	d.errs = append(d.errs, d.newError(offset, key, msg, advice))
}

// failAt reports an error at a key.
func (d *document) failAt(k *key, advice, format string, args ...any) {
	d.fail(k.at, k.path(), fmt.Sprintf(format, args...), advice)
}

func (d *document) warn(offset int32, key, msg, advice string) {
	d.warnings = append(d.warnings, d.newError(offset, key, msg, advice))
}

// notUTF8 reports the first byte that is not UTF-8.
func (d *document) notUTF8() {
	for i := 0; i < len(d.data); {
		r, n := utf8.DecodeRune(d.data[i:])
		if r == utf8.RuneError && n == 1 {
			d.fail(int32(i), "", fmt.Sprintf("byte %#02x is not UTF-8", d.data[i]), "save the file as UTF-8")
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
