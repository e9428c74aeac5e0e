package main

import (
	"io"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry/builtin"
)

// wraps tells whether a terminal keeps the cursor on a full line until more is written: the console
// of Windows does not.
const wraps = runtime.GOOS != "windows"

// printableConsole has a ConsoleBox write printable text: what plugins print is for a terminal.
func printableConsole(cmd *cobra.Command) loader.Option {
	return loader.WithBuiltins(
		builtin.Console(cmd.InOrStdin(), printable{cmd.OutOrStdout()}, printable{cmd.ErrOrStderr()}),
		builtin.Time())
}

// printable writes text without what a terminal obeys.
type printable struct{ w io.Writer }

func (p printable) Write(data []byte) (int, error) {
	if _, err := io.WriteString(p.w, contract.PrintableLines(string(data))); err != nil {
		return 0, err
	}
	return len(data), nil
}
