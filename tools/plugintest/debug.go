package plugintest

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/suggest"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// Annotate explains a message in lines, one for each part, with offsets in bytes.
// The last line is the error where the message is malformed.
func Annotate(msg []byte) []string {
	var lines []string
	line := func(at, n int, format string, args ...any) {
		shown := msg[at : at+n]
		text := hex.EncodeToString(shown[:min(n, 16)])
		if n > 16 {
			text += "…"
		}
		lines = append(lines, fmt.Sprintf("%5d  %-34s %s", at, text, fmt.Sprintf(format, args...)))
	}
	end := 0 // of the parts so far
	if len(msg) >= tlv.HeaderSize {
		line(0, 2, "version %d", binary.LittleEndian.Uint16(msg))
		line(2, 2, "argc %d", binary.LittleEndian.Uint16(msg[2:]))
		end = tlv.HeaderSize
	}
	d := tlv.NewDecoder(msg)
	for e, ok := d.Next(); ok; e, ok = d.Next() {
		line(e.Offset, tlv.EntryHeaderSize, "tag %d = %v, size %d", e.Tag, e.Tag, len(e.Payload))
		end = e.Offset + tlv.EntryHeaderSize
		if len(e.Payload) > 0 {
			line(end, len(e.Payload), "%s", showValue(e.Value()))
		}
		end += len(e.Payload)
	}
	if err := d.Err(); err != nil {
		if len(msg)-end >= tlv.EntryHeaderSize && end >= tlv.HeaderSize && !errors.Is(err, tlv.ErrTrailing) {
			line(end, tlv.EntryHeaderSize, "tag %d = %v, reserved %d, size %d", msg[end], tlv.Tag(msg[end]), msg[end+1], binary.LittleEndian.Uint16(msg[end+2:]))
			end += tlv.EntryHeaderSize
		}
		if end < len(msg) {
			line(end, len(msg)-end, "not read")
		}
		lines = append(lines, "       "+err.Error())
	}
	return lines
}

// ParseHex reads bytes in hexadecimal, with spaces and line ends between them.
func ParseHex(text string) ([]byte, error) {
	digits := strings.TrimPrefix(strings.Join(strings.Fields(text), ""), "0x")
	data, err := hex.DecodeString(digits)
	if err != nil {
		if wrong := strings.IndexFunc(digits, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", r) }); wrong >= 0 {
			letter, _ := utf8.DecodeRuneInString(digits[wrong:])
			return nil, fmt.Errorf("not hexadecimal: %q is no digit of it", letter)
		}
		return nil, fmt.Errorf("not hexadecimal: a byte has two digits, and there are %d", len(digits))
	}
	return data, nil
}

// argTypes are the types of [ParseArg].
var argTypes = []string{"string", "bool", "i32", "i64", "f32", "f64", "bytes", "handle"}

// otherLanguages are words for types that nyash.toml does not have.
var otherLanguages = []string{
	"i8", "i16", "u8", "u16", "u32", "u64", "int", "int8", "int16", "int32", "int64", "uint", "uint8", "uint16", "uint32", "uint64", "integer", "long",
	"float", "float32", "float64", "double", "number", "boolean", "str", "blob",
}

// ParseArg reads an argument from the command line: type:value with the types of
// nyash.toml (i64:5, bytes:00ff, handle:6/1), or a value alone.
func ParseArg(text string) (tlv.Value, error) {
	word, rest, typed := strings.Cut(text, ":")
	fail := func(format string, args ...any) (tlv.Value, error) {
		return tlv.Value{}, fmt.Errorf("%w: invalid argument %q: %s", ErrCannotRun, text, fmt.Sprintf(format, args...))
	}
	if typed {
		v, ok, err := parseTyped(word, rest)
		if err != nil {
			return fail("%v", err)
		}
		if ok {
			return v, nil
		}
		if near := suggest.Nearest(word, argTypes); slices.Contains(otherLanguages, word) || near != "" && suggest.Distance(word, near) <= 1 {
			return fail("there is no type %s%s; there are %s; write string:%s where it is a text", word, suggest.DidYouMean(word, argTypes), strings.Join(argTypes, ", "), text)
		}
	}
	if n, err := strconv.ParseInt(text, 0, 64); err == nil {
		return tlv.Int64(n), nil
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		return tlv.Float64(f), nil
	}
	switch text {
	case "true", "false":
		return tlv.Bool(text == "true"), nil
	case "void":
		return tlv.Void(), nil
	}
	return tlv.String(text), nil
}

