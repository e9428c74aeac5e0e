package plugintest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// answer is what a call returned.
type answer struct {
	code   abi.Code
	length uint64 // *result_len
	buf    []byte // the whole result buffer
	damage damage
	blob   []byte // the bytes of the blob that was returned, with the worker's options.blobs
}

// failed reports whether the code is a plugin's error: neither success nor a short
// buffer.
func failed(code abi.Code) bool { return code != abi.OK && code != abi.ErrShortBuffer }

// written is the part of the buffer that *result_len says was written.
func (a *answer) written() []byte { return a.buf[:min(a.length, uint64(len(a.buf)))] }

// result is the message that a successful call returned; nil for none.
func (a *answer) result() []byte {
	if a.code != abi.OK || a.length == 0 || a.isVoid() {
		return nil
	}
	return a.written()
}

// isVoid reports whether the plugin left buffer and length alone.
func (a *answer) isVoid() bool {
	return len(a.buf) > 0 && a.length == uint64(len(a.buf)) && !changed(a.buf[:min(4, len(a.buf))])
}

// value is the result as a value.
func (a *answer) value() (tlv.Value, bool) {
	result := a.result()
	if result == nil {
		return tlv.Value{}, false
	}
	v, err := tlv.DecodeOne(result)
	return v, err == nil
}

// message is the text that came with an error.
func (a *answer) message() (string, bool) {
	if !failed(a.code) || a.length == 0 || a.length > uint64(len(a.buf)) {
		return "", false
	}
	v, err := tlv.DecodeOne(a.written())
	if err != nil {
		return "", false
	}
	text, err := v.Text()
	return text, err == nil
}

// answerKey is what must be equal for two answers to be the same. What differs
// from run to run is not in it: the instance of a handle, the address of a blob.
type answerKey struct {
	code abi.Code
	text string // the result, the size that is asked for, or an error's message
}

func (a *answer) key() answerKey {
	k := answerKey{code: a.code}
	switch {
	case a.code == abi.ErrShortBuffer:
		k.text = fmt.Sprintf("needs %d bytes", a.length)
	case a.code != abi.OK:
		k.text, _ = a.message()
	default:
		k.text = showMessage(a.result())
	}
	if v, ok := a.value(); ok {
		if h, err := v.Handle(); err == nil {
			k.text = fmt.Sprintf("handle of type %d", h.Type)
		} else if _, length, err := v.Blob(); err == nil {
			k.text = fmt.Sprintf("blob of %d bytes", length)
		}
	}
	return k
}

// String is the answer for a person.
func (k answerKey) String() string {
	switch {
	case k.code == abi.OK:
		return k.text
	case k.code == abi.ErrShortBuffer:
		return fmt.Sprintf("code %d, %s", int32(k.code), k.text)
	case k.text != "":
		return fmt.Sprintf("code %d: %s", int32(k.code), k.text)
	}
	return fmt.Sprintf("code %d", int32(k.code))
}

// String is the answer for a person.
func (a *answer) String() string {
	if result := a.result(); result != nil {
		return showMessage(result)
	}
	return a.key().String()
}

// checkAnswer reports what is wrong with an answer, whatever was asked.
func (w *worker) checkAnswer(s *step, a *answer) {
	if w.options.quiet {
		return
	}
	c := &answerCheck{w.env, s, a}
	if a.damage&damageArgs != 0 {
		c.found(codeArgsWritten, "", "%s changed during the call", pick(len(s.lent) > 0, "args, or a blob that was lent,", "args"))
	}
	if a.damage&damageBeforeResult != 0 {
		c.found(codeOverrun, "", "it wrote before its result buffer of %d bytes", s.resultSize)
	}
	if a.damage&damageBehindResult != 0 {
		c.found(codeOverrun, "", "it wrote past the end of its result buffer of %d bytes", s.resultSize)
		return // a wrong length would be the same fault
	}
	switch a.code {
	case abi.OK:
		c.result()
	case abi.ErrShortBuffer:
		c.shortBuffer()
	default:
		c.errorMessage()
	}
}

// answerCheck checks one answer.
type answerCheck struct {
	*env
	s *step
	a *answer
}

