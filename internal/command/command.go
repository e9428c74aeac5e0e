// Package command is what the commands have in common beside their work: how they speak of mistakes
// in their command line, and what they complete. It has no state.
package command

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nyash-plugins/nyash-go/internal/suggest"
)

// UsageError is a mistake in the command line.
type UsageError struct{ Err error }

func (e *UsageError) Error() string { return e.Err.Error() }
func (e *UsageError) Unwrap() error { return e.Err }

// Usagef makes a [*UsageError].
func Usagef(format string, args ...any) error { return &UsageError{fmt.Errorf(format, args...)} }

// Execute runs a program's command, which [Prepare] has prepared. Mistakes in the command line are a
// [*UsageError].
func Execute(ctx context.Context, root *cobra.Command) error {
	prepareOwn(root)
	cmd, err := root.ExecuteContextC(ctx)
	return explained(cmd, err)
}

// Prepare has what cobra and a command refuse of a command line be a UsageError, and cobra print no
// errors. It comes last, when a command has its subcommands.
func Prepare(cmd *cobra.Command) {
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	cmd.SetVersionTemplate("{{.Version}}\n")
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return Usagef("%s (%s --help lists the flags)", plainNumber.ReplaceAllStringFunc(err.Error(), plainly), cmd.CommandPath())
	})
	for _, c := range cmd.Commands() {
		prepareSub(c)
	}
}

func prepareSub(cmd *cobra.Command) {
	Prepare(cmd)
	if cmd.HasSubCommands() && !cmd.Runnable() { // cobra would show its help, with status 0
		cmd.Args = None
		cmd.RunE = func(cmd *cobra.Command, _ []string) error {
			return Usagef("name a command; %s --help lists them", cmd.CommandPath())
		}
	}
	check := cmd.Args
	if check == nil {
		return
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return &UsageError{err}
		}
		return nil
	}
}

// prepareOwn prepares the commands that cobra adds when it executes: they take what they write to
// from the root.
func prepareOwn(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			c.Args = commandOf(root)
			prepareSub(c)
		case "completion":
			for _, shell := range c.Commands() {
				shell.Args = None
			}
			prepareSub(c)
		}
	}
}

// commandOf takes the name of a command, with those that it is below.
func commandOf(root *cobra.Command) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		cmd, rest, _ := root.Find(args)
		if len(rest) > 0 && cmd.HasSubCommands() {
			return unknown(cmd, rest[0])
		}
		return nil
	}
}

// One takes exactly one argument, and says what it is.
func One(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return fmt.Errorf("name a %s: %s", what, cmd.UseLine())
		case 1:
			return nil
		}
		return fmt.Errorf("name one %s, not %d: %s", what, len(args), cmd.UseLine())
	}
}

// None takes no arguments, or only the name of a command.
func None(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0:
		return nil
	case cmd.HasSubCommands():
		return unknown(cmd, args[0])
	}
	return fmt.Errorf("%s takes no arguments, and got %s", cmd.CommandPath(), strings.Join(args, " "))
}

func unknown(cmd *cobra.Command, name string) error {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return fmt.Errorf("unknown command %q%s; %s --help lists the commands", name, suggest.DidYouMean(name, names), cmd.CommandPath())
}

// The texts of cobra's errors that have no type.
var (
	unknownCommand = regexp.MustCompile(`^unknown command "(.*)" for ".*"`)
	exclusive      = regexp.MustCompile(`^if any flags in the group \[.*\] are set none of the others can be; \[(.*)\] were all set$`)
)

// plainNumber is what Go says of a flag's value that is no number.
var plainNumber = regexp.MustCompile(`strconv\.Parse\w+: parsing "(?:[^"\\]|\\.)*": (invalid syntax|value out of range)$`)

func plainly(text string) string {
	switch {
	case strings.HasSuffix(text, "range"):
		return "that number is too large"
	case strings.HasPrefix(text, "strconv.ParseBool"):
		return "write true or false"
	}
	return "that is no number"
}

// explained says cobra's errors in plain words.
func explained(cmd *cobra.Command, err error) error {
	if err == nil || errors.As(err, new(*UsageError)) {
		return err
	}
	text := err.Error()
	if m := unknownCommand.FindStringSubmatch(text); m != nil {
		return &UsageError{unknown(cmd, m[1])}
	}
	if m := exclusive.FindStringSubmatch(text); m != nil {
		return Usagef("--%s cannot be used together: leave out all but one", strings.Join(strings.Fields(m[1]), " and --"))
	}
	return err
}
