package hostbox

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/nyash-plugins/nyash-go/internal/sig"
)

var (
	contextType = reflect.TypeFor[context.Context]()
	errorType   = reflect.TypeFor[error]()
)

// New makes a box of Go values, as loader.WithBox describes: constructor is a function
// that is called for each birth, or a value that all instances share.
func New(name string, constructor any) (*Box, error) {
	if err := checkBoxName(name); err != nil {
		return nil, err
	}
	b := &Box{Name: name, Birth: sig.Signature{ArgsDeclared: true}}
	err := b.setConstructor(constructor)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b, nil
}

func (b *Box) setConstructor(constructor any) error {
	v := reflect.ValueOf(constructor)
	switch {
	case !v.IsValid() || isNil(v):
		return errors.New("there is neither a constructor nor a value: it is nil")
	case v.Kind() == reflect.Func:
		return b.construct(v)
	default:
		return b.share(v)
	}
}

// construct has each birth call f.
func (b *Box) construct(f reflect.Value) error {
	t := f.Type()
	made, fails, err := constructorResults(t)
	if err != nil {
		return err
	}
	p, problems := newParams(t)
	if len(problems) > 0 {
		return unsupported("the constructor "+t.String(), problems)
	}
	methods, err := b.setMethods(made)
	if err != nil {
		return err
	}
	p.declare(&b.Birth)
	b.birthContext = p.context
	binder := newBinder(made, methods, true)
	b.birth = func(ctx context.Context, args []byte) (*instance, error) {
		in, err := p.decode(ctx, nil, args)
		if err != nil {
			return nil, err
		}
		out := f.Call(in)
		if fails {
			if err, ok := out[1].Interface().(error); ok {
				return nil, err
			}
		}
		if isNil(out[0]) {
			return nil, errors.New("the constructor returned nil")
		}
		return binder.instance(out[0]), nil
	}
	return nil
}

// share has all births make instances of one value, which is the program's to close.
func (b *Box) share(v reflect.Value) error {
	methods, err := b.setMethods(v.Type())
	if err != nil {
		return err
	}
	p, _ := newParams(reflect.TypeFor[func()]())
	shared := newBinder(v.Type(), methods, false).instance(v)
	b.birth = func(ctx context.Context, args []byte) (*instance, error) {
		_, err := p.decode(ctx, nil, args)
		return shared, err
	}
	return nil
}

// constructorResults checks that a constructor returns a T, or a T and an error.
func constructorResults(t reflect.Type) (made reflect.Type, fails bool, err error) {
	switch n := t.NumOut(); {
	case n == 1 && t.Out(0) != errorType:
		return t.Out(0), false, nil
	case n == 2 && t.Out(0) != errorType && t.Out(1) == errorType:
		return t.Out(0), true, nil
	}
	return nil, false, fmt.Errorf("the constructor has the type %v: it must return the value whose methods are the box's, or that and an error", t)
}

func isNil(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Func, reflect.Map, reflect.Chan:
		return v.IsNil()
	}
	return false
}

// method is a Go method that is a method of the box.
type method struct {
	goName string
	params
	results
}

// setMethods declares the methods of t as the box's.
func (b *Box) setMethods(t reflect.Type) ([]*method, error) {
	if err := checkReceiver(t); err != nil {
		return nil, err
	}
	var methods []*method
	var problems []string
	names := make(map[string]string) // of Go, by the box's
	for i := range t.NumMethod() {
		gm := t.Method(i)
		if !gm.IsExported() { // an interface has such methods too
			continue
		}
		signature := signatureOf(t, gm)
		if isGoOwn(t, gm.Name, signature) {
			continue
		}
		m, wrong := newMethod(gm.Name, signature)
		name := methodName(gm.Name)
		if why := reserved(name); why != "" {
			wrong = append(wrong, why)
		}
		if other, taken := names[name]; taken {
			wrong = append(wrong, fmt.Sprintf("its name in the box is %s, and so is that of %s", name, other))
		}
		names[name] = gm.Name
		if len(wrong) > 0 {
			problems = append(problems, unsupported(gm.Name, wrong).Error())
			continue
		}
		methods = append(methods, m)
		declared := Method{Name: name, context: m.context}
		m.params.declare(&declared.Signature)
		m.results.declare(&declared.Signature)
		b.Methods = append(b.Methods, declared)
	}
	switch {
	case len(problems) > 0:
		return nil, fmt.Errorf("%s. Supported are bool, string, []byte, any, integers, floats and types that are defined as one of them; "+
			"to offer only some of the methods, return an interface type that has them", strings.Join(problems, "; "))
	case len(methods) == 0:
		return nil, fmt.Errorf("%v has no exported methods that can be the box's", t)
	}
	return methods, nil
}

// checkReceiver refuses a type whose pointer type has methods that it lacks: the box would
// lack them too.
func checkReceiver(t reflect.Type) error {
	if t.Kind() == reflect.Interface || t.Kind() == reflect.Pointer {
		return nil
	}
	p := reflect.PointerTo(t)
	for i := range p.NumMethod() {
		m := p.Method(i)
		if _, ok := t.MethodByName(m.Name); !ok && !isGoOwn(p, m.Name, signatureOf(p, m)) {
			return fmt.Errorf("%v has no method %s, because that has a pointer receiver: use a %v", t, m.Name, p)
		}
	}
	return nil
}

func newMethod(name string, signature reflect.Type) (*method, []string) {
	m := &method{goName: name}
	var wrong, wrongResults []string
	m.params, wrong = newParams(signature)
	m.results, wrongResults = newResults(signature)
	return m, append(wrong, wrongResults...)
}

func unsupported(of string, problems []string) error {
	return fmt.Errorf("%s: %s", of, strings.Join(problems, ", "))
}

// binder makes instances of values of one static type. An interface type has values of
// several, whose methods are bound when the first value comes.
type binder struct {
	methods []*method
	close   bool     // fini closes
	calls   sync.Map // []call by reflect.Type
}

func newBinder(t reflect.Type, methods []*method, owned bool) *binder {
	b := &binder{methods: methods}
	if m, ok := t.MethodByName("Close"); owned && ok {
		b.close = isGoOwn(t, "Close", signatureOf(t, m))
	}
	return b
}

// instance makes an instance of a value that is not nil.
func (b *binder) instance(v reflect.Value) *instance {
	if v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	// A pointer has the methods of what it points at too, and is a single word.
	if v.Kind() != reflect.Pointer {
		p := reflect.New(v.Type())
		p.Elem().Set(v)
		v = p
	}
	in := &instance{self: v.UnsafePointer(), calls: b.bind(v.Type())}
	if b.close {
		switch c := v.Interface().(type) {
		case interface{ Close() error }:
			in.close = c.Close
		case interface{ Close() }:
			in.close = func() error { c.Close(); return nil }
		}
	}
	return in
}

// bind finds the functions of the methods of a pointer type.
func (b *binder) bind(t reflect.Type) []call {
	if calls, ok := b.calls.Load(t); ok {
		return calls.([]call)
	}
	calls := make([]call, len(b.methods))
	for i, m := range b.methods {
		gm, _ := t.MethodByName(m.goName) // as the static type has it
		calls[i] = typed(m, gm.Func)
		if calls[i] == nil {
			calls[i] = reflected(m, gm.Func)
		}
	}
	b.calls.Store(t, calls)
	return calls
}
