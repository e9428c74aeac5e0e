package hostbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/sig"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// wireType is what values of a Go type travel as: 0 is whatever comes, for any.
func wireType(t reflect.Type) (tag tlv.Tag, ok bool) {
	switch t.Kind() {
	case reflect.Bool:
		return tlv.TagBool, true
	case reflect.Int32:
		return tlv.TagInt32, true
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return tlv.TagInt64, true
	case reflect.Float32:
		return tlv.TagFloat32, true
	case reflect.Float64:
		return tlv.TagFloat64, true
	case reflect.String:
		return tlv.TagString, true
	case reflect.Slice:
		return tlv.TagBytes, t.Elem().Kind() == reflect.Uint8
	case reflect.Interface:
		return 0, t.NumMethod() == 0
	}
	return 0, false
}

// kinds are what a caller gives for an argument that travels as a type.
var kinds = map[tlv.Tag]sig.Kind{
	0:              sig.Any,
	tlv.TagBool:    sig.Bool,
	tlv.TagInt32:   sig.Integer,
	tlv.TagInt64:   sig.Integer,
	tlv.TagFloat32: sig.Float,
	tlv.TagFloat64: sig.Float,
	tlv.TagString:  sig.String,
	tlv.TagBytes:   sig.Bytes,
}

// param is a parameter that is an argument of the method.
type param struct {
	typ reflect.Type
	tag tlv.Tag
}

// params are the parameters of a function, without a receiver.
type params struct {
	context bool // the first is a context
	args    []param
	more    *param // those behind args, of a variadic function, or nil
}

// newParams returns also what cannot be supported.
func newParams(f reflect.Type) (p params, problems []string) {
	for i := range f.NumIn() {
		t := f.In(i)
		variadic := f.IsVariadic() && i == f.NumIn()-1
		if variadic {
			t = t.Elem()
		}
		if i == 0 && t == contextType && !variadic {
			p.context = true
			continue
		}
		tag, ok := wireType(t)
		switch {
		case t == contextType:
			problems = append(problems, fmt.Sprintf("parameter %d is a context, which must be the first", i+1))
		case !ok:
			problems = append(problems, fmt.Sprintf("parameter %d has the type %v, which is not supported", i+1, f.In(i)))
		case variadic:
			p.more = &param{t, tag}
		default:
			p.args = append(p.args, param{t, tag})
		}
	}
	return p, problems
}

// declare sets what a signature says of the arguments.
func (p *params) declare(s *sig.Signature) {
	s.ArgsDeclared = true
	s.Variadic = p.more != nil
	for i, a := range p.args {
		s.Args = append(s.Args, sig.Arg{Name: "arg" + strconv.Itoa(i+1), From: kinds[a.tag], To: a.tag})
	}
}

// decode reads a message into what a function is called with. receiver is nil where it has
// none.
func (p *params) decode(ctx context.Context, receiver *reflect.Value, msg []byte) ([]reflect.Value, error) {
	d := tlv.NewDecoder(msg)
	count := d.Len()
	in := make([]reflect.Value, 0, 2+count)
	if receiver != nil {
		in = append(in, *receiver)
	}
	if p.context {
		in = append(in, contextValue(ctx))
	}
	i := 0
	for e, ok := d.Next(); ok; e, ok = d.Next() {
		a := p.more
		if i < len(p.args) {
			a = &p.args[i]
		}
		if a == nil {
			break
		}
		v := reflect.New(a.typ).Elem()
		if why := set(v, e, i >= len(p.args)); why != "" {
			return nil, invalidArgs("argument %d: %s", i+1, why)
		}
		in = append(in, v)
		i++
	}
	if err := d.Err(); err != nil {
		return nil, malformed(err)
	}
	if count < len(p.args) || count > len(p.args) && p.more == nil {
		atLeast := ""
		if p.more != nil {
			atLeast = "at least "
		}
		return nil, invalidArgs("it takes %s%d arguments, and got %d", atLeast, len(p.args), count)
	}
	return in, nil
}

// contextValue is ctx as an argument of its interface type.
func contextValue(ctx context.Context) reflect.Value { return reflect.ValueOf(&ctx).Elem() }

// set stores an argument, or tells why it cannot be stored. Arguments behind the declared
// ones travel as their callers like, so that any number of the same kind will do.
func set(v reflect.Value, e tlv.Entry, undeclared bool) (why string) {
	want, _ := wireType(v.Type())
	fits := want == 0 || want == e.Tag || undeclared && kinds[want].Takes(kinds[e.Tag])
	if !fits {
		return fmt.Sprintf("it is %v, and the method takes %v", e.Tag, want)
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(e.Payload[0] != 0)
	case reflect.String:
		v.SetString(string(e.Payload))
	case reflect.Slice:
		v.SetBytes(bytes.Clone(e.Payload))
	case reflect.Interface:
		if e.Tag == tlv.TagHandle || e.Tag == tlv.TagBlob {
			return fmt.Sprintf("it is a %v, which methods of Go values do not take", e.Tag)
		}
		if x := e.Value().Any(); x != nil {
			v.Set(reflect.ValueOf(x))
		}
	default:
		if val := e.Value(); !setNumber(v, val) {
			return fmt.Sprintf("%v does not fit %v", val, v.Type())
		}
	}
	return ""
}

