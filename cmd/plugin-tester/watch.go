package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/objfile"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

const (
	// settle is how long the files have been left alone before they count as written.
	settle = 200 * time.Millisecond
	// patience is how long a library that is not whole is waited for: then it is tested as it is.
	patience = 3 * time.Second
	// lookAgain is how often the files are looked at without an event: a folder may have been
	// made anew, or be on a file system without events.
	lookAgain = time.Second
)

var (
	// errChanged ends a run whose library has changed meanwhile.
	errChanged = errors.New("the library has changed")
	// errNoneEnded is the status without a whole run.
	errNoneEnded = errors.New("no run has come to its end")
)

// watch runs once, and again whenever a file has changed. It goes on until ctx ends, and returns what
// the last whole run has. A first run that cannot test ends it.
func watch(ctx context.Context, w io.Writer, library string, others []string, once func(context.Context) error) error {
	events, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("%w: watch files: %w", plugintest.ErrCannotRun, err)
	}
	defer func() { _ = events.Close() }()
	f := &watched{files: append([]string{library}, others...), events: events}
	name := contract.Printable(library)
	f.begin()
	last, status := f.run(ctx, once), errNoneEnded
	if !isWhole(last) && !errors.Is(last, errChanged) {
		return last
	}
	for {
		if isWhole(last) {
			status = last
		}
		if ctx.Err() != nil {
			return status
		}
		switch {
		case errors.Is(last, errChanged):
			fmt.Fprintf(w, "%s changed, and the run was left\n", f.other)
		case isWhole(last):
			fmt.Fprintf(w, "watching %s; Ctrl-C ends\n", name)
		default:
			fmt.Fprintf(w, "plugin-tester: %s\nwatching %s; Ctrl-C ends\n", contract.PrintableLines(last.Error()), name)
		}
		if !f.wait(ctx, f.changed) || !f.settled(ctx) {
			return status
		}
		fmt.Fprintf(w, "\n%s changed\n", f.other)
		last = f.run(ctx, once)
	}
}

// isWhole tells whether a run has come to its end, from its error.
func isWhole(err error) bool { return err == nil || errors.Is(err, errFindings) }

// watched are the files that a run depends on. The library is the first one, and must be there.
type watched struct {
	files  []string
	events *fsnotify.Watcher
	seen   []os.FileInfo // when the run began; nil for what was not there
	other  string        // the file that was found changed last, for a person
}

// begin begins to watch, and takes the files as they are.
func (f *watched) begin() {
	f.folders()
	f.seen = f.look()
}

// folders watches those of the files: a build replaces files, and a watch of a file ends with it.
func (f *watched) folders() {
	for _, file := range f.files {
		_ = f.events.Add(filepath.Dir(file)) // which may not be there; it is looked for again
	}
}

func (f *watched) look() []os.FileInfo {
	all := make([]os.FileInfo, len(f.files))
	for i, file := range f.files {
		if info, err := os.Stat(file); err == nil {
			all[i] = info
		}
	}
	return all
}

// changed tells whether a file has changed, and notes which.
func (f *watched) changed() bool {
	have := f.look()
	for i, was := range f.seen {
		if !sameFile(was, have[i]) {
			f.other = contract.Printable(f.files[i])
			return true
		}
	}
	return false
}

func sameFiles(a, b []os.FileInfo) bool { return slices.EqualFunc(a, b, sameFile) }

func sameFile(a, b os.FileInfo) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// run runs once. Where a file changes meanwhile, it is ended, and the error is errChanged.
func (f *watched) run(ctx context.Context, once func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan error, 1)
	go func() { done <- once(ctx) }()
	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	for {
		select {
		case err := <-done:
			if errors.Is(context.Cause(ctx), errChanged) {
				return errChanged
			}
			return err
		case <-f.events.Events:
		case <-f.events.Errors: //nolint:errcheck // the files are looked at all the same
		case <-ticker.C:
		}
		if f.changed() {
			cancel(errChanged)
		}
	}
}

// wait waits until there is, or ctx ends; then it is false.
func (f *watched) wait(ctx context.Context, there func() bool) bool {
	ticker := time.NewTicker(lookAgain)
	defer ticker.Stop()
	for !there() {
		select {
		case <-ctx.Done():
			return false
		case <-f.events.Events:
		case <-f.events.Errors: //nolint:errcheck // the files are looked at all the same
		case <-ticker.C:
			f.folders()
		}
	}
	return true
}

// settled waits until the files have been left alone for a while, and the library is there and
// whole: a linker writes a library in several steps. It is false when ctx has ended.
func (f *watched) settled(ctx context.Context) bool {
	f.seen = f.look()
	since := time.Now()
	ticker := time.NewTicker(settle / 4)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-f.events.Events:
		case <-f.events.Errors: //nolint:errcheck // the files are looked at all the same
		case <-ticker.C:
		}
		if have := f.look(); !sameFiles(f.seen, have) {
			f.seen, since = have, time.Now()
			continue
		}
		alone := time.Since(since)
		if f.seen[0] == nil || alone < settle {
			continue
		}
		if alone >= patience || whole(f.files[0]) {
			f.folders()
			return true
		}
	}
}

// whole tells whether a library has all of its tables, which the end of the file has.
func whole(library string) bool {
	if strings.EqualFold(filepath.Ext(library), ".wasm") {
		return true // it is read from its beginning to its end, and says what is wrong
	}
	_, err := objfile.Read(library)
	return err == nil
}
