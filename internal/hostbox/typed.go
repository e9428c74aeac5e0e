package hostbox

import (
	"context"
	"encoding/binary"
	"math"
	"reflect"
	"strconv"
	"unicode/utf8"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// Methods whose parameters and results are of these kinds are called through functions of
// their own types, where a case of [typed] has their parameters: integers of 64 bits
// (int and uint where they have as many), float64, string, []byte and bool. Each of
// them may have a context in front and return an error. docs/host-guide.md lists the cases.
//
// A case costs 20 KiB of code, and saves its methods half a microsecond and five
// allocations a call (BenchmarkCall).
const (
	kindInt    = 'i'
	kindUint   = 'u'
	kindFloat  = 'f'
	kindString = 's'
	kindBytes  = 'b'
	kindBool   = 't'
	kindVoid   = 'v'
	kindNone   = '?' // no such kind
)

func kindOf(t reflect.Type) byte {
	switch t.Kind() {
	case reflect.Int64:
		return kindInt
	case reflect.Uint64:
		return kindUint
	case reflect.Int:
		if strconv.IntSize == 64 {
			return kindInt
		}
	case reflect.Uint:
		if strconv.IntSize == 64 {
			return kindUint
		}
	case reflect.Float64:
		return kindFloat
	case reflect.String:
		return kindString
	case reflect.Slice:
		return kindBytes
	case reflect.Bool:
		return kindBool
	}
	return kindNone
}

// function is a method as a Go function whose first parameter is the receiver.
type function struct {
	*method
	f      reflect.Value
	args   []byte // kinds
	result byte   // a kind
}

// typed is the call of a method with a common signature, or nil for others. f is the method
// as a function whose first parameter is the receiver, a pointer.
func typed(m *method, f reflect.Value) call {
	if m.more != nil {
		return nil
	}
	fn := &function{method: m, f: f, result: kindVoid}
	shape := make([]byte, len(m.params.args))
	for i, a := range m.params.args {
		kind := kindOf(a.typ)
		fn.args = append(fn.args, kind)
		if kind == kindUint { // passed alike
			kind = kindInt
		}
		shape[i] = kind
	}
	if m.value != nil {
		fn.result = kindOf(m.value)
	}
	switch string(shape) {
	case "":
		return bind0(fn)
	case "i":
		return bind1(fn, fn.integer(0))
	case "f":
		return bind1(fn, readFloat)
	case "s":
		return bind1(fn, readString)
	case "b":
		return bind1(fn, readBytes)
	case "t":
		return bind1(fn, readBool)
	case "ii":
		return bind2(fn, fn.integer(0), fn.integer(1))
	case "ff":
		return bind2(fn, readFloat, readFloat)
	case "ss":
		return bind2(fn, readString, readString)
	case "si":
		return bind2(fn, readString, fn.integer(1))
	case "is":
		return bind2(fn, fn.integer(0), readString)
	case "sb":
		return bind2(fn, readString, readBytes)
	case "iii":
		return bind3(fn, fn.integer(0), fn.integer(1), fn.integer(2))
	case "fff":
		return bind3(fn, readFloat, readFloat, readFloat)
	case "sss":
		return bind3(fn, readString, readString, readString)
	}
	return nil
}

// reader reads the argument at an offset of a message, and returns the offset behind it,
// or 0 where it is another or not well-formed: then [params.decode] tells what is wrong.
type reader[T any] func(msg []byte, at int) (v T, next int)

// writer appends an entry, or tells why the result has none.
type writer[R any] func(dst []byte, r R) ([]byte, error)

var le = binary.LittleEndian

// Headers of entries, as little-endian numbers.
const (
	headerInt64   = 8<<16 | uint32(tlv.TagInt64)
	headerFloat64 = 8<<16 | uint32(tlv.TagFloat64)
	headerBool    = 1<<16 | uint32(tlv.TagBool)
)

func (fn *function) integer(i int) reader[int64] {
	if fn.args[i] == kindUint {
		return readUint
	}
	return readInt
}

// word reads the payload of an entry of eight bytes.
func word(msg []byte, at int, header uint32) (bits uint64, next int) {
	const size = tlv.EntryHeaderSize + 8
	if len(msg)-at < size || le.Uint32(msg[at:]) != header {
		return 0, 0
	}
	return le.Uint64(msg[at+tlv.EntryHeaderSize:]), at + size
}

func readInt(msg []byte, at int) (int64, int) {
	bits, next := word(msg, at, headerInt64)
	return int64(bits), next
}

func readUint(msg []byte, at int) (int64, int) {
	n, next := readInt(msg, at)
	if n < 0 {
		return 0, 0
	}
	return n, next
}

func readFloat(msg []byte, at int) (float64, int) {
	bits, next := word(msg, at, headerFloat64)
	return math.Float64frombits(bits), next
}

func readBool(msg []byte, at int) (bool, int) {
	const size = tlv.EntryHeaderSize + 1
	if len(msg)-at < size || le.Uint32(msg[at:]) != headerBool {
		return false, 0
	}
	return msg[at+tlv.EntryHeaderSize] != 0, at + size
}

// payload is that of an entry of any size, in place.
func payload(msg []byte, at int, tag tlv.Tag) (p []byte, next int) {
	if len(msg)-at < tlv.EntryHeaderSize {
		return nil, 0
	}
	header := le.Uint32(msg[at:])
	at += tlv.EntryHeaderSize
	size := int(header >> 16)
	if uint16(header) != uint16(tag) || len(msg)-at < size {
		return nil, 0
	}
	return msg[at : at+size], at + size
}

func readString(msg []byte, at int) (string, int) {
	p, next := payload(msg, at, tlv.TagString)
	s := string(p)
	if !utf8.ValidString(s) {
		return "", 0
	}
	return s, next
}

func readBytes(msg []byte, at int) ([]byte, int) {
	p, next := payload(msg, at, tlv.TagBytes)
	return append(make([]byte, 0, len(p)), p...), next
}

// wrong is the error of a message that the readers did not read.
func (fn *function) wrong(ctx context.Context, msg []byte) error {
	if _, err := fn.decode(ctx, nil, msg); err != nil {
		return err
	}
	return invalidArgs("the arguments have changed while they were read")
}

func (fn *function) writeInt() writer[int64] {
	if fn.result == kindUint {
		return func(dst []byte, n int64) ([]byte, error) { return appendUint(dst, uint64(n)) }
	}
	return func(dst []byte, n int64) ([]byte, error) { return tlv.AppendInt64(dst, n), nil }
}

func writeFloat(dst []byte, f float64) ([]byte, error) { return tlv.AppendFloat64(dst, f), nil }
func writeBool(dst []byte, b bool) ([]byte, error)     { return tlv.AppendBool(dst, b), nil }
func writeVoid(dst []byte, _ void) ([]byte, error)     { return tlv.AppendVoid(dst), nil }

// void is the result of a function that has none, and stands for parameters that it lacks.
type void struct{}

func readNothing(_ []byte, at int) (void, int) { return void{}, at }
