package registry

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// Plan is a method that is ready to be called: all its names and types are
// resolved. It is immutable.
type Plan struct {
	Box  string
	Name string
	ID   uint32
	Signature

	// numbers is the message of a method whose arguments are all I64 or F64,
	// with zeros for values; nil for others.
	numbers []byte
}

// newPlan prepares what can be prepared of a method's calls.
func newPlan(box, name string, id uint32, s Signature) *Plan {
	p := &Plan{Box: box, Name: name, ID: id, Signature: s}
	if !s.ArgsDeclared {
		return p
	}
	msg := tlv.AppendHeader(nil)
	for _, a := range s.Args {
		switch a.To {
		case tlv.TagInt64:
			msg = tlv.AppendInt64(msg, 0)
		case tlv.TagFloat64:
			msg = tlv.AppendFloat64(msg, 0)
		default:
			return p
		}
	}
	if tlv.PatchArgc(msg, len(s.Args)) == nil {
		p.numbers = msg
	}
	return p
}

// ArgError is an argument, or a number of arguments, that a method does not
// take. It matches [abi.ErrInvalidArgs].
type ArgError struct {
	Index int    // from 0; -1 where the number of arguments is wrong
	Name  string // of the argument, or empty
	Msg   string
	Err   error // the cause, or nil
}

func (e *ArgError) Error() string {
	switch {
	case e.Index < 0:
		return e.Msg
	case e.Name == "":
		return fmt.Sprintf("argument %d: %s", e.Index+1, e.Msg)
	}
	return fmt.Sprintf("argument %d (%s): %s", e.Index+1, e.Name, e.Msg)
}

// Is makes the error match the code that a plugin would answer.
func (e *ArgError) Is(target error) bool { return target == abi.ErrInvalidArgs }

// Unwrap returns the cause.
func (e *ArgError) Unwrap() error { return e.Err }

// ResultError is a result of another type than nyash.toml declares.
type ResultError struct {
	Have tlv.Tag
	Want tlv.Tag
}

func (e *ResultError) Error() string {
	return fmt.Sprintf("the result is %v, and nyash.toml declares %v", e.Have, e.Want)
}

// ResultMessage is the error message that a method with returns_result
// returned.
type ResultMessage struct{ Text string }

func (e *ResultMessage) Error() string { return e.Text }

// CheckCount checks the number of arguments.
func (p *Plan) CheckCount(n int) error {
	if !p.ArgsDeclared || n == len(p.Args) {
		return nil
	}
	return p.wrongCount(n)
}

func (p *Plan) wrongCount(n int) error {
	want := "no arguments"
	if len(p.Args) > 0 {
		names := make([]string, len(p.Args))
		for i, a := range p.Args {
			names[i] = a.Name
		}
		want = fmt.Sprintf("%d (%s)", len(names), list(names))
	}
	return &ArgError{Index: -1, Msg: fmt.Sprintf("it takes %s, and got %d", want, n)}
}

// AppendNumbers appends the whole TLV message of a call whose arguments are
// declared as i64 or f64 and given as int, int64 or float64. ok is false, and
// dst as it was, for every other call, which is for [Plan.AppendArg].
func (p *Plan) AppendNumbers(dst []byte, args []any) (msg []byte, ok bool) {
	if p.numbers == nil || len(args) != len(p.Args) {
		return dst, false
	}
	at := len(dst) + tlv.HeaderSize + tlv.EntryHeaderSize
	msg = append(dst, p.numbers...)
	for i := range args {
		decl := &p.Args[i]
		var bits uint64
		switch v := args[i].(type) {
		case int:
			bits, ok = uint64(v), decl.To == tlv.TagInt64
		case int64:
			bits, ok = uint64(v), decl.To == tlv.TagInt64
		case float64:
			bits, ok = math.Float64bits(v), decl.To == tlv.TagFloat64 && decl.From != FromInteger
		default:
			ok = false
		}
		if !ok {
			return dst, false
		}
		binary.LittleEndian.PutUint64(msg[at:], bits)
		at += tlv.EntryHeaderSize + 8
	}
	return msg, true
}

// AppendArg appends argument i to a TLV message, converted as nyash.toml says.
// arg is a Go value (any integer, float, string, bool, []byte, nil), a
// [tlv.Handle] for a box, or a [tlv.Value]. An error leaves dst as it was. It
// allocates nothing but what dst needs to grow, and does not keep arg.
func (p *Plan) AppendArg(dst []byte, i int, arg any) ([]byte, error) {
	var decl Arg
	if p.ArgsDeclared {
		decl = p.Args[i]
	}
	v := operandOf(arg)
	if v.from == unsupported {
		return dst, p.argError(i, unsupportedType(arg), nil)
	}
	if !decl.From.takes(v.from) {
		return dst, p.argError(i, "it must be "+article(decl.From)+", and this is "+v.String(), nil)
	}
	if decl.To == 0 {
		return p.appendAs(dst, i, v.natural(), v)
	}
	return p.appendAs(dst, i, decl.To, v)
}

