package main

import (
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/nyash-plugins/nyash-go/loader"
)

// settings are the flags that all commands share.
type settings struct {
	config   string
	logLevel string
}

func newRoot() *cobra.Command {
	s := &settings{}
	root := &cobra.Command{
		Use:           "nyash",
		Short:         "Load native plugins that nyash.toml describes, and run scripts with them",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.PersistentFlags().StringVar(&s.config, "config", "nyash.toml", "the file that describes the plugins")
	root.PersistentFlags().StringVar(&s.logLevel, "log-level", "warn", "least level of log lines to show: debug, info, warn or error")
	root.AddCommand(newList(s), newRun(s), newREPL(s), newVersion())
	return root
}

// withHost opens the host, runs f and closes the host, whatever f did.
func (s *settings) withHost(cmd *cobra.Command, f func(*loader.Host) error) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.logLevel)); err != nil {
		return fmt.Errorf("--log-level %s: write debug, info, warn or error", s.logLevel)
	}
	logger := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
	host, err := loader.Open(s.config, loader.WithLogger(logger))
	if err != nil {
		return err
	}
	err = f(host)
	if closeErr := host.Close(); err == nil {
		err = closeErr
	}
	return err
}
