package script

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.starlark.net/starlark"

	"github.com/nyash-plugins/nyash-go/internal/suggest"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// goArgs converts the arguments of a call. Arguments that are given by name stand where s declares
// these; plugins know no names on the wire.
func goArgs(callee string, s registry.Signature, args starlark.Tuple, kwargs []starlark.Tuple) ([]any, error) {
	args, err := byPosition(callee, s, args, kwargs)
	if err != nil {
		return nil, err
	}
	in := make([]any, len(args))
	for i, arg := range args {
		v, err := goValue(arg)
		if err != nil {
			return nil, fmt.Errorf("%s: argument %d: %w", callee, i+1, err)
		}
		in[i] = v
	}
	return in, nil
}

// byPosition puts arguments that are given by name behind those that are not.
func byPosition(callee string, s registry.Signature, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Tuple, error) {
	if len(kwargs) == 0 {
		return args, nil
	}
	names := make([]string, len(s.Args))
	for i, a := range s.Args {
		names[i] = a.Name
	}
	all := make(starlark.Tuple, max(len(names), len(args)))
	copy(all, args)
	last := len(args)
	for _, kwarg := range kwargs {
		name := string(kwarg[0].(starlark.String))
		i := slices.Index(names, name)
		switch {
		case !s.ArgsDeclared:
			return nil, fmt.Errorf("%s: keyword argument %s: the names of its arguments are not declared; pass them by position", callee, name)
		case i < 0:
			return nil, fmt.Errorf("%s: it has no argument %s%s", callee, name, suggest.DidYouMean(name, names))
		case all[i] != nil:
			return nil, fmt.Errorf("%s: the argument %s is given twice", callee, name)
		}
		all[i] = kwarg[1]
		last = max(last, i+1)
	}
	for i, arg := range all[:last] {
		if arg == nil {
			return nil, fmt.Errorf("%s: the argument %s is missing, and a later one is given", callee, names[i])
		}
	}
	return all[:last], nil
}

func goValue(v starlark.Value) (any, error) {
	switch v := v.(type) {
	case starlark.NoneType:
		return nil, nil
	case starlark.Bool:
		return bool(v), nil
	case starlark.Int:
		if i, ok := v.Int64(); ok {
			return i, nil
		}
		return nil, fmt.Errorf("%v does not fit 64 bits", v)
	case starlark.Float:
		return float64(v), nil
	case starlark.String:
		return string(v), nil
	case starlark.Bytes:
		return []byte(v), nil
	case *boxValue:
		return v.box, nil
	}
	return nil, fmt.Errorf("a %s cannot be passed to a plugin; pass None, a bool, int, float, string, bytes or a box", v.Type())
}

// inScript has the error of a call speak of None, which is nil in Go.
func inScript(err error) error {
	var arg *loader.ArgError
	if errors.As(err, &arg) {
		if text, ok := strings.CutSuffix(arg.Msg, " is nil"); ok {
			arg.Msg = text + " is None"
		} else if text, ok := strings.CutPrefix(arg.Msg, "nil cannot "); ok {
			arg.Msg = "None cannot " + text
		}
	}
	return err
}

// value converts a result.
func (e *Env) value(r loader.Result) (starlark.Value, error) {
	switch r.Tag() {
	case tlv.TagVoid:
		return starlark.None, nil
	case tlv.TagBool:
		v, err := r.Bool()
		return starlark.Bool(v), err
	case tlv.TagInt32, tlv.TagInt64:
		v, err := r.Int()
		return starlark.MakeInt64(v), err
	case tlv.TagFloat32, tlv.TagFloat64:
		v, err := r.Float()
		return starlark.Float(v), err
	case tlv.TagString:
		v, err := r.Text()
		return starlark.String(v), err
	case tlv.TagBytes:
		v, err := r.Bytes()
		return starlark.Bytes(v), err
	case tlv.TagBlob:
		blob, err := r.Blob()
		if err != nil {
			return nil, err
		}
		defer blob.Release()
		return starlark.Bytes(blob.Bytes()), nil
	case tlv.TagHandle:
		box, err := r.Box()
		if err != nil {
			return nil, err
		}
		return e.hold(box), nil
	}
	return nil, fmt.Errorf("a %v cannot become a Starlark value", r.Tag())
}
