package main

import (
	"github.com/nyash-plugins/nyash-go/internal/version"

	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/nyash-plugins/nyash-go/internal/command"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/files"
	"github.com/nyash-plugins/nyash-go/internal/terminal"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/registry/builtin"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
	"github.com/nyash-plugins/nyash-go/tools/plugintest/report"
)

// errFindings makes the program exit with statusFindings.
var errFindings = errors.New("findings")

// settings are the flags that all commands share.
type settings struct {
	out        *reportWriter // that a report of tests is written to; nil before the first
	config     string
	worker     string
	timeout    time.Duration
	seed       uint64
	only, skip []string
	json       bool
	junit      string
	sarif      string
	html       string
	verbose    bool
	noMemcheck bool
	calls      []string
	births     []string
	duration   time.Duration
	until      string
	save       string
	replay     string
	watch      bool
}

func newRoot() *cobra.Command {
	s := &settings{}
	root := &cobra.Command{
		Use:   "plugin-tester",
		Short: "Find what is wrong with a plugin",
		Long: `Find what is wrong with a plugin. The plugin runs in a process of its own, so that a crash is a finding and the run goes on.

The exit status is 0 without findings, 1 with findings, and 2 where the tester cannot do its work.`,
		Version: version.Of("plugin-tester"),
	}
	flags := root.PersistentFlags()
	flags.StringVar(&s.config, "config", "", "the nyash.toml that describes the library")
	flags.StringVar(&s.worker, "worker", "", "the program that runs the plugin, instead of this one")
	s.timeout = plugintest.DefaultTimeout
	flags.Var((*span)(&s.timeout), "timeout", "the time limit of a call")
	flags.Uint64Var(&s.seed, "seed", 0, "the seed of random input; 0 for a different one each time")
	flags.StringSliceVar(&s.only, "only", nil, "the codes of findings to report")
	flags.StringSliceVar(&s.skip, "skip", nil, "the codes of findings to leave out")
	flags.BoolVar(&s.json, "json", false, "write the report as JSON (docs/tester.md)")
	flags.StringVar(&s.junit, "junit", "", "write the report to a file as JUnit XML")
	flags.StringVar(&s.sarif, "sarif", "", "write the report to a file as SARIF 2.1.0")
	flags.StringVar(&s.html, "html", "", "write the report to a file as one HTML page, which needs no network")
	flags.StringVar(&s.until, "until", "", "end at the first finding with this code, and look longer for it")
	flags.BoolVarP(&s.verbose, "verbose", "v", false, "show the details of each check, too")
	for _, c := range plugintest.Checks() {
		cmd := &cobra.Command{Use: c.Name + " LIBRARY", Short: c.Summary, Args: command.One("library"), RunE: func(cmd *cobra.Command, args []string) error {
			s.verbose = true // there is room for it
			return s.one(cmd, args[0], func(ctx context.Context, t *plugintest.Tester) (*plugintest.Report, error) { return t.Run(ctx, c.Name) })
		}}
		s.addWatch(cmd)
		s.addCalls(cmd)
		switch c.Name {
		case "threads":
			s.addFor(cmd)
		case "explore":
			s.addExplore(cmd)
			cmd.Flags().StringVar(&s.replay, "replay", "", "run the calls of this script, which --save has written, and nothing else")
		}
		root.AddCommand(cmd)
	}
	all := &cobra.Command{Use: "all LIBRARY", Short: "run all checks that apply", Long: allLong, Args: command.One("library"), RunE: func(cmd *cobra.Command, args []string) error {
		return s.one(cmd, args[0], func(ctx context.Context, t *plugintest.Tester) (*plugintest.Report, error) { return t.All(ctx) })
	}}
	validate := &cobra.Command{Use: "validate", Short: "run all checks for every library of the nyash.toml that --config names", Args: command.None, RunE: s.validate}
	for _, cmd := range []*cobra.Command{all, validate} {
		cmd.Flags().BoolVar(&s.noMemcheck, "no-memcheck", false, "leave out valgrind")
	}
	s.addCalls(all)
	s.addWatch(all)
	s.addExplore(all)
	s.addExplore(validate)
	root.AddCommand(all, validate, newExplain(s), newDebug(s))
	complete(root)
	command.Prepare(root)
	return root
}

