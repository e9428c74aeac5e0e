package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tools/script"
)

func newRun(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "run SCRIPT",
		Short: "Run a Starlark script in which every box is a constructor",
		Long: `Run a Starlark script in which every box of nyash.toml is a constructor and
every method an attribute:

  file = FileBox()
  file.open("data.txt", "w")
  file.write("Hello from Nyash!")
  file.close()

An error ends the script and shows its line; catch(f, args…) returns the value
and the error instead. box.fini() finalises a box before its time.`,
		Example: "  nyash run docs/examples/hello.star",
		Args:    one("script"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.withHost(cmd, func(host *loader.Host) error {
				return newScript(cmd, host).Run(cmd.Context(), args[0])
			})
		},
	}
}

func newREPL(s *settings) *cobra.Command {
	return &cobra.Command{
		Use:   "repl",
		Short: "Read statements, evaluate them and print their values",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return s.withHost(cmd, func(host *loader.Host) error {
				newScript(cmd, host).REPL(cmd.Context())
				return nil
			})
		},
	}
}

// newScript makes the environment of scripts, and warns of what they have not in it.
func newScript(cmd *cobra.Command, host *loader.Host) *script.Env {
	e := script.New(host, cmd.OutOrStdout())
	for _, name := range e.Hides() {
		where := ""
		if b, ok := host.Config().Box(name); ok {
			where = b.Pos.String() + ": "
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "nyash: warning: %sthe box %s hides the %s that every script has; give it another name, and say with box = %q what its library calls it\n", where, name, name, name)
	}
	return e
}
