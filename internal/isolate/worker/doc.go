// Package worker is the other side of internal/isolate: it makes a program the
// worker that runs a plugin. cmd/nyash-worker is nothing else. A host that would
// rather ship one binary calls [Main] first thing in its main function.
package worker

import (
	"fmt"
	"os"

	"github.com/nyash-plugins/nyash-go/internal/isolate/pipe"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// Main returns at once in a program that was started by a user, and never in one
// that a host started as its worker. A program that calls it can be its own
// worker; hosts in it then need no nyash-worker.
//
// Call it before anything else: what a program sets up before, it sets up in
// every worker too.
func Main() { MainWith(nil) }

// MainWith is Main for a program whose workers have a tester's hooks.
func MainWith(hooks *Hooks) {
	value, isWorker := os.LookupEnv(wire.EnvVersion)
	if !isWorker {
		wire.SelfServing.Store(true)
		return
	}
	if err := run(value, hooks); err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(environment string, hooks *Hooks) error {
	kind, first, second, err := wire.ParseEnvironment(environment)
	if err != nil {
		return err
	}
	// For C too: a program that the plugin starts is no worker.
	if err := os.Unsetenv(wire.EnvVersion); err != nil {
		return err
	}
	if err := tidy(first, second); err != nil {
		return err
	}
	if kind == wire.KindPipe {
		return serve(pipe.NewWorker(first, second), hooks)
	}
	t, err := sharedMemory(first, second)
	if err != nil {
		return err
	}
	return serve(t, hooks)
}
