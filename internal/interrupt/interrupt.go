// Package interrupt is how the commands end on a signal. It has no state but the
// process's signal handling.
package interrupt

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Context ends with the first SIGINT, SIGTERM or SIGHUP, and then signals are the system's again:
// a plugin in this process cannot be made to return, and the second one ends the process.
// name is the command's, for the line that says so. stop gives the signals back.
func Context(name string) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		select {
		case <-signals:
			signal.Stop(signals)
			fmt.Fprintf(os.Stderr, "%s: interrupted; once more ends it at once\n", name)
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel()
	}
}
