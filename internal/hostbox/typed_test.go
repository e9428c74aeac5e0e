package hostbox

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

type (
	celsius float64
	title   string
	data    []byte
	flag    bool
)

// goTypes are the Go types of each kind, with a value. int and uint are among them where
// they have 64 bits.
var goTypes = map[byte][]any{
	kindInt:    []any{int64(-7), time.Duration(3), 1 << 30}[:strconv.IntSize/32+1],
	kindUint:   []any{uint64(9), uint(8)}[:strconv.IntSize/32],
	kindFloat:  {2.5, celsius(-1)},
	kindString: {"text", title("ü")},
	kindBytes:  {[]byte{1, 2, 3}, data{}},
	kindBool:   {true, flag(false)},
}

var shapes = []string{"", "i", "f", "s", "b", "t", "u", "ii", "uu", "iu", "ff", "ss", "si", "su", "is", "us", "sb", "iii", "uiu", "fff", "sss"}

// form is a Go function of one of the common signatures, as a method would be one.
type form struct {
	args, result []any // values
	ctx, fails   bool
}

func (f form) String() string {
	return fmt.Sprintf("%T%T ctx=%v err=%v", f.args, f.result, f.ctx, f.fails)
}

// forms are all that typed takes: each kind of a shape by a type that is defined as one too.
func forms() (all []form) {
	kinds := []byte{kindInt, kindUint, kindFloat, kindString, kindBytes, kindBool}
	for _, shape := range shapes {
		for variant := range 3 {
			value := func(kind byte) any {
				of := goTypes[kind]
				return of[variant%len(of)]
			}
			var args []any
			for _, kind := range []byte(shape) {
				args = append(args, value(kind))
			}
			for _, ctx := range []bool{false, true} {
				for _, fails := range []bool{false, true} {
					all = append(all, form{args, nil, ctx, fails})
					for _, kind := range kinds {
						all = append(all, form{args, []any{value(kind)}, ctx, fails})
					}
				}
			}
		}
	}
	return all
}

type receiver struct{ calls int }

// function makes the function, which checks what it is given and returns the result, or an
// error that is not nil.
func (f form) function(t *testing.T, self *receiver, ctx context.Context, fail error) reflect.Value {
	in, out := []reflect.Type{reflect.TypeOf(self)}, []reflect.Type{}
	want := []any{self}
	if f.ctx {
		in, want = append(in, contextType), append(want, ctx)
	}
	for _, a := range f.args {
		in, want = append(in, reflect.TypeOf(a)), append(want, a)
	}
	var results []reflect.Value
	for _, r := range f.result {
		out, results = append(out, reflect.TypeOf(r)), append(results, reflect.ValueOf(r))
	}
	if f.fails {
		out, results = append(out, errorType), append(results, reflect.ValueOf(&fail).Elem())
	}
	return reflect.MakeFunc(reflect.FuncOf(in, out, false), func(args []reflect.Value) []reflect.Value {
		self.calls++
		for i, a := range args {
			assert.Equal(t, want[i], a.Interface(), "parameter %d", i)
		}
		return results
	})
}

// methodOf is the description of a function.
func methodOf(t *testing.T, fn reflect.Value) *method {
	in, out := []reflect.Type{}, []reflect.Type{}
	for i := 1; i < fn.Type().NumIn(); i++ {
		in = append(in, fn.Type().In(i))
	}
	for i := range fn.Type().NumOut() {
		out = append(out, fn.Type().Out(i))
	}
	m, wrong := newMethod("M", reflect.FuncOf(in, out, fn.Type().IsVariadic()))
	require.Empty(t, wrong)
	return m
}

// value is a Go value as it travels.
func value(v any) tlv.Value {
	r := reflect.ValueOf(v)
	switch {
	case r.CanInt():
		return tlv.Int64(r.Int())
	case r.CanUint():
		return tlv.Int64(int64(r.Uint()))
	case r.CanFloat():
		return tlv.Float64(r.Float())
	}
	switch r.Kind() {
	case reflect.String:
		return tlv.String(r.String())
	case reflect.Bool:
		return tlv.Bool(r.Bool())
	}
	return tlv.Bytes(r.Bytes())
}

func (f form) message(t *testing.T) []byte {
	var values []tlv.Value
	for _, a := range f.args {
		values = append(values, value(a))
	}
	msg, err := tlv.Encode(values...)
	require.NoError(t, err)
	return msg
}

