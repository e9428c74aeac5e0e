package main

import (
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
				return script.New(host, cmd.OutOrStdout()).Run(cmd.Context(), args[0])
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
				script.New(host, cmd.OutOrStdout()).REPL(cmd.Context())
				return nil
			})
		},
	}
}
