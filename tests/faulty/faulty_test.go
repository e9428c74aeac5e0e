// Package faulty has plugins with one fault each, and tests that plugin-tester
// finds that fault and no other. Comments at the top of each file are directives:
//
//	// want: CODE [PLACE]      a finding that is expected
//	// stack: FUNCTION         a finding's stack has it
//	// says: TEXT              the first finding's message has it
//	// may: CODE [PLACE], …    findings that the same fault can have, and need not
//	// flags: FLAG…            for the compiler
//	// memcheck                valgrind is needed to find it
//	// toml[: METHOD = …]      there is a nyash.toml, with this line for a method
//	// type_id: N              the box's in that nyash.toml
//	// manifest: LINE          of a nyash_box.toml beside the library
//	// timeout: 5s             of a call; one second without it
//	// explore                 only random sequences of calls find it
package faulty

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/isolate/probe"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

func TestMain(m *testing.M) {
	probe.Main()
	os.Exit(m.Run())
}

// whole is whether all plugins are tested, as `make faulty` does, or a sample.
var whole = os.Getenv("NYASH_TEST_FAULTY") == "all"

// explored is how long random sequences of calls are made with plugins whose fault other checks
// find.
const explored = 500 * time.Millisecond

// foundRounds is how often each fault is looked for: it is found each time, or by chance.
func foundRounds() uint64 {
	if os.Getenv("NYASH_TEST_ROUNDS") == "all" {
		return 10
	}
	return 1
}

// sampleStep is the distance between the plugins of a sample, and sampleFirst the first of them: ones that take little time.
const sampleStep, sampleFirst = 100, 65

// declared are the lines of nyash.toml for the box's methods.
var declared = map[string]string{
	"add":  `add = { method_id = 1, args = [ { name = "by", from = "integer", to = "i64" } ], returns = "i64" }`,
	"get":  `get = { method_id = 2, args = [], returns = "i64" }`,
	"echo": `echo = { method_id = 3, args = [ { name = "text", from = "string", to = "string" } ], returns = "string" }`,
	"poke": `poke = { method_id = 4, args = [], returns = "void" }`,
	"set":  `set = { method_id = 5, args = [ { name = "data", from = "bytes", to = "bytes" } ], returns = "i64" }`,
	"fail": `fail = { method_id = 6, args = [] }`,
}

// plugin is a file with its directives.
type plugin struct {
	file     string
	want     []string
	stack    string
	says     string
	may      []string
	flags    []string
	memcheck bool
	toml     bool
	line     string
	typeID   string
	manifest string
	timeout  time.Duration
	explore  bool
	// ofThreads is whether it is of the plugins with state that several threads meet in.
	ofThreads bool
}

var directive = regexp.MustCompile(`(?m)^// (want|may|stack|says|flags|memcheck|toml|type_id|manifest|timeout|explore)(?:: (.*))?$`)

func read(t *testing.T, file string) *plugin {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	p := &plugin{file: file, timeout: time.Second, ofThreads: ofThreads.Match(text)}
	for _, m := range directive.FindAllStringSubmatch(string(text), -1) {
		switch m[1] {
		case "want":
			p.want = append(p.want, m[2])
		case "stack":
			p.stack = m[2]
		case "says":
			p.says = m[2]
		case "may":
			p.may = strings.Split(m[2], ", ")
		case "flags":
			p.flags = strings.Fields(m[2])
		case "memcheck":
			p.memcheck = true
		case "toml":
			p.toml, p.line = true, m[2]
		case "timeout":
			timeout, err := time.ParseDuration(m[2])
			require.NoError(t, err)
			p.timeout = timeout
		case "explore":
			p.explore = true
		case "manifest":
			p.manifest += m[2] + "\n"
		case "type_id":
			p.typeID = "type_id = " + m[2] + "\n"
		}
	}
	slices.Sort(p.want)
	return p
}

func (p *plugin) config(t *testing.T, library string) plugintest.Config {
	c := plugintest.Config{File: library, Timeout: p.timeout, Seed: 1, NoMemcheck: !p.memcheck, Worker: ccbuild.TestersWorker(t), For: explored}
	if p.explore || p.ofThreads {
		c.For = 0 // as long as it takes on a busy machine; it ends as soon as it is found
		c.Until, _, _ = strings.Cut(p.want[0], " ")
	}
	if slices.ContainsFunc(p.may, func(f string) bool { return strings.HasPrefix(f, c.Until+" ") }) {
		c.Until = "" // it may be found elsewhere first
	}
	if !p.toml {
		return c
	}
	lines := make(map[string]string)
	for name, line := range declared {
		lines[name] = line
	}
	if name, _, ok := strings.Cut(p.line, " "); ok {
		if lines[name] == "" { // instead of the one whose name it begins with
			delete(lines, strings.TrimSuffix(name, "t"))
		}
		lines[name] = p.line
	}
	text := "[plugins.Counter]\nlibrary = \"" + library + "\"\n" + p.typeID + "[plugins.Counter.methods]\n"
	for _, line := range lines {
		text += line + "\n"
	}
	config, err := registry.Parse("nyash.toml", []byte(text))
	require.NoError(t, err)
	c.Library, c.Boxes, c.TOML = config.Libraries[0], config.Boxes, "nyash.toml"
	return c
}