const allLong = `Run all checks that apply. That takes about a minute for each box of a few methods, and
some more for one of many: explore plays sequences of calls for 20 seconds a box, and
threads and memcheck take as long again. --for 5s shortens that.`

func (s *settings) addCalls(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&s.calls, "call", nil, "make this call, too: [BOX.]METHOD=ARG,ARG… (arguments as for tlv-debug, or handle:BOX for an instance of a box)")
	cmd.Flags().StringArrayVar(&s.births, "birth", nil, "make instances with these arguments: [BOX=]ARG,ARG…")
}

func (s *settings) addFor(cmd *cobra.Command) {
	cmd.Flags().Var((*span)(&s.duration), "for", fmt.Sprintf("how long to explore each box, and threads at most each of its rounds (10s, 2m, 1h); without it at most %v, and less where nothing new comes of it; what was found is made sure of after that", plugintest.DefaultFor))
}

// span is a flag's time, which is longer than none.
type span time.Duration

func (s *span) String() string {
	if *s == 0 {
		return "" // help shows no default
	}
	return time.Duration(*s).String()
}
func (s *span) Type() string { return "duration" }

func (s *span) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return errors.New("write a time, 10s or 2m")
	}
	*s = span(d)
	return nil
}

func (s *settings) addExplore(cmd *cobra.Command) {
	s.addFor(cmd)
	cmd.Flags().StringVar(&s.save, "save", "", "write the script of each finding of explore into this folder")
}

// one tests one library, with --watch again and again.
func (s *settings) one(cmd *cobra.Command, file string, run func(context.Context, *plugintest.Tester) (*plugintest.Report, error)) error {
	once := func(ctx context.Context) error {
		config, err := s.testerConfig(cmd, file)
		if err != nil {
			return err
		}
		report, err := s.test(cmd, config, func(t *plugintest.Tester) (*plugintest.Report, error) { return run(ctx, t) })
		if err != nil {
			return err
		}
		return s.finish(cmd, []*plugintest.Report{report})
	}
	if !s.watch {
		return once(cmd.Context())
	}
	others := []string{filepath.Join(filepath.Dir(file), registry.ManifestName)}
	if s.config != "" {
		others = append(others, s.config)
	}
	return watch(cmd.Context(), cmd.ErrOrStderr(), file, others, once)
}

// addWatch has a command that tests one library do so again and again.
func (s *settings) addWatch(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&s.watch, "watch", false, "test again whenever the library or the file of --config changes, until Ctrl-C")
}

// validate tests every library of a nyash.toml.
func (s *settings) validate(cmd *cobra.Command, _ []string) error {
	if s.config == "" {
		s.config = "nyash.toml"
	}
	config, err := s.load(cmd)
	if err != nil {
		return err
	}
	if len(config.Libraries) == 0 {
		return fmt.Errorf("%w: %s declares no plugins", plugintest.ErrCannotRun, s.config)
	}
	var reports []*plugintest.Report
	for _, library := range config.Libraries {
		file, err := config.Find(library)
		if err != nil {
			return fmt.Errorf("%w: %w", plugintest.ErrCannotRun, err)
		}
		c := s.base(cmd, relative(file))
		c.Library, c.Boxes, c.TOML, c.ManifestDir = library, config.Boxes, s.config, config.ManifestDir(library, file)
		report, err := s.test(cmd, c, func(t *plugintest.Tester) (*plugintest.Report, error) { return t.All(cmd.Context()) })
		if err != nil {
			return err
		}
		reports = append(reports, report)
	}
	return s.finish(cmd, reports)
}

// relative is a path as a person in this folder would write it.
func relative(path string) string {
	dir, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}

