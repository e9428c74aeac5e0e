package inspect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/internal/objfile"
	"github.com/nyash-plugins/nyash-go/registry"
)

// Config says what to inspect, and how.
type Config struct {
	File string // the library
	// ManifestDir is the folder of its nyash_box.toml; empty for the library's.
	ManifestDir string
	Library     *registry.Library // its entry in a nyash.toml; nil for none
	// InProcess loads the library in this process, which it can end. Otherwise a
	// worker loads it. A WebAssembly module always runs in this process, in its sandbox.
	InProcess bool
	Timeout   time.Duration // of loading in a worker; 0 for [DefaultTimeout]
	Worker    string        // the worker's program; empty for the default
}

// DefaultTimeout is how long a library may take to load.
const DefaultTimeout = 10 * time.Second

func (c *Config) timeout() time.Duration { return cmp.Or(c.Timeout, DefaultTimeout) }

// ErrDirectory means that a directory was named where a library is wanted.
var ErrDirectory = errors.New("is a directory; name the library in it")

// Run inspects a library. The report has all that could be told also where there is an
// error, which is then in its Error too; it is nil where the file is none to look into.
func Run(ctx context.Context, c Config) (*Report, error) {
	r, err := run(ctx, c)
	if r != nil && err != nil {
		r.Error = contract.PrintableLines(err.Error())
	}
	return r, err
}

func run(ctx context.Context, c Config) (*Report, error) {
	info, err := os.Stat(c.File)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, fmt.Errorf("%s %w", c.File, ErrDirectory)
	}
	if isModule(c.File) {
		return runModule(ctx, &c)
	}
	r, err := readFile(c.File, info)
	if err != nil {
		return r, err
	}
	if !r.isPlugin() {
		return r, errNoPlugin(c.File)
	}
	manifest := r.manifest(cmp.Or(c.ManifestDir, filepath.Dir(r.file)))
	l, err := load(ctx, &c, len(r.Lacks) > 0, r.tableRequests(manifest))
	r.Log = l.log.last()
	r.described(l.own)
	if err != nil {
		return r, err
	}
	r.Loaded = true
	if r.exports(abi.SymbolABI) {
		r.ABI = abi.Version // another would not have been loaded
	}
	r.declared = c.Library
	return r, r.bind(filepath.Base(c.File), l.own, manifest, l.init)
}

func errNoPlugin(file string) error {
	return fmt.Errorf("%s is not a plugin: it exports no nyash_plugin_ function; docs/abi.md has those that a plugin exports (with C linkage and default visibility)", file)
}

// manifest reads the nyash_box.toml of a library that has tables; nil for others.
func (r *Report) manifest(dir string) *registry.Description {
	if len(r.Tables) == 0 {
		return nil
	}
	m, err := registry.LoadManifest(dir)
	path := contract.Printable(filepath.Join(dir, registry.ManifestName))
	switch {
	case err != nil:
		r.warn("%v", err)
	case m == nil:
		r.noManifest = path
		return registry.NoManifest(dir)
	default:
		r.Manifest = path
		for _, w := range m.Warnings {
			r.warn("%v", w)
		}
	}
	return m
}

// tableRequests asks for all tables, with the methods whose ids the manifest leaves to
// them.
func (r *Report) tableRequests(manifest *registry.Description) []native.TableRequest {
	all := make([]native.TableRequest, len(r.Tables))
	for i, name := range r.Tables {
		all[i].Box = name
		if b, ok := manifest.Box(name); ok {
			all[i].Methods = b.Unresolved(nil)
		}
	}
	return all
}

// newReport is a report without anything in it.
func newReport(file string) *Report {
	return &Report{
		Version: Version, Library: contract.Printable(file),
		Needs: []string{}, Exports: []string{}, Lacks: []string{}, Tables: []string{}, Generations: []string{},
		Boxes: []Box{}, Requests: []Request{}, Warnings: []string{},
	}
}

// Unreadable is the report on a file of which Run could tell nothing, because of err.
func Unreadable(file string, err error) *Report {
	r := newReport(file)
	r.Error = contract.PrintableLines(err.Error())
	return r
}

// readFile tells what can be told of a library that is not loaded.
func readFile(file string, info fs.FileInfo) (*Report, error) {
	r := newReport(file)
	abs, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	r.file = abs
	_, inspectErr := native.Inspect(abs)
	if !info.Mode().IsRegular() {
		return nil, inspectErr // reading a pipe would wait for its other end
	}
	tables, err := objfile.Read(abs)
	if tables == nil {
		return nil, errors.Join(inspectErr, ifNil(inspectErr, err))
	}
	r.Format, r.Needs = tables.Format, printable(tables.Needs)
	if err != nil {
		r.warn("its symbols cannot be read: %v", err)
	} else {
		r.symbols(tables.Plugin())
	}
	return r, inspectErr
}

// ifNil is err where other is nil.
func ifNil(other, err error) error {
	if other != nil {
		return nil
	}
	return err
}

func printable(texts []string) []string {
	all := make([]string, len(texts))
	for i, text := range texts {
		all[i] = contract.Printable(text)
	}
	return all
}

// required are the functions of which a library of the [plugins] form has all.
var required = []string{abi.SymbolABI, abi.SymbolInit, abi.SymbolInvoke, abi.SymbolShutdown}

// tablePrefix is what the symbol of a box's TypeBox table begins with.
const tablePrefix = "nyash_typebox_"

// The generations of plugins, which one library can have several of.
const (
	FourSymbols = "four symbols"
	InvokeOnly  = "invoke only"
	Tables      = "TypeBox tables"
)

