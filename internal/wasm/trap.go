package wasm

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tetratelabs/wazero/sys"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
)

// trapped is what the engine says of a call that it has ended.
func trapped(err error) error {
	var own *stop
	if errors.As(err, &own) {
		return own.cause
	}
	return &trapError{err}
}

// trapError is a trap, or what else ended a call in the engine.
type trapError struct{ err error }

// Error is the engine's first line and the function in which it happened.
func (e *trapError) Error() string {
	if status, ok := ExitStatus(e.err); ok {
		return fmt.Sprintf("it exits with status %d", status)
	}
	text := firstLine(e.err.Error())
	if frames := Stack(e.err); len(frames) > 0 {
		text += " in " + functionName(frames[0])
	}
	if strings.Contains(text, outOfBounds) {
		text += "; its stack may be full"
	}
	return text
}

func (e *trapError) Unwrap() error { return e.err }

// outOfBounds is what the engine says of an address outside the memory. A full stack is one where
// the stack is what the memory begins with.
const outOfBounds = "out of bounds memory access"

// functionName is a line of a stack without the types of the function.
func functionName(frame string) string {
	name, _, _ := strings.Cut(frame, "(")
	return strings.TrimPrefix(name, ".")
}

// logStack logs which functions were under way when a trap ended the module.
func (m *Module) logStack(cause error) {
	var trap *trapError
	if !errors.As(cause, &trap) {
		return
	}
	if frames := Stack(trap.err); len(frames) > 0 {
		m.note(abi.LogWarn, fmt.Sprintf("%s: its stack, the innermost function first: %s", firstLine(trap.err.Error()), strings.Join(frames, ", ")))
	}
}

// ExitStatus is the status with which a module has exited, where that is why it was ended.
func ExitStatus(cause error) (status uint32, ok bool) {
	var exit *sys.ExitError
	if !errors.As(cause, &exit) {
		return 0, false
	}
	return exit.ExitCode(), true
}

// stackHead is what precedes the stack in an error of the engine's.
const stackHead = "wasm stack trace:"

// maxFrames is how much of a stack is told.
const maxFrames = 16

// Stack are the functions that were under way when a trap ended a module, the innermost first:
// by their names, where the module has those.
func Stack(cause error) (frames []string) {
	for err := cause; err != nil; err = errors.Unwrap(err) {
		_, stack, _ := strings.Cut(err.Error(), stackHead)
		for line := range strings.Lines(stack) {
			if line = strings.TrimSpace(line); line != "" && len(frames) < maxFrames {
				frames = append(frames, contract.Excerpt(line))
			}
		}
		if frames != nil {
			break
		}
	}
	return frames
}
