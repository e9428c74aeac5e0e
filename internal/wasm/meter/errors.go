package meter

import (
	"errors"
	"fmt"
)

var (
	// ErrMalformed is a module that does not follow the binary format, or that refers to what it does not have.
	ErrMalformed = errors.New("malformed WebAssembly module")
	// ErrUnsupported is a module that uses a feature beyond those of WebAssembly 2.0 (tail calls, threads,
	// exceptions, typed function references, multiple memories, 64-bit memories, components).
	ErrUnsupported = errors.New("unsupported WebAssembly feature")
	// ErrTooLarge is a module that exceeds a bound of Options or a fixed one.
	ErrTooLarge = errors.New("WebAssembly module too large")
)

// Error says where in the file a module was refused. errors.Is tells the kind: ErrMalformed, ErrUnsupported or
// ErrTooLarge.
type Error struct {
	// Kind is one of the package's sentinels.
	Kind error
	// Offset is the position in the file, in bytes.
	Offset int
	// Function is the index of the function whose body it is, with imports counted first; -1 outside of bodies.
	Function int
	// Reason is one line of text. It holds no text of the module.
	Reason string
}

func (e *Error) Error() string {
	if e.Function >= 0 {
		return fmt.Sprintf("%v: %s (at byte %#x, function %d)", e.Kind, e.Reason, e.Offset, e.Function)
	}
	return fmt.Sprintf("%v: %s (at byte %#x)", e.Kind, e.Reason, e.Offset)
}

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Kind }
