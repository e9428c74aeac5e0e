// Command nyash loads the plugins that a nyash.toml describes, lists them and
// runs scripts with them.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/nyash-plugins/nyash-go/internal/command"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/interrupt"
	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/loader"
	_ "github.com/nyash-plugins/nyash-go/loader/wasm" // plugins that are WebAssembly modules
	"github.com/nyash-plugins/nyash-go/loader/worker"
)

func main() {
	worker.Main() // this program is its own worker
	tellCrashes()
	ctx, stop := interrupt.Context("nyash", interrupt.Grace)
	defer stop()
	err := command.Execute(ctx, newRoot())
	if err != nil {
		// %+v: errors of this project then show their source. A script can fail with a
		// plugin's text.
		withoutLog(err)
		fmt.Fprintf(os.Stderr, "nyash: %s\n", contract.PrintableLines(fmt.Sprintf("%+v", err)))
		stop()
		os.Exit(statusOf(err))
	}
}

// tellCrashes has a plugin that crashes in this process be told in a line. Who sets GOTRACEBACK asks for
// more; where it cannot be done, the runtime tells it.
func tellCrashes() {
	if _, ok := os.LookupEnv("GOTRACEBACK"); !ok {
		_ = native.TellCrashes("--isolation process gives it one of its own, and tells which call it was")
	}
}

// withoutLog leaves out what plugins logged before an error: --log-level decides what of that is
// shown, and when.
func withoutLog(err error) {
	for call := (*loader.CallError)(nil); errors.As(err, &call); err = call.Err {
		call.Log = nil
	}
}
