package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/nyash-plugins/nyash-go/internal/command"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tools/inspect"
)

func newInspect(s *settings) *cobra.Command {
	var asJSON, asTOML bool
	var timeout time.Duration
	cmd := &cobra.Command{
		Use:   "inspect LIBRARY",
		Short: "Show what a library exports and says of itself",
		Long: `Show what a library exports and says of itself: boxes, methods, types, docs and
what it asks for. LIBRARY is a file (the library's, or its nyash_box.toml), or as
in nyash.toml a name for the search paths or a box.

The library is loaded in a process of its own; one that crashes or hangs is an
error, and what its file tells is shown all the same. The exit status is 1 where
it cannot be loaded, and 2 where no library has the name. A WebAssembly module runs
in its sandbox within this process; what it imports and exports is compared with
what hosts offer and call.

With --toml, write the entry for nyash.toml.`,
		Example: "  nyash inspect plugins/filebox/build/libnyash_filebox_plugin.so\n  nyash inspect ./libtally.so --toml >> nyash.toml",
		Args:    command.One("library"),
		ValidArgsFunction: command.First(func(cmd *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
			if boxes := s.boxesWith(text); text != "" && len(boxes) > 0 {
				return boxes, cobra.ShellCompDirectiveNoFileComp
			}
			return command.Files(command.Libraries...)(cmd, args, text)
		}),
		RunE: func(cmd *cobra.Command, args []string) error {
			found, err := inspect.Find(args[0], s.config)
			if err != nil {
				return misnamed(err)
			}
			warn := func(w any) { fmt.Fprintf(cmd.ErrOrStderr(), "nyash: warning: %v\n", w) }
			for _, w := range found.Warnings {
				warn(w)
			}
			isolation, err := s.isolationOr(registry.IsolationProcess)
			if err != nil {
				return err
			}
			progress := newProgress(cmd)
			progress.show("loading %s", found.File)
			r, err := inspect.Run(cmd.Context(), inspect.Config{
				File: found.File, ManifestDir: found.ManifestDir, Library: found.Library,
				InProcess: isolation == registry.IsolationNone, Timeout: timeout,
			})
			progress.clear()
			if errors.Is(err, inspect.ErrDirectory) {
				err = &command.UsageError{Err: err}
			}
			out := cmd.OutOrStdout()
			switch {
			case r == nil && asJSON: // whoever reads JSON gets an object
				return errors.Join(inspect.WriteJSON(out, inspect.Unreadable(found.File, err)), err)
			case r == nil:
				return err
			case asJSON:
				return errors.Join(inspect.WriteJSON(out, r), err)
			case asTOML && err != nil:
				return err
			case asTOML:
				for _, w := range r.Warnings {
					warn(w)
				}
				return inspect.WriteTOML(out, r, found.Entry)
			}
			return errors.Join(inspect.WriteText(out, r), err)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().BoolVar(&asTOML, "toml", false, "print the entry for nyash.toml")
	cmd.Flags().DurationVar(&timeout, "timeout", inspect.DefaultTimeout, "the time limit of loading")
	cmd.MarkFlagsMutuallyExclusive("json", "toml")
	return cmd
}