// appendAs appends v with the given tag, if it can have it.
func (p *Plan) appendAs(dst []byte, i int, to tlv.Tag, v operand) ([]byte, error) {
	switch to {
	case tlv.TagBool:
		if v.from == FromBool {
			return tlv.AppendBool(dst, v.num != 0), nil
		}
	case tlv.TagInt32:
		if v.from == FromInteger {
			n := int64(v.num)
			if v.big || n < math.MinInt32 || n > math.MaxInt32 {
				return dst, p.argError(i, v.number()+" does not fit an i32", nil)
			}
			return tlv.AppendInt32(dst, int32(n)), nil
		}
	case tlv.TagInt64:
		if v.from == FromInteger {
			if v.big {
				return dst, p.argError(i, v.number()+" does not fit an i64", nil)
			}
			return tlv.AppendInt64(dst, int64(v.num)), nil
		}
	case tlv.TagFloat32, tlv.TagFloat64:
		if v.from == FromFloat || v.from == FromInteger {
			return p.appendFloat(dst, i, to, v)
		}
	case tlv.TagString:
		return p.appendString(dst, i, v)
	case tlv.TagBytes:
		return p.appendBytes(dst, i, v)
	case tlv.TagHandle:
		if v.from == FromBox {
			return tlv.AppendHandle(dst, tlv.Handle{Type: uint32(v.num), Instance: uint32(v.num >> 32)}), nil
		}
	case tlv.TagVoid:
		if v.from == nothing {
			return tlv.AppendVoid(dst), nil
		}
	case tlv.TagBlob:
		return dst, p.argError(i, "it is declared as a blob", ErrBlob)
	}
	return dst, p.argError(i, v.String()+" cannot become "+to.String(), nil)
}

func (p *Plan) appendFloat(dst []byte, i int, to tlv.Tag, v operand) ([]byte, error) {
	f := math.Float64frombits(v.num)
	if v.from == FromInteger {
		var exact bool
		if f, exact = v.exactFloat(to); !exact {
			return dst, p.argError(i, v.number()+" has no exact "+to.String(), nil)
		}
	}
	if to == tlv.TagFloat64 {
		return tlv.AppendFloat64(dst, f), nil
	}
	f32 := float32(f)
	if math.IsInf(float64(f32), 0) && !math.IsInf(f, 0) {
		return dst, p.argError(i, fmt.Sprintf("%g does not fit an f32", f), nil)
	}
	return tlv.AppendFloat32(dst, f32), nil
}

func (p *Plan) appendString(dst []byte, i int, v operand) (out []byte, err error) {
	switch v.from {
	case FromString:
		out, err = tlv.AppendString(dst, v.str)
	case FromBytes:
		out, err = tlv.AppendStringBytes(dst, v.bytes)
	default:
		return dst, p.argError(i, v.String()+" cannot become string", nil)
	}
	if err != nil {
		return dst, p.argError(i, err.Error(), err)
	}
	return out, nil
}

func (p *Plan) appendBytes(dst []byte, i int, v operand) (out []byte, err error) {
	switch v.from {
	case FromString:
		out, err = tlv.AppendBytesString(dst, v.str)
	case FromBytes:
		out, err = tlv.AppendBytes(dst, v.bytes)
	default:
		return dst, p.argError(i, v.String()+" cannot become bytes", nil)
	}
	if err != nil {
		return dst, p.argError(i, err.Error(), err)
	}
	return out, nil
}

//go:noinline
func (p *Plan) argError(i int, msg string, cause error) error {
	e := &ArgError{Index: i, Msg: msg, Err: cause}
	if cause != nil && msg != cause.Error() {
		e.Msg = msg + ": " + cause.Error()
	}
	if p.ArgsDeclared {
		e.Name = p.Args[i].Name
	}
	return e
}

// Entry checks a method's result in place, without copying it. No bytes stand
// for Void.
func (p *Plan) Entry(msg []byte) (tlv.Entry, error) {
	e := tlv.Entry{Tag: tlv.TagVoid}
	if len(msg) > 0 {
		var err error
		if e, err = tlv.One(msg); err != nil {
			return e, fmt.Errorf("the result is malformed: %w", err)
		}
	}
	if p.ReturnsResult && e.Tag == tlv.TagString {
		return e, &ResultMessage{Text: string(e.Payload)}
	}
	if p.Returns.Tag == tlv.TagBlob || e.Tag == tlv.TagBlob {
		return e, fmt.Errorf("the result is a blob: %w", ErrBlob)
	}
	if p.Returns.Tag != 0 && p.Returns.Tag != e.Tag {
		return e, &ResultError{Have: e.Tag, Want: p.Returns.Tag}
	}
	return e, nil
}

// Result is [Plan.Entry] with the value copied.
func (p *Plan) Result(msg []byte) (tlv.Value, error) {
	// A number of the declared type needs no more than its own decoding.
	if v, ok := tlv.Scalar(msg); ok && (v.Tag() == p.Returns.Tag || p.Returns.Tag == 0) {
		return v, nil
	}
	e, err := p.Entry(msg)
	if err != nil {
		return tlv.Value{}, err
	}
	return e.Value(), nil
}