func parseTyped(word, text string) (v tlv.Value, ok bool, err error) {
	var n int64
	var f float64
	switch word {
	case "string":
		return tlv.String(text), true, nil
	case "bool":
		b, err := strconv.ParseBool(text)
		if err != nil {
			err = errors.New("a bool is true or false")
		}
		return tlv.Bool(b), true, err
	case "i32":
		n, err = strconv.ParseInt(text, 0, 32)
		return tlv.Int32(int32(n)), true, numberError(word, "a whole number, 5 or 0x1f", err)
	case "i64":
		n, err = strconv.ParseInt(text, 0, 64)
		return tlv.Int64(n), true, numberError(word, "a whole number, 5 or 0x1f", err)
	case "f32":
		f, err = strconv.ParseFloat(text, 32)
		return tlv.Float32(float32(f)), true, numberError(word, "a number, 2.5 or 1e-3", err)
	case "f64":
		f, err = strconv.ParseFloat(text, 64)
		return tlv.Float64(f), true, numberError(word, "a number, 2.5 or 1e-3", err)
	case "bytes":
		data, err := ParseHex(text)
		return tlv.Bytes(data), true, err
	case "handle":
		var h tlv.Handle
		if _, err := fmt.Sscanf(text, "%d/%d", &h.Type, &h.Instance); err != nil {
			return v, true, errors.New("a handle is a type id and an instance, 6/1")
		}
		return tlv.HandleValue(h), true, nil
	}
	return v, false, nil
}

// numberError says plainly why a text is no number of a type.
func numberError(word, what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, strconv.ErrRange):
		return fmt.Errorf("it does not fit %s", word)
	}
	return fmt.Errorf("%s is %s", word, what)
}

// quotedArg is an argument in double quotes, which may be behind a type.
var quotedArg = regexp.MustCompile(`(?s)^([a-z0-9]+:)?".*"$`)

// splitArgs are arguments that commas are between, but for commas in double quotes.
func splitArgs(list string) (all []string) {
	from, inside := 0, false
	for i := 0; i < len(list); i++ {
		switch {
		case inside && list[i] == '\\':
			i++
		case list[i] == '"' && (inside || opensText(list[from:i])):
			inside = !inside
		case list[i] == ',' && !inside:
			all, from = append(all, list[from:i]), i+1
		}
	}
	return append(all, list[from:])
}

// opensText tells whether a double quote behind the beginning of an argument is not a part of it.
func opensText(before string) bool {
	before = strings.TrimSpace(before)
	return before == "" || strings.HasSuffix(before, ":") && !strings.ContainsAny(before, "\"/")
}

// ParseCall reads [BOX.]METHOD=ARG,ARG… An argument in double quotes may have commas in it. Beside those of
// [ParseArg] there are arguments that are a new instance of a box, handle:ItemBox. Errors are [ErrCannotRun].
func ParseCall(text string) (Invocation, error) {
	name, list, _ := strings.Cut(text, "=")
	call := Invocation{Method: name, given: "--call '" + text + "'"}
	if box, method, ok := strings.Cut(name, "."); ok {
		call.Box, call.Method = box, method
	}
	if list == "" {
		return call, nil
	}
	for i, arg := range splitArgs(list) {
		arg = strings.TrimSpace(arg)
		kind, text, ok := strings.Cut(arg, ":")
		if !ok {
			kind, text = "", arg
		}
		if quotedArg.MatchString(arg) {
			plain, err := strconv.Unquote(text)
			if err != nil {
				return call, fmt.Errorf("%w: invalid argument %s: it is no text in double quotes, with \\\" for one and \\\\ for a backslash in it", ErrCannotRun, text)
			}
			if arg = kind + ":" + plain; !ok {
				call.untyped(i, plain)
				call.Args = append(call.Args, tlv.String(plain))
				continue
			}
		}
		if name, ok := strings.CutPrefix(arg, "handle:"); ok && !strings.Contains(name, "/") {
			if call.Boxes == nil {
				call.Boxes = make(map[int]string)
			}
			call.Boxes[i] = name
			arg = "handle:0/0"
		}
		v, err := ParseArg(arg)
		if err != nil {
			return call, err
		}
		if !strings.Contains(arg, ":") {
			call.untyped(i, arg)
		}
		call.Args = append(call.Args, v)
	}
	return call, nil
}

