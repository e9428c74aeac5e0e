package plugintest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/isolate/probe"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/modules"
	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/internal/permit"
	"github.com/nyash-plugins/nyash-go/internal/wasm"
	"github.com/nyash-plugins/nyash-go/registry"
)

// A WebAssembly module runs in this process: its sandbox makes a crash or a hang an error, as a
// worker does for libraries. What only a process of its own, or native code, shows cannot be
// told of a module; each check says what that is.

// moduleLife is a life as a module.
type moduleLife struct {
	*wasm.Module
	config modules.Config
	plugin modules.Plugin
	ctx    context.Context // of what is asked of the host while it is not loaded; nil while it is
}

// moduleGrace is how long a call may go on after its context has ended.
const moduleGrace = 100 * time.Millisecond

func (w *worker) openModule() error {
	l := &moduleLife{}
	threads := registry.ThreadsSerial
	l.config = modules.Config{
		File: w.config.File, CacheDir: modules.CacheDir(), Instances: 1, Sink: &w.output, Calls: w.host,
		Around: func(ctx context.Context, run func(context.Context)) {
			if l.ctx != nil {
				run(l.ctx)
				return
			}
			w.host.around(ctx, loading, run)
		},
		Configure:   w.configure(&threads),
		Mounts:      (&permit.Permissions{Grants: map[permit.Key][]string{permit.Write: {w.dir}}}).Mounts(w.dir),
		Memory:      memoryLimit,
		CallTimeout: w.config.Timeout, LoadTimeout: w.loadTime(), CancelGrace: moduleGrace,
	}
	if err := l.start(w.ctx); err != nil {
		return err
	}
	w.life = l
	// Whatever it asks for, a module has one call at a time.
	w.host.connected(w.description(), registry.ThreadsSerial)
	return nil
}

func (l *moduleLife) start(ctx context.Context) error {
	l.plugin = wasm.New(l.config)
	m, err := l.plugin.Session(ctx, true)
	if err != nil {
		return errors.Join(err, l.plugin.Close())
	}
	l.Module = m.(*wasm.Module)
	return nil
}

func (l *moduleLife) probe(ctx context.Context, c *probe.Call) error {
	found, err := l.Probe(ctx, &c.Call, filler)
	c.Damage = 0
	for _, d := range []struct {
		is   bool
		what damage
	}{{found.Args, damageArgs}, {found.BeforeResult, damageBeforeResult}, {found.BehindResult, damageBehindResult}} {
		if d.is {
			c.Damage |= d.what
		}
	}
	return err
}

func (l *moduleLife) batch(context.Context, *batch) error       { return errNoState }
func (l *moduleLife) watch(context.Context, *probe.Watch) error { return errNoState }
func (l *moduleLife) left() (probe.Left, error)                 { return probe.Left{}, nil }
func (l *moduleLife) fault(uint64, probe.FaultMode) (f probe.Faulted, err error) {
	return f, nil
}
func (l *moduleLife) abandon(err error) error { return err }

// survey tells how much memory the module has: it does not become smaller, and grows where
// blocks are lost.
func (l *moduleLife) survey(bool) (state processState, err error) {
	size, err := l.MemorySize(context.Background())
	state.Now.Anonymous = size
	return state, err
}

func (l *moduleLife) memory() (hostvtable.Memory, bool) { return hostvtable.Memory{}, false }
func (l *moduleLife) resident() uint64                  { return 0 }

func (l *moduleLife) lookAtConfig() (now probe.Config, err error) {
	text, err := l.AskConfig(context.Background())
	if first := l.Description().Config; err == nil && first != nil && text != *first {
		now.Asked = fmt.Sprintf("it has %d bytes now, and had %d", len(text), len(*first))
	}
	return now, err
}

func (l *moduleLife) shutdown(ctx context.Context) error {
	l.ctx = ctx
	defer func() { l.ctx = nil }()
	return l.plugin.Close()
}

func (l *moduleLife) reload(ctx context.Context) error {
	if err := l.shutdown(ctx); err != nil {
		return err
	}
	l.ctx = ctx
	defer func() { l.ctx = nil }()
	return l.start(ctx)
}

func (l *moduleLife) unanswered() (uint64, error) { return 0, nil }
func (l *moduleLife) close() error                { return l.plugin.Close() }

// programStart is the function of a module that is a program.
const programStart = "_start"

