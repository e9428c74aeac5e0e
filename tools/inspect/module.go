package inspect

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/modules"
	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/internal/restart"
	"github.com/nyash-plugins/nyash-go/internal/wasm"
)

// FormatModule is the format of a WebAssembly module.
const FormatModule = "WebAssembly module"

// Module is what only WebAssembly modules have. Lists are never nil.
type Module struct {
	Imports []Function `json:"imports"`
	Exports []Function `json:"exports"` // those that a host calls, with their types
	Others  []string   `json:"others"`  // exports of functions that no host calls
	Memory  *Memory    `json:"memory"`  // null where it has none
	// Files: it imports functions that open files, for which its host must give it folders.
	Files bool `json:"files"`
	// Faults are why hosts refuse it, each of the imports and exports with one having it too.
	Faults []string `json:"faults"`
}

// Function is a function that a module imports or exports.
type Function struct {
	Module string `json:"module,omitempty"` // of an import
	Name   string `json:"name"`
	Type   string `json:"type"`
	Fault  string `json:"fault,omitempty"`
}

func (f Function) String() string {
	if f.Module != "" {
		return f.Module + "." + f.Name
	}
	return f.Name + " " + f.Type
}

// Memory is the size of a module's memory, in bytes.
type Memory struct {
	Least uint64 `json:"least"` // that it begins with
	Most  uint64 `json:"most"`  // that it declares; 0 for as much as its host allows
}

func isModule(file string) bool {
	return strings.HasSuffix(file, ".wasm") || wasm.IsModule(file)
}

// runModule inspects a module. It is run in this process: its sandbox lets it do nothing, and
// ends it in time.
func runModule(ctx context.Context, c *Config) (*Report, error) {
	r, err := readModule(c.File)
	if err != nil {
		return r, err
	}
	if !r.isPlugin() {
		return r, errNoPlugin(c.File)
	}
	if len(r.Module.Faults) > 0 {
		return r, errors.Join(r.faults...)
	}
	if filepath.Ext(c.File) != ".wasm" {
		r.warn("hosts know a WebAssembly module by its name, which ends in .wasm; rename the file")
	}
	l := &loaded{base: filepath.Base(c.File)}
	err = l.inEngine(ctx, r.file, c.timeout())
	r.Log = l.log.last()
	r.described(l.own)
	if err != nil {
		return r, err
	}
	r.Loaded, r.ABI = true, abi.Version
	r.declared = c.Library
	return r, r.bind(filepath.Base(c.File), l.own, nil, l.init)
}

// readModule tells what can be told of a module that is not run.
func readModule(file string) (*Report, error) {
	r := newReport(file)
	abs, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	r.file, r.Format = abs, FormatModule
	of, err := wasm.Look(abs)
	if of == nil {
		return nil, err
	}
	r.Module = &Module{
		Imports: functions(of.Imports), Exports: functions(of.Exports), Others: append([]string{}, of.Others...),
		Memory: (*Memory)(of.Memory), Faults: []string{}, Files: slices.ContainsFunc(of.Imports, opensFiles),
	}
	r.known = err == nil
	for _, e := range of.Exports {
		if strings.HasPrefix(e.Name, "nyash_plugin_") {
			r.Exports = append(r.Exports, e.Name)
		}
	}
	r.Lacks = append(r.Lacks, of.Lacks...)
	r.faults = of.Faults
	for _, fault := range of.Faults {
		text := fault.Error()
		var e *native.Error
		if errors.As(fault, &e) {
			text = e.Detail
		}
		r.Module.Faults = append(r.Module.Faults, contract.PrintableLines(text))
	}
	if err == nil && len(r.Lacks) == 0 {
		r.Generations = append(r.Generations, FourSymbols)
	}
	return r, err
}

func functions(all []wasm.Function) []Function {
	out := make([]Function, len(all))
	for i, f := range all {
		out[i] = Function(f)
	}
	return out
}

// opensFiles tells of an import whether it finds files by their paths.
func opensFiles(f wasm.Function) bool {
	return f.Module == "wasi_snapshot_preview1" && strings.HasPrefix(f.Name, "path_")
}

// inEngine runs a module up to its init, and ends it.
func (l *loaded) inEngine(ctx context.Context, file string, limit time.Duration) error {
	p := wasm.New(modules.Config{
		File: file, CacheDir: modules.CacheDir(), Sink: &l.log, Configure: l.configure, Memory: memoryLimit,
		LoadTimeout: limit, Restart: restart.Policy{},
	})
	defer context.AfterFunc(ctx, func() { p.Kill(context.Cause(ctx)) })()
	m, err := p.Session(ctx, true)
	if err == nil {
		l.init = m.Description()
	}
	return errors.Join(err, p.Close())
}

// writeModule writes what only modules have. Names are those of a file, and may be many.
func (r *Report) writeModule(field func(name, text string)) {
	m := r.Module
	field("imports", list(some(m.Imports), "nothing"))
	exports := "nothing that a host calls"
	if len(m.Exports) > 0 {
		exports = strings.Join(some(m.Exports), "\n")
	}
	field("exports", exports)
	if len(m.Others) > 0 {
		field("others", list(cut(m.Others), ""))
	}
	field("memory", m.memory())
	if m.Files {
		field("folders", "none, unless permissions in nyash.toml gives it some; it may open files")
	}
}

func (m *Module) memory() string {
	switch {
	case m.Memory == nil:
		return "none"
	case m.Memory.Most == 0:
		return fmt.Sprintf("%s at first, and as much as limits.memory allows", size(m.Memory.Least))
	}
	return fmt.Sprintf("%s at first, %s at most", size(m.Memory.Least), size(m.Memory.Most))
}

// size writes a number of bytes that is a multiple of 64 KiB.
func size(bytes uint64) string {
	if mib := uint64(1 << 20); bytes >= mib && bytes%mib == 0 {
		return fmt.Sprintf("%d MiB", bytes/mib)
	}
	return fmt.Sprintf("%d KiB", bytes>>10)
}

// mostShown is how many names of a module's are shown to people.
const mostShown = 64

func some(all []Function) []string {
	names := make([]string, 0, mostShown+1)
	for _, f := range all[:min(len(all), mostShown+1)] {
		names = append(names, f.String())
	}
	return more(names, len(all))
}

func cut(names []string) []string { return more(names[:min(len(names), mostShown+1)], len(names)) }

// more says how many of all names are left out.
func more(names []string, all int) []string {
	if len(names) <= mostShown {
		return names
	}
	return append(slices.Clone(names[:mostShown]), fmt.Sprintf("and %d more", all-mostShown))
}
