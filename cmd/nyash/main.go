// Command nyash loads the plugins that a nyash.toml describes, lists them and
// runs scripts with them.
package main

import (
	"fmt"
	"os"

	"github.com/nyash-plugins/nyash-go/internal/command"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/interrupt"
	_ "github.com/nyash-plugins/nyash-go/loader/wasm" // plugins that are WebAssembly modules
	"github.com/nyash-plugins/nyash-go/loader/worker"
)

func main() {
	worker.Main() // this program is its own worker
	ctx, stop := interrupt.Context("nyash")
	defer stop()
	err := command.Execute(ctx, newRoot())
	if err != nil {
		// %+v: errors of this project then show their source and log lines. A script
		// can fail with a plugin's text.
		fmt.Fprintf(os.Stderr, "nyash: %s\n", contract.PrintableLines(fmt.Sprintf("%+v", err)))
		stop()
		os.Exit(statusOf(err))
	}
}
