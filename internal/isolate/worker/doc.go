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

// MainWith is Main for a program whose workers have a tester's hooks. It does not come in the init
// function of a package: until main begins, the runtime has threads of the library wait that enter Go.
func MainWith(hooks *Hooks) {
	value := os.Getenv(wire.EnvVersion)
	if value == "" {
		wire.SelfServing.Store(true)
		return
	}
	w, err := begin(value)
	if err == nil {
		w.hooks = hooks
		err = w.serve()
	}
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "worker:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// begin makes a worker, which has heard what it is to load.
func begin(environment string) (*Worker, error) {
	kind, first, second, err := wire.ParseEnvironment(environment)
	if err != nil {
		return nil, err
	}
	// For C too: a program that the plugin starts is no worker.
	if err := os.Unsetenv(wire.EnvVersion); err != nil {
		return nil, err
	}
	if err := tidy(first, second); err != nil {
		return nil, err
	}
	var t transport
	if kind == wire.KindPipe {
		t = pipe.NewWorker(first, second)
	} else if t, err = sharedMemory(first, second); err != nil {
		return nil, err
	}
	w := &Worker{transport: t, blobs: make(map[uint64]func())}
	return w, t.Receive(&w.first)
}
