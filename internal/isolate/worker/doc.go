// Package worker is the other side of internal/isolate: it makes a program the
// worker that runs a plugin. cmd/nyash-worker is nothing else. A host that would
// rather ship one binary calls [Main] first thing in its main function.
package worker

import (
	"fmt"
	"os"

	"github.com/nyash-plugins/nyash-go/internal/isolate/channel"
)

// Main returns at once in a program that was started by a user, and never in one
// that a host started as its worker. A program that calls it can be its own
// worker; hosts in it then need no nyash-worker.
//
// Call it before anything else: what a program sets up before, it sets up in
// every worker too.
func Main() {
	value, isWorker := os.LookupEnv(channel.EnvVersion)
	if !isWorker {
		channel.SelfServing.Store(true)
		return
	}
	if err := run(value); err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(environment string) error {
	kind, first, second, err := channel.ParseEnvironment(environment)
	if err != nil {
		return err
	}
	// For C too: a program that the plugin starts is no worker.
	if err := os.Unsetenv(channel.EnvVersion); err != nil {
		return err
	}
	if err := tidy(first, second); err != nil {
		return err
	}
	if kind == channel.KindPipe {
		return serve(newPipeLink(first, second))
	}
	l, err := newMemoryLink(first, second)
	if err != nil {
		return err
	}
	return serve(l)
}
