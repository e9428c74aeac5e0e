package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/command"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// output is what a command has written so far.
type output struct {
	mu    sync.Mutex
	text  bytes.Buffer
	grown chan struct{} // has room for one: something was written
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.grown <- struct{}{}:
	default:
	}
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// watching is a command with --watch under way.
type watching struct {
	t    *testing.T
	out  *output
	stop context.CancelFunc
	done chan error
	read int // how much of the output was waited for
}

func startWatching(t *testing.T, args ...string) *watching {
	t.Helper()
	if worker := ccbuild.TestersWorker(t); worker != "" {
		args = append(args, "--worker", worker)
	}
	ctx, stop := context.WithCancel(t.Context())
	w := &watching{t: t, out: &output{grown: make(chan struct{}, 1)}, stop: stop, done: make(chan error, 1)}
	root := newRoot()
	root.SetOut(w.out)
	root.SetErr(w.out)
	root.SetArgs(append(args, "--watch"))
	go func() { w.done <- command.Execute(ctx, root) }()
	t.Cleanup(stop)
	return w
}

// until waits for a text, behind what was waited for before, and returns what is up to it.
func (w *watching) until(text string) string {
	w.t.Helper()
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	for {
		rest := w.out.String()[w.read:]
		if before, _, ok := strings.Cut(rest, text); ok {
			w.read += len(before) + len(text)
			return before
		}
		select {
		case <-w.out.grown:
		case err := <-w.done:
			require.FailNow(w.t, "it has ended", "%v\n%s", err, w.out)
		case <-limit.C:
			require.FailNow(w.t, "no "+text, w.out.String())
		}
	}
}

func (w *watching) end() error {
	w.stop()
	select {
	case err := <-w.done:
		return err
	case <-time.After(time.Minute):
		require.FailNow(w.t, "it does not end", w.out.String())
		return nil
	}
}

// TestCommand_Watch: a library is tested again when it was replaced, as a whole; that it is missing or
// half written in between is no error.
func TestCommand_Watch(t *testing.T) {
	good, faulty := read(t, build(t, "good")), read(t, build(t, "duplicate_id"))
	library := filepath.Join(t.TempDir(), "build", "libcounter.so")
	require.NoError(t, os.Mkdir(filepath.Dir(library), 0o755))
	require.NoError(t, os.WriteFile(library, good, 0o755))
	page := filepath.Join(t.TempDir(), "report.html")

	w := startWatching(t, "check", library, "--html", page)
	w.until("no findings")
	w.until("watching ")
	assert.NotContains(t, string(read(t, page)), "error[duplicate-id]")

	require.NoError(t, os.Remove(library))
	require.NoError(t, os.WriteFile(library, faulty[:len(faulty)/2], 0o755))
	f, err := os.OpenFile(library, os.O_WRONLY|os.O_APPEND, 0)
	require.NoError(t, err)
	_, err = f.Write(faulty[len(faulty)/2:])
	require.NoError(t, errors.Join(err, f.Close()))
	assert.NotContains(t, w.until("error[duplicate-id]"), "error[")
	w.until("watching ")
	assert.Contains(t, string(read(t, page)), "error[duplicate-id]")

	require.NoError(t, os.RemoveAll(filepath.Dir(library)), "make clean")
	require.NoError(t, os.Mkdir(filepath.Dir(library), 0o755))
	other := filepath.Join(filepath.Dir(library), "other")
	require.NoError(t, os.WriteFile(other, good, 0o755))
	require.NoError(t, os.Rename(other, library))
	assert.NotContains(t, w.until("no findings"), "error[")
	w.until("watching ")
	require.NoError(t, w.end())
}

// TestCommand_WatchBroken: what stays broken is told after a while, and Ctrl-C ends with the last status.
func TestCommand_WatchBroken(t *testing.T) {
	good := read(t, build(t, "good"))
	library := filepath.Join(t.TempDir(), "libcounter.so")
	require.NoError(t, os.WriteFile(library, good, 0o755))
	w := startWatching(t, "check", library)
	w.until("watching ")
	require.NoError(t, os.Remove(library))
	require.NoError(t, os.WriteFile(library, good[:1000], 0o755))
	w.until("error[")
	w.until("watching ")
	require.ErrorIs(t, w.end(), errFindings)
}