func (c *answerCheck) found(code, expected, format string, args ...any) {
	f := c.s.finding(code, format, args...)
	f.Expected = expected
	c.add(f)
}

func (c *answerCheck) shortBuffer() {
	const text = "it answered short buffer and asked for %d bytes"
	switch {
	case c.a.length <= uint64(c.s.resultSize):
		c.found(codeShortLength, fmt.Sprintf("more than the %d bytes of the result buffer", c.s.resultSize), text, c.a.length)
	case c.a.length > contract.DefaultMaxResult:
		c.found(codeShortLength, fmt.Sprintf("at most %d bytes", contract.DefaultMaxResult), text, c.a.length)
	}
}

func (c *answerCheck) result() {
	a := c.a
	switch {
	case a.isVoid() && a.length != 0 || a.length == 0 && !changed(a.buf):
		c.resultType(tlv.TagVoid)
		return
	case a.length > uint64(len(a.buf)):
		c.found(codeLength, fmt.Sprintf("at most %d", len(a.buf)), "it answered success and a length of %d", a.length)
		return
	}
	encoded, err := encodedLength(a.buf)
	if err == nil && encoded != int(a.length) {
		c.found(codeLength, fmt.Sprint(encoded), "it wrote a message of %d bytes and answered a length of %d", encoded, a.length)
		return
	}
	if a.length == 0 {
		c.resultType(tlv.TagVoid)
		return
	}
	v, err := tlv.DecodeOne(a.result())
	switch {
	case errors.Is(err, tlv.ErrUTF8):
		c.found(codeUTF8, "", "%v", err)
	case err != nil:
		c.found(codeMalformed, "", "%v, in %s", err, hexText(a.result()))
	default:
		c.resultType(v.Tag())
		c.resultBox(v)
	}
}

// resultBox compares the box of a handle with the one that is declared, and with those that
// the library has. What the call was given may be any.
func (c *answerCheck) resultBox(v tlv.Value) {
	h, err := v.Handle()
	if err != nil {
		return
	}
	d, have := c.s.m.declared, c.plugin.boxOf(h.Type)
	if have == nil && h.Type >= firstHostType {
		return // by such an id the library is told of its host's boxes, which the host judges
	}
	if have == nil {
		if lent, _ := tlv.Decode(c.s.args); !slices.Contains(lent, v) && c.plugin.complete {
			f := c.s.finding(codeResultType, "it returned a handle of type %d, and no box has this type_id; %s", h.Type, c.plugin.typeIDs())
			f.Expected = "a handle of one of the library's boxes"
			f.Fix = "give the box this type_id where it is declared, in nyash.toml or " + registry.ManifestName + "; or return a handle of another"
			c.add(f)
		}
		return
	}
	if c.config.Library != nil && have.conf == nil {
		f := c.s.finding(codeResultType, "it returned a handle of %s, type %d, which nyash.toml does not list", have.name, h.Type)
		f.Expected, f.Fix = "a handle of a box that hosts know", fmt.Sprintf("declare %s in nyash.toml", have.name)
		c.add(f)
	}
	if d == nil || d.Returns.Box == "" || d.Returns.Box == have.name {
		return
	}
	if want := c.plugin.box(d.Returns.Box); want == nil || want.typeID != h.Type {
		c.found(codeResultType, "a handle of "+d.Returns.Box, "it returned a handle of %s, type %d, and %s declares %s", have.name, h.Type, c.returnsSource(c.s.m).name, d.Returns.Box)
	}
}

// resultType compares a result with the type that is declared.
func (c *answerCheck) resultType(have tlv.Tag) {
	d := c.s.m.declared
	if d == nil || d.Returns.Tag == 0 || d.Returns.Tag == have || d.ReturnsResult && have == tlv.TagString {
		return
	}
	c.found(codeResultType, d.Returns.String(), "it returned %v, and %s declares %v", have, c.returnsSource(c.s.m).name, d.Returns)
}

