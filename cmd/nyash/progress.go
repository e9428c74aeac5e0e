package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/terminal"
)

// progress says on a terminal what is under way, in a line that is written over; elsewhere nothing.
type progress struct {
	w       io.Writer // nil for nothing
	columns int
}

func newProgress(cmd *cobra.Command) *progress {
	w := cmd.ErrOrStderr()
	if !terminal.Moves(w) {
		return &progress{}
	}
	return &progress{w, terminal.Columns(w)}
}

// show writes a line over the last one. The cursor stays before it, for whoever writes next.
func (p *progress) show(format string, args ...any) {
	if p.w == nil {
		return
	}
	line := []rune(contract.Printable(fmt.Sprintf(format, args...)) + " …")
	if p.columns > 1 && len(line) >= p.columns { // it would wrap
		line = line[:p.columns-1]
	}
	fmt.Fprintf(p.w, "\x1b[K%s\r", string(line))
}

// clear takes the line away.
func (p *progress) clear() {
	if p.w != nil {
		fmt.Fprint(p.w, "\x1b[K")
	}
}
