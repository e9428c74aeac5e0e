package hostbox

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"unicode/utf8"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/sig"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// Box is a type of boxes that is written in Go, with its instances. It belongs to one
// host.
type Box struct {
	Name    string
	Birth   sig.Signature
	Methods []Method // their ids are their places, from 1
	// Logger gets panics with their stacks, and what fini fails with. It is set before
	// the first call.
	Logger *slog.Logger

	birth        func(ctx context.Context, args []byte) (*instance, error)
	birthContext bool // birth looks at its context
	instances    instances
}

// Method is a method of a [Box].
type Method struct {
	Name string
	sig.Signature

	context bool // it looks at its context
}

// TakesContext reports whether a call of the method, or birth, looks at its context.
// For others any context will do.
func (b *Box) TakesContext(method uint32) bool {
	if method == abi.MethodBirth {
		return b.birthContext
	}
	return method-1 < uint32(len(b.Methods)) && b.Methods[method-1].context
}

// Call makes a call as nyash_plugin_invoke does: birth, fini or a method on an instance.
// args is the message with the arguments, which is not kept. The answer, which is the id of
// a birth, the message with a result or the message with an error's text, is written to
// result[:0] where that has the room, and to memory of its own otherwise: Call never
// answers [abi.ErrShortBuffer].
//
// Call waits for the method, which gets ctx as it is. A panic is an error; runtime.Goexit
// ends the goroutine.
func (b *Box) Call(ctx context.Context, method, instance uint32, args, result []byte) (answer []byte, code abi.Code) {
	result = result[:0]
	defer func() {
		if r := recover(); r != nil {
			answer, code = b.panicked(method, r, result), abi.ErrPlugin
		}
	}()
	answer, err := b.run(ctx, method, instance, args, result)
	if err == nil {
		return answer, abi.OK
	}
	code, text := codeOf(err), err.Error()
	if text == code.Error() { // a code explains itself, and once is enough
		return nil, code
	}
	return appendMessage(result, strings.TrimPrefix(text, code.Error()+": ")), code
}

func (b *Box) run(ctx context.Context, method, id uint32, args, result []byte) ([]byte, error) {
	switch method {
	case abi.MethodBirth:
		in, err := b.birth(ctx, args)
		if err != nil {
			return nil, err
		}
		if id, err = b.instances.add(in); err != nil {
			return nil, err
		}
		return binary.LittleEndian.AppendUint32(result, id), nil
	case abi.MethodFini:
		return b.fini(id, result)
	}
	in := b.instances.get(id)
	if in == nil {
		return nil, b.errNoInstance(id)
	}
	if method > uint32(len(in.calls)) {
		return nil, &codeError{abi.ErrInvalidMethod, fmt.Sprintf("%s has no method %d", b.Name, method)}
	}
	return in.calls[method-1](ctx, in.self, args, result)
}

// fini ends an instance. A host calls it once, when no call is under way.
func (b *Box) fini(id uint32, result []byte) ([]byte, error) {
	in := b.instances.remove(id)
	switch {
	case in == nil:
		return nil, b.errNoInstance(id)
	case in.close != nil:
		if err := in.close(); err != nil {
			// Hosts ignore what fini answers.
			b.Logger.Error(contract.Printable(fmt.Sprintf("%s instance %d: Close: %v", b.Name, id, err)), "plugin", b.Name)
			return nil, err
		}
	}
	return appendVoid(result), nil
}

func (b *Box) errNoInstance(id uint32) error {
	return &codeError{abi.ErrInvalidHandle, fmt.Sprintf("%s has no instance %d", b.Name, id)}
}

// panicked logs a panic with its stack, and returns the message for the caller.
func (b *Box) panicked(method uint32, r any, result []byte) []byte {
	name := abi.NameBirth
	switch {
	case method == abi.MethodFini:
		name = abi.NameFini
	case method != abi.MethodBirth:
		name = b.Methods[method-1].Name
	}
	text := fmt.Sprintf("panic: %v", r)
	b.Logger.Error(contract.Printable(fmt.Sprintf("%s.%s: %s", b.Name, name, text)), "plugin", b.Name, "stack", string(debug.Stack()))
	return appendMessage(result, text)
}

// codeError is an error that the caller made, or that says so with a code of its own.
type codeError struct {
	code abi.Code
	text string
}

func (e *codeError) Error() string { return e.text }

// Unwrap returns the code.
func (e *codeError) Unwrap() error { return e.code }

func invalidArgs(format string, args ...any) error {
	return &codeError{abi.ErrInvalidArgs, fmt.Sprintf(format, args...)}
}

// malformed is the error of a message that the decoder rejected.
func malformed(err error) error { return &codeError{abi.ErrInvalidArgs, err.Error()} }

// codeOf is the code that an error reaches the caller with. What means something else
// than an error there is the error of a method that returned it nevertheless.
func codeOf(err error) abi.Code {
	code := abi.ErrPlugin
	errors.As(err, &code)
	const pending = 1
	switch code {
	case abi.OK, abi.ErrShortBuffer, pending:
		return abi.ErrPlugin
	}
	return code
}

// appendMessage appends the message of an error. Text that cannot be represented is cut.
func appendMessage(dst []byte, text string) []byte {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if end := tlv.MaxPayload; len(text) > end {
		for !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end]
	}
	msg, err := tlv.AppendString(appendHeader(dst), text)
	if err != nil { // neither length nor encoding can be wrong
		return dst
	}
	return msg
}

// appendHeader begins a message of one entry.
func appendHeader(dst []byte) []byte { return append(dst, tlv.Version, 0, 1, 0) }

func appendVoid(dst []byte) []byte { return tlv.AppendVoid(appendHeader(dst)) }
