package registry

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/cmem"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// Plan is a method that is ready to be called: all its names and types are
// resolved. It is immutable.
type Plan struct {
	Box  string
	Name string
	ID   uint32
	Signature

	// numbers is the number of arguments for which [Plan.PutNumbers] serves; -1
	// for none. heads are the headers of their entries.
	numbers int
	heads   []uint32
	twoInts bool
	// number is how the message of an I64 or F64 result begins; 0 for other
	// results.
	number uint64
}

// newPlan prepares what can be prepared of a method's calls.
func newPlan(box, name string, id uint32, s Signature) *Plan {
	p := &Plan{Box: box, Name: name, ID: id, Signature: s}
	switch s.Returns.Tag {
	case tlv.TagInt64, tlv.TagFloat64:
		p.number = tlv.HeadOfEight(s.Returns.Tag)
	}
	for _, a := range s.Args {
		if a.To != tlv.TagInt64 && (a.To != tlv.TagFloat64 || a.From == FromInteger) {
			p.numbers = -1
			return p
		}
		p.heads = append(p.heads, uint32(tlv.HeadOfEight(a.To)>>32))
	}
	p.numbers = len(p.heads)
	p.twoInts = slices.Equal(p.heads, []uint32{headInt64, headInt64})
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

// Headers of the entries that PutNumbers writes.
const (
	headInt64   = 8<<16 | uint32(tlv.TagInt64)
	headFloat64 = 8<<16 | uint32(tlv.TagFloat64)
)

// PutNumbers writes the whole TLV message of a call whose arguments are declared
// as i64 or f64 and given as int, int64 or float64, and returns its length. It
// returns 0 for every other call and where dst is too short; that is for
// [Plan.AppendArg].
func (p *Plan) PutNumbers(dst []byte, args []any) (n int) {
	const entry = tlv.EntryHeaderSize + 8
	if len(args) != p.numbers || len(dst) < tlv.HeaderSize+len(args)*entry {
		return 0
	}
	if p.twoInts && len(dst) >= twoIntsSize && putTwoInts((*[twoIntsSize]byte)(dst), args) {
		return twoIntsSize
	}
	binary.LittleEndian.PutUint32(dst, uint32(len(args))<<16|tlv.Version)
	at := tlv.HeaderSize
	for i, head := range p.heads {
		var bits uint64
		// Not a switch: in this order the comparison is one of two pointers.
		if v, ok := args[i].(int); ok && head == headInt64 {
			bits = uint64(v)
		} else if v, ok := args[i].(int64); ok && head == headInt64 {
			bits = uint64(v)
		} else if v, ok := args[i].(float64); ok && head == headFloat64 {
			bits = math.Float64bits(v)
		} else {
			return 0
		}
		e := dst[at : at+entry]
		binary.LittleEndian.PutUint32(e, head)
		binary.LittleEndian.PutUint64(e[tlv.EntryHeaderSize:], bits)
		at += entry
	}
	return at
}

const twoIntsSize = tlv.HeaderSize + 2*(tlv.EntryHeaderSize+8)

// putTwoInts is the loop of PutNumbers unrolled for the commonest arguments of
// methods that are called millions of times: a third less time for a message.
func putTwoInts(dst *[twoIntsSize]byte, args []any) bool {
	if len(args) != 2 {
		return false
	}
	a, isInt := args[0].(int)
	b, areInts := args[1].(int)
	if !isInt || !areInts {
		return false
	}
	binary.LittleEndian.PutUint64(dst[0:], 2<<16|tlv.Version|uint64(headInt64)<<32)
	binary.LittleEndian.PutUint64(dst[8:], uint64(a))
	binary.LittleEndian.PutUint32(dst[16:], headInt64)
	binary.LittleEndian.PutUint64(dst[20:], uint64(b))
	return true
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
	if out, ok := decl.appendPlain(dst, arg); ok {
		return out, nil
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

// appendPlain appends text and bytes that need no conversion, the commonest
// arguments beside numbers, and leaves all others alone.
func (a Arg) appendPlain(dst []byte, arg any) (out []byte, ok bool) {
	err := errNotPlain
	if data, ok := arg.([]byte); ok && a.To == tlv.TagBytes && a.From.takes(FromBytes) {
		out, err = tlv.AppendBytes(dst, data)
	} else if text, ok := arg.(string); ok && a.From.takes(FromString) {
		switch a.To {
		case tlv.TagString:
			out, err = tlv.AppendString(dst, text)
		case tlv.TagBytes:
			out, err = tlv.AppendBytesString(dst, text)
		}
	}
	return out, err == nil
}

var errNotPlain = errors.New("not plain")

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

// IsBlob reports whether argument i travels as a blob, for which there is
// [Plan.BlobArg] instead of AppendArg.
func (p *Plan) IsBlob(i int) bool { return p.ArgsDeclared && p.Args[i].To == tlv.TagBlob }

// BlobArg is the memory that argument i of a call refers to: the caller's own,
// which is not copied and must not be written to.
func (p *Plan) BlobArg(i int, arg any) ([]byte, error) {
	var from From
	var data []byte
	switch v := arg.(type) {
	case []byte:
		from, data = FromBytes, v
	case string:
		from, data = FromString, cmem.TextBytes(v)
	default:
		// A copy, because only what the two cases above hand on can leave the
		// caller's arguments on its stack.
		o := operandOf(arg)
		switch from = o.from; from {
		case FromBytes:
			data = bytes.Clone(o.bytes)
		case FromString:
			data = []byte(o.str)
		case unsupported:
			return nil, p.argError(i, unsupportedType(arg), nil)
		default:
			return nil, p.argError(i, o.String()+" cannot become a blob", nil)
		}
	}
	if decl := p.Args[i].From; !decl.takes(from) {
		return nil, p.argError(i, "it must be "+article(decl)+", and this is "+article(from), nil)
	}
	return data, nil
}

//go:noinline
func (p *Plan) argError(i int, msg string, cause error) error {
	e := &ArgError{Index: i, Msg: msg, Err: cause}
	if cause != nil && msg != cause.Error() {
		e.Msg = msg + ": " + cause.Error()
	}
	if errors.Is(cause, tlv.ErrTooLarge) {
		e.Msg += `; data of that length goes by reference: declare the argument with to = "blob" in nyash.toml, if the plugin takes blobs`
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
		return e, &ResultMessage{Text: contract.Printable(string(e.Payload))}
	}
	if e.Tag == tlv.TagBlob && p.Returns.Tag == 0 {
		return e, fmt.Errorf("the result is a blob: %w", ErrBlob)
	}
	if p.Returns.Tag != 0 && p.Returns.Tag != e.Tag {
		return e, &ResultError{Have: e.Tag, Want: p.Returns.Tag}
	}
	return e, nil
}

// Number decodes a result that is declared as an i64 or f64 and is one. ok is
// false for every other message, which is for [Plan.Result].
func (p *Plan) Number(msg []byte) (v tlv.Value, ok bool) { return tlv.Eight(msg, p.number) }

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
