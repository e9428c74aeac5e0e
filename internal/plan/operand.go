package plan

import (
	"fmt"
	"math"
	"reflect"
	"strconv"

	"github.com/nyash-plugins/nyash-go/internal/sig"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// operand is a caller's value, sorted by kind. It is copied out of the interface
// value, which must not escape from [operandOf]: every argument of every call
// would move to the heap.
type operand struct {
	kind  sig.Kind
	own   tlv.Tag // the tag of values that bring their own
	big   bool    // an integer past the end of int64, in num
	num   uint64  // the bits of an int64, uint64, float64, bool or handle
	str   string
	bytes []byte
}

// Kinds of operand beside those that nyash.toml has words for.
const (
	nothing sig.Kind = 100 + iota
	unsupported
)

func operandOf(arg any) operand {
	switch v := arg.(type) {
	case string:
		return operand{kind: sig.String, str: v}
	case int:
		return integer(int64(v))
	case int64:
		return integer(v)
	case int32:
		return operand{kind: sig.Integer, own: tlv.TagInt32, num: uint64(int64(v))}
	case bool:
		return boolean(v)
	case float64:
		return operand{kind: sig.Float, num: math.Float64bits(v)}
	case float32:
		return operand{kind: sig.Float, own: tlv.TagFloat32, num: math.Float64bits(float64(v))}
	case []byte:
		return operand{kind: sig.Bytes, bytes: v}
	case tlv.Handle:
		return operand{kind: sig.Box, num: uint64(v.Type) | uint64(v.Instance)<<32}
	case tlv.Value:
		return operandOfValue(v)
	case uint8:
		return integer(int64(v))
	case uint16:
		return integer(int64(v))
	case uint32:
		return integer(int64(v))
	case int8:
		return integer(int64(v))
	case int16:
		return integer(int64(v))
	case uint:
		return unsigned(uint64(v))
	case uint64:
		return unsigned(v)
	case nil:
		return operand{kind: nothing}
	}
	return operandByKind(arg)
}

func integer(v int64) operand { return operand{kind: sig.Integer, num: uint64(v)} }

func unsigned(v uint64) operand {
	return operand{kind: sig.Integer, num: v, big: v > math.MaxInt64}
}

func boolean(v bool) operand {
	o := operand{kind: sig.Bool}
	if v {
		o.num = 1
	}
	return o
}

// operandByKind serves types that are defined by a program, such as
// time.Duration.
func operandByKind(arg any) operand {
	v := reflect.ValueOf(arg)
	switch v.Kind() {
	case reflect.String:
		return operand{kind: sig.String, str: v.String()}
	case reflect.Bool:
		return boolean(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int64:
		return integer(v.Int())
	case reflect.Int32:
		return operand{kind: sig.Integer, own: tlv.TagInt32, num: uint64(v.Int())}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return unsigned(v.Uint())
	case reflect.Float64:
		return operand{kind: sig.Float, num: math.Float64bits(v.Float())}
	case reflect.Float32:
		return operand{kind: sig.Float, own: tlv.TagFloat32, num: math.Float64bits(v.Float())}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return operand{kind: sig.Bytes, bytes: v.Bytes()}
		}
	}
	return operand{kind: unsupported}
}

func operandOfValue(v tlv.Value) operand {
	o := operand{own: v.Tag()}
	switch v.Tag() {
	case tlv.TagBool:
		b, _ := v.Bool()
		o = boolean(b)
	case tlv.TagInt32, tlv.TagInt64:
		n, _ := v.Int()
		o.kind, o.num = sig.Integer, uint64(n)
	case tlv.TagFloat32, tlv.TagFloat64:
		f, _ := v.Float()
		o.kind, o.num = sig.Float, math.Float64bits(f)
	case tlv.TagString:
		o.kind = sig.String
		o.str, _ = v.Text()
	case tlv.TagBytes:
		o.kind = sig.Bytes
		o.bytes, _ = v.Bytes()
	case tlv.TagHandle:
		h, _ := v.Handle()
		o.kind, o.num = sig.Box, uint64(h.Type)|uint64(h.Instance)<<32
	case tlv.TagVoid:
		o.kind = nothing
	default:
		o.kind = unsupported
	}
	return o
}

// natural is the tag with which an undeclared argument travels.
func (o operand) natural() tlv.Tag {
	switch {
	case o.own != 0:
		return o.own
	case o.kind == nothing:
		return tlv.TagVoid
	}
	return o.kind.Natural()
}

// exactFloat is an integer as a float, if it loses nothing.
func (o operand) exactFloat(to tlv.Tag) (f float64, exact bool) {
	if o.big {
		f = float64(o.num)
		exact = f < 1<<64 && uint64(f) == o.num
	} else {
		n := int64(o.num)
		f = float64(n)
		exact = f < 1<<63 && int64(f) == n
	}
	if to == tlv.TagFloat32 {
		exact = exact && float64(float32(f)) == f
	}
	return f, exact
}

func (o operand) number() string {
	if o.big {
		return strconv.FormatUint(o.num, 10)
	}
	return strconv.FormatInt(int64(o.num), 10)
}

// String names the kind of value for errors.
func (o operand) String() string {
	switch o.kind {
	case nothing:
		return "nil"
	case unsupported:
		return "an unsupported type"
	}
	return article(o.kind)
}

func article(k sig.Kind) string {
	switch k {
	case sig.Integer:
		return "an integer"
	case sig.Bytes:
		return "bytes"
	}
	return "a " + k.String()
}

//go:noinline
func unsupportedType(arg any) string {
	return fmt.Sprintf("values of type %v cannot be passed; pass a string, integer, float, bool, []byte or a box", reflect.TypeOf(arg))
}