// errorMessage checks the message that may come with an error.
func (c *answerCheck) errorMessage() {
	a, code := c.a, int32(c.a.code)
	if a.length == 0 || !changed(a.buf) || a.length == uint64(c.s.resultSize) {
		return
	}
	if a.length > uint64(len(a.buf)) {
		c.found(codeErrorMessage, "", "it answered %d with a message of %d bytes, and its result buffer has %d", code, a.length, c.s.resultSize)
		return
	}
	v, err := tlv.DecodeOne(a.written())
	if err != nil {
		c.found(codeErrorMessage, "", "it answered %d with an invalid message: %v", code, err)
		return
	}
	if v.Tag() != tlv.TagString {
		c.found(codeErrorMessage, "", "it answered %d with %v as its message", code, v.Tag())
		return
	}
	if text, _ := v.Text(); strings.HasPrefix(text, ownMistake) && !bytes.Contains(c.s.args, handleOfNothing) {
		c.found(codeOwnMistake, "", "%s", strings.TrimPrefix(text, ownMistake))
	}
}

// handleOfNothing is an argument that is no host's: a handle of instance 0.
var handleOfNothing = encode([]tlv.Value{tlv.HandleValue(tlv.Handle{})})[tlv.HeaderSize:]

// ownMistake is how an SDK's message begins where the plugin, and not its caller, is
// wrong (plugins/sdk/README.md).
const ownMistake = "a mistake in the plugin: "

// changed reports whether a result buffer was written to; its first bytes tell.
func changed(buf []byte) bool {
	const looked = 64
	for i, b := range buf[:min(len(buf), looked)] {
		if i < 4 && b != 0 || i >= 4 && b != filler {
			return true
		}
	}
	return false
}

// encodedLength is the length of the message that a buffer begins with.
func encodedLength(buf []byte) (int, error) {
	if len(buf) < tlv.HeaderSize || binary.LittleEndian.Uint16(buf) != tlv.Version {
		return 0, tlv.ErrVersion
	}
	at := tlv.HeaderSize
	for range binary.LittleEndian.Uint16(buf[2:]) {
		if at+tlv.EntryHeaderSize > len(buf) {
			return 0, tlv.ErrTruncated
		}
		at += tlv.EntryHeaderSize + int(binary.LittleEndian.Uint16(buf[at+2:]))
	}
	if at > len(buf) {
		return 0, tlv.ErrTruncated
	}
	return at, nil
}

// checkBirth reads the id that birth answered, and reports what is wrong with it.
func (w *worker) checkBirth(b *box, a *answer) (id uint32, ok bool) {
	found := func(code, format string, args ...any) {
		if code != codeOverrun {
			w.shared.birthBroken[b] = true
		}
		if !w.options.quiet {
			f := b.birth.finding(code, format, args...)
			f.Log = w.output.lastLines()
			w.add(f)
		}
	}
	if a.damage&damageBehindResult != 0 {
		found(codeOverrun, "it wrote past the end of its result buffer of %d bytes", len(a.buf))
	}
	if a.code != abi.OK && len(w.shared.births[b]) > 0 {
		w.notBorn(b, a)
		return 0, false
	}
	if a.code != abi.OK {
		found(codeBirth, "it answered %v", a)
		return 0, false
	}
	id, err := contract.ParseBirth(a.written(), b.typeID)
	if err != nil {
		found(codeBirthResult, "%v", err)
		return 0, false
	}
	for _, have := range w.instances {
		if have.box == b && have.id == id {
			found(codeIDReused, "it answered %d, the id of a live instance, after %s", id, plural(len(w.instances), "birth"))
			return 0, false
		}
	}
	return id, true
}

// notBorn reports a birth that wants arguments which nobody has told.
func (w *worker) notBorn(b *box, a *answer) {
	w.shared.birthBroken[b] = true
	if w.options.quiet {
		return
	}
	f := b.birth.finding(codeNotExercised, "it answers %v to all arguments that %s", a, pick(len(w.givenBirths(b)) > 0, "were given", "were tried"))
	f.Fix = fmt.Sprintf("give valid arguments: --birth '%s=ARG,ARG', or [plugins.%s.tester] birth = [ARG, ARG] in nyash.toml", b.name, b.name)
	w.add(f)
}

func (w *worker) checkFini(b *box, a *answer) {
	if a.code != abi.OK && !w.options.quiet {
		w.add(b.fini.finding(codeFini, "it answered %v", a))
	}
}
