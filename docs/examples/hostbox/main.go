// Command hostbox offers a Go type as a box, and calls it as a plugin's box is called.
// Run it from the repository's root.
package main

import (
	"context"
	"fmt"
	"log"
	"slices"
	"sync"

	"github.com/nyash-plugins/nyash-go/loader"
)

// Editor is the program's own. Its exported methods are those of EditorBox.
type Editor struct {
	mu    sync.Mutex // methods are called by several goroutines at once
	lines []string
}

// Insert puts a line in front of line n, and tells how many there are.
func (e *Editor) Insert(n int, text string) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if n < 0 || n > len(e.lines) {
		return 0, fmt.Errorf("there is no line %d", n)
	}
	e.lines = slices.Insert(e.lines, n, text)
	return len(e.lines), nil
}

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	newEditor := func() *Editor { return &Editor{} } // called for each birth
	host, err := loader.Open("nyash.toml", loader.WithBox("EditorBox", newEditor))
	if err != nil {
		return err
	}
	defer host.Close()

	editor, err := host.New(ctx, "EditorBox")
	if err != nil {
		return err
	}
	defer editor.Close()
	n, err := loader.Call[int](ctx, editor, "insert", 0, "Hello")
	if err != nil {
		return err
	}
	fmt.Println("lines:", n)
	_, err = loader.Call[int](ctx, editor, "insert", 7, "?")
	fmt.Println(err)
	return nil
}
