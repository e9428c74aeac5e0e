package builtin

import (
	"context"
	"os"

	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// Box is a box written in Go. It must not be changed once a host has it. Its
// functions are called by many goroutines at once.
type Box struct {
	Name string
	// New makes an instance's state, which the methods get as self. State that
	// is an io.Closer is closed when the instance is finalised, when no call on it
	// is under way.
	New func(args []tlv.Value) (any, error)
	// Birth declares the arguments of New.
	Birth   registry.Signature
	Methods []Method
}

// Method is a method of a [Box].
type Method struct {
	Name string
	registry.Signature
	// Func gets as many arguments as the signature declares, of the declared types;
	// they are its own. An error reaches the caller as the plugin's message, with
	// the abi.Code that it wraps, or abi.ErrPlugin. A panic is an error too.
	//
	// ctx is the caller's; the call lasts until Func returns.
	Func func(ctx context.Context, self any, args []tlv.Value) (tlv.Value, error)
}

// All makes the boxes that a host offers by itself: [Console] on the standard
// streams, and [Time].
func All() []*Box {
	return []*Box{Console(os.Stdin, os.Stdout, os.Stderr), Time()}
}

// Methods are the names of the methods of boxes, by box: what registry.Config.CheckUses asks
// for.
func Methods(boxes []*Box) map[string][]string {
	all := make(map[string][]string, len(boxes))
	for _, b := range boxes {
		names := make([]string, len(b.Methods))
		for i, m := range b.Methods {
			names[i] = m.Name
		}
		all[b.Name] = names
	}
	return all
}

// signature makes one with declared arguments.
func signature(returns tlv.Tag, args ...registry.Arg) registry.Signature {
	return registry.Signature{Args: args, ArgsDeclared: true, Returns: registry.Returns{Tag: returns}}
}
