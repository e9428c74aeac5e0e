package plugintest

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/channel"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// judge says what is wrong with an answer, whatever was asked.
func (t *Tester) judge(r *rig, s *step, a *answer) {
	if r.options.quiet {
		return
	}
	found := func(code, expected, format string, args ...any) {
		t.add(Finding{Code: code, Box: s.m.box.name, Method: s.m.name, Expected: expected,
			Message: fmt.Sprintf(format, args...), Call: showCall(s), Input: hexText(s.args)})
	}
	if a.damage&channel.ArgsWritten != 0 {
		found(codeArgsWritten, "", "args were not the same after the call")
	}
	if a.damage&channel.BeforeResult != 0 {
		found(codeOverrun, "", "it wrote in front of the room of %d bytes that it had", s.room)
	}
	if a.damage&channel.BehindResult != 0 {
		found(codeOverrun, "", "it wrote past the %d bytes that it had", s.room)
		return // and what it has returned is the same fault
	}
	switch a.code {
	case abi.OK:
		t.judgeResult(s, a, found)
	case abi.ErrShortBuffer:
		if a.length <= uint64(s.room) {
			found(codeShortLength, fmt.Sprintf("more than the %d bytes that there were", s.room), "it answered short buffer and needs %d bytes", a.length)
		} else if a.length > maxResult {
			found(codeShortLength, fmt.Sprintf("at most %d bytes", maxResult), "it answered short buffer and needs %d bytes", a.length)
		}
	default:
		judgeMessage(s, a, found)
	}
}

type foundFunc func(code, expected, format string, args ...any)

func (t *Tester) judgeResult(s *step, a *answer, found foundFunc) {
	switch {
	case a.isVoid() && a.length != 0 || a.length == 0 && !wrote(a.room):
		t.judgeType(s, tlv.TagVoid, found)
		return
	case a.length > uint64(len(a.room)):
		found(codeLength, fmt.Sprintf("at most %d", len(a.room)), "it answered 0 and a length of %d", a.length)
		return
	}
	natural, err := naturalLength(a.room)
	if err == nil && natural != int(a.length) {
		found(codeLength, fmt.Sprint(natural), "it wrote a message of %d bytes and answered a length of %d", natural, a.length)
		return
	}
	if a.length == 0 {
		t.judgeType(s, tlv.TagVoid, found)
		return
	}
	e, err := tlv.DecodeEntry(a.result())
	switch {
	case errors.Is(err, tlv.ErrUTF8):
		found(codeUTF8, "", "%v", err)
	case err != nil:
		found(codeMalformed, "", "%v, in %s", err, hexText(a.result()))
	default:
		t.judgeType(s, e.Tag, found)
		t.judgeBox(s, e.Value(), found)
	}
}

// judgeBox compares the box of a handle with the one that nyash.toml declares.
func (t *Tester) judgeBox(s *step, v tlv.Value, found foundFunc) {
	h, err := v.Handle()
	if err != nil || s.m.declared == nil || s.m.declared.Returns.Box == "" {
		return
	}
	for _, b := range t.boxes {
		if b.name == s.m.declared.Returns.Box && b.typeID != h.Type {
			found(codeResultType, "a handle of "+b.name, "it returned a handle of type %d, and nyash.toml declares %s, type %d (line %d)", h.Type, b.name, b.typeID, s.m.declared.Pos.Line)
		}
	}
}

// judgeType compares a result with what nyash.toml declares.
func (t *Tester) judgeType(s *step, have tlv.Tag, found foundFunc) {
	d := s.m.declared
	if d == nil || d.Returns.Tag == 0 || d.Returns.Tag == have || d.ReturnsResult && have == tlv.TagString {
		return
	}
	found(codeResultType, d.Returns.Tag.String(), "it returned %v, and nyash.toml declares %v (line %d)", have, d.Returns.Tag, d.Pos.Line)
}

