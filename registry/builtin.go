package registry

import (
	"context"
	"fmt"
	"os"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// Builtin is a box written in Go. A host offers it under its name unless
// nyash.toml gives that name to a plugin. Its functions must be safe for
// concurrent use.
type Builtin struct {
	Name string
	// New makes an instance's state, which the methods get as self. State that
	// is an io.Closer is closed when the instance is finalised.
	New func(args []tlv.Value) (any, error)
	// Birth declares the arguments of New.
	Birth   Signature
	Methods []BuiltinMethod
}

// BuiltinMethod is a method of a [Builtin].
type BuiltinMethod struct {
	Name string
	Signature
	// Func gets as many arguments as the signature declares, of the declared
	// types. An error reaches the caller as the plugin's message; its abi.Code,
	// where it wraps one, as the code.
	Func func(ctx context.Context, self any, args []tlv.Value) (tlv.Value, error)
}

// Builtins makes the built-in boxes that a host offers by itself: ConsoleBox on
// the standard streams, and TimeBox.
func Builtins() []*Builtin {
	return []*Builtin{NewConsole(os.Stdin, os.Stdout, os.Stderr), NewTime()}
}

// Bind makes the box's type. Methods are numbered from 1.
func (b *Builtin) Bind(typeID uint32) *Type {
	t := newType(b.Name, typeID, false, b.Birth)
	for i, m := range b.Methods {
		t.add(m.Name, uint32(i)+1, m.Signature)
	}
	return t
}

// Call runs a method by the id that Bind gave it.
func (b *Builtin) Call(ctx context.Context, method uint32, self any, args []tlv.Value) (tlv.Value, error) {
	if method == 0 || method > uint32(len(b.Methods)) {
		return tlv.Value{}, abi.ErrInvalidMethod
	}
	m := b.Methods[method-1]
	if len(args) != len(m.Args) {
		return tlv.Value{}, fmt.Errorf("%w: %s takes %d, got %d", abi.ErrInvalidArgs, m.Name, len(m.Args), len(args))
	}
	return m.Func(ctx, self, args)
}

// declared makes a signature with declared arguments.
func declared(returns tlv.Tag, args ...Arg) Signature {
	return Signature{Args: args, ArgsDeclared: true, Returns: Returns{Tag: returns}}
}
