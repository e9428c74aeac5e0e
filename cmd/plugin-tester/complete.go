package main

import (
	"github.com/spf13/cobra"

	"github.com/nyash-plugins/nyash-go/internal/command"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// codes are those of findings, with what they mean for shells that show that.
func codes() []string {
	rules := plugintest.Rules()
	all := make([]string, len(rules))
	for i, r := range rules {
		all[i] = r.Code + "\t" + r.Title
	}
	return all
}

// complete has shells complete what the commands take, and the values of their flags.
func complete(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		switch {
		case cmd.ValidArgsFunction != nil:
		case cmd.Name() == "explain":
			cmd.ValidArgsFunction = command.Words(codes)
		case cmd.Name() != "validate":
			cmd.ValidArgsFunction = command.First(command.Files(command.Libraries...))
		}
		command.Flags(cmd, map[string]command.Completion{"until": command.Words(codes), "html": command.Files("html")})
	}
	command.Flags(root, map[string]command.Completion{
		"config": command.Files("toml"),
		"only":   command.WordList(codes),
		"skip":   command.WordList(codes),
		"until":  command.Words(codes),
		"html":   command.Files("html"),
		"junit":  command.Files("xml"),
		"sarif":  command.Files("sarif", "json"),
	})
}