// findings are codes and places, as directives write them.
func findings(r *plugintest.Report) []string {
	var all []string
	for i := range r.Findings {
		f := &r.Findings[i]
		text := f.Code
		if place := f.Place(); place != r.Library {
			text += " " + place
		}
		all = append(all, text)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// stackFunctions are those in the stacks of all findings.
func stackFunctions(r *plugintest.Report) (all []string) {
	for i := range r.Findings {
		for _, frame := range r.Findings[i].Backtrace {
			name, _, _ := strings.Cut(frame, " ")
			name, _, _ = strings.Cut(name, "+")
			all = append(all, name)
		}
	}
	return all
}

// expected leaves out findings that the fault may have, but for those that it must.
func (p *plugin) expected(found []string) []string {
	return slices.DeleteFunc(found, func(f string) bool {
		code, _, _ := strings.Cut(f, " ")
		return !slices.Contains(p.want, f) && (slices.Contains(p.may, f) || slices.Contains(p.may, code))
	})
}

// TestGood_NoFindings tests plugins without a fault, with several seeds.
func TestGood_NoFindings(t *testing.T) {
	root := ccbuild.Root(t)
	ccbuild.Run(t, "make", "--no-print-directory", "-C", root, "plugins")
	config, err := registry.Load(filepath.Join(root, "nyash.toml"))
	require.NoError(t, err)
	filebox, err := config.Find(config.Libraries[0])
	require.NoError(t, err)
	good := ccbuild.Library(t, "testdata/good.c", "-fvisibility=hidden")
	all := map[string]plugintest.Config{
		"FileBox":                 {File: filebox, Library: config.Libraries[0], TOML: config.Path},
		"FileBox, described":      {File: filebox},
		"Counter":                 {File: good},
		"Counter, self-described": {File: ccbuild.Library(t, "testdata/good.c", "-fvisibility=hidden", "-DCONFIG=BOX_TEXT METHODS_TEXT")},
		"Counter, declared":       (&plugin{toml: true}).config(t, good),
		"Texts":                   {File: ccbuild.Library(t, "testdata/good/texts.c", "-fvisibility=hidden")},
		"Desk":                    {File: ccbuild.Library(t, "testdata/good/meant.c", "-fvisibility=hidden")},
		"the plugin of the bench": {File: ccbuild.Library(t, filepath.Join(root, "tests/bench/plugin/bench.c"))},
		"the plugin of the docs":  docsConfig(t, docsPlugin(t, root)),
	}
	if whole {
		for _, name := range []string{"store.c", "atomics.c", "rwlock.c", "once.c", "snapshots.c", "leaf.c", "kept.c", "notes.c", "links.c", "words.c", "estimates.c", "bounded.c", "page.c", "grid.c", "calc.c", "globs.c", "vars.c", "diary.c", "manners.c", "standard.cpp", "basket.cpp", "prices.c", "ids.c", "poster.c", "tally.c", "stack.c", "accounts.c", "filter.c", "kinds.c", "spots.c", "stalls.c", "marks.c", "shares.c", "spans.c", "tags.c"} {
			all[name] = plugintest.Config{File: ccbuild.Library(t, "testdata/good/"+name, "-fvisibility=hidden", "-O2")}
		}
	}
	for name, c := range all {
		if !whole && !slices.Contains([]string{"Counter, self-described", "Texts", "the plugin of the docs"}, name) {
			continue // others of the same source are tested, or by tests/docs
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for round := range foundRounds() {
				c.Seed, c.Timeout, c.For = round+1, 0, explored
				if whole {
					c.For = 5 * time.Second
				}
				c.Worker = ccbuild.TestersWorker(t)
				// It is slow, and has few random calls.
				c.NoMemcheck = round > 0 || !whole && name != "Counter, self-described"
				tt, err := plugintest.New(c)
				require.NoError(t, err)
				run := tt.All
				if !whole && name == "Texts" { // which has many methods
					run = func(ctx context.Context) (*plugintest.Report, error) { return tt.Run(ctx, "explore") }
				}
				report, err := run(context.Background())
				require.NoError(t, err)
				require.Empty(t, report.Findings, "round %d", round)
			}
		})
	}
}

// TestGoodHost_NoFindings tests a plugin that calls its host and has no fault. Not all checks
// are made but by `make faulty`: those that make a hundred thousand calls of the host.
func TestGoodHost_NoFindings(t *testing.T) {
	toml, err := os.ReadFile("testdata/good/host.toml")
	require.NoError(t, err)
	for name, flags := range map[string][]string{"described": nil, "declared": {"-DTOML"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := plugintest.Config{
				File: ccbuild.Library(t, "testdata/good/host.c", append(flags, "-fvisibility=hidden")...),
				Seed: 1, For: explored, Worker: ccbuild.TestersWorker(t),
			}
			if flags != nil {
				config, err := registry.Parse("nyash.toml", toml)
				require.NoError(t, err)
				c.Library, c.Boxes, c.TOML = config.Libraries[0], config.Boxes, config.Path
			}
			tt, err := plugintest.New(c)
			require.NoError(t, err)
			var report *plugintest.Report
			if whole {
				report, err = tt.All(context.Background())
				require.NoError(t, err)
			} else {
				checks := []string{"check", "typecheck", "host"}
				if flags == nil {
					checks = append(checks, "protocol")
				}
				for _, check := range checks {
					report, err = tt.Run(context.Background(), check)
					require.NoError(t, err)
				}
			}
			require.Empty(t, report.Findings)
			boxes := []string{"TimeBox", "UserBox"}
			if flags != nil {
				boxes = []string{"EntryBox", "StoreBox", "TimeBox", "UserBox"}
			}
			var called []string
			for _, b := range report.HostCalls {
				assert.Positive(t, b.Calls, b.Box)
				assert.Zero(t, b.Refused, b.Box)
				called = append(called, b.Box)
			}
			assert.Equal(t, boxes, called)
		})
	}
}

