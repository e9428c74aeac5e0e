package script

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.starlark.net/starlark"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// goArgs converts the arguments of a call. Plugins know no argument names on
// the wire, so keywords are refused.
func goArgs(callee string, args starlark.Tuple, kwargs []starlark.Tuple) ([]any, error) {
	if len(kwargs) > 0 {
		return nil, fmt.Errorf("%s: keyword argument %v: methods take their arguments by position", callee, kwargs[0][0])
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
func (e *Env) value(ctx context.Context, r loader.Result) (starlark.Value, error) {
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
		return e.hold(ctx, box), nil
	}
	return nil, fmt.Errorf("a %v cannot become a Starlark value", r.Tag())
}
