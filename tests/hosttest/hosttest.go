// Package hosttest opens hosts for tests, calls their boxes, and keeps what they log.
// An error fails the test that it happens in.
//
// NYASH_TEST_ISOLATION=process runs every library of such a host in a process of its
// own, and NYASH_TEST_CHANNEL=pipe reaches isolated libraries through pipes: the same
// tests then hold for each way to a plugin. A program of tests whose hosts isolate
// libraries calls worker.Main in its TestMain.
package hosttest

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

// Isolated reports whether the tests run every library in a process of its own.
func Isolated() bool { return os.Getenv("NYASH_TEST_ISOLATION") == "process" }

// Piped reports whether the tests reach isolated libraries through pipes.
func Piped() bool { return os.Getenv("NYASH_TEST_CHANNEL") == "pipe" }

// Rounds is how often to repeat what shows leaks and races: most times, as `make isolated`
// does, or in a sample a fifth of that.
func Rounds(most int) int {
	if os.Getenv("NYASH_TEST_ROUNDS") == "all" {
		return most
	}
	return max(1, most/5)
}

// Options are those of a host that logs nothing and runs its libraries where the
// environment says. They are made anew in each test: the go command remembers which
// variables a test has read when it decides whether a result is still good.
func Options() []loader.Option {
	opts := []loader.Option{loader.WithLogger(slog.New(slog.DiscardHandler))}
	if Isolated() {
		opts = append(opts, loader.WithIsolation(loader.IsolationProcess))
	}
	if Piped() {
		opts = append(opts, loader.WithWorkerChannel(loader.ChannelPipe))
	}
	return opts
}

// Open opens a host for the text of a nyash.toml, with [Options] and then opts. It is
// closed when the test ends, without an error.
func Open(t testing.TB, text string, opts ...loader.Option) *loader.Host {
	t.Helper()
	h := OpenUnclosed(t, text, opts...)
	t.Cleanup(func() { assert.NoError(t, h.Close()) })
	return h
}

// OpenUnclosed is [Open] for tests of how a host closes. They close it.
func OpenUnclosed(t testing.TB, text string, opts ...loader.Option) *loader.Host {
	t.Helper()
	config, err := registry.Parse("nyash.toml", []byte(text))
	require.NoError(t, err)
	h, err := loader.OpenConfig(config, append(Options(), opts...)...)
	require.NoError(t, err)
	return h
}

// PluginTOML is the nyash.toml that the README of a plugin of this repository shows,
// for the library that is given.
func PluginTOML(t testing.TB, plugin, library string) string {
	t.Helper()
	readme, err := os.ReadFile(filepath.Join(ccbuild.Root(t), "plugins", plugin, "README.md"))
	require.NoError(t, err)
	_, shown, found := strings.Cut(string(readme), "```toml\n")
	require.True(t, found, "the README of %s shows no nyash.toml", plugin)
	shown, _, _ = strings.Cut(shown, "```")
	return strings.Replace(shown, strconv.Quote("nyash-"+plugin+"-plugin"), strconv.Quote(library), 1)
}

// File writes a nyash.toml into a folder of the test's own and returns its path: for
// programs that the test starts.
func File(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nyash.toml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// New makes a box.
func New(t testing.TB, h *loader.Host, name string, args ...any) *loader.Box {
	t.Helper()
	box, err := h.New(context.Background(), name, args...)
	require.NoError(t, err)
	return box
}

// Call calls a method that succeeds.
func Call(t testing.TB, box *loader.Box, method string, args ...any) loader.Result {
	t.Helper()
	r, err := box.Call(context.Background(), method, args...)
	require.NoError(t, err)
	return r
}

// CallInt calls a method that answers an integer.
func CallInt(t testing.TB, box *loader.Box, method string, args ...any) int64 {
	t.Helper()
	r, err := box.Call(context.Background(), method, args...)
	return Int(t, r, err)
}

// Int is the integer that a call answered. It takes what the call returned, so that
// the two need no name of their own between them.
func Int(t testing.TB, r loader.Result, err error) int64 {
	t.Helper()
	require.NoError(t, err)
	n, err := r.Int()
	require.NoError(t, err)
	return n
}

// Eventually returns when ok does so. Only the time limit of the test program ends it
// before: a limit of its own would be too short for some machine.
func Eventually(ok func() bool) {
	for !ok() {
		runtime.Gosched()
	}
}