// untyped notes that an argument was given without a type.
func (c *Invocation) untyped(at int, text string) {
	if c.Texts == nil {
		c.Texts = make(map[int]string)
	}
	c.Texts[at] = text
}

// ParseBirth reads [BOX=]ARG,ARG…, the arguments of a birth, as [ParseCall] does.
func ParseBirth(text string) (Invocation, error) {
	box, args, ok := strings.Cut(text, "=")
	if !ok {
		box, args = "", text
	}
	call, err := ParseCall(abi.NameBirth + "=" + args)
	call.Box, call.Method, call.given = box, abi.NameBirth, "--birth '"+text+"'"
	return call, err
}

// DebugResult is a call that was made, and its answer.
type DebugResult struct {
	Box, Method string
	Instance    uint32
	Args        []byte
	Code        abi.Code
	Length      uint64 // *result_len
	Result      []byte // what was written, up to the length
}

// Debug calls a method of a new instance with a message, whatever it is; birth and
// fini too. Where the plugin crashes or hangs there is a finding and no result.
func (t *Tester) Debug(ctx context.Context, boxName, name string, message []byte) (*Report, *DebugResult, error) {
	var out *DebugResult
	err := t.run(ctx, &check{name: "tlv-debug", silent: true, run: func(e *env) error {
		m, err := e.plugin.named(boxName, name)
		if err != nil {
			return err
		}
		return e.withWorker(workerOptions{}, func(w *worker) (err error) {
			out, err = debugCall(w, m, message)
			return err
		})
	}})
	return t.report, out, err
}

func debugCall(w *worker, m *method, message []byte) (*DebugResult, error) {
	var id uint32
	if m != m.box.birth {
		var err error
		if id, err = w.birth(m.box); err != nil {
			return nil, err
		}
	}
	if err := w.bearHandles(message); err != nil {
		return nil, err
	}
	s := m.step(id, message)
	a, err := w.do(s)
	if err != nil {
		return nil, err
	}
	w.instances = nil // the call may have ended them
	w.checkAnswer(&s, a)
	out := &DebugResult{Box: m.box.name, Method: m.name, Instance: id, Args: message, Code: a.code, Length: a.length}
	if a.length <= uint64(len(a.buf)) && changed(a.buf) {
		out.Result = a.written()
	}
	return out, nil
}

// maxBorn is how many instances are made for one that a message names.
const maxBorn = 8

// bearHandles makes the instances that a message names, as far as their boxes give out these
// ids: those of a finding's input are among the first.
func (w *worker) bearHandles(message []byte) error {
	values, _ := tlv.Decode(message)
	for _, v := range values {
		h, err := v.Handle()
		if err != nil {
			continue
		}
		b := w.plugin.boxOf(h.Type)
		for n := 0; b != nil && n < maxBorn && !slices.Contains(w.instances, instance{b, h.Instance}); n++ {
			if _, err := w.birth(b); err != nil {
				return ignoreBirth(err)
			}
		}
	}
	return nil
}

// named finds a method by name or by number.
func (p *plugin) named(boxName, name string) (*method, error) {
	if m := p.find(boxName, name); m != nil {
		return m, nil
	}
	for _, b := range p.boxes {
		if boxName != "" && b.name != boxName {
			continue
		}
		switch name {
		case abi.NameBirth:
			return b.birth, nil
		case abi.NameFini:
			return b.fini, nil
		}
		if id, err := strconv.ParseUint(name, 10, 32); err == nil {
			return &method{box: b, name: name, id: uint32(id)}, nil
		}
	}
	return nil, fmt.Errorf("%w: %w", ErrCannotRun, p.unknown(boxName, name))
}
