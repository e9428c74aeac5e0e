package plugintest_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tlv"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

const faults = "../../tests/faulty/testdata/"

// texts is a plugin with state, with a fault that macros make.
func texts(t *testing.T, file string) string {
	return ccbuild.Library(t, faults+file, "-fvisibility=hidden")
}

// TestExplore_Script: a finding has the shortest calls, which are kept, and show it again.
func TestExplore_Script(t *testing.T) {
	library, dir := texts(t, "texts_drop_short.c"), t.TempDir()
	const code = "short-buffer-side-effect"
	report := run(t, plugintest.Config{File: library, Seed: 2, Until: code, Save: dir, NoMemcheck: true}, "explore")
	require.NotEmpty(t, report.Findings)
	f := report.Findings[len(report.Findings)-1]
	require.Equal(t, code+" Texts.drop", f.Code+" "+f.Place())
	calls := strings.Split(strings.TrimSpace(f.Sequence), "\n")
	calls = slices.DeleteFunc(calls, func(line string) bool { return strings.HasPrefix(line, "#") })
	// A birth, a put and a drop, or no call can be left out: a drop on another, after a merge.
	require.Contains(t, []int{3, 5}, len(calls), f.Sequence)
	assert.Equal(t, "texts1 = Texts()", calls[0])
	assert.Contains(t, calls[1], "print(texts1.put(")
	assert.Contains(t, calls[len(calls)-1], ".drop(")

	script := filepath.Join(dir, code+"-Texts.drop.star")
	saved, err := os.ReadFile(script)
	require.NoError(t, err)
	assert.Equal(t, f.Sequence, string(saved))
	again := run(t, plugintest.Config{File: library, Seed: 3, Replay: script}, "explore")
	require.Len(t, again.Findings, 1)
	assert.Equal(t, f.Code+f.Place(), again.Findings[0].Code+again.Findings[0].Place())
	assert.Less(t, again.Calls(), 200, "nothing else is called")
	mended := run(t, plugintest.Config{File: texts(t, "good/texts.c"), Seed: 2, Replay: script}, "explore")
	assert.Empty(t, mended.Findings)
	assert.Contains(t, lines(mended), "show nothing")
}

// TestExplore_ReplayOfAnswers: what shows in an answer alone, and in nothing of how calls are made, is
// shown again, and is not where it is mended.
func TestExplore_ReplayOfAnswers(t *testing.T) {
	slow := []string{"copy-differs", "instances-mixed", "stale-answer"} // they are left to `make faulty`
	for code, files := range map[string][2]string{
		"value-damaged":   {"texts_value_nul.c", "good/texts.c"},
		"instances-mixed": {"texts_one_state.c", "good/texts.c"},
		"stale-answer":    {"texts_stale_count.c", "good/texts.c"},
		"copy-differs":    {"links_one_gone.c", "good/links.c"},
	} {
		if os.Getenv("NYASH_TEST_FAULTY") != "all" && slices.Contains(slow, code) {
			continue
		}
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			library, dir := texts(t, files[0]), t.TempDir()
			report := run(t, plugintest.Config{File: library, Seed: 1, Until: code, Save: dir, NoMemcheck: true}, "explore")
			require.NotEmpty(t, report.Findings)
			scripts, err := filepath.Glob(filepath.Join(dir, code+"-*.star"))
			require.NoError(t, err)
			require.NotEmpty(t, scripts)
			again := run(t, plugintest.Config{File: library, Seed: 2, Replay: scripts[0]}, "explore")
			require.Len(t, again.Findings, 1)
			assert.Equal(t, code, again.Findings[0].Code)
			assert.Contains(t, again.Findings[0].Message, "as it did when the script was made")
			mended := run(t, plugintest.Config{File: texts(t, files[1]), Seed: 2, Replay: scripts[0]}, "explore")
			assert.Empty(t, mended.Findings)
		})
	}
}

