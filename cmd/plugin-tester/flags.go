package main

import (
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/nyash-plugins/nyash-go/internal/command"
)

// usesOf has a command list only these of the flags that all commands share.
func usesOf(cmd *cobra.Command, names ...string) {
	cmd.SetHelpFunc(func(c *cobra.Command, args []string) {
		c.InheritedFlags().VisitAll(func(f *pflag.Flag) { f.Hidden = f.Hidden || !slices.Contains(names, f.Name) })
		c.Root().HelpFunc()(c, args)
	})
}

// refuseOthers refuses flags that all commands share, and that this one does not use. how says in which use of it.
func refuseOthers(cmd *cobra.Command, how string, names ...string) (err error) {
	cmd.InheritedFlags().VisitAll(func(f *pflag.Flag) {
		if f.Changed && !slices.Contains(names, f.Name) && err == nil {
			err = command.Usagef("%s%s does not use --%s (%s --help lists the flags)", cmd.CommandPath(), how, f.Name, cmd.CommandPath())
		}
	})
	return err
}
