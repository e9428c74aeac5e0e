package loader

import (
	"fmt"
	"slices"

	"github.com/nyash-plugins/nyash-go/internal/hostbox"
)

// WithBox offers a Go type as a box: its exported methods are the box's methods, for the
// program, for scripts and for plugins whose uses in nyash.toml list the box.
//
//	type Editor struct{ lines []string }
//
//	func (e *Editor) Line(n int) (string, error) { … }
//
//	host, err := loader.Open("nyash.toml", loader.WithBox("EditorBox", func() *Editor { return &Editor{} }))
//
// constructor is a function that returns a T, or a T and an error. It is called for each
// birth, and its parameters are birth's arguments, behind a context if it wants one. A T
// that has Close() or Close() error is closed when its instance is finalised, when no call
// on it is under way. Any other constructor is a value that all instances share: it stays
// the program's, and the host never closes it. T is usually a pointer. An interface type
// offers its own methods and no others of the values in it.
//
// Names begin with a small letter: Line is line, ReadLine readLine, HTTPGet httpGet, ID id.
// Close, String and others by which Go types serve Go, such as MarshalJSON and the methods
// of an embedded mutex, are no methods of the box; docs/host-guide.md lists them.
//
// Parameters and results are bool, integers, floats, string, []byte, any, and types
// that are defined as one of these. A context.Context may come first, and is the
// caller's; the last parameter may be variadic. A method returns nothing, a value, an
// error, or both. int32 travels as i32 and all other integers as i64, in whose range a
// uint64 must be.
// Strings and []byte are copies, and as results have at most 65,535 bytes.
//
// An error reaches the caller as a plugin's does, with the [abi.Code] that it wraps
// ([abi.ErrPlugin] where it wraps none) and its text. So does a panic, which is logged with
// its stack; the instance lives on. runtime.Goexit must not be called.
//
// The methods of one instance are called by many goroutines at once. Common signatures
// are called as Go functions and allocate nothing for numbers; the others go through
// package reflect, which costs half a microsecond more (docs/host-guide.md, Host functions).
//
// It is an error of [Open] if the name is no identifier, or that of another WithBox or of a
// box in nyash.toml, if there are no methods, and if one of them cannot be offered. A
// built-in box of the same name is replaced. [WithBuiltins] takes boxes that decide all of
// this by themselves.
func WithBox(name string, constructor any) Option {
	return func(o *options) error {
		box, err := hostbox.New(name, constructor)
		if err != nil {
			return fmt.Errorf("WithBox: %w", err)
		}
		if slices.ContainsFunc(o.boxes, func(other *hostbox.Box) bool { return other.Name == name }) {
			return fmt.Errorf("WithBox: there are two boxes called %s: give one of them another name", name)
		}
		o.boxes = append(o.boxes, box)
		return nil
	}
}