func (s *settings) base(cmd *cobra.Command, file string) plugintest.Config {
	if s.seed == 0 {
		s.seed = rand.Uint64N(1_000_000) + 1
	}
	c := plugintest.Config{File: file, Timeout: s.timeout, Seed: s.seed, Only: s.only, Skip: s.skip, Worker: s.worker, NoMemcheck: s.noMemcheck,
		For: s.duration, Until: s.until, Save: s.save, Replay: s.replay}
	if !s.json {
		c.Progress = s.text(cmd)
	}
	return c
}

func (s *settings) text(cmd *cobra.Command) *report.Text {
	out := cmd.OutOrStdout()
	return &report.Text{W: s.output(cmd), Colour: terminal.Colours(out), Moves: terminal.Moves(out), Columns: terminal.Columns(out), Verbose: s.verbose}
}

// output is where text for a person is written; cannotWrite tells whether that has failed.
func (s *settings) output(cmd *cobra.Command) io.Writer {
	if s.out == nil {
		s.out = &reportWriter{w: cmd.OutOrStdout(), ctx: cmd.Context()}
	}
	return s.out
}

// configError is a nyash.toml that cannot be read; its text shows the lines.
type configError struct{ err error }

func (e *configError) Error() string        { return fmt.Sprintf("%v: %+v", plugintest.ErrCannotRun, e.err) }
func (e *configError) Is(target error) bool { return target == plugintest.ErrCannotRun }
func (e *configError) Unwrap() error        { return e.err }

// load reads the nyash.toml. The boxes of the program that it is for are not known: names
// in it that nobody provides are warnings.
func (s *settings) load(cmd *cobra.Command) (*registry.Config, error) {
	config, err := registry.Load(s.config)
	if err != nil {
		return nil, &configError{err}
	}
	for _, w := range config.CheckUses(builtin.Methods(builtin.All())) {
		fmt.Fprintf(cmd.ErrOrStderr(), "plugin-tester: warning: %v\n", w)
	}
	return config, nil
}

// testerConfig joins the flags with what --config says of the library.
func (s *settings) testerConfig(cmd *cobra.Command, file string) (plugintest.Config, error) {
	c := s.base(cmd, file)
	for _, text := range s.calls {
		call, err := plugintest.ParseCall(text)
		if err != nil {
			return c, err
		}
		c.Calls = append(c.Calls, call)
	}
	for _, text := range s.births {
		call, err := plugintest.ParseBirth(text)
		if err != nil {
			return c, err
		}
		c.Births = append(c.Births, call)
	}
	if s.config == "" {
		return c, nil
	}
	config, err := s.load(cmd)
	if err != nil {
		return c, err
	}
	c.TOML, c.Boxes = s.config, config.Boxes
	c.Library, err = libraryOf(cmd.ErrOrStderr(), config, file)
	if c.Library != nil {
		c.ManifestDir = config.ManifestDir(c.Library, file)
	}
	return c, err
}

// libraryOf finds what a nyash.toml says of a file.
func libraryOf(w io.Writer, config *registry.Config, file string) (*registry.Library, error) {
	want, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", plugintest.ErrCannotRun, err)
	}
	var names []string
	for _, library := range config.Libraries {
		names = append(names, library.Name)
		found, err := config.Find(library)
		if err != nil {
			continue
		}
		if have, err := os.Stat(found); err == nil && os.SameFile(want, have) {
			return library, nil
		}
	}
	if len(config.Libraries) == 1 && plainName(names[0]) == plainName(file) {
		fmt.Fprintf(w, "%s describes another file, %s; its description is used for %s\n", config.Path, names[0], file)
		return config.Libraries[0], nil // a build of it elsewhere, say
	}
	return nil, fmt.Errorf("%w: %s does not describe %s; it describes %s; give --config the nyash.toml of this library, or leave it out", plugintest.ErrCannotRun, config.Path, file, strings.Join(names, ", "))
}

// plainName is what a library's file is called without what systems and builds put around it.
func plainName(file string) string {
	name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
	return strings.ReplaceAll(strings.TrimPrefix(name, "lib"), "-", "_")
}

