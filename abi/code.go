package abi

import "fmt"

// Code is what nyash_plugin_init and nyash_plugin_invoke return. Every code
// but [OK] is an error, and errors that a plugin caused unwrap to one.
type Code int32

// The codes of docs/abi.md, Codes.
const (
	OK                 Code = 0
	ErrShortBuffer     Code = -1
	ErrInvalidType     Code = -2
	ErrInvalidMethod   Code = -3
	ErrInvalidArgs     Code = -4
	ErrPlugin          Code = -5
	ErrOutOfMemory     Code = -6
	ErrInvalidUTF8     Code = -7
	ErrInvalidHandle   Code = -8
	ErrVersionMismatch Code = -9
	ErrNotPermitted    Code = -10
)

var codeNames = [...]string{
	-OK:                 "success",
	-ErrShortBuffer:     "short buffer",
	-ErrInvalidType:     "invalid type",
	-ErrInvalidMethod:   "invalid method",
	-ErrInvalidArgs:     "invalid arguments",
	-ErrPlugin:          "plugin error",
	-ErrOutOfMemory:     "out of memory",
	-ErrInvalidUTF8:     "invalid UTF-8",
	-ErrInvalidHandle:   "invalid handle",
	-ErrVersionMismatch: "version mismatch",
	-ErrNotPermitted:    "not permitted",
}

// Known reports whether the specification gives c a meaning of its own.
func (c Code) Known() bool { return c <= OK && c >= ErrNotPermitted }

// Name returns the specification's words for c. A code that it does not list
// is a plugin error.
func (c Code) Name() string {
	if !c.Known() {
		return codeNames[-ErrPlugin]
	}
	return codeNames[-c]
}

// Error returns the name and the number, as in "plugin error (-5)".
func (c Code) Error() string { return fmt.Sprintf("%s (%d)", c.Name(), int32(c)) }

// Is reports whether target is the same code, or [ErrPlugin] for a code that
// the specification does not list.
func (c Code) Is(target error) bool {
	t, ok := target.(Code)
	return ok && (t == c || t == ErrPlugin && !c.Known())
}