// TestTyped_All calls a function of each common signature: through its type, and through
// package reflect.
func TestTyped_All(t *testing.T) {
	ctx := context.WithValue(t.Context(), receiver{}, 1)
	for _, f := range forms() {
		name := f.String()
		self := new(receiver)
		msg := f.message(t)
		want := tlv.Void()
		for _, r := range f.result {
			want = value(r)
		}
		for _, fail := range []error{nil, errors.New("no")} {
			if fail != nil && !f.fails {
				continue
			}
			fn := f.function(t, self, ctx, fail)
			m := methodOf(t, fn)
			direct := typed(m, fn)
			require.NotNil(t, direct, name)
			for way, c := range map[string]call{"typed": direct, "reflected": reflected(m, fn)} {
				*self = receiver{}
				answer, err := c(ctx, unsafe.Pointer(self), msg, make([]byte, 0, 64))
				require.Equal(t, 1, self.calls, "%s %s", way, name)
				require.Equal(t, fail, err, "%s %s", way, name)
				if fail == nil {
					got, err := tlv.DecodeOne(answer)
					require.NoError(t, err, "%s %s", way, name)
					require.Equal(t, want, got, "%s %s", way, name)
				}
			}
		}
	}
}

// TestTyped_Others: what is not common goes through package reflect.
func TestTyped_Others(t *testing.T) {
	for _, fn := range []any{
		func(*receiver, int32) {},
		func(*receiver, float32) {},
		func(*receiver, any) {},
		func(*receiver, int8) {},
		func(*receiver) uint32 { return 1 },
		func(*receiver) any { return 1 },
		func(*receiver, ...int) {},
		func(*receiver, bool, bool) {},
		func(*receiver, int, int, int, int) {},
	} {
		f := reflect.ValueOf(fn)
		m := methodOf(t, f)
		assert.Nil(t, typed(m, f), "%T", fn)
	}
}

// mutate makes messages that are not what a function takes.
func mutate(msg []byte) (all [][]byte) {
	for n := range len(msg) {
		all = append(all, msg[:n])
		for _, b := range []byte{0, 1, 2, 0x7f, 0xff} {
			wrong := append([]byte(nil), msg...)
			wrong[n] = b
			all = append(all, wrong)
		}
	}
	all = append(all, append(append([]byte(nil), msg...), 0))
	other, _ := tlv.Encode(tlv.Bool(true), tlv.Int32(1), tlv.Void())
	return append(all, other)
}

// TestTyped_Wrong: both ways to call agree on every message, and no function is called
// with one that is not right.
func TestTyped_Wrong(t *testing.T) {
	refused := 0
	for _, shape := range shapes {
		f := form{fails: true}
		for _, kind := range []byte(shape) {
			f.args = append(f.args, goTypes[kind][0])
		}
		for _, msg := range mutate(f.message(t)) {
			refused += agree(t, f, msg)
		}
	}
	assert.Greater(t, refused, 1000)
}

// agree calls a function both ways, and returns 1 where it is not called.
func agree(t *testing.T, f form, msg []byte) (refused int) {
	in := []reflect.Type{reflect.TypeFor[*receiver]()}
	for _, a := range f.args {
		in = append(in, reflect.TypeOf(a))
	}
	var got [2]string
	at := 0
	fn := reflect.MakeFunc(reflect.FuncOf(in, []reflect.Type{reflect.TypeFor[string]()}, false), func(args []reflect.Value) []reflect.Value {
		var b strings.Builder
		for _, a := range args[1:] {
			fmt.Fprintf(&b, "%T(%#x) ", a.Interface(), a.Interface())
		}
		return []reflect.Value{reflect.ValueOf(b.String())}
	})
	m := methodOf(t, fn)
	self := unsafe.Pointer(new(receiver))
	for _, c := range []call{typed(m, fn), reflected(m, fn)} {
		answer, err := c(t.Context(), self, msg, nil)
		got[at] = string(answer)
		if err != nil {
			refused = 1
			got[at] = err.Error()
			require.ErrorIs(t, err, abi.ErrInvalidArgs)
		}
		at++
	}
	require.Equal(t, got[1], got[0], "% x", msg)
	return refused
}

// FuzzArguments: both ways to call agree on every message.
func FuzzArguments(f *testing.F) {
	for i, shape := range shapes {
		var values []tlv.Value
		for _, kind := range []byte(shape) {
			values = append(values, value(goTypes[kind][0]))
		}
		msg, err := tlv.Encode(values...)
		require.NoError(f, err)
		f.Add(uint8(i), msg)
	}
	f.Fuzz(func(t *testing.T, shape uint8, msg []byte) {
		f := form{}
		for _, kind := range []byte(shapes[int(shape)%len(shapes)]) {
			f.args = append(f.args, goTypes[kind][0])
		}
		agree(t, f, msg)
	})
}
