// Command nyash-worker runs a plugin in a process of its own for a host that was
// told so by isolation = "process" in nyash.toml. Hosts start it; it is of no use
// by itself.
package main

import (
	"fmt"
	"os"

	_ "github.com/nyash-plugins/nyash-go/loader/wasm" // plugins that are WebAssembly modules
	"github.com/nyash-plugins/nyash-go/loader/worker"
)

func main() {
	worker.Main()
	fmt.Fprintln(os.Stderr, `nyash-worker is started by a host whose nyash.toml says isolation = "process"; it does nothing by itself`)
	os.Exit(2)
}
