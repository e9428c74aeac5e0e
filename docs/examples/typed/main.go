// Command typed uses plugins through generated Go types: it writes the sum of two
// numbers to a file. Run it from the repository's root, after `make plugins`.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/nyash-plugins/nyash-go/docs/examples/typed/boxes"
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

	math, err := boxes.NewMathBox(ctx, host)
	if err != nil {
		return err
	}
	defer math.Close()
	file, err := boxes.NewFileBox(ctx, host)
	if err != nil {
		return err
	}
	defer file.Close()

	sum, err := math.Add(ctx, 20, 22) // int64
	if err != nil {
		return err
	}
	if err := file.Open(ctx, "data.txt", "w"); err != nil {
		return err
	}
	n, err := file.Write(ctx, fmt.Sprintln(sum)) // int32
	if err != nil {
		return err
	}
	fmt.Printf("wrote %d bytes\n", n)
	return nil
}