func (s *settings) test(cmd *cobra.Command, c plugintest.Config, run func(*plugintest.Tester) (*plugintest.Report, error)) (*plugintest.Report, error) {
	if err := s.canWrite(c.File); err != nil {
		return nil, err
	}
	t, err := plugintest.New(c)
	if err != nil {
		return nil, err
	}
	report, err := run(t)
	if failed := s.cannotWrite(); failed != nil {
		return nil, failed
	}
	if err != nil && cmd.Context().Err() != nil {
		hint := ""
		if f := cmd.Flags().Lookup("for"); f != nil && !f.Changed && s.replay == "" {
			hint = "; --for 5s takes less time"
		}
		return nil, fmt.Errorf("%s was not tested to the end: what is above was found until then%s (%w)", contract.Printable(c.File), hint, err)
	}
	if err != nil {
		return nil, err
	}
	if !s.json {
		if s.until != "" && !slices.ContainsFunc(report.Findings, func(f plugintest.Finding) bool { return f.Code == s.until }) {
			fmt.Fprintf(s.output(cmd), "%s was not found\n", s.until)
		}
		s.text(cmd).Summary(report)
	}
	return report, s.cannotWrite()
}

// cannotWrite is why what was to be shown could not be; nil where it was.
func (s *settings) cannotWrite() error {
	if s.out == nil || s.out.err == nil {
		return nil
	}
	return fmt.Errorf("cannot write the report: %w", s.out.err)
}

// finish writes the reports that were asked for.
func (s *settings) finish(cmd *cobra.Command, reports []*plugintest.Report) error {
	if s.json {
		if err := report.JSON(cmd.OutOrStdout(), reports); err != nil {
			return err
		}
	}
	return s.write(reports)
}

// write writes the reports into files. Its error says whether there are findings.
func (s *settings) write(reports []*plugintest.Report) error {
	for _, file := range []struct {
		path  string
		write func(io.Writer, []*plugintest.Report) error
	}{{s.junit, report.JUnit}, {s.sarif, report.SARIF}, {s.html, report.HTML}} {
		if file.path == "" {
			continue
		}
		if err := writeFile(file.path, reports, file.write); err != nil {
			return err
		}
	}
	for _, r := range reports {
		if len(r.Findings) > 0 {
			return errFindings
		}
	}
	return nil
}

// canWrite tells before a run, which takes long, that a report has no folder to be written to, or would take the
// place of what is read, or of another report. It makes the folder of scripts.
func (s *settings) canWrite(library string) error {
	others := []string{library, s.config, s.replay}
	for _, path := range []string{s.junit, s.sarif, s.html} {
		if path == "" {
			continue
		}
		for _, other := range others {
			if other != "" && isFile(path, other) {
				return fmt.Errorf("cannot write a report to %s: that is %s, which would be lost", path, other)
			}
		}
		others = append(others, path)
		dir := filepath.Dir(path)
		if info, err := os.Stat(dir); err != nil {
			return fmt.Errorf("cannot write %s: %w", path, err)
		} else if !info.IsDir() {
			return fmt.Errorf("cannot write %s: %s is no folder", path, dir)
		}
	}
	if s.save != "" {
		if err := os.MkdirAll(s.save, 0o755); err != nil {
			return fmt.Errorf("cannot save scripts: %w", err)
		}
	}
	return nil
}

// isFile tells whether two paths are of one file, or would be.
func isFile(path, other string) bool {
	one, err1 := os.Stat(path)
	two, err2 := os.Stat(other)
	if err1 == nil && err2 == nil {
		return os.SameFile(one, two) && one.Mode().IsRegular()
	}
	return filepath.Clean(path) == filepath.Clean(other)
}

func writeFile(path string, reports []*plugintest.Report, write func(io.Writer, []*plugintest.Report) error) (err error) {
	f, err := files.Create(path)
	if err != nil {
		return fmt.Errorf("cannot write a report: %w", err)
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	return write(f, reports)
}
