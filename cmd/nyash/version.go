package main

import (
	"github.com/nyash-plugins/nyash-go/internal/version"

	"fmt"

	"github.com/spf13/cobra"

	"github.com/nyash-plugins/nyash-go/internal/command"
)

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version of this program and of the plugin ABI",
		Args:  command.None,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), version.Of("nyash"))
			return err
		},
	}
}
