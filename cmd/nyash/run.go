package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tools/script"
)

func newRun(s *settings) *cobra.Command {
	var code []string
	cmd := &cobra.Command{
		Use:                   "run [flags] SCRIPT [ARG…]",
		DisableFlagsInUseLine: true,
		Short:                 "Run a Starlark script in which every box is a constructor",
		Long: `Run a Starlark script in which every box of nyash.toml is a constructor and
every method an attribute:

  file = FileBox()
  file.open("data.txt", mode = "w")
  file.write("Hello from Nyash!")
  file.close()

Arguments stand in their order, or by the names that are declared. An error ends
the script and shows its line; catch(f, args…) returns the value and the error
instead. box.fini() finalises a box before its time. What follows the script on
the command line is in args, a list of strings; flags stand before it.

SCRIPT - is read from standard input. -e CODE runs CODE itself; with several -e,
each is a line of one script.`,
		Example:           "  nyash run docs/examples/hello.star\n  nyash run -e 'print(TimeBox().now())'",
		ValidArgsFunction: scriptFiles,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 && !cmd.Flags().Changed("eval") {
				return usagef("name a script: %s", cmd.UseLine())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			run := func(e *script.Env) error { return e.RunSource(cmd.Context(), "-e", []byte(strings.Join(code, "\n"))) }
			switch {
			case cmd.Flags().Changed("eval"):
			case args[0] == "-":
				source, err := io.ReadAll(cmd.InOrStdin())
				if err != nil {
					return fmt.Errorf("read the script: %w", err)
				}
				run = func(e *script.Env) error { return e.RunSource(cmd.Context(), "stdin", source) }
				args = args[1:]
			default:
				file := args[0]
				if err := isFile(file); err != nil {
					return err
				}
				run = func(e *script.Env) error { return e.Run(cmd.Context(), file) }
				args = args[1:]
			}
			return s.withHost(cmd, func(host *loader.Host) error { return run(newScript(cmd, host, args...)) })
		},
	}
	cmd.Flags().StringArrayVarP(&code, "eval", "e", nil, "run this `code` instead of a file; several are lines of one script")
	cmd.Flags().SetInterspersed(false) // what follows the script is the script's
	return cmd
}

// scriptFiles completes the name of a script, and then the names of any files.
func scriptFiles(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return []string{"star"}, cobra.ShellCompDirectiveFilterFileExt
}

// newScript makes the environment of scripts, and warns of what they have not in it.
func newScript(cmd *cobra.Command, host *loader.Host, args ...string) *script.Env {
	e := script.New(host, cmd.OutOrStdout(), args...)
	for _, name := range e.Hides() {
		where := ""
		if b, ok := host.Config().Box(name); ok {
			where = b.Pos.String() + ": "
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "nyash: warning: %sthe box %s hides the %s that every script has; give it another name, and say with box = %q what its library calls it\n", where, name, name, name)
	}
	return e
}
