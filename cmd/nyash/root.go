package main

import (
	"github.com/nyash-plugins/nyash-go/internal/version"

	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nyash-plugins/nyash-go/internal/command"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
)

// settings are the flags that all commands share.
type settings struct {
	config    string
	logLevel  string
	isolation string
	channel   string // hidden: for tests
}

func newRoot() *cobra.Command {
	s := &settings{}
	root := &cobra.Command{
		Use:   "nyash",
		Short: "Load native plugins that nyash.toml describes, and run scripts with them",
		Long: `Load native plugins that nyash.toml describes, and run scripts with them.

The exit status is 0, 1 where a plugin or a script fails, and 2 where the command line
or nyash.toml is wrong.`,
		Version: version.Of("nyash"),
	}
	root.PersistentFlags().StringVar(&s.config, "config", "nyash.toml", "the file that describes the plugins")
	root.PersistentFlags().StringVar(&s.logLevel, "log-level", "warn", "least level of log lines to show: debug, info, warn or error")
	root.PersistentFlags().StringVar(&s.isolation, "isolation", "", "where plugins run, whatever nyash.toml says: none (in this process) or process (in one of their own)")
	root.PersistentFlags().StringVar(&s.channel, "channel", "", "how plugins in processes of their own are reached: memory or pipe")
	_ = root.PersistentFlags().MarkHidden("channel") // which fails for a flag that is not there
	root.AddCommand(newList(s), newCall(s), newInspect(s), newRun(s), newREPL(s), newNew(), newGen(s), newVersion())
	command.Flags(root, map[string]command.Completion{
		"config":    command.Files("toml"),
		"log-level": fixed("debug", "info", "warn", "error"),
		"isolation": fixed("none", "process"),
	})
	command.Prepare(root)
	return root
}

// boxNames are the boxes of nyash.toml, for completions: none where it has mistakes.
func (s *settings) boxNames() (all []string) {
	config, err := registry.Load(s.config)
	if err != nil {
		return nil
	}
	for _, b := range config.Boxes {
		all = append(all, b.Name)
	}
	return all
}

// boxesWith are those whose name begins with text.
func (s *settings) boxesWith(text string) []string {
	return slices.DeleteFunc(s.boxNames(), func(name string) bool { return !strings.HasPrefix(name, text) })
}

// fixed completes one of these words.
func fixed(words ...string) command.Completion {
	return command.Words(func() []string { return words })
}

// withHost opens the host, runs f and closes the host, whatever f did.
func (s *settings) withHost(cmd *cobra.Command, f func(*loader.Host) error, opts ...loader.Option) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.logLevel)); err != nil {
		return usagef("--log-level %s: write debug, info, warn or error", s.logLevel)
	}
	logger := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: level}))
	opts = append(opts, loader.WithLogger(logger))
	if s.isolation != "" {
		isolation, err := s.isolationOr(registry.IsolationNone)
		if err != nil {
			return err
		}
		opts = append(opts, loader.WithIsolation(isolation))
	}
	switch s.channel {
	case "":
	case "memory":
		opts = append(opts, loader.WithWorkerChannel(loader.ChannelMemory))
	case "pipe":
		opts = append(opts, loader.WithWorkerChannel(loader.ChannelPipe))
	default:
		return usagef("--channel %s: write memory or pipe", s.channel)
	}
	host, err := loader.Open(s.config, opts...)
	if err != nil {
		return &configurationError{err}
	}
	// A command that was interrupted waits for its plugins no longer than closeGrace.
	closing, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	defer context.AfterFunc(cmd.Context(), func() {
		time.AfterFunc(closeGrace, func() { cancel(errInterrupted) })
	})()
	err = f(host)
	if closeErr := host.Shutdown(closing); err == nil {
		err = closeErr
	}
	return err
}

// isolationOr is what --isolation asks for, or without it otherwise.
func (s *settings) isolationOr(otherwise registry.Isolation) (registry.Isolation, error) {
	if s.isolation == "" {
		return otherwise, nil
	}
	isolation, ok := registry.ParseIsolation(s.isolation)
	if !ok {
		return 0, usagef("--isolation %s: write none or process", s.isolation)
	}
	return isolation, nil
}

const closeGrace = time.Second

var errInterrupted = errors.New("interrupted")
