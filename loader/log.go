package loader

import (
	"context"
	"log/slog"
	"slices"
	"sync"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
)

// keptLines is how many log lines of a library an error shows.
const keptLines = 8

// pluginLog is the sink of a library's log lines and wakes. It refers to the host's
// logger and not to the host, because lines may come after the host has been closed.
type pluginLog struct {
	plugin string
	// logger is one with the plugin's name and file. It is made for the first line: handlers
	// write out what each line has, and most libraries have none.
	logger func() *slog.Logger
	wake   func(plugin string, handle uint64)

	mu       sync.Mutex
	lines    []string
	detached bool // wakes are dropped
	closed   bool // lines are marked as late
}

func newPluginLog(o *options, plugin, file string) *pluginLog {
	logger := o.logger
	return &pluginLog{
		logger: sync.OnceValue(func() *slog.Logger { return logger.With("plugin", plugin, "library", file) }),
		plugin: plugin,
		wake:   o.wake,
	}
}

// PluginLog implements hostvtable.Sink.
func (p *pluginLog) PluginLog(level abi.LogLevel, text string, own bool) {
	// slog's own handlers quote what a terminal would obey; others do not, and neither
	// does %+v of a CallError.
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
	p.logger().LogAttrs(context.Background(), slogLevel, text, attrs...)
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
	detached := p.detached
	p.mu.Unlock()
	if detached || p.wake == nil {
		return
	}
	p.wake(p.plugin, handle)
}

// detachWake is called before the library's shutdown: from then on the program's wake
// function is not called.
func (p *pluginLog) detachWake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.detached = true
}

// close marks what is logged from now on as late.
func (p *pluginLog) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.detached, p.closed = true, true
}

func (p *pluginLog) last() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.lines)
}