// judgeMessage looks at the text that may come with an error.
func judgeMessage(s *step, a *answer, found foundFunc) {
	if a.length == 0 || !wrote(a.room) || a.length == uint64(s.room) {
		return
	}
	if a.length > uint64(len(a.room)) {
		found(codeErrorMessage, "", "it answered %d with a message of %d bytes, and had room for %d", int32(a.code), a.length, s.room)
		return
	}
	v, err := tlv.DecodeOne(a.room[:a.length])
	if err != nil {
		found(codeErrorMessage, "", "it answered %d with a message that cannot be read: %v", int32(a.code), err)
		return
	}
	if v.Tag() != tlv.TagString {
		found(codeErrorMessage, "", "it answered %d with %v as its message", int32(a.code), v.Tag())
	}
}

// wrote tells whether there is anything in the room that was not there before.
func wrote(room []byte) bool {
	for i, b := range room {
		if i < 4 && b != 0 || i >= 4 && b != channel.Filler {
			return true
		}
		if i >= 64 {
			break
		}
	}
	return false
}

// naturalLength is how long the message is that a room begins with.
func naturalLength(room []byte) (int, error) {
	if len(room) < tlv.HeaderSize || binary.LittleEndian.Uint16(room) != tlv.Version {
		return 0, tlv.ErrVersion
	}
	at := tlv.HeaderSize
	for range binary.LittleEndian.Uint16(room[2:]) {
		if at+tlv.EntryHeaderSize > len(room) {
			return 0, tlv.ErrTruncated
		}
		at += tlv.EntryHeaderSize + int(binary.LittleEndian.Uint16(room[at+2:]))
	}
	if at > len(room) {
		return 0, tlv.ErrTruncated
	}
	return at, nil
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
	if a.code == abi.OK || a.code == abi.ErrShortBuffer || a.length == 0 || a.length > uint64(len(a.room)) {
		return "", false
	}
	v, err := tlv.DecodeOne(a.room[:a.length])
	if err != nil {
		return "", false
	}
	text, err := v.Text()
	return text, err == nil
}

// judgeBirth is the id that birth answered.
func (t *Tester) judgeBirth(r *rig, b *box, a *answer) (id uint32, ok bool) {
	found := func(code, format string, args ...any) {
		if code != codeOverrun {
			b.barren = true
		}
		if !r.options.quiet {
			t.add(Finding{Code: code, Box: b.name, Method: abi.NameBirth, Message: fmt.Sprintf(format, args...), Log: r.lastLines()})
		}
	}
	if a.damage&channel.BehindResult != 0 {
		found(codeOverrun, "it wrote past the %d bytes that it had", len(a.room))
	}
	if a.code != abi.OK {
		found(codeBirth, "it answered %v", a)
		return 0, false
	}
	switch result := a.room[:min(a.length, uint64(len(a.room)))]; len(result) {
	case 4:
		id = binary.LittleEndian.Uint32(result)
	default:
		v, err := tlv.DecodeOne(result)
		h, handleErr := v.Handle()
		if err != nil || handleErr != nil {
			found(codeBirthResult, "it answered %d bytes that are neither a u32 nor a Handle: %s", a.length, hexText(result[:min(len(result), 32)]))
			return 0, false
		}
		if h.Type != b.typeID {
			found(codeBirthResult, "it answered a handle of type %d, and the box has type %d", h.Type, b.typeID)
			return 0, false
		}
		id = h.Instance
	}
	if id == 0 {
		found(codeBirthResult, "it answered the id 0")
		return 0, false
	}
	for _, have := range r.owned {
		if have.box == b && have.id == id {
			found(codeIDReused, "it answered %d, which is alive, after %s", id, plural(len(r.owned), "birth"))
			return 0, false
		}
	}
	return id, true
}

func (t *Tester) judgeFini(r *rig, b *box, a *answer) {
	if a.code != abi.OK && !r.options.quiet {
		t.add(Finding{Code: codeFini, Box: b.name, Method: abi.NameFini, Message: fmt.Sprintf("it answered %v", a)})
	}
}
