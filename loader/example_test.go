package loader_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/registry/builtin"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// The examples use the nyash.toml and the FileBox of this repository, which
// `make plugins` builds.
const config = "../nyash.toml"

// A program opens a host, makes boxes and calls their methods.
func Example() {
	ctx := context.Background()
	host, err := loader.Open(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer host.Close()
	file, err := host.New(ctx, "FileBox")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()

	path := filepath.Join(os.TempDir(), "nyash-example.txt")
	defer os.Remove(path)
	if _, err := file.Call(ctx, "open", path, "w+"); err != nil {
		fmt.Println(err)
		return
	}
	n, err := loader.Call[int](ctx, file, "write", "Hello") // string → bytes, as nyash.toml says
	fmt.Println(n, err)
	data, err := loader.Call[[]byte](ctx, file, "read")
	fmt.Printf("%s %v\n", data, err)
	// Output:
	// 5 <nil>
	// Hello <nil>
}

// A method that is called often is found once. Its result may be of any type that fits,
// one of the program's own too.
func ExampleInvoke() {
	ctx := context.Background()
	host, err := loader.Open(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer host.Close()
	clock, err := host.New(ctx, "TimeBox")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer clock.Close()
	elapsed, err := clock.Method("elapsed")
	if err != nil {
		fmt.Println(err)
		return
	}
	type milliseconds int64
	first, err := loader.Invoke[milliseconds](ctx, elapsed)
	fmt.Println(first >= 0, err)
	_, err = loader.Invoke[string](ctx, elapsed)
	fmt.Println(err)
	// Output:
	// true <nil>
	// TimeBox.elapsed: the result is i64, and the caller asks for string
}

// Errors are values that a program can ask.
func ExampleCallError() {
	ctx := context.Background()
	host, err := loader.Open(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer host.Close()
	file, err := host.New(ctx, "FileBox")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()

	_, err = file.Call(ctx, "open", "/nope", "r")
	fmt.Println(err)
	fmt.Println(errors.Is(err, abi.ErrPlugin))
	var call *loader.CallError
	if errors.As(err, &call) {
		fmt.Println(call.Box, call.Method, call.Code == abi.ErrPlugin, call.Message)
	}
	// Output:
	// FileBox.open: plugin error (-5): no such file or directory: /nope
	// true
	// FileBox open true no such file or directory: /nope
}

// A box is passed to a method like any value, and comes back as one.
func ExampleCall_box() {
	ctx := context.Background()
	host, err := loader.Open(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer host.Close()
	file, err := host.New(ctx, "FileBox")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()

	clone, err := loader.Call[*loader.Box](ctx, file, "cloneSelf")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer clone.Close() // a box that a call returns is the caller's
	fmt.Println(clone.Name(), clone.ID() != file.ID())
	// Output: FileBox true
}

// A blob is data of any size, which nobody copies.
func ExampleCall_blob() {
	ctx := context.Background()
	host, err := loader.Open(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer host.Close()
	file, err := host.New(ctx, "FileBox")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	path := filepath.Join(os.TempDir(), "nyash-example-blob")
	defer os.Remove(path)
	if _, err := file.Call(ctx, "open", path, "w+"); err != nil {
		fmt.Println(err)
		return
	}
	n, err := loader.Call[int64](ctx, file, "writeAll", make([]byte, 1<<20)) // lent for the call
	fmt.Println(n, err)

	blob, err := loader.Call[*loader.Blob](ctx, file, "readAll")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer blob.Release()
	fmt.Println(len(blob.Bytes()))
	// Output:
	// 1048576 <nil>
	// 1048576
}

// Greeter is a Go type of the program.
type Greeter struct{ greeting string }

// Greet is greet of GreeterBox.
func (g *Greeter) Greet(name string) (string, error) {
	if name == "" {
		return "", fmt.Errorf("%w: nobody to greet", abi.ErrInvalidArgs)
	}
	return g.greeting + ", " + name, nil
}

// The exported methods of a Go type are a box's.
func ExampleWithBox() {
	ctx := context.Background()
	newGreeter := func(greeting string) *Greeter { return &Greeter{greeting} }
	host, err := loader.Open(config, loader.WithBox("GreeterBox", newGreeter))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer host.Close()
	box, err := host.New(ctx, "GreeterBox", "Hello") // calls newGreeter
	if err != nil {
		fmt.Println(err)
		return
	}
	defer box.Close()
	greeting, err := loader.Call[string](ctx, box, "greet", "Nyash")
	fmt.Println(greeting, err)
	_, err = loader.Call[string](ctx, box, "greet", "")
	fmt.Println(err)
	// Output:
	// Hello, Nyash <nil>
	// GreeterBox.greet: invalid arguments (-4): nobody to greet
}

// A built-in box is written in Go and called like a plugin.
func ExampleWithBuiltins() {
	ctx := context.Background()
	greeter := &builtin.Box{
		Name: "GreeterBox",
		New:  func([]tlv.Value) (any, error) { return nil, nil },
		Methods: []builtin.Method{{
			Name: "greet",
			Signature: registry.Signature{
				Args:         []registry.Arg{{Name: "name", From: registry.ArgString, To: tlv.TagString}},
				ArgsDeclared: true,
				Returns:      registry.Returns{Tag: tlv.TagString},
			},
			Func: func(_ context.Context, _ any, args []tlv.Value) (tlv.Value, error) {
				name, err := args[0].Text()
				return tlv.String("Hello, " + name), err
			},
		}},
	}
	host, err := loader.Open(config, loader.WithBuiltins(greeter))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer host.Close()
	box, err := host.New(ctx, "GreeterBox")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer box.Close()
	greeting, err := loader.Call[string](ctx, box, "greet", "Nyash")
	fmt.Println(greeting, err)
	// Output: Hello, Nyash <nil>
}
