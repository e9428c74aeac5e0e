package loader

import (
	"context"
	"errors"
	"reflect"
	"runtime"

	"github.com/nyash-plugins/nyash-go/internal/plan"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// ResultType is what [Call] and [Invoke] can return. A result fits a type as it fits
// the accessor of [Result] for it:
//
//   - integers of every width take both widths of the wire, if the number fits
//   - floats take both widths; float32 rounds, and a number past its range does not fit
//   - bool, string and []byte take a bool, a string and bytes
//   - *[Box] and *[Blob], which are then the caller's, take a box and a blob
//   - [Result] takes everything, void too
//
// A type that a program defines, such as time.Duration, takes what its underlying type
// does.
type ResultType interface {
	~bool | ~string | ~[]byte | ~float32 | ~float64 |
		~int | ~int8 | ~int16 | ~int32 | ~int64 |
		~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64 |
		*Box | *Blob | Result
}

// Call is [Box.Call] with the result as a Go value:
//
//	n, err := loader.Call[int](ctx, file, "write", "Hello")
//
// A result that T does not take is a [*CallError] with a [*ResultError] that names both
// types. The call was made then; a box that it returned anew is closed, which Call does
// not wait for, and a blob released. On an error the value is T's zero value.
//
// Call is safe for concurrent use, as the box is. [Invoke] finds the method once.
func Call[T ResultType](ctx context.Context, box *Box, method string, args ...any) (T, error) {
	var t T
	if err := box.callInto(ctx, method, &t, args); err != nil {
		return *new(T), err
	}
	return t, nil
}

// Invoke is [Method.Call] with the result as a Go value, as [Call] returns it. For
// bools and numbers it allocates nothing. For strings and bytes it allocates the result;
// [Method.AppendBytes] does not.
//
// Invoke is safe for concurrent use.
func Invoke[T ResultType](ctx context.Context, m *Method, args ...any) (T, error) {
	var t T
	if err := m.box.invokeInto(ctx, m.plan, &m.cache, &t, args); err != nil {
		return *new(T), err
	}
	return t, nil
}

func (b *Box) callInto(ctx context.Context, method string, dst any, args []any) error {
	plan, err := b.plan(method)
	if err != nil {
		return err
	}
	return b.invokeInto(ctx, plan, &b.cache, dst, args)
}

// invokeInto makes a call and stores its result in dst, a pointer to a [ResultType],
// which does not escape.
func (b *Box) invokeInto(ctx context.Context, plan *plan.Plan, cache *slotCache, dst any, args []any) error {
	in := b.in
	if b.closed.Load() {
		return errNotSent(plan, ErrClosed)
	}
	s, err := in.run(ctx, plan, cache, args)
	runtime.KeepAlive(b)
	if err != nil {
		return err
	}
	var r Result
	if bits, ok := plan.DecodeFixed(s.resultBytes()); ok {
		r = Result{num: bits, kind: &kinds[plan.Returns.Tag]}
	} else {
		if r, err = in.result(ctx, plan, s.boxes, s.resultBytes(), dst); err != nil || storeReference(dst, r) {
			in.host.slots.release(s)
			return err
		}
	}
	in.host.slots.release(s)
	if err := store(dst, r); err != nil {
		return in.errHost(plan, err)
	}
	return nil
}

// takes reports whether dst, a pointer to a [ResultType], is for results with the given
// tag, of a box or a blob. nil stands for a *[Result].
func takes(dst any, tag tlv.Tag) bool {
	switch dst.(type) {
	case nil, *Result:
		return true
	case **Box:
		return tag == tlv.TagHandle
	case **Blob:
		return tag == tlv.TagBlob
	}
	return false
}

// storeReference sets dst, a pointer to a [ResultType], to a box or blob that it takes.
// It reports false for every other result.
func storeReference(dst any, r Result) bool {
	if r.kind == nil || r.kind.box == nil && r.kind.blob == nil {
		return false
	}
	switch p := dst.(type) {
	case *Result:
		*p = r
	case **Box:
		*p = r.kind.box
	case **Blob:
		*p = r.kind.blob
	}
	return true
}

// store sets dst, a pointer to a [ResultType], to a result that is neither a box nor a blob. The error is a
// [*ResultError]; what dst points to has then no meaning.
func store(dst any, v Result) (err error) {
	switch p := dst.(type) {
	case *int:
		err = storeInt(p, v)
	case *int64:
		err = storeInt(p, v)
	case *int32:
		err = storeInt(p, v)
	case *float64:
		*p, err = v.Float()
	case *bool:
		*p, err = v.Bool()
	case *string:
		*p, err = v.Text()
	case *[]byte:
		*p, err = v.Bytes()
	case *Result:
		*p = v
	case **Box, **Blob:
		err = errType
	case *uint:
		err = storeInt(p, v)
	case *uint64:
		err = storeInt(p, v)
	case *uint32:
		err = storeInt(p, v)
	case *int16:
		err = storeInt(p, v)
	case *uint16:
		err = storeInt(p, v)
	case *int8:
		err = storeInt(p, v)
	case *uint8:
		err = storeInt(p, v)
	default:
		err = storeByKind(reflect.ValueOf(dst).Elem(), v)
	}
	if err == nil {
		return nil
	}
	return misfit(err, reflect.TypeOf(dst).Elem(), v)
}

// Why a value cannot be stored, for misfit, beside the errors of its accessors.
var (
	errType  = errors.New("of another type")
	errRange = errors.New("out of range")
)

func storeInt[T int | int8 | int16 | int32 | int64 | uint | uint8 | uint16 | uint32 | uint64](p *T, v Result) error {
	n, err := v.Int()
	if *p = T(n); err == nil && (int64(*p) != n || (*p < 0) != (n < 0)) {
		return errRange
	}
	return err
}

// storeByKind serves float32 and the types that a program defines.
func storeByKind(to reflect.Value, v Result) error {
	switch to.Kind() {
	case reflect.Bool:
		b, err := v.Bool()
		to.SetBool(b)
		return err
	case reflect.String:
		s, err := v.Text()
		to.SetString(s)
		return err
	case reflect.Slice:
		b, err := v.Bytes()
		to.SetBytes(b)
		return err
	case reflect.Float32, reflect.Float64:
		f, err := v.Float()
		if err == nil && to.OverflowFloat(f) {
			return errRange
		}
		to.SetFloat(f)
		return err
	}
	n, err := v.Int()
	switch {
	case err != nil:
		return err
	case to.CanInt() && !to.OverflowInt(n):
		to.SetInt(n)
		return nil
	case to.CanUint() && n >= 0 && !to.OverflowUint(uint64(n)):
		to.SetUint(uint64(n))
		return nil
	}
	return errRange
}

// misfit is the error of a value that store cannot turn into a Go type.
func misfit(err error, to reflect.Type, v Result) error {
	e := &ResultError{Have: v.Tag(), Type: to}
	if errors.Is(err, errRange) {
		e.Number = v.String()
	}
	return e
}
