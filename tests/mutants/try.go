package mutants

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// quick is the time for each box and round of checks, as --for is, and call that of a call.
const (
	quick = 3 * time.Second
	call  = 3 * time.Second
	// longest is when a mutant is given up that the tester cannot come to an end with.
	longest = 10 * time.Minute
)

// round is a part of the checks. A mutant that one does not kill comes to the next, when all
// others had theirs.
type round struct {
	checks []string
	budget time.Duration // for each box, as --for is
	seed   uint64
}

// rounds have all checks, those first that take the least time, and last those once more that
// find more with more time.
var rounds = []round{
	{[]string{"check", "typecheck", "io", "host", "protocol", "failures", "leaf", "explore"}, quick, 1},
	{[]string{"threads", "lifecycle", "stress", "memcheck"}, quick, 1},
	{[]string{"explore", "threads"}, 10 * time.Second, 2},
}

// bench is where a plugin's mutants are tried.
type bench struct {
	plugin  *plugin
	module  string
	worker  string
	sources map[string]string
	apply   map[string]bool // whether a check does
}

// kill is the finding that tells a mutant from the plugin; the zero value where there is none.
type kill struct {
	code, place, check string
	seconds            float64
}

// library compiles sources, and says how they are tested.
func (b *bench) library(ctx context.Context, folder string, sources map[string]string) (plugintest.Config, error) {
	file := filepath.Join(folder, "lib"+b.plugin.name+".so")
	c := plugintest.Config{File: file, Worker: b.worker, Timeout: call}
	if err := b.plugin.compile(ctx, b.module, filepath.Join(folder, "source"), file, sources, "-O1", "-g", "-shared"); err != nil {
		return c, err
	}
	if b.plugin.toml == "" {
		return c, nil
	}
	path := filepath.Join(b.module, b.plugin.root, b.plugin.toml)
	config, err := registry.Load(path)
	if err != nil {
		return c, err
	}
	c.Boxes, c.TOML = config.Boxes, path
	for _, box := range config.Boxes {
		if box.Name == b.plugin.box {
			c.Library = box.Library
		}
	}
	return c, nil
}

// try runs checks on sources, up to the first finding that the plugin itself does not have.
func (b *bench) try(ctx context.Context, sources map[string]string, checks []string, budget time.Duration, seed uint64) (k kill, err error) {
	folder, err := os.MkdirTemp("", "mutant")
	if err != nil {
		return k, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	c, err := b.library(ctx, folder, sources)
	if err != nil {
		return k, err
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	found := &first{stop: cancel}
	c.For, c.Seed, c.Progress = budget, seed, found
	tester, err := plugintest.New(c)
	if err != nil {
		return k, err
	}
	start := time.Now()
	for _, check := range checks {
		if b.apply != nil && !b.apply[check] {
			continue
		}
		_, err = tester.Run(ctx, check)
		switch {
		case found.at != nil:
			return kill{found.at.Code, place(found.at), check, time.Since(start).Seconds()}, nil
		case errors.Is(err, plugintest.ErrCannotRun) && b.apply != nil:
			return kill{"cannot-run", "", check, time.Since(start).Seconds()}, nil
		case err != nil && ctx.Err() == nil:
			return k, fmt.Errorf("%s: %w", check, err)
		case err != nil:
			return k, err
		}
	}
	return k, nil
}

// prepare looks which checks of a round apply to the plugin itself, and what they find.
func (b *bench) prepare(ctx context.Context, r round) error {
	apply := make(map[string]bool)
	b.apply = nil // those of another round
	for _, check := range r.checks {
		k, err := b.try(ctx, b.sources, []string{check}, r.budget, r.seed)
		if errors.Is(err, plugintest.ErrCannotRun) {
			continue
		}
		if err != nil {
			return err
		}
		if k.code != "" {
			return fmt.Errorf("the tester finds %s in the plugin itself (%s)", k.code, k.place)
		}
		apply[check] = true
	}
	b.apply = apply
	return nil
}

// place is where a finding is, without the library's path.
func place(f *plugintest.Finding) string {
	if p := f.Place(); p != f.Library {
		return p
	}
	return ""
}

// first ends a run at its first finding that counts.
type first struct {
	stop func()
	at   *plugintest.Finding
}

func (*first) Begin(string)                {}
func (*first) At(string, string)           {}
func (*first) End(*plugintest.CheckReport) {}

func (f *first) Found(found *plugintest.Finding) {
	if f.at != nil || found.Severity == plugintest.SeverityNote {
		return
	}
	f.at = found
	f.stop()
}
