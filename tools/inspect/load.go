package inspect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/registry"
)

// memoryLimit is how much memory a library may take to load, in bytes, where the
// system can limit it.
const memoryLimit = 1 << 30

// loaded is what a library said while it was loaded, as far as it came.
type loaded struct {
	base string
	own  *registry.Description // nil where it has no text
	init abi.Description
	log  output
}

// load loads the library and closes it again.
func load(ctx context.Context, c *Config, invokeOnly bool, tables []native.TableRequest) (*loaded, error) {
	l := &loaded{base: filepath.Base(c.File)}
	if c.InProcess {
		return l, l.inProcess(ctx, c.File, invokeOnly, tables)
	}
	return l, l.inWorker(ctx, c, invokeOnly, tables)
}

func (l *loaded) inProcess(ctx context.Context, file string, invokeOnly bool, tables []native.TableRequest) error {
	lib, err := native.Open(ctx, native.Config{File: file, InvokeOnly: invokeOnly, Tables: tables, Sink: &l.log, Configure: l.configure})
	if err != nil {
		return err
	}
	l.init = lib.Description()
	return lib.Close()
}

func (l *loaded) inWorker(ctx context.Context, c *Config, invokeOnly bool, tables []native.TableRequest) error {
	// What a library writes while it is loaded should not lie about here.
	dir, err := os.MkdirTemp("", "nyash-inspect-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the library decides what is in it
	file, err := filepath.Abs(c.File)
	if err != nil {
		return err
	}
	config := isolate.Config{
		File: file, InvokeOnly: invokeOnly, Tables: tables, Sink: &l.log, Output: l.log.keep, Configure: l.configure,
		Worker: c.Worker, Dir: dir, InUse: func() bool { return true },
	}
	if runtime.GOOS == "linux" {
		limit := uint64(memoryLimit)
		config.Limits.Memory = &limit
	}
	timeout := c.timeout()
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, l.hung(timeout))
	defer cancel()
	plugin, err := isolate.Open(ctx, config)
	switch {
	case errors.Is(err, isolate.ErrWorker), errors.Is(err, transport.ErrUnsupported):
		return fmt.Errorf("%w; --isolation none loads it in this process, which it can end", err)
	case err != nil:
		return err
	}
	session, err := plugin.Session(ctx)
	if err == nil {
		l.init = session.Description()
	}
	return errors.Join(err, plugin.Close())
}

// hung is the error of a library that does not come to an end.
func (l *loaded) hung(limit time.Duration) error {
	return fmt.Errorf("no answer within %v: it hangs in its %s, %s or %s, or while the system loads it; --timeout sets the limit",
		limit, abi.SymbolABI, abi.SymbolConfig, abi.SymbolInit)
}

// configure reads what the library says of itself, as a host does. It comes before
// init, so that it is known even of a library whose init crashes.
func (l *loaded) configure(text string) (native.Threads, error) {
	own, err := registry.ParseDescription(l.base, text)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", native.ErrDescription, err)
	}
	l.own = own
	return own.Threads, nil
}

// logLines is how many lines of a library's are kept.
const logLines = 5

// output keeps the last lines that a library logs or prints. It is safe for concurrent
// use.
type output struct {
	mu    sync.Mutex
	lines []string
}

// PluginLog implements hostvtable.Sink.
func (o *output) PluginLog(_ abi.LogLevel, text string, _ bool) { o.keep(text) }

// PluginWake implements hostvtable.Sink.
func (o *output) PluginWake(uint64, bool) {}

func (o *output) keep(line string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.lines = append(o.lines, contract.Excerpt(line))
	if len(o.lines) > logLines {
		o.lines = o.lines[1:]
	}
}

func (o *output) last() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.lines)
}
