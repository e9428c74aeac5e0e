package tlv

import (
	"fmt"
	"math"
	"strconv"
)

// Handle names an instance of a box.
type Handle struct {
	Type     uint32 // type_id of the box
	Instance uint32 // never 0 for a real instance
}

// Value is one value of any tag. It is immutable, refers to no buffer, and may
// be copied and compared with ==; floats are compared by their bits, so a NaN
// equals itself and -0 differs from 0. The zero Value is Void.
type Value struct {
	num uint64 // the bits of numbers and handles; a blob's address
	str string // the bytes of strings and bytes; a blob's length in 8 bytes
	tag Tag    // 0 for Void, so that there is only one
}

// Bool makes a Bool.
func Bool(v bool) Value {
	if v {
		return Value{tag: TagBool, num: 1}
	}
	return Value{tag: TagBool}
}

// Int32 makes an I32.
func Int32(v int32) Value { return Value{tag: TagInt32, num: uint64(uint32(v))} }

// Int64 makes an I64.
func Int64(v int64) Value { return Value{tag: TagInt64, num: uint64(v)} }

// Float32 makes an F32.
func Float32(v float32) Value {
	return Value{tag: TagFloat32, num: uint64(math.Float32bits(v))}
}

// Float64 makes an F64.
func Float64(v float64) Value { return Value{tag: TagFloat64, num: math.Float64bits(v)} }

// String makes a String. Text that cannot be encoded is found when it is.
func String(v string) Value { return Value{tag: TagString, str: v} }

// Bytes makes a Bytes from a copy of v.
func Bytes(v []byte) Value { return Value{tag: TagBytes, str: string(v)} }

// HandleValue makes a Handle.
func HandleValue(v Handle) Value {
	return Value{tag: TagHandle, num: uint64(v.Type) | uint64(v.Instance)<<32}
}

// Void makes a Void.
func Void() Value { return Value{} }

// Blob makes a Blob: memory of length bytes at address addr. The value does not
// keep that memory alive.
func Blob(addr, length uint64) Value {
	// A fourth word would cost every value, and blobs are few.
	var b [8]byte
	le.PutUint64(b[:], length)
	return Value{tag: TagBlob, num: addr, str: string(b[:])}
}

// Tag is the value's type.
func (v Value) Tag() Tag {
	if v.tag == 0 {
		return TagVoid
	}
	return v.tag
}

// The accessors return a [*TypeError] where the value is of another type.

// Bool returns a Bool.
func (v Value) Bool() (bool, error) {
	if v.tag != TagBool {
		return false, v.not("a bool")
	}
	return v.num != 0, nil
}

// Int returns an I32 or I64.
func (v Value) Int() (int64, error) {
	switch v.tag {
	case TagInt32:
		return int64(int32(v.num)), nil
	case TagInt64:
		return int64(v.num), nil
	}
	return 0, v.not("an integer")
}

// Float returns an F32 or F64.
func (v Value) Float() (float64, error) {
	switch v.tag {
	case TagFloat32:
		return float64(float32From(v.num)), nil
	case TagFloat64:
		return math.Float64frombits(v.num), nil
	}
	return 0, v.not("a float")
}

// Text returns a String.
func (v Value) Text() (string, error) {
	if v.tag != TagString {
		return "", v.not("a string")
	}
	return v.str, nil
}

// Bytes returns a Bytes as a slice of the caller's own.
func (v Value) Bytes() ([]byte, error) {
	if v.tag != TagBytes {
		return nil, v.not("bytes")
	}
	return []byte(v.str), nil
}

// Len is the length in bytes of a String or Bytes, and 0 for others.
func (v Value) Len() int {
	if v.tag == TagBlob {
		return 0
	}
	return len(v.str)
}

// Handle returns a Handle.
func (v Value) Handle() (Handle, error) {
	if v.tag != TagHandle {
		return Handle{}, v.not("a handle")
	}
	return Handle{Type: uint32(v.num), Instance: uint32(v.num >> 32)}, nil
}

// Blob returns the address and length in bytes of a Blob.
func (v Value) Blob() (addr, length uint64, err error) {
	if v.tag != TagBlob {
		return 0, 0, v.not("a blob")
	}
	return v.num, v.blobLength(), nil
}

func (v Value) blobLength() uint64 { return le.Uint64([]byte(v.str)) }

// Bits are those of a Bool, a number or a Handle, and a Blob's address; an I32's and an F32's
// are the lower 32. It is 0 for others.
func (v Value) Bits() uint64 { return v.num }

// Data are the bytes of a String or Bytes, which it does not copy; empty for others.
func (v Value) Data() string {
	if v.tag == TagBlob {
		return ""
	}
	return v.str
}

// IsVoid reports whether the value is Void.
func (v Value) IsVoid() bool { return v.Tag() == TagVoid }

func (v Value) not(want string) error { return &TypeError{Have: v.Tag(), Want: want} }

// Any returns the value as the Go type that is nearest to it: bool, int32,
// int64, float32, float64, string, []byte or [Handle]; nil for a Void, and the
// Value itself for a Blob.
func (v Value) Any() any {
	switch v.Tag() {
	case TagBool:
		return v.num != 0
	case TagInt32:
		return int32(v.num)
	case TagInt64:
		return int64(v.num)
	case TagFloat32:
		return float32From(v.num)
	case TagFloat64:
		return math.Float64frombits(v.num)
	case TagString:
		return v.str
	case TagBytes:
		return []byte(v.str)
	case TagHandle:
		return Handle{Type: uint32(v.num), Instance: uint32(v.num >> 32)}
	case TagBlob:
		return v
	}
	return nil
}

// shownBytes is how much of a Bytes String shows.
const shownBytes = 16

// String formats the value for people.
func (v Value) String() string {
	switch v.Tag() {
	case TagBool:
		return strconv.FormatBool(v.num != 0)
	case TagInt32:
		return strconv.FormatInt(int64(int32(v.num)), 10)
	case TagInt64:
		return strconv.FormatInt(int64(v.num), 10)
	case TagFloat32:
		return strconv.FormatFloat(float64(float32From(v.num)), 'g', -1, 32)
	case TagFloat64:
		return strconv.FormatFloat(math.Float64frombits(v.num), 'g', -1, 64)
	case TagString:
		return strconv.Quote(v.str)
	case TagBytes:
		if len(v.str) <= shownBytes {
			return fmt.Sprintf("bytes[% x]", v.str)
		}
		return fmt.Sprintf("bytes[% x … %d bytes]", v.str[:shownBytes], len(v.str))
	case TagHandle:
		return fmt.Sprintf("handle(%d:%d)", uint32(v.num), uint32(v.num>>32))
	case TagBlob:
		return fmt.Sprintf("blob(%#x, %d bytes)", v.num, v.blobLength())
	}
	return "void"
}
