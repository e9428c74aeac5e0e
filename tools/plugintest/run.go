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
	"github.com/nyash-plugins/nyash-go/internal/files"
	"github.com/nyash-plugins/nyash-go/internal/objfile"
	"github.com/nyash-plugins/nyash-go/internal/suggest"
	"github.com/nyash-plugins/nyash-go/registry"
)

// Config says what to test.
type Config struct {
	File    string            // the library
	Library *registry.Library // its entry in nyash.toml; nil without one
	Boxes   []*registry.Box   // all boxes of that nyash.toml, which the library may call
	TOML    string            // the path of that nyash.toml
	Timeout time.Duration     // of a call; 0 for [DefaultTimeout]
	Seed    uint64            // of everything random
	Only    []string          // codes of the findings to report; empty for all
	Skip    []string          // codes of the findings to leave out
	Worker  string            // the worker's program; empty for the default
	Calls   []Invocation      // calls that methods take; typecheck shows their answers
	Births  []Invocation      // births that boxes take; an empty Box for every box
	// NoMemcheck makes All leave out valgrind.
	NoMemcheck bool
	// For is how long explore may take for a box; 0 for [DefaultFor], and less where nothing
	// new comes of it.
	For time.Duration
	// Until is the code of a finding that ends the run; empty for none. Without For, the checks that go
	// on for a time are made again where it was not found, for twice and then four times as long.
	Until string
	// Save is a folder for the scripts of findings; empty for none. Replay is such a script,
	// which explore then runs, and nothing else.
	Save, Replay string
	// ManifestDir is the folder of the library's nyash_box.toml; empty for the library's
	// own.
	ManifestDir string
	Progress    Progress // nil for none
}

// DefaultTimeout is the time limit of a call.
const DefaultTimeout = 5 * time.Second

// Progress is notified while a run goes on, by one goroutine.
type Progress interface {
	Begin(check string)
	At(check, place string) // the check has reached a method, or another part
	Found(*Finding)
	End(*CheckReport)
}

// ErrCannotRun means that the tester itself cannot do its work.
var ErrCannotRun = errors.New("cannot test")

// checks are in the order in which All runs them. Later ones use what earlier ones
// left in shared, and each also works alone.
var checks = []check{
	libraryCheck,
	typecheckCheck,
	hostCheck,
	lifecycleCheck,
	ioCheck,
	protocolCheck,
	failuresCheck,
	leafCheck,
	stressCheck,
	threadsCheck,
	exploreCheck,
	memcheckCheck,
}

// check is one part of a run.
type check struct {
	name    string
	summary string // for the command's help
	needs   needs
	silent  bool       // Progress is notified of findings only
	timed   bool       // what it finds depends on how long it goes on
	inspect func(*env) // looks at the file, before it is loaded; nil for nothing
	// run makes calls and reports findings to env. The library can be loaded. An
	// error means that the tester cannot go on; a finding is not an error.
	run func(*env) error
}

// needs are what a check cannot do without. All leaves out a check whose needs are
// not met; Run fails.
type needs uint8

const (
	needsTypes    needs = 1 << iota // Config.Library or Config.Calls, or a library that says its types itself or has a manifest
	needsMemcheck                   // no Config.NoMemcheck; Run ignores that
	needsConnect                    // a library that calls its host
	needsBoxes                      // a box that can be called; Run ignores that
	needsFiles                      // a box that may be one of files; Run ignores that
	needsFaults                     // a library of which calls of the system can be made to fail; Run ignores that
	needsLeaf                       // a leaf method of a library that runs in a process; Run ignores that
)

