package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/nyash-plugins/nyash-go/registry"
)

// The exit statuses.
const (
	statusFailed = 1 // a plugin, or the script
	statusUsage  = 2 // the command line, or nyash.toml
)

// usageError is a mistake in the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

func usagef(format string, args ...any) error { return &usageError{fmt.Errorf(format, args...)} }

// configurationError is a nyash.toml that cannot be used.
type configurationError struct{ err error }

func (e *configurationError) Error() string { return e.err.Error() }
func (e *configurationError) Unwrap() error { return e.err }

// Format has %+v show what the cause shows.
func (e *configurationError) Format(s fmt.State, verb rune) {
	fmt.Fprintf(s, fmt.FormatString(s, verb), e.err)
}

// statusOf is what the program exits with.
func statusOf(err error) int {
	var usage *usageError
	var configuration *configurationError
	var mistakes registry.Errors
	var mistake *registry.Error
	switch {
	case err == nil:
		return 0
	case strings.HasPrefix(err.Error(), "unknown command"): // cobra's has no type
		return statusUsage
	case errors.As(err, &usage), errors.As(err, &configuration), errors.As(err, &mistakes), errors.As(err, &mistake):
		return statusUsage
	}
	return statusFailed
}

// usage has what a command refuses of its command line be a usageError.
func usage(root *cobra.Command) {
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w (%s --help lists the flags)", err, cmd.CommandPath())
	})
	for _, cmd := range root.Commands() {
		usage(cmd)
		check := cmd.Args
		if check == nil {
			continue
		}
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return &usageError{err}
			}
			return nil
		}
	}
}

// exists makes a missing file a mistake in the command line.
func exists(what, file string) error {
	if _, err := os.Stat(file); errors.Is(err, os.ErrNotExist) {
		return usagef("%s: %w", what, err)
	}
	return nil
}
