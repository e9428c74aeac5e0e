package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/nyash-plugins/nyash-go/internal/command"
	"github.com/nyash-plugins/nyash-go/registry"
)

// The exit statuses.
const (
	statusFailed = 1 // a plugin, or the script
	statusUsage  = 2 // the command line, or nyash.toml
)

func usagef(format string, args ...any) error { return command.Usagef(format, args...) }

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
	var usage *command.UsageError
	var configuration *configurationError
	var mistakes registry.Errors
	var mistake *registry.Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage), errors.As(err, &configuration), errors.As(err, &mistakes), errors.As(err, &mistake):
		return statusUsage
	}
	return statusFailed
}

// isFile makes a missing file, and a folder, a mistake in the command line.
func isFile(file string) error {
	info, err := os.Stat(file)
	if path := (*fs.PathError)(nil); errors.As(err, &path) && errors.Is(err, fs.ErrNotExist) {
		return usagef("%s: %w", file, path.Err)
	}
	if err == nil && info.IsDir() {
		return usagef("%s is a folder; name a file in it", file)
	}
	return nil
}

// misnamed makes it a mistake in the command line that nothing has the name that was given there. What
// nyash.toml names, and is not there, is a plugin that fails.
func misnamed(err error) error {
	if declared := (*registry.NotFoundError)(nil); errors.Is(err, fs.ErrNotExist) && !errors.As(err, &declared) {
		return &command.UsageError{Err: err}
	}
	return err
}
