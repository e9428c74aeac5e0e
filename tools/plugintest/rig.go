package plugintest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/internal/isolate/probe"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/registry"
)

// rig is the plugin in a worker.
type rig struct {
	t       *Tester
	plugin  *isolate.Plugin
	session *isolate.Session
	dir     string // its working directory
	options rigOptions
	mu      sync.Mutex
	log     []string // the last lines
	trouble []string // what the host table reported
	printed []string

	ctx    context.Context // of its calls; it ends when the plugin takes too much memory
	cancel context.CancelCauseFunc

	trace []step // the calls so far
	owned []instance
	blob  uint64 // address of a blob that is lent
}

type rigOptions struct {
	layout  wire.Layout
	unload  bool
	wrapper []string // a command around the worker, which makes it slow
	dir     string   // the working directory; empty for a new one
	quiet   bool     // what it does is no finding
	survey  bool     // it is to be asked for its surroundings
	plain   bool     // calls use ordinary memory, which is faster
	slow    int      // how many times as slow a call may be; 0 for once
}

// instance is a box's instance.
type instance struct {
	box *box
	id  uint32
}

const (
	// memoryLimit is what a plugin may take, in bytes.
	memoryLimit = 1 << 30
	// keptLines is how many of the last lines a finding shows.
	keptLines = 5
)

// open starts a worker with the library. Where that fails for the plugin's sake,
// that is a finding, and there is no rig.
func (t *Tester) open(o rigOptions) (*rig, error) {
	r := &rig{t: t, options: o, dir: o.dir}
	r.ctx, r.cancel = context.WithCancelCause(t.ctx)
	if r.dir == "" {
		dir, err := os.MkdirTemp("", "plugin-tester-")
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCannotRun, err)
		}
		r.dir = dir
	}
	if err := r.start(); err != nil {
		r.cancel(nil)
		r.removeDir()
		if errors.Is(err, isolate.ErrWorker) || errors.Is(err, transport.ErrUnsupported) || t.ctx.Err() != nil {
			return nil, fmt.Errorf("%w: %w", ErrCannotRun, err)
		}
		if f := t.loadFinding(r, err); f.Code != "" && !o.quiet {
			t.add(f)
		}
		return nil, nil
	}
	if o.wrapper == nil {
		go r.watchMemory()
	}
	return r, nil
}

func (r *rig) start() error {
	t, o := r.t, r.options
	config := isolate.Config{
		File: t.config.File, Unload: o.unload, Track: true, Survey: o.survey, Hooks: true, Sink: r, Output: r.print,
		Worker: t.config.Worker, Wrapper: o.wrapper, Dir: r.dir, CallTimeout: t.config.Timeout * time.Duration(max(1, o.slow)),
		InUse: func() bool { return true },
	}
	if l := t.config.Library; l != nil {
		config.InvokeOnly, config.Threads = l.InvokeOnly, threads[l.Threads]
	}
	if o.wrapper != nil {
		// A debugger minds neither shared memory of that size nor spinning, but is
		// slow with both.
		config.Channel = isolate.ChannelPipe
	} else if limitsWork {
		limit := uint64(memoryLimit)
		config.Limits.Memory = &limit
	}
	ctx, cancel := context.WithTimeoutCause(t.ctx, config.CallTimeout+time.Duration(o.slow)*time.Second, errLoadHang)
	defer cancel()
	plugin, err := isolate.Open(ctx, config)
	if err != nil {
		return err
	}
	r.plugin = plugin
	r.session, err = plugin.Session(ctx)
	return err
}

var errLoadHang = errors.New("loading took longer than a call may")

// PluginLog implements hostvtable.Sink.
func (r *rig) PluginLog(level abi.LogLevel, text string, own bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if strings.HasPrefix(text, "host table: free(") { // which any plugin could log: see checkMemory
		r.trouble = append(r.trouble, strings.TrimPrefix(text, "host table: "))
	}
	r.keep(text)
}

// PluginWake implements hostvtable.Sink.
func (r *rig) PluginWake(uint64, bool) {}

func (r *rig) print(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.printed = append(r.printed, line)
	r.keep(line)
}

func (r *rig) keep(line string) {
	r.log = append(r.log, line)
	if len(r.log) > keptLines {
		r.log = r.log[1:]
	}
}