// TestExplore_BadScripts: a file that is no script, or of another library, is an error with its place.
func TestExplore_BadScripts(t *testing.T) {
	library := texts(t, "good/texts.c")
	const begin = "# replay: "
	for name, tt := range map[string]struct{ script, want string }{
		"no mark":          {"x = Texts()\n", "no line begins with"},
		"not JSON":         {begin + "{", "the line"},
		"another version":  {begin + `{"version":99}`, "version 99; this plugin-tester reads version 1"},
		"another world":    {begin + `{"version":1,"world":"moon"}`, `there is no world "moon"`},
		"another code":     {begin + `{"version":1,"code":"crsh","shows":{"code":0,"sum":"1"}}`, `there are no findings with the code "crsh"`},
		"a code of others": {begin + `{"version":1,"code":"crash","shows":{"code":0,"sum":"1"}}`, "what a call answers shows no crash; a script that says what it answered is of value-damaged, "},
		"no calls":         {begin + `{"version":1,"ops":[]}`, `the line "# replay: " has no calls`},
		"another box":      {begin + `{"version":1,"ops":[{"box":"Cat","method":"birth","on":-1}]}`, `call 1: the library has no box "Cat"; it has Texts`},
		"another method":   {begin + `{"version":1,"ops":[{"box":"Texts","method":"birth","on":-1,"makes":"Texts"},{"box":"Texts","method":"fly","on":0}]}`, `call 2: Texts has no method "fly"`},
		"no instance":      {begin + `{"version":1,"ops":[{"box":"Texts","method":"count","on":3}]}`, "call 1: it is on the instance of call 4, which makes none"},
		"itself":           {begin + `{"version":1,"ops":[{"box":"Texts","method":"count","on":0}]}`, "call 1: it is on the instance of call 1, which makes none"},
		"an argument":      {begin + `{"version":1,"ops":[{"box":"Texts","method":"birth","on":-1,"makes":"Texts"},{"box":"Texts","method":"at","on":0,"args":[{"tag":200}]}]}`, "call 2: a value of type"},
		"a later argument": {begin + `{"version":1,"ops":[{"box":"Texts","method":"birth","on":-1,"makes":"Texts"},{"box":"Texts","method":"merge","on":0,"args":[{"ref":9}]}]}`, "call 2: an argument is the instance of call 9, which makes none"},
		"a large argument": {begin + `{"version":1,"ops":[{"box":"Texts","method":"birth","on":-1,"makes":"Texts"},{"box":"Texts","method":"get","on":0,"args":[{"tag":6,"data":"` + strings.Repeat("AAAA", 22_000) + `"}]}]}`, "call 2: entry 0: encode TLV: payload too large: string of 66000 bytes"},
		"too many calls":   {begin + `{"version":1,"ops":[{}` + strings.Repeat(",{}", 100_000) + `]}`, "100001 calls; at most 100000 are made"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			script := filepath.Join(t.TempDir(), "a.star")
			require.NoError(t, os.WriteFile(script, []byte(tt.script), 0o600))
			_, err := open(t, plugintest.Config{File: library, Replay: script, Worker: ccbuild.TestersWorker(t)}).Run(t.Context(), "explore")
			require.ErrorIs(t, err, plugintest.ErrCannotRun)
			assert.ErrorContains(t, err, tt.want)
		})
	}
}

// TestConfig_Until: a run ends at the finding that it is to go on for.
func TestConfig_Until(t *testing.T) {
	library := ccbuild.Library(t, faults+"use_after_fini.c", "-fvisibility=hidden")
	tt := open(t, plugintest.Config{File: library, Seed: 1, Until: "use-after-fini", NoMemcheck: true, Worker: ccbuild.TestersWorker(t)})
	report, err := tt.All(t.Context())
	require.NoError(t, err)
	require.Len(t, report.Findings, 1)
	assert.Equal(t, "use-after-fini", report.Findings[0].Code)
	assert.Equal(t, "lifecycle", report.Checks[len(report.Checks)-1].Name, "no check follows")
	_, err = plugintest.New(plugintest.Config{File: library, Until: "value-damagd"})
	assert.ErrorContains(t, err, "did you mean value-damaged?")
}

// TestConfig_UntilLonger: what is looked for, and not found, is looked for again, for longer, unless it is
// said for how long.
func TestConfig_UntilLonger(t *testing.T) {
	library := ccbuild.Library(t, faults+"bytes_strlen.c", "-fvisibility=hidden") // which has one small method that allocates
	for _, tt := range []struct {
		config plugintest.Config
		times  int
	}{
		{plugintest.Config{Until: "crash"}, 3},
		{plugintest.Config{Until: "crash", For: time.Second}, 1},
	} {
		tt.config.File, tt.config.Seed = library, 1
		report := run(t, tt.config, "failures")
		assert.Empty(t, report.Findings)
		assert.Len(t, report.Checks, tt.times)
	}
}