// docsPlugin is the plugin that docs/abi.md shows.
func docsPlugin(t *testing.T, root string) string {
	text, err := os.ReadFile(filepath.Join(root, "docs/abi.md"))
	require.NoError(t, err)
	_, shown, ok := strings.Cut(string(text), "```c\n")
	require.True(t, ok)
	shown, _, _ = strings.Cut(shown, "```")
	return ccbuild.Source(t, "answer", shown)
}

// docsConfig is what the plugin of docs/abi.md says that nyash.toml has.
func docsConfig(t *testing.T, library string) plugintest.Config {
	config, err := registry.Parse("nyash.toml", fmt.Appendf(nil, "[plugins.AnswerBox]\nlibrary = %q\nthreads = \"serial\"\n", library))
	require.NoError(t, err)
	return plugintest.Config{File: library, Library: config.Libraries[0], TOML: "nyash.toml"}
}

func TestFaulty_FoundAlone(t *testing.T) {
	files, err := filepath.Glob("testdata/*.c*") // and .cpp
	require.NoError(t, err)
	require.Greater(t, len(files), 60)
	for i, file := range files {
		if !whole && i%sampleStep != sampleFirst {
			continue
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)), func(t *testing.T) {
			t.Parallel()
			p := read(t, file)
			library := ccbuild.Library(t, file, append([]string{"-fvisibility=hidden"}, p.flags...)...)
			if p.manifest != "" {
				require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(library), registry.ManifestName), []byte(p.manifest), 0o600))
			}
			tt, err := plugintest.New(p.config(t, library))
			require.NoError(t, err)
			run := tt.All
			if p.explore {
				run = func(ctx context.Context) (*plugintest.Report, error) { return tt.Run(ctx, "explore") }
			}
			report, err := run(context.Background())
			require.NoError(t, err)
			if p.stack != "" {
				assert.Contains(t, stackFunctions(report), p.stack)
			}
			if p.says != "" && assert.NotEmpty(t, report.Findings) {
				assert.Contains(t, report.Findings[0].Message, p.says)
			}
			have := p.expected(findings(report))
			if p.explore && !strings.Contains(p.want[0], " ") { // whichever method shows it first
				for i := range have {
					have[i], _, _ = strings.Cut(have[i], " ")
				}
			}
			if !assert.Equal(t, p.want, have) {
				for _, f := range report.Findings {
					t.Logf("%+v", f)
				}
			}
			if foundRounds() > 1 && len(p.want) > 0 {
				p.foundAgain(t, library, report)
			}
		})
	}
}

// foundAgain looks for the fault with other seeds, by the check that has found it.
func (p *plugin) foundAgain(t *testing.T, library string, found *plugintest.Report) {
	c := p.config(t, library)
	c.Until, _, _ = strings.Cut(p.want[0], " ")
	i := slices.IndexFunc(found.Findings, func(f plugintest.Finding) bool { return f.Code == c.Until })
	require.GreaterOrEqual(t, i, 0)
	for c.Seed = 2; c.Seed <= foundRounds(); c.Seed++ {
		tt, err := plugintest.New(c)
		require.NoError(t, err)
		report, err := tt.Run(context.Background(), found.Findings[i].Check)
		require.NoError(t, err)
		var codes []string
		for i := range report.Findings {
			codes = append(codes, report.Findings[i].Code)
		}
		require.Contains(t, codes, c.Until, "round %d", c.Seed)
	}
}