// moduleWords are the rules that say something else of modules.
var moduleWords = map[string]Rule{
	codeNotLibrary: {
		Expected: "a WebAssembly module that hosts can run",
		Fix:      "build it for wasm32-wasi with -mexec-model=reactor and nyash_plugin.h, as docs/wasm.md says",
	},
	codeSymbol: {
		Expected: "what docs/wasm.md lists: memory, the four entry points and the functions that nyash_plugin.h defines",
		Fix:      "build it with nyash_plugin.h, which exports them, and with -mexec-model=reactor",
	},
	codeExtraSymbol: {
		Expected: "only the functions that docs/wasm.md lists",
		Fix:      "leave out -Wl,--export-all, and export_name of what is not the plugin's",
	},
}

// ofModule is the rule as it is said of a module.
func (r Rule) ofModule() Rule {
	words := moduleWords[r.Code]
	r.Expected, r.Fix = cmp.Or(words.Expected, r.Expected), cmp.Or(words.Fix, r.Fix)
	return r
}

func isModule(c *Config) bool { return filepath.Ext(c.File) == ".wasm" }

// inspectModule reports what the module imports and exports. All that is wrong with that is one
// finding; that it does not load is then no other.
func inspectModule(e *env) {
	of, err := wasm.Look(e.config.File)
	if of == nil || err != nil {
		return // which loading it says
	}
	imports := make([]string, len(of.Imports))
	for i, f := range of.Imports {
		imports[i] = f.Module + "." + f.Name
	}
	e.line("WebAssembly module, imports %s", list(cutList(imports, 16), "nothing"))
	if m := of.Memory; m != nil && m.Most > 0 {
		e.line("memory: %d KiB at first, %d KiB at most", m.Least>>10, m.Most>>10)
	} else if m != nil {
		e.line("memory: %d KiB at first", m.Least>>10)
	}
	if len(of.Others) > 0 {
		f := Finding{Code: codeExtraSymbol, Message: "it exports " + list(cutList(of.Others, 8), "")}
		if slices.Contains(of.Others, programStart) {
			f.Fix = "compile it with -mexec-model=reactor, and leave main out: " + programStart + " is what a program exports"
		}
		e.add(f)
	}
	texts := make(map[error][]string)
	for _, fault := range of.Faults {
		for _, reason := range []error{native.ErrSymbol, native.ErrNotLibrary} {
			if errors.Is(fault, reason) {
				texts[reason] = append(texts[reason], faultText(fault))
			}
		}
	}
	for _, c := range loadCodes {
		if all := texts[c.reason]; len(all) > 0 {
			e.add(Finding{Code: c.code, Message: strings.Join(all, "\n")})
		}
	}
}

func faultText(err error) string {
	var refused *native.Error
	if errors.As(err, &refused) && refused.Detail != "" {
		return refused.Detail
	}
	return err.Error()
}

// moduleExports are the functions of the plugin ABI that a module exports.
func moduleExports(file string) (names []string) {
	of, err := wasm.Look(file)
	if err != nil {
		return nil
	}
	for _, e := range of.Exports {
		if strings.HasPrefix(e.Name, "nyash_") {
			names = append(names, e.Name)
		}
	}
	return names
}

// moduleFinding is why a module was ended.
func moduleFinding(f *Finding, crash *transport.CrashError) {
	if status, ok := wasm.ExitStatus(crash.Cause); ok {
		f.Code, f.Message = codeExit, fmt.Sprintf("it exits with status %d", status)
		return
	}
	f.Code, f.Message, f.Backtrace = codeCrash, crash.Cause.Error(), wasm.Stack(crash.Cause)
}

// notOfModules are what each check cannot tell of a module, and why.
var notOfModules = map[string][]string{
	"lifecycle": {
		"working directory, umask, signals, threads and descriptors: a module has none",
		"blocks of host->alloc: a module's allocator is its own; its memory is watched",
	},
	"protocol": {
		"reads past the arguments, and memory that is used after a call: a module's memory has no pages that cannot be touched",
	},
	"leaf":     {"time, waits and stack of leaf methods: in a module they are called as all others"},
	"stress":   {"races: a module serves one call at a time, and others wait"},
	"threads":  {"calls that are stopped in the middle: a module serves one call at a time"},
	"memcheck": {"lost and invalid memory: valgrind does not see into a module"},
	"host":     {"calls after shutdown, and of threads: a module cannot run by itself"},
}

func (e *env) skipOfModule() {
	if !e.plugin.module {
		return
	}
	for _, text := range notOfModules[e.check.Name] {
		e.skip("%s", text)
	}
	if e.check.Name == "protocol" && e.plugin.exportsBatch() {
		e.skip("%s: hosts make the calls of a module one by one", abi.SymbolInvokeBatch)
	}
}