// wanting is a box whose birth and method want a word.
const wanting = `
#include <string.h>
#include "nyash.h"

typedef struct Cache { int64_t hits; } Cache;

static int32_t birth(NyashContext *c) {
    NyashText where = nyash_arg_string(c, 0);
    if (where.size < 4 || memcmp(where.data, "mem:", 4) != 0) return nyash_error(c, NYASH_E_PLUGIN, "where?");
    return NYASH_OK;
}

static int32_t get(NyashContext *c) {
    NyashText word = nyash_arg_string(c, 0);
    if (word.size != 5 || word.data[0] != 'x' || word.data[1] != 'y' || word.data[4] != 'y') return NYASH_E_INVALID_ARGS;
    return nyash_return_i64(c, ++((Cache *)nyash_self(c))->hits);
}

static const NyashMethod methods[] = {
    {.id = 0, .name = "birth", .call = birth, .args = {NYASH_ARG("where", NYASH_STRING)}},
    {.id = 1, .name = "get", .call = get, .args = {NYASH_ARG("word", NYASH_STRING)}, .result = NYASH_I64},
};
static const NyashBox cache = {.name = "Cache", .type_id = 40, .state_size = sizeof(Cache), NYASH_METHODS(methods)};
NYASH_PLUGIN(&cache)
`

// TestGiven: calls and births of the author's own, from the command line and from nyash.toml.
func TestGiven(t *testing.T) {
	library := ccbuild.Source(t, "wanting", wanting, "-fvisibility=hidden")
	declared := func(t *testing.T, tester string) plugintest.Config {
		config, err := registry.Parse("nyash.toml", []byte("[plugins.Cache]\nlibrary = '"+library+"'\n"+tester))
		require.NoError(t, err)
		return plugintest.Config{File: library, Library: config.Libraries[0], Boxes: config.Boxes, TOML: "nyash.toml"}
	}
	call := func(text string) plugintest.Invocation {
		c, err := plugintest.ParseCall(text)
		require.NoError(t, err)
		return c
	}
	birth := func(text string) plugintest.Invocation {
		c, err := plugintest.ParseBirth(text)
		require.NoError(t, err)
		return c
	}
	for name, tt := range map[string]struct {
		config plugintest.Config
		found  []string
	}{
		"nothing is given": {plugintest.Config{File: library}, []string{"not-exercised Cache.birth"}},
		"a birth is given": {
			plugintest.Config{File: library, Births: []plugintest.Invocation{birth("mem:a")}},
			[]string{"not-exercised Cache.get"},
		},
		"a number is given": {
			plugintest.Config{File: library, Births: []plugintest.Invocation{birth("mem:a")}, Calls: []plugintest.Invocation{call("get=7"), call("get=xyzzy")}},
			nil, // it takes texts, if not this one
		},
		"a birth that is refused": {plugintest.Config{File: library, Births: []plugintest.Invocation{birth("disk:a")}}, []string{"not-exercised Cache.birth"}},
		"both are given":          {plugintest.Config{File: library, Births: []plugintest.Invocation{birth("Cache=mem:a")}, Calls: []plugintest.Invocation{call("Cache.get=xyzzy")}}, nil},
		"nyash.toml gives":        {declared(t, "[plugins.Cache.tester]\nbirth = ['mem:a']\ncalls = { get = [['xyzzy']] }\n"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := run(t, tt.config, "typecheck")
			var places []string
			for i := range report.Findings {
				places = append(places, report.Findings[i].Code+" "+report.Findings[i].Place())
			}
			assert.Equal(t, tt.found, places)
		})
	}
	for name, tt := range map[string]struct{ tester, want string }{
		"a method":     {"calls = { fetch = [['a']] }", "plugins.Cache.tester.calls.fetch: Cache has no method fetch; it has get\n\n  4 | calls = { fetch = [["},
		"a type":       {"calls = { get = [[1]] }", "nyash.toml:4:19: plugins.Cache.tester.calls.get: argument 1, 1, cannot be a value of type string\n\n  4 | calls = { get = [[1]] }"},
		"of a birth":   {"birth = [true]", "nyash.toml:4:10: plugins.Cache.tester.birth: argument 1, true, cannot be a value of type string"},
		"no arguments": {"calls = { get = [[]] }", "Cache.get takes (word string) → i64, and is given 0 arguments"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := declared(t, "[plugins.Cache.tester]\n"+tt.tester+"\n")
			config.Worker = ccbuild.TestersWorker(t)
			_, err := open(t, config).Run(t.Context(), "typecheck")
			require.ErrorIs(t, err, plugintest.ErrCannotRun)
			assert.ErrorContains(t, err, tt.want)
		})
	}
	parsed := birth("Cache=mem:a,2")
	assert.Equal(t, "--birth 'Cache=mem:a,2'", parsed.String())
	assert.Equal(t, "Cache.birth", parsed.Box+"."+parsed.Method)
	assert.Equal(t, []tlv.Value{tlv.String("mem:a"), tlv.Int64(2)}, parsed.Args)
	assert.Equal(t, map[int]string{1: "2"}, parsed.Texts)
}
