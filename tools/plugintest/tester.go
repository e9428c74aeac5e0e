package plugintest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/suggest"
	"github.com/nyash-plugins/nyash-go/registry"
)

// Config says what to test.
type Config struct {
	File    string            // the library
	Library *registry.Library // what nyash.toml says of it; nil without one
	TOML    string            // the path of that nyash.toml
	Timeout time.Duration     // of a call; 0 for [DefaultTimeout]
	Seed    uint64            // of all that is random
	Only    []string          // codes of the findings that are wanted; none for all
	Skip    []string          // codes of those that are not
	Worker  string            // the worker's program; empty for the usual one
	Calls   []Invocation      // that typecheck makes too
	// NoMemcheck has All do without valgrind.
	NoMemcheck bool
	Progress   Progress // nil for none
}

// DefaultTimeout is how long a call may take.
const DefaultTimeout = 5 * time.Second

// Progress is told how a run goes, by one goroutine.
type Progress interface {
	Begin(check string)
	At(check, place string) // it has come to a method, or another part
	Found(*Finding)
	End(*Check)
}

// ErrCannotRun: the tester itself cannot do its work.
var ErrCannotRun = errors.New("cannot test")

// Tester tests one library. It is made by [New].
type Tester struct {
	config Config
	ctx    context.Context
	random *rand.Rand
	report *Report
	check  *Check
	silent bool // the check is not told of
	seen   map[string]bool
	// explained are the places of crashes that were looked into.
	explained map[string]bool
	lost      bool // a worker was
	kept      bool // it uses memory of past calls

	exports []string // symbols of the library
	boxes   []*box
	loaded  bool // the library can be loaded
	learned bool
}

// New makes a tester. The library is not looked at yet.
func New(config Config) (*Tester, error) {
	file, err := filepath.Abs(config.File)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(file); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCannotRun, err)
	} else if info.IsDir() {
		return nil, fmt.Errorf("%w: %s is a folder; name the library in it", ErrCannotRun, config.File)
	}
	for _, code := range slices.Concat(config.Only, config.Skip) {
		if _, ok := RuleOf(code); !ok {
			return nil, fmt.Errorf("%w: there are no findings with the code %q%s; docs/tester.md lists them", ErrCannotRun, code, suggest.DidYouMean(code, codes()))
		}
	}
	if config.Timeout < 0 {
		return nil, fmt.Errorf("%w: a time limit of %v", ErrCannotRun, config.Timeout)
	}
	if config.Timeout == 0 {
		config.Timeout = DefaultTimeout
	}
	t := &Tester{
		config: config,
		random: rand.New(rand.NewPCG(config.Seed, 0)),
		report: &Report{Library: config.File, Seed: config.Seed, Findings: []Finding{}},
		seen:   make(map[string]bool),

		explained: make(map[string]bool),
	}
	t.config.File = file
	return t, nil
}

func codes() []string {
	all := make([]string, len(rules))
	for i, r := range rules {
		all[i] = r.Code
	}
	return all
}

// check is a part of a run. The library is loadable when run is called, but for
// that of Check.
type check struct {
	name   string
	run    func(*Tester) error
	silent bool // it is not told of
}

var checks = []check{
	{name: "check", run: (*Tester).checkLibrary},
	{name: "typecheck", run: (*Tester).typecheck},
	{name: "lifecycle", run: (*Tester).lifecycle},
	{name: "io", run: (*Tester).io},
	{name: "protocol", run: (*Tester).protocol},
	{name: "stress", run: (*Tester).stress},
	{name: "memcheck", run: (*Tester).memcheck},
}

// Names are the names of the checks, in the order in which All runs them.
func Names() []string {
	names := make([]string, len(checks))
	for i, c := range checks {
		names[i] = c.name
	}
	return names
}

// Run runs one check.
func (t *Tester) Run(ctx context.Context, name string) (*Report, error) {
	i := slices.IndexFunc(checks, func(c check) bool { return c.name == name })
	if i < 0 {
		return nil, fmt.Errorf("%w: there is no check %q", ErrCannotRun, name)
	}
	return t.report, t.run(ctx, checks[i])
}

// All runs every check that applies.
func (t *Tester) All(ctx context.Context) (*Report, error) {
	for _, c := range checks {
		if c.name == "memcheck" && t.config.NoMemcheck || c.name == "typecheck" && t.config.Library == nil {
			continue
		}
		if err := t.run(ctx, c); err != nil {
			return t.report, err
		}
		if !t.loaded {
			break // and nothing else would say more
		}
	}
	return t.report, nil
}

