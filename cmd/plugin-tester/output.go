package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/nyash-plugins/nyash-go/internal/interrupt"
)

// statusPipe is the exit status where nobody reads the output any more, as a shell shows that of a
// process that SIGPIPE has ended.
const statusPipe = 128 + 13

// endAtWrite has writes to a pipe that nobody reads fail, instead of ending the process with its workers
// and folders left behind.
func endAtWrite() { signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE) }

// reportWriter is what a report is written to while the tests run. Where it cannot be written to, the run ends.
type reportWriter struct {
	w   io.Writer
	ctx context.Context //nolint:containedctx // which it ends
	err error           // the first
}

func (o *reportWriter) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if err != nil && o.err == nil {
		o.err = err
		interrupt.End(o.ctx)
	}
	return n, err
}
