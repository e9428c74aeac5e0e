package plugintest

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// mutant is a message that is malformed, or has other types than a method takes.
type mutant struct {
	what      string
	message   []byte
	malformed bool // every decoder must refuse it
}

// mutants are hostile variants of a message.
func mutantsOf(base []byte, random *rand.Rand) (all []mutant) {
	bad := func(what string, message []byte) { all = append(all, mutant{what, message, true}) }
	odd := func(what string, message []byte) { all = append(all, mutant{what, message, false}) }
	changed := func(at int, value byte) []byte {
		out := slices.Clone(base)
		out[at] = value
		return out
	}
	bad("no message at all", nil)
	for n := 1; n < len(base); n++ {
		bad(fmt.Sprintf("a message cut after %d bytes", n), slices.Clone(base[:n]))
	}
	for _, version := range []byte{0, 2, 255} {
		bad(fmt.Sprintf("version %d", version), changed(0, version))
	}
	bad("a version of 257", changed(1, 1))
	argc := int(binary.LittleEndian.Uint16(base[2:]))
	for _, n := range []int{0, argc - 1, argc + 1, 65535} {
		if n >= 0 && n != argc {
			out := slices.Clone(base)
			binary.LittleEndian.PutUint16(out[2:], uint16(n))
			bad(fmt.Sprintf("argc %d with %d entries", n, argc), out)
		}
	}
	bad("trailing bytes", append(slices.Clone(base), 0))
	entryMutants(base, changed, bad)
	for n := range 3 {
		for _, v := range append(slices.Clone(typeSamples), tlv.Void(), tlv.String(""), tlv.Bytes(nil), tlv.HandleValue(tlv.Handle{Type: 0xffff_ffff, Instance: 0xffff_ffff})) {
			values := slices.Repeat([]tlv.Value{v}, n)
			if n == 0 {
				break
			}
			message, _ := tlv.Encode(values...)
			odd(fmt.Sprintf("%s of %v", plural(n, "argument"), v.Tag()), message)
		}
	}
	values, _ := tlv.Decode(base)
	for place := range values {
		for _, v := range typeSamples {
			others := slices.Clone(values)
			others[place] = v
			message, _ := tlv.Encode(others...)
			odd(fmt.Sprintf("%v as argument %d", v.Tag(), place+1), message)
		}
	}
	large, _ := tlv.Encode(tlv.String(string(slices.Repeat([]byte{'x'}, tlv.MaxPayload))))
	odd("a string of 65,535 bytes", large)
	many := tlv.AppendHeader(nil)
	for range 1000 {
		many = tlv.AppendBool(many, true)
	}
	_ = tlv.PatchArgc(many, 1000)
	odd("1,000 arguments", many)
	for range 200 {
		odd("random bytes", scrambled(base, random))
	}
	return all
}

// entryMutants make each entry of a message wrong, and put every type in its
// place.
func entryMutants(base []byte, changed func(int, byte) []byte, bad func(string, []byte)) {
	d := tlv.NewDecoder(base)
	for e, ok := d.Next(); ok; e, ok = d.Next() {
		for _, tag := range []byte{0, 11, 20, 21, 22, 99, 255} {
			bad(fmt.Sprintf("tag %d at byte %d", tag, e.Offset), changed(e.Offset, tag))
		}
		bad("a reserved byte that is not 0", changed(e.Offset+1, 1))
		for _, size := range []int{0, len(e.Payload) - 1, len(e.Payload) + 1, 255, 65535} {
			if size < 0 || size == len(e.Payload) {
				continue
			}
			out := slices.Clone(base)
			binary.LittleEndian.PutUint16(out[e.Offset+2:], uint16(size))
			bad(fmt.Sprintf("size %d at byte %d with a payload of %d bytes", size, e.Offset+2, len(e.Payload)), out)
		}
		if e.Tag == tlv.TagString {
			for _, text := range notUTF8 {
				bad(fmt.Sprintf("the string %q, which is not UTF-8", text), withPayload(base, &e, text))
			}
		}
		if n := len(e.Payload); n > 0 && e.Tag != tlv.TagString && e.Tag != tlv.TagBytes {
			bad(fmt.Sprintf("%v of %d bytes", e.Tag, n-1), withPayload(base, &e, string(e.Payload[:n-1])))
			bad(fmt.Sprintf("%v of %d bytes", e.Tag, n+1), withPayload(base, &e, string(e.Payload)+"\x00"))
		}
	}
}

// notUTF8 are texts that are none, at each boundary that a decoder has.
var notUTF8 = []string{
	"\xff", "\xff\x80", "\xf5\x80\x80\x80", // bytes that are in no text
	"a\x80", "\x80\x80", "\xbf\xbf", // those that only go on
	"\xc3", "a\xe2\x82", "\xe0\xa0", "\xf0\x90\x80", // characters that end early
	"\xc3\x28", "\xe2\x28\xa1", "\xe2\x82\x28", "\xe2\x82\xc0", "\xf0\x90\x28\x80", "\xf0\x90\x80\xc0", // that go on wrongly
	"\xc0\xaf", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", // that are longer than they have to be
	"\xed\xa0\x80", "\xed\xbf\xbf", // halves of pairs
	"\xf4\x90\x80\x80", // beyond the last
}

// withPayload is a message whose entry has another payload, and says its size.
func withPayload(base []byte, e *tlv.Entry, payload string) []byte {
	out := slices.Clone(base[:e.Offset+tlv.EntryHeaderSize])
	binary.LittleEndian.PutUint16(out[e.Offset+2:], uint16(len(payload)))
	out = append(out, payload...)
	return append(out, base[e.Offset+tlv.EntryHeaderSize+len(e.Payload):]...)
}

// scrambled is base with some bytes changed at random.
func scrambled(base []byte, random *rand.Rand) []byte {
	out := slices.Clone(base)
	for range 1 + random.IntN(4) {
		switch at := random.IntN(len(out)); random.IntN(3) {
		case 0:
			out[at] = byte(random.Uint32())
		case 1:
			out[at] ^= 1 << random.IntN(8)
		default:
			out = slices.Insert(out, at, byte(random.Uint32()))
		}
	}
	if values, err := tlv.Decode(out); err == nil && slices.ContainsFunc(values, mayHang) {
		return slices.Clone(base)
	}
	return out
}

// mayHang reports whether a correct method may crash or hang with a value: a blob at
// an invalid address, or a number so large that it would wait or work for ever.
func mayHang(v tlv.Value) bool {
	if n, err := v.Int(); err == nil {
		return n > 1000 || n < -1000
	}
	if f, err := v.Float(); err == nil {
		return !(math.Abs(f) <= 1000)
	}
	return v.Tag() == tlv.TagBlob
}
