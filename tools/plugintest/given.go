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
		if t.Birth != nil {
			values, wrong, err := e.plugin.convert(t.Birth, b.birth.declared)
			if err != nil {
				return cannotTake(b.conf.TesterBirthError(wrong, err))
			}
			e.config.Births = append(e.config.Births, Invocation{Box: b.name, Method: abi.NameBirth, Args: values})
		}
		for _, calls := range t.Calls {
			m := b.method(calls.Method)
			if m == nil {
				return cannotTake(b.conf.TesterError(&calls, e.plugin.unknown(b.name, calls.Method)))
			}
			for i, args := range calls.Args {
				values, wrong, err := e.plugin.convert(args, m.declared)
				if err != nil {
					return cannotTake(b.conf.TesterArgError(&calls, i, wrong, err))
				}
				e.config.Calls = append(e.config.Calls, Invocation{Box: b.name, Method: m.name, Args: values})
			}
		}
	}
	return nil
}

// cannotTake is an error of nyash.toml that shows its line.
func cannotTake(wrong *registry.Error) error {
	shown := fmt.Sprintf("%+v", wrong)
	return fmt.Errorf("%w: %s", ErrCannotRun, shown)
}

// convert makes values of what nyash.toml says, of the types that are declared. An error is of one argument, from 0.
func (p *plugin) convert(args []any, declared *registry.Method) (values []tlv.Value, wrong int, err error) {
	values = make([]tlv.Value, len(args))
	for i, arg := range args {
		var to tlv.Tag
		if declared != nil && declared.ArgsDeclared && i < len(declared.Args) {
			to = declared.Args[i].To
		}
		v, ok := valueOf(arg, to)
		if text, isText := arg.(string); isText && to == tlv.TagBlob {
			v, ok = p.givenBlob([]byte(text)), true
		}
		if !ok {
			return nil, i, fmt.Errorf("argument %d, %#v, cannot be a value of type %v", i+1, arg, to)
		}
		values[i] = v
	}
	return values, 0, nil
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

// coerce has arguments that were written without a type be of the declared ones, and refuses
// a call that the declaration refuses.
func (p *plugin) coerce(call *Invocation) error {
	for _, b := range p.boxes {
		m := b.method(call.Method)
		if call.Method == abi.NameBirth {
			m = b.birth
		}
		if call.Box != "" && call.Box != b.name || m == nil {
			continue
		}
		if m.declared == nil || !m.declared.ArgsDeclared {
			return nil
		}
		s := m.declared.Signature
		if len(call.Args) < s.Required() || len(call.Args) > len(s.Args) && !s.Variadic {
			return fmt.Errorf("%w: %v takes %v, and is given %s", ErrCannotRun, m, s, plural(len(call.Args), "argument"))
		}
		for i := range min(len(call.Args), len(s.Args)) {
			to := s.Args[i].To
			if _, isBox := call.Boxes[i]; isBox || to == 0 || call.Args[i].Tag() == to {
				continue
			}
			_, untyped := call.Texts[i]
			v, ok := p.coerced(call, i, to)
			switch {
			case ok:
				call.Args[i] = v
			case untyped:
				return fmt.Errorf("%w: %v takes %v; argument %d is given as %s", ErrCannotRun, m, s, i+1, showValue(call.Args[i]))
			} // else it is meant to have another type
		}
		return nil
	}
	return nil
}

// coerced is an argument as another type.
func (p *plugin) coerced(call *Invocation, i int, to tlv.Tag) (v tlv.Value, ok bool) {
	text, untyped := call.Texts[i]
	switch {
	case to == tlv.TagBytes && call.Args[i].Tag() == tlv.TagString:
		return tlv.Bytes([]byte(call.Args[i].Data())), true
	case to == tlv.TagBlob && call.Args[i].Tag() == tlv.TagBytes:
		return p.givenBlob([]byte(call.Args[i].Data())), true
	case to == tlv.TagBlob && untyped:
		return p.givenBlob([]byte(text)), true
	case !untyped:
		return v, false
	case to == tlv.TagString:
		return tlv.String(text), true
	case to == tlv.TagBytes:
		return tlv.Bytes([]byte(text)), true
	}
	if n, err := call.Args[i].Int(); err == nil {
		return valueOf(n, to)
	}
	if f, err := call.Args[i].Float(); err == nil && to == tlv.TagFloat32 {
		return tlv.Float32(float32(f)), true
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