func (r *rig) lastLines() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]string(nil), r.log...)
}

func (r *rig) removeDir() {
	if r.options.dir == "" {
		_ = os.RemoveAll(r.dir)
	}
}

// end ends the worker, with the plugin's shutdown, and tells what came of it.
func (t *Tester) end(r *rig) {
	defer r.removeDir()
	defer r.cancel(nil)
	if r.session.Lost() {
		_ = r.plugin.Close()
		return
	}
	if err := probe.Shutdown(r.session); err != nil && !r.options.quiet {
		t.lostAt(r, &step{m: &method{name: "shutdown"}}, err)
	}
	if memory, ok := r.session.Memory(); ok && !r.options.quiet {
		t.checkMemory(r, &memory)
	}
	_ = r.plugin.Close()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.printed) > 0 && r.options.wrapper == nil && !r.options.quiet {
		t.add(Finding{Code: codeOutput, Message: fmt.Sprintf("it printed %q", r.printed[0])})
	}
}

// checkMemory tells what the plugin did wrong with the host table. A plugin can log
// what the table logs, but it cannot have it count.
func (t *Tester) checkMemory(r *rig, m *hostvtable.Memory) {
	r.mu.Lock()
	trouble := r.trouble
	r.mu.Unlock()
	if m.Blocks > 0 {
		t.add(Finding{Code: codeAllocLeak, Message: fmt.Sprintf("after shutdown %s of host->alloc with %d bytes are not freed", plural(m.Blocks, "block"), m.Bytes)})
	}
	for _, text := range trouble[:max(0, min(len(trouble), m.DoubleFrees+m.ForeignFrees))] {
		t.add(Finding{Code: codeBadFree, Message: text})
	}
}

// scenario runs f with the plugin in a worker of its own. A worker that is lost is
// a finding, and so is no worker.
func (t *Tester) scenario(o rigOptions, f func(*rig) error) error {
	if err := t.ctx.Err(); err != nil {
		return context.Cause(t.ctx)
	}
	if o.plain && t.kept {
		// It would write into other calls' memory, or read it, and seem to have other
		// faults.
		return nil
	}
	r, err := t.open(o)
	if r == nil || err != nil {
		return err
	}
	defer t.end(r)
	return t.follow(r, f(r))
}

// follow takes note of a lost worker.
func (t *Tester) follow(r *rig, err error) error {
	var lost *lostError
	if !errors.As(err, &lost) {
		return err
	}
	t.lostAt(r, lost.at, lost.err)
	return nil
}

// lostError is a call that ended the worker.
type lostError struct {
	at  *step
	err error
}

func (e *lostError) Error() string { return e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

var errRunaway = errors.New("it took too much memory")

// watchMemory ends the worker when it takes too much memory.
func (r *rig) watchMemory() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-r.ctx.Done():
			return
		case <-tick.C:
			if r.plugin.Status().RSS > memoryLimit*3/4 {
				r.cancel(errRunaway)
				return
			}
		}
	}
}

var loadCodes = []struct {
	reason error
	code   string
}{
	{native.ErrNotLibrary, codeNotLibrary},
	{native.ErrOpen, codeLoad},
	{native.ErrSymbol, codeSymbol},
	{native.ErrVersion, codeABI},
	{native.ErrInit, codeInit},
	{native.ErrDescription, codeDescription},
}

// loadFinding is what keeps a library from being loaded.
func (t *Tester) loadFinding(r *rig, err error) Finding {
	for _, c := range loadCodes {
		if errors.Is(err, c.reason) {
			var refused *native.Error
			message := err.Error()
			if errors.As(err, &refused) && refused.Detail != "" {
				message = refused.Detail
			}
			return Finding{Code: c.code, Message: message, Log: r.lastLines()}
		}
	}
	f := t.lostFinding(r, &step{m: &method{name: "init"}}, err)
	if f.Code == "" && !errors.Is(err, transport.ErrCrashed) {
		f = Finding{Code: codeLoad, Message: err.Error(), Log: r.lastLines()}
	}
	return f
}

var threads = map[registry.Threads]native.Threads{
	registry.ThreadsFree:   native.Free,
	registry.ThreadsSerial: native.Serial,
	registry.ThreadsPinned: native.Pinned,
}
