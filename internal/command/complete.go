package command

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// Completion completes arguments or a flag's value.
type Completion = cobra.CompletionFunc

// Files completes the names of files with these extensions.
func Files(extensions ...string) Completion {
	return func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return extensions, cobra.ShellCompDirectiveFilterFileExt
	}
}

// Words completes one of the words that list gives.
func Words(list func() []string) Completion {
	return func(_ *cobra.Command, _ []string, text string) (all []string, _ cobra.ShellCompDirective) {
		for _, word := range list() {
			if strings.HasPrefix(word, text) {
				all = append(all, word)
			}
		}
		return all, cobra.ShellCompDirectiveNoFileComp
	}
}

// WordList completes words with commas between them, each once.
func WordList(list func() []string) Completion {
	return func(_ *cobra.Command, _ []string, text string) ([]string, cobra.ShellCompDirective) {
		head := text[:strings.LastIndexByte(text, ',')+1]
		given := strings.Split(strings.TrimSuffix(head, ","), ",")
		var all []string
		for _, word := range list() {
			if name, _, _ := strings.Cut(word, "\t"); strings.HasPrefix(head+word, text) && !slices.Contains(given, name) {
				all = append(all, head+word)
			}
		}
		return all, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
}

// First has only the first argument completed so.
func First(c Completion) Completion {
	return func(cmd *cobra.Command, args []string, text string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return c(cmd, args, text)
	}
}

// Libraries are the extensions of files that are plugins, or describe one.
var Libraries = []string{"so", "dylib", "dll", "wasm", "toml"}

// Flags has shells complete the values of flags. A flag that is not there is left alone.
func Flags(cmd *cobra.Command, values map[string]Completion) {
	for flag, complete := range values {
		_ = cmd.RegisterFlagCompletionFunc(flag, complete) // which fails for a flag that is not there
	}
}
