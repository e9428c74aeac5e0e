// Package interrupt is how the commands end on a signal. It has no state but the
// process's signal handling.
package interrupt

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// Grace is how long a command has to end after a signal.
const Grace = 10 * time.Second

// others are the signals beside SIGINT that end a command.
var others = []os.Signal{syscall.SIGTERM, syscall.SIGHUP}

// handler is what the context of a command knows of its signals.
type handler struct {
	signals chan os.Signal
	cancel  context.CancelCauseFunc
}

// ErrInterrupted is the cause of the end of a command's context, or of a step's; it is a [context.Canceled].
var ErrInterrupted error = interrupted{}

type interrupted struct{}

func (interrupted) Error() string        { return "interrupted" }
func (interrupted) Is(target error) bool { return target == context.Canceled }

type handlerKey struct{}

// watch has these signals end the command, and no others.
func (h *handler) watch(signals ...os.Signal) {
	signal.Stop(h.signals)
	signal.Notify(h.signals, signals...)
}

// Context ends with the first SIGINT, SIGTERM or SIGHUP, and then signals are the system's again:
// a plugin in this process cannot be made to return, and the second one ends the process. So does the
// first once grace is over. name is the command's, for the line that says so. stop gives the signals back.
func Context(name string, grace time.Duration) (ctx context.Context, stop func()) {
	ended := make(chan struct{})
	end := sync.OnceFunc(func() { close(ended) })
	h := &handler{signals: make(chan os.Signal, 1)}
	ctx, cancel := context.WithCancelCause(context.WithValue(context.Background(), handlerKey{}, h))
	h.cancel = cancel
	h.watch(append([]os.Signal{os.Interrupt}, others...)...)
	go func() {
		select {
		case s := <-h.signals:
			signal.Stop(h.signals)
			fmt.Fprintf(os.Stderr, "%s: interrupted; once more ends it at once\n", name)
			cancel(ErrInterrupted)
			select {
			case <-time.After(grace):
				fmt.Fprintf(os.Stderr, "%s: it has not ended within %v, and is ended\n", name, grace)
				die(s)
			case <-ended:
			}
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(h.signals)
		end()
		cancel(nil)
	}
}

// die ends the process as s does, which is the system's.
func die(s os.Signal) {
	if self, err := os.FindProcess(os.Getpid()); err == nil && self.Signal(s) == nil {
		<-time.After(time.Second) // s comes meanwhile, unless whoever started this process ignores it
	}
	os.Exit(1)
}

// End ends the context of a command, which [Context] has made, or one made of it.
func End(ctx context.Context) {
	if h, ok := ctx.Value(handlerKey{}).(*handler); ok {
		h.cancel(nil)
	}
}
