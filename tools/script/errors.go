package script

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"

	"github.com/nyash-plugins/nyash-go/internal/suggest"
	"github.com/nyash-plugins/nyash-go/loader"
)

// Error is what ended a script, with the line that it happened on. %+v shows
// how the script got there.
type Error struct {
	Pos       string // file:line:column
	Err       error
	place     syntax.Position
	backtrace string
}

func (e *Error) Error() string { return e.Pos + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Format adds the script's call stack and the plugin's log lines for %+v.
func (e *Error) Format(s fmt.State, verb rune) {
	if verb != 'v' || !s.Flag('+') {
		io.WriteString(s, e.Error())
		return
	}
	fmt.Fprintf(s, "%s: %+v", e.Pos, e.Err)
	if e.backtrace != "" {
		io.WriteString(s, "\n"+e.backtrace)
	}
}

// suggested adds to an undefined name the predeclared one, a box's as a rule, that it may
// be meant to be. The interpreter itself only looks among the script's own.
func suggested(err error, predeclared starlark.StringDict) error {
	var undefined resolve.ErrorList
	if !errors.As(err, &undefined) {
		return err
	}
	first := undefined[0]
	name, ok := strings.CutPrefix(first.Msg, "undefined: ")
	if !ok || strings.Contains(name, " ") {
		return err
	}
	first.Msg += suggest.DidYouMean(name, append(predeclared.Keys(), starlark.Universe.Keys()...))
	return first
}

// located gives an error of the interpreter its place in the script.
func located(err error) error {
	var eval *starlark.EvalError
	if !errors.As(err, &eval) {
		return err // a syntax error has its place in its text
	}
	// The innermost frames may be built-in functions, which have no line.
	for i := range eval.CallStack {
		frame := eval.CallStack.At(i)
		if !frame.Pos.IsValid() || frame.Pos == syntax.MakePosition(nil, 0, 0) || frame.Pos.Filename() == "<builtin>" {
			continue
		}
		e := &Error{Pos: frame.Pos.String(), place: frame.Pos, Err: eval.Unwrap()}
		if e.Err == nil {
			e.Err = errors.New(eval.Msg)
		}
		if len(eval.CallStack) > i+1 {
			e.backtrace = folded(eval.CallStack)
		}
		return e
	}
	return err
}

// catch calls its first argument with the others. It returns the value and
// None, or None and the error.
func catch(thread *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	if len(args) == 0 {
		return nil, errors.New("catch: give it a function, and the function's arguments after it")
	}
	v, err := starlark.Call(thread, args[0], args[1:], kwargs)
	if err != nil {
		return starlark.Tuple{starlark.None, &errorValue{err}}, nil
	}
	return starlark.Tuple{v, starlark.None}, nil
}

// errorValue is a caught error: its text, and what a plugin's error tells
// beside it (box, method, code, message).
type errorValue struct{ err error }

var _ starlark.HasAttrs = (*errorValue)(nil)

func (v *errorValue) String() string        { return v.cause().Error() }
func (v *errorValue) Type() string          { return "error" }
func (v *errorValue) Freeze()               {}
func (v *errorValue) Truth() starlark.Bool  { return starlark.True }
func (v *errorValue) Hash() (uint32, error) { return starlark.String(v.String()).Hash() }

// cause is the error without the interpreter's wrapping.
func (v *errorValue) cause() error {
	var eval *starlark.EvalError
	if errors.As(v.err, &eval) && eval.Unwrap() != nil {
		return eval.Unwrap()
	}
	return v.err
}

func (v *errorValue) AttrNames() []string { return []string{"box", "code", "message", "method"} }

func (v *errorValue) Attr(name string) (starlark.Value, error) {
	var call *loader.CallError
	if !errors.As(v.err, &call) {
		call = &loader.CallError{Err: v.cause()}
	}
	switch name {
	case "box":
		return starlark.String(call.Box), nil
	case "method":
		return starlark.String(call.Method), nil
	case "code":
		return starlark.MakeInt(int(call.Code)), nil
	case "message":
		if call.Message == "" && call.Err != nil {
			return starlark.String(call.Err.Error()), nil
		}
		return starlark.String(call.Message), nil
	}
	return nil, nil
}