// setNumber reports whether a number fits v. An integer fits a float that is equal to it.
func setNumber(v reflect.Value, val tlv.Value) bool {
	n, notInt := val.Int()
	switch {
	case v.CanInt():
		v.SetInt(n)
		return !v.OverflowInt(n)
	case v.CanUint():
		v.SetUint(uint64(n))
		return n >= 0 && !v.OverflowUint(uint64(n))
	case notInt == nil:
		v.SetFloat(float64(n))
		return v.Float() < 1<<63 && int64(v.Float()) == n
	}
	f, _ := val.Float()
	v.SetFloat(f)
	return !v.OverflowFloat(f)
}

// results are what a function returns.
type results struct {
	value reflect.Type // nil for nothing
	tag   tlv.Tag      // of value
	fails bool         // the last is an error
}

// newResults returns also what cannot be supported.
func newResults(f reflect.Type) (r results, problems []string) {
	n := f.NumOut()
	if n > 0 && f.Out(n-1) == errorType {
		r.fails = true
		n--
	}
	if n > 1 {
		return r, []string{fmt.Sprintf("it returns %d values, and a method has one result at most, and an error behind it", n)}
	}
	if n == 0 {
		return r, nil
	}
	r.value = f.Out(0)
	var ok bool
	if r.tag, ok = wireType(r.value); !ok {
		problems = append(problems, fmt.Sprintf("its result has the type %v, which is not supported", r.value))
	}
	return r, problems
}

// declare sets what a signature says of the result.
func (r *results) declare(s *sig.Signature) {
	s.Returns.Tag = r.tag
	if r.value == nil {
		s.Returns.Tag = tlv.TagVoid
	}
}

// encode appends the message with what a function returned.
func (r *results) encode(dst []byte, out []reflect.Value) ([]byte, error) {
	if r.fails {
		if err, ok := out[len(out)-1].Interface().(error); ok {
			return nil, err
		}
	}
	if r.value == nil {
		return appendVoid(dst), nil
	}
	v := out[0]
	if v.Kind() == reflect.Interface {
		if v = v.Elem(); !v.IsValid() {
			return appendVoid(dst), nil
		}
	}
	tag, ok := wireType(v.Type())
	if !ok {
		return nil, fmt.Errorf("the result has the type %v, which is not supported", v.Type())
	}
	dst = appendHeader(dst)
	switch tag {
	case tlv.TagBool:
		return tlv.AppendBool(dst, v.Bool()), nil
	case tlv.TagInt32:
		return tlv.AppendInt32(dst, int32(v.Int())), nil
	case tlv.TagFloat32:
		return tlv.AppendFloat32(dst, float32(v.Float())), nil
	case tlv.TagFloat64:
		return tlv.AppendFloat64(dst, v.Float()), nil
	case tlv.TagString:
		return appendString(dst, v.String())
	case tlv.TagBytes:
		return appendBytes(dst, v.Bytes())
	}
	if v.CanInt() {
		return tlv.AppendInt64(dst, v.Int()), nil
	}
	return appendUint(dst, v.Uint())
}

// Each of the following appends an entry, or says why the result has none.

func appendUint(dst []byte, n uint64) ([]byte, error) {
	if n > math.MaxInt64 {
		return nil, fmt.Errorf("the result, %d, does not fit an i64", n)
	}
	return tlv.AppendInt64(dst, int64(n)), nil
}

func appendString(dst []byte, s string) ([]byte, error) {
	msg, err := tlv.AppendString(dst, s)
	if err != nil {
		return nil, errResult(err, len(s))
	}
	return msg, nil
}

func appendBytes(dst, b []byte) ([]byte, error) {
	msg, err := tlv.AppendBytes(dst, b)
	if err != nil {
		return nil, errResult(err, len(b))
	}
	return msg, nil
}

// errResult is the error of a result of n bytes that cannot be encoded.
func errResult(err error, n int) error {
	if errors.Is(err, tlv.ErrTooLarge) {
		return fmt.Errorf("the result has %d bytes, and a string or []byte of at most %d can be returned", n, tlv.MaxPayload)
	}
	return &codeError{abi.ErrInvalidUTF8, "the result is a string that is not UTF-8: return []byte for such data"}
}
