// Command plugin-tester finds faults in a plugin, for its author.
package main

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/nyash-plugins/nyash-go/internal/command"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/interrupt"
	"github.com/nyash-plugins/nyash-go/internal/isolate/probe"
	_ "github.com/nyash-plugins/nyash-go/loader/wasm" // plugins that are WebAssembly modules
)

// The exit statuses.
const (
	statusFindings  = 1
	statusCannotRun = 2
)

func main() {
	probe.Main() // this program is its own worker
	endAtWrite()
	ctx, stop := interrupt.Context("plugin-tester", interrupt.Grace)
	defer stop()
	err := command.Execute(ctx, newRoot())
	stop()
	switch {
	case err == nil:
	case errors.Is(err, errFindings):
		os.Exit(statusFindings)
	case errors.Is(err, syscall.EPIPE):
		os.Exit(statusPipe)
	default:
		fmt.Fprintf(os.Stderr, "plugin-tester: %s\n", contract.PrintableLines(err.Error()))
		os.Exit(statusCannotRun)
	}
}
