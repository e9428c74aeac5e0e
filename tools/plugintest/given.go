package plugintest

import (
	"fmt"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// given adds the calls and births of nyash.toml's tester tables to those of the configuration,
// as values of the declared types.
func (e *env) given() error {
	for _, b := range e.plugin.boxes {
		if b.conf == nil || b.conf.Tester == nil {
			continue
		}
		t := b.conf.Tester
		at := fmt.Sprintf("%s: the tester table of %s", e.config.TOML, b.name)
		if t.Birth != nil {
			values, err := convert(t.Birth, b.birth.declared)
			if err != nil {
				return fmt.Errorf("%w: %s: birth: %w", ErrCannotRun, at, err)
			}
			e.config.Births = append(e.config.Births, Invocation{Box: b.name, Method: abi.NameBirth, Args: values})
		}
		for _, calls := range t.Calls {
			m := b.method(calls.Method)
			if m == nil {
				return fmt.Errorf("%w: %s:%d: %s has no method %q", ErrCannotRun, e.config.TOML, calls.Pos.Line, b.name, calls.Method)
			}
			for _, args := range calls.Args {
				values, err := convert(args, m.declared)
				if err != nil {
					return fmt.Errorf("%w: %s: %s: %w", ErrCannotRun, at, calls.Method, err)
				}
				e.config.Calls = append(e.config.Calls, Invocation{Box: b.name, Method: m.name, Args: values})
			}
		}
	}
	return nil
}

// convert makes values of what nyash.toml says, of the types that are declared.
func convert(args []any, declared *registry.Method) ([]tlv.Value, error) {
	values := make([]tlv.Value, len(args))
	for i, arg := range args {
		var to tlv.Tag
		if declared != nil && declared.ArgsDeclared && i < len(declared.Args) {
			to = declared.Args[i].To
		}
		v, ok := valueOf(arg, to)
		if !ok {
			return nil, fmt.Errorf("argument %d, %v, cannot be a value of type %v", i+1, arg, to)
		}
		values[i] = v
	}
	return values, nil
}

// valueOf is what nyash.toml says as a value of a type; 0 for the one that fits best.
func valueOf(arg any, to tlv.Tag) (v tlv.Value, ok bool) {
	switch arg := arg.(type) {
	case string:
		if to == tlv.TagBytes {
			return tlv.Bytes([]byte(arg)), true
		}
		return tlv.String(arg), to == 0 || to == tlv.TagString
	case bool:
		return tlv.Bool(arg), to == 0 || to == tlv.TagBool
	case int64:
		switch to {
		case tlv.TagInt32:
			return tlv.Int32(int32(arg)), int64(int32(arg)) == arg
		case tlv.TagFloat64:
			return tlv.Float64(float64(arg)), true
		case tlv.TagFloat32:
			return tlv.Float32(float32(arg)), true
		}
		return tlv.Int64(arg), to == 0 || to == tlv.TagInt64
	case float64:
		if to == tlv.TagFloat32 {
			return tlv.Float32(float32(arg)), true
		}
		return tlv.Float64(arg), to == 0 || to == tlv.TagFloat64
	}
	return v, false
}

// givenBirths are the argument lists that the user gives for a box's birth.
func (e *env) givenBirths(b *box) (all [][]tlv.Value) {
	for _, call := range e.config.Births {
		if call.Box != "" && call.Box != b.name {
			continue
		}
		if values, err := e.plugin.argsOf(&call); err == nil {
			all = append(all, values)
		}
	}
	return all
}