// TestCommand_WatchConfig: the nyash.toml counts, too, and a mistake in it does not end the watch.
func TestCommand_WatchConfig(t *testing.T) {
	library := build(t, "good")
	config := filepath.Join(t.TempDir(), "nyash.toml")
	write := func(id string) {
		text := "[plugins.Counter]\nlibrary = \"" + library + "\"\ntype_id = " + id + "\n"
		require.NoError(t, os.WriteFile(config, []byte(text), 0o644))
	}
	write("710")
	w := startWatching(t, "typecheck", library, "--config", config)
	w.until("no findings")
	w.until("watching ")
	write("seven")
	w.until(config + " changed")
	w.until("plugin-tester: cannot test")
	w.until("watching ")
	write("7")
	w.until("error[type-id]")
	w.until("watching ")
	require.ErrorIs(t, w.end(), errFindings)
}

// TestWatch_Status: the status is that of the last whole run, whatever has come to no end since.
func TestWatch_Status(t *testing.T) {
	broken, left, interrupted := fmt.Errorf("%w: broken", plugintest.ErrCannotRun), errors.New("left"), errors.New("interrupted")
	for name, tt := range map[string]struct {
		runs []error // of the first run, and of each after a change
		want error
	}{
		"broken after a clean run":             {[]error{nil, broken}, nil},
		"broken after findings":                {[]error{errFindings, broken}, errFindings},
		"interrupted when it was mended":       {[]error{nil, broken, interrupted}, nil},
		"interrupted after findings":           {[]error{errFindings, broken, interrupted}, errFindings},
		"interrupted after the findings ended": {[]error{errFindings, nil, interrupted}, nil},
		"left after findings":                  {[]error{errFindings, left, interrupted}, errFindings},
		"left at once":                         {[]error{left, interrupted}, errNoneEnded},
	} {
		t.Run(name, func(t *testing.T) {
			library := build(t, "good")
			config := filepath.Join(t.TempDir(), "nyash.toml")
			ctx, stop := context.WithCancel(t.Context())
			w := &watching{t: t, out: &output{grown: make(chan struct{}, 1)}, stop: stop, done: make(chan error, 1)}
			runs := tt.runs
			once := func(ctx context.Context) error {
				result := runs[0]
				runs = runs[1:]
				fmt.Fprintln(w.out, "begun")
				if errors.Is(result, left) || errors.Is(result, interrupted) {
					<-ctx.Done()
				}
				return result
			}
			go func() { w.done <- watch(ctx, w.out, library, []string{config}, once) }()
			for i, result := range tt.runs {
				w.until("begun")
				if errors.Is(result, interrupted) {
					break
				}
				if !errors.Is(result, left) {
					w.until("watching ")
				}
				if i+1 < len(tt.runs) {
					require.NoError(t, os.WriteFile(config, bytes.Repeat([]byte("#"), i+1), 0o644))
				}
			}
			require.Equal(t, tt.want, w.end())
		})
	}
}

// TestCommand_WatchMeanwhile: a run is left when its library changes.
func TestCommand_WatchMeanwhile(t *testing.T) {
	good, faulty := read(t, build(t, "good")), read(t, build(t, "duplicate_id"))
	library := filepath.Join(t.TempDir(), "libcounter.so")
	require.NoError(t, os.WriteFile(library, good, 0o755))
	w := startWatching(t, "all", library, "--for", "10m")
	w.until("check ")
	require.NoError(t, os.Remove(library))
	require.NoError(t, os.WriteFile(library, faulty, 0o755))
	w.until("changed, and the run was left")
	w.until("error[duplicate-id]")
	_ = w.end()
}

// TestCommand_WatchMissing: where there is nothing to begin with, the name is wrong.
func TestCommand_WatchMissing(t *testing.T) {
	_, err := run(t, "check", filepath.Join(t.TempDir(), "libcounter.so"), "--watch")
	require.ErrorIs(t, err, plugintest.ErrCannotRun)
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	return data
}
