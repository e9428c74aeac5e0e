package faults

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

// lines is a slog.Handler that keeps what it gets.
type lines struct {
	mu    sync.Mutex
	texts []string
	added chan struct{}
	with  []slog.Attr
	root  *lines
}

func newLines() *lines {
	l := &lines{added: make(chan struct{}, 100)}
	l.root = l
	return l
}

func (l *lines) Enabled(context.Context, slog.Level) bool { return true }
func (l *lines) WithGroup(string) slog.Handler            { return l }
func (l *lines) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &lines{root: l.root, with: append(l.with[:len(l.with):len(l.with)], attrs...)}
}

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	text := ""
	for _, a := range l.with {
		if a.Key == "plugin" {
			text += a.Value.String() + " "
		}
	}
	r.Attrs(func(a slog.Attr) bool {
		if a.Key != "after_close" { // the plugin's thread may be quicker than the host
			text += a.String() + " "
		}
		return true
	})
	l.root.mu.Lock()
	l.root.texts = append(l.root.texts, r.Level.String()+" "+text+r.Message)
	l.root.mu.Unlock()
	l.root.added <- struct{}{}
	return nil
}

func TestPluginLogsAtAnyTime(t *testing.T) {
	path := ccbuild.Library(t, "testdata/logs_everywhere.c")
	got := newLines()
	var wakes []uint64
	h := host(t, path, methods, loader.WithLogger(slog.New(got)),
		loader.WithWake(func(plugin string, handle uint64) {
			assert.Equal(t, "Fault", plugin)
			wakes = append(wakes, handle)
		}))
	box, err := h.New(ctx, "Fault")
	require.NoError(t, err)
	_, err = box.Call(ctx, "run")
	require.NoError(t, err)
	unhurt(t, h, path)
	require.NoError(t, h.Close())

	want := []string{
		"INFO Fault in init",
		"INFO Fault in a call",
		"INFO Fault in shutdown",
		"INFO Fault from a thread after shutdown",
	}
	for range want {
		<-got.added
	}
	got.mu.Lock()
	defer got.mu.Unlock()
	assert.Equal(t, want, got.texts)
	assert.Equal(t, []uint64{6}, wakes, "a closed host is woken no more")
}
