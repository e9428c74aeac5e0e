package script

import (
	"errors"
	"fmt"
	"runtime"

	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/nyash-plugins/nyash-go/internal/suggest"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
)

// finalise is the attribute that every box has beside its methods.
const finalise = "fini"

// boxValue is a box in a script.
type boxValue struct {
	env *Env
	box *loader.Box
}

var (
	_ starlark.HasAttrs   = (*boxValue)(nil)
	_ starlark.Comparable = (*boxValue)(nil)
)

// hold makes a value for a box. When the last value for it is garbage the box
// is closed: in a script that is the ordinary end of an object, not a leak.
func (e *Env) hold(box *loader.Box) *boxValue {
	e.mu.Lock()
	e.held[box]++
	e.mu.Unlock()
	v := &boxValue{env: e, box: box}
	runtime.AddCleanup(v, e.letGo, box)
	return v
}

func (e *Env) letGo(box *loader.Box) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.held[box]--
	if e.held[box] > 0 {
		return
	}
	delete(e.held, box)
	// On a goroutine of its own: the runtime's must not wait for a plugin.
	go func() { _ = box.Close() }() // it has no error to report
}

func (v *boxValue) String() string        { return v.box.String() }
func (v *boxValue) Type() string          { return v.box.Name() }
func (v *boxValue) Freeze()               {} // the state is the plugin's
func (v *boxValue) Truth() starlark.Bool  { return starlark.True }
func (v *boxValue) Hash() (uint32, error) { return v.box.ID(), nil }

// CompareSameType makes values equal that stand for the same box.
func (v *boxValue) CompareSameType(op syntax.Token, other starlark.Value, _ int) (bool, error) {
	o, ok := other.(*boxValue)
	same := ok && o.box == v.box
	switch op {
	case syntax.EQL:
		return same, nil
	case syntax.NEQ:
		return !same, nil
	}
	return false, fmt.Errorf("boxes have no order: %s %s %s", v.Type(), op, other.Type())
}

// AttrNames lists the methods.
func (v *boxValue) AttrNames() []string {
	names := []string{finalise}
	for _, m := range v.box.Type().Methods {
		names = append(names, m.Name)
	}
	return names
}

// Attr gives a method, bound to the box.
func (v *boxValue) Attr(name string) (starlark.Value, error) {
	if name == finalise {
		return starlark.NewBuiltin(name, v.fini), nil
	}
	if _, err := v.box.Method(name); err != nil {
		if errors.Is(err, loader.ErrNoMethod) { // the interpreter would say it once more of a NoSuchAttrError
			err = &loader.CallError{Box: v.Type(), Method: name, Err: fmt.Errorf("%w%s", loader.ErrNoMethod, suggest.DidYouMean(name, v.AttrNames()))}
		}
		return nil, err
	}
	return starlark.NewBuiltin(name, v.call).BindReceiver(v), nil
}

func (v *boxValue) fini(_ *starlark.Thread, fn *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if err := starlark.UnpackArgs(fn.Name(), args, kwargs); err != nil {
		return nil, err
	}
	return starlark.None, v.box.Close()
}

// signature is what is declared of a method.
func (v *boxValue) signature(method string) registry.Signature {
	for _, m := range v.box.Type().Methods {
		if m.Name == method {
			return m.Signature
		}
	}
	return registry.Signature{}
}

func (v *boxValue) call(thread *starlark.Thread, fn *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	in, err := goArgs(v.box.Name()+"."+fn.Name(), v.signature(fn.Name()), args, kwargs)
	if err != nil {
		return nil, err
	}
	result, err := v.box.Call(contextOf(thread), fn.Name(), in...)
	if err != nil {
		return nil, inScript(err)
	}
	out, err := v.env.value(result)
	// The arguments, boxes among them, were in use until here.
	runtime.KeepAlive(args)
	runtime.KeepAlive(v)
	return out, err
}
