// A program without the engine for modules: it prints why it cannot open a nyash.toml.
package main

import (
	"fmt"
	"os"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/loader/worker"
)

func main() {
	worker.Main()
	h, err := loader.Open(os.Args[1])
	if err == nil {
		_ = h.Close()
	}
	fmt.Println(err)
}
