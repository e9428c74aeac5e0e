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

// others are the signals beside SIGINT that end a command.
var others = []os.Signal{syscall.SIGTERM, syscall.SIGHUP}

// handler is what the context of a command knows of its signals.
type handler struct {
	signals chan os.Signal
	cancel  context.CancelFunc
}

type handlerKey struct{}

// watch has these signals end the command, and no others.
func (h *handler) watch(signals ...os.Signal) {
	signal.Stop(h.signals)
	signal.Notify(h.signals, signals...)
}

// Context ends with the first SIGINT, SIGTERM or SIGHUP, and then signals are the system's again:
// a plugin in this process cannot be made to return, and the second one ends the process.
// name is the command's, for the line that says so. stop gives the signals back.
func Context(name string) (ctx context.Context, stop func()) {
	h := &handler{signals: make(chan os.Signal, 1)}
	ctx, cancel := context.WithCancel(context.WithValue(context.Background(), handlerKey{}, h))
	h.cancel = cancel
	h.watch(append([]os.Signal{os.Interrupt}, others...)...)
	go func() {
		select {
		case <-h.signals:
			signal.Stop(h.signals)
			fmt.Fprintf(os.Stderr, "%s: interrupted; once more ends it at once\n", name)
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(h.signals)
		cancel()
	}
}

// End ends the context of a command, which [Context] has made, or one made of it.
func End(ctx context.Context) {
	if h, ok := ctx.Value(handlerKey{}).(*handler); ok {
		h.cancel()
	}
}
