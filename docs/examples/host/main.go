// Command host is a complete program that uses a plugin: it writes a file
// through FileBox and reads it back. Run it from the repository's root, after
// `make plugins`.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/nyash-plugins/nyash-go/loader"
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	host, err := loader.Open("nyash.toml")
	if err != nil {
		return err
	}
	defer host.Close()

	file, err := host.New(ctx, "FileBox") // loads the library, calls birth
	if err != nil {
		return err
	}
	defer file.Close() // calls fini, once

	if _, err := file.Call(ctx, "open", "data.txt", "w+"); err != nil {
		return err
	}
	n, err := loader.Call[int](ctx, file, "write", "Hello") // string → bytes, as nyash.toml says
	if err != nil {
		return err
	}
	data, err := loader.Call[[]byte](ctx, file, "read")
	if err != nil {
		return err
	}
	fmt.Printf("wrote %d bytes, read back %q\n", n, data)
	return nil
}