// missing tells what a check cannot have. The library was loaded, or will not be.
func (t *Tester) missing(c *check) needs {
	var missing needs
	if t.config.Library == nil && len(t.config.Calls) == 0 && (t.plugin == nil || t.plugin.own.text == nil && t.plugin.own.manifest == nil) {
		missing |= needsTypes
	}
	if t.config.NoMemcheck {
		missing |= needsMemcheck
	}
	if t.plugin == nil || !t.plugin.own.init.Connects {
		missing |= needsConnect
	}
	if t.plugin == nil || len(t.plugin.boxes) == 0 {
		missing |= needsBoxes
	}
	if t.plugin == nil || !slices.ContainsFunc(t.plugin.boxes, opensFiles) {
		missing |= needsFiles
	}
	if t.plugin == nil || t.plugin.cannotFail(&t.config, t.runtime) != "" {
		missing |= needsFaults
	}
	if t.plugin == nil || t.plugin.module || !slices.ContainsFunc(t.plugin.methods(), (*method).isLeaf) {
		missing |= needsLeaf
	}
	return c.needs & missing
}

// CheckInfo describes a check.
type CheckInfo struct {
	Name    string
	Summary string
}

// Checks lists the checks, in the order in which [Tester.All] runs them.
func Checks() []CheckInfo {
	all := make([]CheckInfo, len(checks))
	for i, c := range checks {
		all[i] = CheckInfo{c.name, c.summary}
	}
	return all
}

// Tester tests one library. It is made by [New].
type Tester struct {
	config Config
	random *rand.Rand
	report *Report
	seen   seen
	plugin *plugin // nil until the library was loaded
	shared *shared
	ended  bool // by Config.Until
	// stretch is how many times as long timed checks go on as they do at first.
	stretch int
	// runtime is what the library brings; nil for nothing.
	runtime *goRuntime
}

// New makes a tester. It does not load the library yet.
func New(config Config) (*Tester, error) {
	if config.File == "" {
		return nil, fmt.Errorf("%w: the library has no name", ErrCannotRun)
	}
	file, err := filepath.Abs(config.File)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(file); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCannotRun, err)
	} else if info.IsDir() {
		return nil, fmt.Errorf("%w: %s is a folder; name the library in it", ErrCannotRun, config.File)
	} else if !info.Mode().IsRegular() { // a pipe would be waited for, and a device has no end
		return nil, fmt.Errorf("%w: %s is no regular file", ErrCannotRun, config.File)
	}
	f, _, err := files.Open(file)
	if err != nil { // it may not be read, which is no fault of the plugin
		return nil, fmt.Errorf("%w: %w", ErrCannotRun, err)
	}
	f.Close()
	until := []string{config.Until}
	if config.Until == "" {
		until = nil
	}
	for _, code := range slices.Concat(config.Only, config.Skip, until) {
		if _, ok := RuleOf(code); !ok {
			return nil, fmt.Errorf("%w: there are no findings with the code %q%s; plugin-tester explain lists the codes", ErrCannotRun, code, suggest.DidYouMean(code, codes()))
		}
	}
	if config.ManifestDir == "" {
		config.ManifestDir = filepath.Dir(file)
	}
	// Their arguments become values of this library's types.
	config.Calls, config.Births = cloned(config.Calls), cloned(config.Births)
	if config.For < 0 {
		return nil, fmt.Errorf("%w: invalid time %v for a box", ErrCannotRun, config.For)
	}
	if config.Timeout < 0 {
		return nil, fmt.Errorf("%w: invalid time limit %v", ErrCannotRun, config.Timeout)
	}
	if config.Timeout == 0 {
		config.Timeout = DefaultTimeout
	}
	t := &Tester{
		config:  config,
		random:  rand.New(rand.NewPCG(config.Seed, 0)),
		report:  &Report{Library: config.File, Seed: config.Seed, Findings: []Finding{}},
		seen:    newSeen(),
		shared:  newShared(&config),
		stretch: 1,
	}
	t.config.File = file
	if !isModule(&t.config) {
		t.shared.mark = newMark()
		t.runtime = goRuntimeOf(file)
	}
	return t, nil
}

func codes() []string {
	all := make([]string, len(rules))
	for i, r := range rules {
		all[i] = r.Code
	}
	return all
}

