package hostbox

import (
	"context"
	"reflect"
	"unsafe"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// invoke is a method in the one form that calls are made in, whether it has a context, returns
// an error or has fewer parameters.
type invoke[A, B, C, R any] func(self unsafe.Pointer, ctx context.Context, a A, b B, c C) (R, error)

// invokes bring a function with parameters A, B and C into that form, one for each result
// that there is.
type invokes[A, B, C any] struct {
	void    func(*function) invoke[A, B, C, void]
	integer func(*function) invoke[A, B, C, int64]
	float   func(*function) invoke[A, B, C, float64]
	text    func(*function) invoke[A, B, C, string]
	bytes   func(*function) invoke[A, B, C, []byte]
	boolean func(*function) invoke[A, B, C, bool]
}

// bind chooses by the result.
func bind[A, B, C any](fn *function, a reader[A], b reader[B], c reader[C], forms invokes[A, B, C]) call {
	switch fn.result {
	case kindVoid:
		return newCall(fn, forms.void(fn), a, b, c, writeVoid)
	case kindInt, kindUint:
		return newCall(fn, forms.integer(fn), a, b, c, fn.writeInt())
	case kindFloat:
		return newCall(fn, forms.float(fn), a, b, c, writeFloat)
	case kindString:
		return newCall(fn, forms.text(fn), a, b, c, appendString)
	case kindBytes:
		return newCall(fn, forms.bytes(fn), a, b, c, appendBytes)
	case kindBool:
		return newCall(fn, forms.boolean(fn), a, b, c, writeBool)
	}
	return nil
}

func newCall[A, B, C, R any](fn *function, f invoke[A, B, C, R], readA reader[A], readB reader[B], readC reader[C], write writer[R]) call {
	header := uint32(len(fn.args))<<16 | tlv.Version
	return func(ctx context.Context, self unsafe.Pointer, args, result []byte) ([]byte, error) {
		if len(args) < tlv.HeaderSize || le.Uint32(args) != header {
			return nil, fn.wrong(ctx, args)
		}
		a, at := readA(args, tlv.HeaderSize)
		if at == 0 {
			return nil, fn.wrong(ctx, args)
		}
		b, at := readB(args, at)
		if at == 0 {
			return nil, fn.wrong(ctx, args)
		}
		c, at := readC(args, at)
		if at != len(args) {
			return nil, fn.wrong(ctx, args)
		}
		r, err := f(self, ctx, a, b, c)
		if err != nil {
			return nil, err
		}
		return write(appendHeader(result), r)
	}
}

// as is the method as a func type F that is passed parameters and returns results as its own does.
func as[F any](fn *function) F {
	p := reflect.New(fn.f.Type())
	p.Elem().Set(fn.f)
	return *(*F)(p.UnsafePointer())
}

// What follows exists once for each number of parameters.

func bind0(fn *function) call {
	return bind(fn, readNothing, readNothing, readNothing, invokes[void, void, void]{void0, value0[int64], value0[float64], value0[string], value0[[]byte], value0[bool]})
}

func value0[R any](fn *function) invoke[void, void, void, R] {
	switch {
	case fn.context && fn.fails:
		f := as[func(unsafe.Pointer, context.Context) (R, error)](fn)
		return func(self unsafe.Pointer, ctx context.Context, _, _, _ void) (R, error) { return f(self, ctx) }
	case fn.context:
		f := as[func(unsafe.Pointer, context.Context) R](fn)
		return func(self unsafe.Pointer, ctx context.Context, _, _, _ void) (R, error) { return f(self, ctx), nil }
	case fn.fails:
		f := as[func(unsafe.Pointer) (R, error)](fn)
		return func(self unsafe.Pointer, _ context.Context, _, _, _ void) (R, error) { return f(self) }
	}
	f := as[func(unsafe.Pointer) R](fn)
	return func(self unsafe.Pointer, _ context.Context, _, _, _ void) (R, error) { return f(self), nil }
}

func void0(fn *function) invoke[void, void, void, void] {
	switch {
	case fn.context && fn.fails:
		f := as[func(unsafe.Pointer, context.Context) error](fn)
		return func(self unsafe.Pointer, ctx context.Context, _, _, _ void) (r void, _ error) { return r, f(self, ctx) }
	case fn.context:
		f := as[func(unsafe.Pointer, context.Context)](fn)
		return func(self unsafe.Pointer, ctx context.Context, _, _, _ void) (r void, _ error) {
			f(self, ctx)
			return r, nil
		}
	case fn.fails:
		f := as[func(unsafe.Pointer) error](fn)
		return func(self unsafe.Pointer, _ context.Context, _, _, _ void) (r void, _ error) { return r, f(self) }
	}
	f := as[func(unsafe.Pointer)](fn)
	return func(self unsafe.Pointer, _ context.Context, _, _, _ void) (r void, _ error) { f(self); return r, nil }
}

func bind1[A any](fn *function, a reader[A]) call {
	return bind(fn, a, readNothing, readNothing, invokes[A, void, void]{void1[A], value1[A, int64], value1[A, float64], value1[A, string], value1[A, []byte], value1[A, bool]})
}

func value1[A, R any](fn *function) invoke[A, void, void, R] {
	switch {
	case fn.context && fn.fails:
		f := as[func(unsafe.Pointer, context.Context, A) (R, error)](fn)
		return func(self unsafe.Pointer, ctx context.Context, a A, _, _ void) (R, error) { return f(self, ctx, a) }
	case fn.context:
		f := as[func(unsafe.Pointer, context.Context, A) R](fn)
		return func(self unsafe.Pointer, ctx context.Context, a A, _, _ void) (R, error) { return f(self, ctx, a), nil }
	case fn.fails:
		f := as[func(unsafe.Pointer, A) (R, error)](fn)
		return func(self unsafe.Pointer, _ context.Context, a A, _, _ void) (R, error) { return f(self, a) }
	}
	f := as[func(unsafe.Pointer, A) R](fn)
	return func(self unsafe.Pointer, _ context.Context, a A, _, _ void) (R, error) { return f(self, a), nil }
}

func void1[A any](fn *function) invoke[A, void, void, void] {
	switch {
	case fn.context && fn.fails:
		f := as[func(unsafe.Pointer, context.Context, A) error](fn)
		return func(self unsafe.Pointer, ctx context.Context, a A, _, _ void) (r void, _ error) {
			return r, f(self, ctx, a)
		}
	case fn.context:
		f := as[func(unsafe.Pointer, context.Context, A)](fn)
		return func(self unsafe.Pointer, ctx context.Context, a A, _, _ void) (r void, _ error) {
			f(self, ctx, a)
			return r, nil
		}
	case fn.fails:
		f := as[func(unsafe.Pointer, A) error](fn)
		return func(self unsafe.Pointer, _ context.Context, a A, _, _ void) (r void, _ error) { return r, f(self, a) }
	}
	f := as[func(unsafe.Pointer, A)](fn)
	return func(self unsafe.Pointer, _ context.Context, a A, _, _ void) (r void, _ error) {
		f(self, a)
		return r, nil
	}
}

func bind2[A, B any](fn *function, a reader[A], b reader[B]) call {
	return bind(fn, a, b, readNothing, invokes[A, B, void]{void2[A, B], value2[A, B, int64], value2[A, B, float64], value2[A, B, string], value2[A, B, []byte], value2[A, B, bool]})
}

func value2[A, B, R any](fn *function) invoke[A, B, void, R] {
	switch {
	case fn.context && fn.fails:
		f := as[func(unsafe.Pointer, context.Context, A, B) (R, error)](fn)
		return func(self unsafe.Pointer, ctx context.Context, a A, b B, _ void) (R, error) { return f(self, ctx, a, b) }
	case fn.context:
		f := as[func(unsafe.Pointer, context.Context, A, B) R](fn)
		return func(self unsafe.Pointer, ctx context.Context, a A, b B, _ void) (R, error) {
			return f(self, ctx, a, b), nil
		}
	case fn.fails:
		f := as[func(unsafe.Pointer, A, B) (R, error)](fn)
		return func(self unsafe.Pointer, _ context.Context, a A, b B, _ void) (R, error) { return f(self, a, b) }
	}
	f := as[func(unsafe.Pointer, A, B) R](fn)
	return func(self unsafe.Pointer, _ context.Context, a A, b B, _ void) (R, error) { return f(self, a, b), nil }
}

func void2[A, B any](fn *function) invoke[A, B, void, void] {
	switch {
	case fn.context && fn.fails:
		f := as[func(unsafe.Pointer, context.Context, A, B) error](fn)
		return func(self unsafe.Pointer, ctx context.Context, a A, b B, _ void) (r void, _ error) {
			return r, f(self, ctx, a, b)
		}
	case fn.context:
		f := as[func(unsafe.Pointer, context.Context, A, B)](fn)
		return func(self unsafe.Pointer, ctx context.Context, a A, b B, _ void) (r void, _ error) {
			f(self, ctx, a, b)
			return r, nil
		}
	case fn.fails:
		f := as[func(unsafe.Pointer, A, B) error](fn)
		return func(self unsafe.Pointer, _ context.Context, a A, b B, _ void) (r void, _ error) {
			return r, f(self, a, b)
		}
	}
	f := as[func(unsafe.Pointer, A, B)](fn)
	return func(self unsafe.Pointer, _ context.Context, a A, b B, _ void) (r void, _ error) {
		f(self, a, b)
		return r, nil
	}
}

func bind3[A, B, C any](fn *function, a reader[A], b reader[B], c reader[C]) call {
	return bind(fn, a, b, c, invokes[A, B, C]{void3[A, B, C], value3[A, B, C, int64], value3[A, B, C, float64], value3[A, B, C, string], value3[A, B, C, []byte], value3[A, B, C, bool]})
}

func value3[A, B, C, R any](fn *function) invoke[A, B, C, R] {
	switch {
	case fn.context && fn.fails:
		f := as[func(unsafe.Pointer, context.Context, A, B, C) (R, error)](fn)
		return func(self unsafe.Pointer, ctx context.Context, a A, b B, c C) (R, error) { return f(self, ctx, a, b, c) }
	case fn.context:
		f := as[func(unsafe.Pointer, context.Context, A, B, C) R](fn)
		return func(self unsafe.Pointer, ctx context.Context, a A, b B, c C) (R, error) {
			return f(self, ctx, a, b, c), nil
		}
	case fn.fails:
		f := as[func(unsafe.Pointer, A, B, C) (R, error)](fn)
		return func(self unsafe.Pointer, _ context.Context, a A, b B, c C) (R, error) { return f(self, a, b, c) }
	}
	f := as[func(unsafe.Pointer, A, B, C) R](fn)
	return func(self unsafe.Pointer, _ context.Context, a A, b B, c C) (R, error) { return f(self, a, b, c), nil }
}

func void3[A, B, C any](fn *function) invoke[A, B, C, void] {
	switch {
	case fn.context && fn.fails:
		f := as[func(unsafe.Pointer, context.Context, A, B, C) error](fn)
		return func(self unsafe.Pointer, ctx context.Context, a A, b B, c C) (r void, _ error) {
			return r, f(self, ctx, a, b, c)
		}
	case fn.context:
		f := as[func(unsafe.Pointer, context.Context, A, B, C)](fn)
		return func(self unsafe.Pointer, ctx context.Context, a A, b B, c C) (r void, _ error) {
			f(self, ctx, a, b, c)
			return r, nil
		}
	case fn.fails:
		f := as[func(unsafe.Pointer, A, B, C) error](fn)
		return func(self unsafe.Pointer, _ context.Context, a A, b B, c C) (r void, _ error) {
			return r, f(self, a, b, c)
		}
	}
	f := as[func(unsafe.Pointer, A, B, C)](fn)
	return func(self unsafe.Pointer, _ context.Context, a A, b B, c C) (r void, _ error) {
		f(self, a, b, c)
		return r, nil
	}
}
