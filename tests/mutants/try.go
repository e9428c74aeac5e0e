package mutants

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// quick and slow are the times for each box and round, as --for is.
const (
	quick = 3 * time.Second
	slow  = 10 * time.Second
	// longest is when a mutant is given up that the tester cannot come to an end with.
	longest = 10 * time.Minute
)

// order is that of the checks: those first that take the least time.
var order = []string{"check", "typecheck", "protocol", "host", "io", "leaf", "explore", "threads", "stress", "lifecycle", "memcheck"}

// bench is where a plugin's mutants are tried.
type bench struct {
	plugin  *plugin
	module  string
	worker  string
	sources map[string]string
	checks  []string        // those that apply
	known   map[string]bool // what the tester finds in the plugin itself; nothing, it should be
}

// kill is the finding that tells a mutant from the plugin; the zero value where there is none.
type kill struct {
	code, place, check string
	seconds            float64
}

// library compiles sources, and says how they are tested.
func (b *bench) library(ctx context.Context, folder string, sources map[string]string) (plugintest.Config, error) {
	file := filepath.Join(folder, "lib"+b.plugin.name+".so")
	c := plugintest.Config{File: file, Worker: b.worker, Timeout: 3 * time.Second}
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
	defer os.RemoveAll(folder)
	c, err := b.library(ctx, folder, sources)
	if err != nil {
		return k, err
	}
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	found := &first{known: b.known, stop: cancel}
	c.For, c.Seed, c.Progress = budget, seed, found
	tester, err := plugintest.New(c)
	if err != nil {
		return k, err
	}
	start := time.Now()
	for _, check := range checks {
		_, err = tester.Run(ctx, check)
		switch {
		case found.at != nil:
			return kill{found.at.Code, place(found.at), check, time.Since(start).Seconds()}, nil
		case errors.Is(err, plugintest.ErrCannotRun) && b.checks != nil:
			return kill{"cannot-run", "", check, time.Since(start).Seconds()}, nil
		case err != nil && ctx.Err() == nil:
			return k, fmt.Errorf("%s: %w", check, err)
		case err != nil:
			return k, err
		}
	}
	return k, nil
}

// prepare looks which checks apply to the plugin itself, and what they find.
func (b *bench) prepare(ctx context.Context) error {
	b.known = make(map[string]bool)
	var apply []string
	for _, check := range order {
		for {
			k, err := b.try(ctx, b.sources, []string{check}, quick, 1)
			if errors.Is(err, plugintest.ErrCannotRun) {
				break
			}
			if err != nil {
				return err
			}
			if k.code == "" {
				apply = append(apply, check)
				break
			}
			b.known[k.code+" "+k.place] = true
		}
	}
	b.checks = apply
	return nil
}

// judge tries a mutant, and once more with more time where nothing is found.
func (b *bench) judge(ctx context.Context, m *Mutant) (kill, error) {
	sources := with(b.sources, m)
	k, err := b.try(ctx, sources, b.checks, quick, 1)
	if k.code != "" || err != nil {
		return k, err
	}
	longer := slices.DeleteFunc(slices.Clone(b.checks), func(c string) bool { return c != "explore" && c != "threads" })
	return b.try(ctx, sources, longer, slow, 2)
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
	known map[string]bool
	stop  func()
	at    *plugintest.Finding
}

func (*first) Begin(string)                {}
func (*first) At(string, string)           {}
func (*first) End(*plugintest.CheckReport) {}

func (f *first) Found(found *plugintest.Finding) {
	if f.at != nil || found.Severity == plugintest.SeverityNote || f.known[found.Code+" "+place(found)] {
		return
	}
	f.at = found
	f.stop()
}