// symbols notes what follows from the symbols that the file exports.
func (r *Report) symbols(exports []string) {
	r.known, r.Exports = true, printable(exports)
	r.tables(exports)
	for _, s := range required {
		if !slices.Contains(exports, s) {
			r.Lacks = append(r.Lacks, s)
		}
	}
	switch {
	case len(r.Lacks) == 0:
		r.Generations = append(r.Generations, FourSymbols)
	case r.exports(abi.SymbolInvoke):
		r.Generations = append(r.Generations, InvokeOnly)
	}
	if len(r.Tables) > 0 {
		r.Generations = append(r.Generations, Tables)
	}
}

// tables notes the boxes that the file exports tables for. Those whose names no host takes,
// and those beyond the boxes that a library may have, are a warning.
func (r *Report) tables(exports []string) {
	var ignored []string
	for _, s := range exports {
		name, ok := strings.CutPrefix(s, tablePrefix)
		switch {
		case !ok:
		case len(r.Tables) < contract.MaxBoxes && contract.CheckName(name) == nil:
			r.Tables = append(r.Tables, name)
		default:
			ignored = append(ignored, s)
		}
	}
	switch {
	case len(ignored) == 1 && ignored[0] == tablePrefix:
		r.warn("%s is ignored: the name of a box follows it in the name of a table", tablePrefix)
	case len(ignored) > 0:
		r.warn("%d tables are ignored, %s first: a library has at most %d, and their names are those of boxes", len(ignored), contract.Excerpt(ignored[0]), contract.MaxBoxes)
	}
}

func (r *Report) exports(symbol string) bool { return slices.Contains(r.Exports, symbol) }

// isPlugin is false where the file certainly is none.
func (r *Report) isPlugin() bool {
	return !r.known || slices.ContainsFunc(r.Exports, func(s string) bool { return strings.HasPrefix(s, "nyash_plugin_") }) || len(r.Tables) > 0
}

func (r *Report) warn(format string, args ...any) {
	r.Warnings = append(r.Warnings, contract.PrintableLines(fmt.Sprintf(format, args...)))
}

// described notes what the library's text says beside its boxes.
func (r *Report) described(own *registry.Description) {
	if r.Module != nil {
		r.Threads = registry.ThreadsSerial.String()
	}
	if own == nil {
		return
	}
	r.SelfDescribed = true
	if own.HasThreads && r.Module == nil {
		r.Threads = own.Threads.String()
	}
	r.uses = own.Uses
	for _, request := range own.Requests {
		r.Requests = append(r.Requests, Request(request))
	}
	for _, w := range own.Warnings {
		r.warn("%v", w)
	}
}

// bind joins what the text, the manifest and init say of the boxes. The error names the
// boxes of which they cannot all be true.
func (r *Report) bind(base string, text, manifest *registry.Description, init abi.Description) error {
	own := text.Join(manifest)
	for _, w := range own.CheckSignatures(init) {
		r.warn("%v", w)
	}
	undeclared, err := registry.Undeclared(base, own, init)
	if err != nil {
		return err
	}
	var errs []error
	for _, b := range undeclared.Boxes {
		t, err := b.Bind(own, init)
		switch {
		case err == nil:
			listed := Describe(t)
			listed.addHashes(t, init)
			r.Boxes = append(r.Boxes, listed)
			r.types = append(r.types, t)
		case slices.Contains(r.Tables, b.Name):
			// A table tells neither its type id nor its methods' names.
			r.tableError(b.Name, bindError(base, b.Name, err))
		case onlyIn(manifest, b.Name, text, init): // hosts pass over it
			r.warn("%s lists %s, for which the library has no table", r.Manifest, b.Name)
		default:
			errs = append(errs, bindError(base, b.Name, err))
			if b.Name == init.TypeName || own == nil {
				r.Boxes = append(r.Boxes, initBox(b.Name, init))
			}
		}
	}
	switch {
	case len(undeclared.Boxes) == 0:
		r.warn("it describes no box: only its author's documents can tell what it provides")
	case init.TypeName == "" && (own == nil || len(own.Boxes) == 0) && !slices.Contains(r.Tables, undeclared.Boxes[0].Name):
		r.warn("it does not name its box; %s stands for the name", undeclared.Boxes[0].Name)
	}
	return errors.Join(errs...)
}

// onlyIn tells whether nothing but the manifest speaks of a box.
func onlyIn(manifest *registry.Description, box string, text *registry.Description, init abi.Description) bool {
	_, listed := manifest.Box(box)
	_, described := text.Box(box)
	return listed && !described && init.TypeName != box
}

// tableError notes why a box with a table cannot be described. Without a manifest that is
// said of all such boxes at once.
func (r *Report) tableError(box string, err error) {
	if errors.Is(err, registry.ErrUnknownID) {
		r.untold = append(r.untold, box)
		if r.noManifest != "" || r.declares(box) {
			return
		}
	}
	r.warn("%v", err)
}

// declares tells whether nyash.toml gives a box's type id.
func (r *Report) declares(box string) bool {
	return r.declared != nil && slices.ContainsFunc(r.declared.Boxes, func(b *registry.Box) bool { return b.LibraryName == box && b.HasTypeID })
}

// bindError leaves out the place in a nyash.toml that nobody wrote.
func bindError(base, box string, err error) error {
	var e *registry.Error
	if !errors.As(err, &e) || e.File != base {
		return err
	}
	text := fmt.Sprintf("%s: %s: %s", base, box, e.Msg)
	if e.Advice != "" {
		text += "; " + e.Advice
	}
	return &boxError{text, err}
}

// boxError is an error in other words.
type boxError struct {
	text string
	err  error
}

func (e *boxError) Error() string { return e.text }
func (e *boxError) Unwrap() error { return e.err }
