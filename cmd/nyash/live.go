package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/loader"
)

// showLive loads the libraries and prints a line at every change of their state.
func showLive(s *settings, cmd *cobra.Command) error {
	events := make(chan loader.Event, 64)
	tell := loader.WithEvents(func(e loader.Event) {
		select {
		case events <- e:
		default: // nobody reads that many
		}
	})
	return s.withHost(cmd, func(host *loader.Host) error {
		ctx, out := cmd.Context(), cmd.OutOrStdout()
		loadErr := host.Load(ctx)
		fmt.Fprintf(out, "%-12s %-16s %-9s %-9s %8s %8s %8s %8s %10s %10s\n", "TIME", "PLUGIN", "ISOLATION", "STATE", "PID", "RESTARTS", "CALLS", "ERRORS", "RSS KiB", "CPU")
		shown := time.Now()
		for _, p := range host.Plugins() {
			writeStatus(out, shown, p, p.State)
		}
		if loadErr != nil {
			return loadErr
		}
		for {
			select {
			case e := <-events:
				if e.Time.Before(shown) { // of the loading that is over
					continue
				}
				for _, p := range host.Plugins() {
					if p.Name == e.Plugin {
						writeStatus(out, e.Time, p, e.State)
					}
				}
			case <-ctx.Done():
				return nil
			}
		}
	}, tell, loader.WithUnresolvedUses())
}

func writeStatus(w io.Writer, t time.Time, p loader.PluginStatus, state loader.PluginState) {
	fmt.Fprintf(w, "%-12s %-16s %-9v %-9v %8d %8d %8d %8d %10d %10v", t.Format("15:04:05.000"), contract.Printable(p.Name), p.Isolation, state,
		p.PID, p.Restarts, p.Calls, p.Errors, p.RSS>>10, p.CPU)
	if state == loader.PluginFailed && p.Err != nil {
		fmt.Fprintf(w, "  %s", contract.Printable(p.Err.Error()))
	}
	fmt.Fprintln(w)
}
