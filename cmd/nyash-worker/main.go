// Command nyash-worker runs a plugin in a process of its own for a host that was
// told so by isolation = "process" in nyash.toml. Hosts start it; it is of no use
// by itself.
package main

import (
	"github.com/nyash-plugins/nyash-go/internal/version"

	"fmt"
	"os"
	"slices"

	_ "github.com/nyash-plugins/nyash-go/loader/wasm" // plugins that are WebAssembly modules
	"github.com/nyash-plugins/nyash-go/loader/worker"
)

const help = `nyash-worker runs a plugin in a process of its own, for a host whose nyash.toml says

  [plugins.X]
  isolation = "process"

Hosts start it; by itself it does nothing. A host is its own worker where its main
function begins with worker.Main() of loader/worker, as nyash and plugin-tester do.
Others start nyash-worker, from beside their program or from PATH, or the program that
loader.WithWorker names.

  --help     shows this
  --version  shows the version of this program and of the plugin ABI
`

func main() {
	worker.Main()
	switch {
	case len(os.Args) == 2 && slices.Contains([]string{"--help", "-h", "help"}, os.Args[1]):
		fmt.Print(help)
	case len(os.Args) == 2 && os.Args[1] == "--version":
		fmt.Println(version.Of("nyash-worker"))
	default:
		fmt.Fprint(os.Stderr, help)
		os.Exit(2)
	}
}