// Run runs one check.
func (t *Tester) Run(ctx context.Context, name string) (*Report, error) {
	i := slices.IndexFunc(checks, func(c check) bool { return c.name == name })
	if i < 0 {
		return nil, fmt.Errorf("%w: there is no check %q", ErrCannotRun, name)
	}
	c := checks[i]
	run := c.run
	c.run = func(e *env) error {
		err := run(e)
		e.reportUnexercised()
		return err
	}
	if err := t.run(ctx, &c); err != nil {
		return t.report, err
	}
	return t.report, t.longer(ctx, []check{c})
}

// All runs every check that applies.
func (t *Tester) All(ctx context.Context) (*Report, error) {
	for i := range checks {
		c := &checks[i]
		if t.missing(c) != 0 {
			continue
		}
		if err := t.run(ctx, c); err != nil {
			return t.report, err
		}
		if t.plugin == nil || t.ended {
			return t.report, nil // the others would report the same
		}
	}
	return t.report, t.longer(ctx, checks)
}

// stretches are how many times as long timed checks go on when they are made again.
var stretches = []int{2, 4}

// longer makes timed checks again where the finding of Config.Until was not made.
func (t *Tester) longer(ctx context.Context, all []check) error {
	if t.config.Until == "" || t.config.For > 0 || t.config.Replay != "" {
		return nil
	}
	defer func() { t.stretch = 1 }()
	for _, t.stretch = range stretches {
		for i := range all {
			c := &all[i]
			if !c.timed || t.plugin == nil || t.ended || t.missing(c) != 0 {
				continue
			}
			if err := t.run(ctx, c); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *Tester) run(ctx context.Context, c *check) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	r := &recorder{config: &t.config, report: t.report, seen: t.seen, check: &CheckReport{Name: c.name}, silent: c.silent || t.config.Progress == nil, cancel: cancel, runtime: t.runtime}
	r.begin()
	start := time.Now()
	defer endMarked(t.shared.mark) // no worker of the check is left
	e := &env{ctx: ctx, config: &t.config, random: t.random, plugin: t.plugin, shared: t.shared, stretch: t.stretch, recorder: r}
	if c.inspect != nil {
		c.inspect(e)
	}
	err := t.load(e)
	if err == nil && t.plugin != nil {
		e.plugin = t.plugin
		if t.missing(c)&needsTypes != 0 {
			return fmt.Errorf("%w: %s compares a library with what is declared of it, and it does not describe its types itself: name a nyash.toml with --config", ErrCannotRun, c.name)
		}
		if t.missing(c)&needsConnect != 0 {
			return fmt.Errorf("%w: %s is for libraries that call their host, and this one does not export %s", ErrCannotRun, c.name, abi.SymbolConnect)
		}
		e.skipOfModule()
		err = c.run(e)
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if errors.Is(err, errUntil) {
		t.ended, err = true, nil
	}
	if err != nil {
		return err
	}
	r.end(time.Since(start))
	return nil
}

// cloned are calls with arguments of their own.
func cloned(calls []Invocation) []Invocation {
	all := slices.Clone(calls)
	for i := range all {
		all[i].Args = slices.Clone(all[i].Args)
	}
	return all
}

// load loads the library once, to read its description.
func (t *Tester) load(e *env) error {
	if t.plugin != nil {
		return nil
	}
	p := &plugin{}
	e.plugin = p
	p.module = isModule(&t.config)
	if p.module {
		p.exports = moduleExports(t.config.File)
	} else if file, err := objfile.Read(t.config.File); err == nil {
		p.exports = file.Plugin()
	}
	p.manifest, p.manifestErr = registry.LoadManifest(t.config.ManifestDir)
	w, err := e.start(workerOptions{})
	if w == nil || err != nil {
		return err
	}
	p.own = describeOwn(filepath.Base(t.config.File), p.checkResolves(w.description()), p.manifest)
	p.describe(t.config.Library)
	p.hostSamples = w.host.hostSamples()
	e.checkText()
	t.plugin = p
	w.close()
	if err := e.given(); err != nil {
		return err
	}
	return e.checkCalls()
}
