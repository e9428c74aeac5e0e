package loader

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
)

// keptLines is how many log lines of a library an error can show.
const keptLines = 8

// pluginLog receives what a library says through its host table. It knows the
// host's logger and not the host, because it goes on receiving when the host
// is gone.
type pluginLog struct {
	logger *slog.Logger // with the plugin's name
	plugin string
	wake   func(plugin string, handle uint64)

	mu     sync.Mutex
	lines  []string
	quiet  bool // wakes nobody any more
	closed bool
}

func newPluginLog(o *options, plugin, file string) *pluginLog {
	return &pluginLog{
		logger: o.logger.With("plugin", plugin, "library", file),
		plugin: plugin,
		wake:   o.wake,
	}
}

// PluginLog implements hostvtable.Sink.
func (p *pluginLog) PluginLog(level abi.LogLevel, text string, own bool) {
	// slog's own handlers quote what is not fit for a line; others may print it, and
	// so does who shows an error with its log.
	text = contract.Printable(text)
	p.mu.Lock()
	if len(p.lines) == keptLines {
		p.lines = slices.Delete(p.lines, 0, 1)
	}
	p.lines = append(p.lines, text)
	closed := p.closed
	p.mu.Unlock()

	var attrs []slog.Attr
	slogLevel, known := slogLevels[level]
	if !known {
		attrs = append(attrs, slog.Int("level_number", int(level)))
	}
	if closed {
		attrs = append(attrs, slog.Bool("after_close", true))
	}
	if !own {
		attrs = append(attrs, slog.Bool("plugin_uncertain", true))
	}
	p.logger.LogAttrs(context.Background(), slogLevel, text, attrs...)
}

// A level that is not listed is logged as info, slog's zero level.
var slogLevels = map[abi.LogLevel]slog.Level{
	abi.LogDebug: slog.LevelDebug,
	abi.LogInfo:  slog.LevelInfo,
	abi.LogWarn:  slog.LevelWarn,
	abi.LogError: slog.LevelError,
}

// PluginWake implements hostvtable.Sink.
func (p *pluginLog) PluginWake(handle uint64, own bool) {
	p.mu.Lock()
	quiet := p.quiet
	p.mu.Unlock()
	if quiet || p.wake == nil {
		return
	}
	p.wake(p.plugin, handle)
}

// stopWaking comes before the library's shutdown: the program's wake function
// is not called for a host that is going.
func (p *pluginLog) stopWaking() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.quiet = true
}

// close marks what is logged from now on as late.
func (p *pluginLog) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.quiet, p.closed = true, true
}

func (p *pluginLog) last() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lines)
}