func (t *Tester) run(ctx context.Context, c check) error {
	t.ctx, t.check = ctx, &Check{Name: c.name}
	t.silent = t.config.Progress == nil || c.silent
	if !t.silent {
		t.config.Progress.Begin(c.name)
	}
	start := time.Now()
	err := t.prepare(c)
	if err == nil && t.loaded {
		err = c.run(t)
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	t.check.Seconds = time.Since(start).Seconds()
	t.report.Checks = append(t.report.Checks, *t.check)
	if !t.silent {
		t.config.Progress.End(t.check)
	}
	return nil
}

// prepare loads the library once to see what it says of itself.
func (t *Tester) prepare(c check) error {
	if t.loaded {
		return nil
	}
	t.checkFile(c.name == "check")
	r, err := t.open(rigOptions{})
	if r == nil || err != nil {
		return err
	}
	t.loaded = true
	t.describe(r.session.Description())
	t.end(r)
	return nil
}

// at tells that the run has come to a method.
func (t *Tester) at(m *method) {
	if !t.silent {
		t.config.Progress.At(t.check.Name, m.box.name+"."+m.name)
	}
}

// line tells something of a check that is no finding.
func (t *Tester) line(format string, args ...any) {
	t.check.Lines = append(t.check.Lines, fmt.Sprintf(format, args...))
}

// skip tells what could not be checked, and why.
func (t *Tester) skip(format string, args ...any) {
	t.check.Skipped = append(t.check.Skipped, fmt.Sprintf(format, args...))
}

// box is a box of the library, as nyash.toml and the library describe it.
type box struct {
	name    string
	typeID  uint32
	conf    *registry.Box // nil where only the library knows it
	methods []*method
	birth   *method
	fini    *method
	barren  bool // birth does not work
}

// method is a method of a box.
type method struct {
	box      *box
	name     string
	id       uint32
	declared *registry.Method // nil where nyash.toml does not
	// known are argument lists that the method takes; see learn.
	known []known
	// broken methods end the worker on ordinary calls, and are not called again.
	broken bool
	// slow methods take too long to be called often.
	slow bool
}

// single tells whether a host makes one instance of the box.
func (b *box) single() bool { return b.conf != nil && b.conf.Singleton }

func (b *box) add(name string, id uint32) *method {
	m := &method{box: b, name: name, id: id}
	b.methods = append(b.methods, m)
	return m
}

func (b *box) method(name string) *method {
	i := slices.IndexFunc(b.methods, func(m *method) bool { return m.name == name })
	if i < 0 {
		return nil
	}
	return b.methods[i]
}

// describe joins what the library says with what nyash.toml says. Where they
// disagree, the library is called as it describes itself.
func (t *Tester) describe(d abi.Description) {
	described := d.TypeID != 0 || d.TypeName != "" || len(d.Methods) > 0
	var confs []*registry.Box
	if t.config.Library != nil {
		confs = t.config.Library.Boxes
	}
	for _, conf := range confs {
		b := newBox(conf.Name, conf.TypeID)
		b.conf = conf
		own := described && (len(confs) == 1 || d.TypeName == conf.Name)
		if own {
			if !conf.HasTypeID || d.TypeID != 0 {
				b.typeID = d.TypeID
			}
			b.describedMethods(d)
			described = false
		}
		for _, m := range conf.Methods {
			have := b.method(m.Name)
			if have == nil && m.HasID && (!own || len(d.Methods) == 0) {
				have = b.add(m.Name, m.ID)
			}
			if have != nil {
				have.declared = m
			}
		}
		t.boxes = append(t.boxes, b)
	}
	if described {
		name := d.TypeName
		if name == "" {
			name = fmt.Sprintf("type %d", d.TypeID)
		}
		b := newBox(name, d.TypeID)
		b.describedMethods(d)
		t.boxes = append(t.boxes, b)
	}
}

func newBox(name string, typeID uint32) *box {
	b := &box{name: name, typeID: typeID}
	b.birth = &method{box: b, name: abi.NameBirth, id: abi.MethodBirth}
	b.fini = &method{box: b, name: abi.NameFini, id: abi.MethodFini}
	return b
}

func (b *box) describedMethods(d abi.Description) {
	for _, m := range d.Methods {
		if m.ID != abi.MethodBirth && m.ID != abi.MethodFini && b.method(m.Name) == nil {
			b.add(m.Name, m.ID)
		}
	}
}
