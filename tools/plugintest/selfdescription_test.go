package plugintest_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// described is a plugin without a fault that describes itself.
func described(t *testing.T) string {
	return ccbuild.Library(t, "../../tests/faulty/testdata/good.c", "-fvisibility=hidden", "-DCONFIG=BOX_TEXT METHODS_TEXT")
}

// inTOML is a configuration with a nyash.toml, %s being the library in it.
func inTOML(t *testing.T, library, toml string) plugintest.Config {
	t.Helper()
	config, err := registry.Parse("nyash.toml", fmt.Appendf(nil, toml, library))
	require.NoError(t, err)
	return plugintest.Config{File: library, Library: config.Libraries[0], TOML: "nyash.toml", Worker: ccbuild.TestersWorker(t)}
}

func lines(r *plugintest.Report) string { return strings.Join(r.Checks[0].Lines, "\n") }

// The types of the self-description are those that methods are called with.
func TestSelfDescription_Types(t *testing.T) {
	library := described(t)
	const add = "  add = 1 (by integer→i64) → i64"
	for name, tt := range map[string]struct {
		config plugintest.Config
		want   string
	}{
		"no nyash.toml": {plugintest.Config{File: library, Worker: ccbuild.TestersWorker(t)}, "Counter, type 710\n" + add},
		"short form":    {inTOML(t, library, "[plugins]\nCounter = %q"), "Counter, type 710\n" + add},
		"other name":    {inTOML(t, library, "[plugins.Tally]\nlibrary = %q\nbox = \"Counter\""), "Tally, type 710\n" + add},
		"nyash.toml decides": {inTOML(t, library, "[plugins.Counter]\nlibrary = %q\nmethods = { add = { args = [\"n\"] } }"),
			"Counter, type 710\n  add = 1 (n) → i64"},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := open(t, tt.config).Run(context.Background(), "check")
			require.NoError(t, err)
			assert.Empty(t, report.Findings)
			assert.Contains(t, lines(report), tt.want)
			report, err = open(t, tt.config).Run(context.Background(), "typecheck")
			require.NoError(t, err)
			assert.Empty(t, report.Findings)
			assert.Empty(t, report.Checks[0].Skipped)
		})
	}
}

// The place of a wrong type id is that of its key, as for nyash list.
func TestSelfDescription_TypeIDLine(t *testing.T) {
	report, err := open(t, inTOML(t, described(t), "[plugins.Counter]\nlibrary = %q\ntype_id = 7")).Run(context.Background(), "typecheck")
	require.NoError(t, err)
	require.NotEmpty(t, report.Findings)
	assert.Equal(t, "type-id", report.Findings[0].Code)
	assert.Equal(t, 3, report.Findings[0].Line)
}

func TestSelfDescription_TypecheckTOML(t *testing.T) {
	library := described(t)
	for name, tt := range map[string]struct{ toml, want string }{
		"other name":       {"[plugins.Tally]\nlibrary = %q", "type-name Tally: the library calls its box Counter, nyash.toml calls it Tally"},
		"two boxes":        {"[plugins.Counter]\nlibrary = %[1]q\n[plugins.Kounter]\nlibrary = %[1]q", "type-name Kounter: the library has no box Kounter; it has Counter"},
		"type id":          {"[plugins.Counter]\nlibrary = %q\ntype_id = 7", "type-id Counter: nyash.toml says type_id 7, the library says 710"},
		"argument types":   {"[plugins.Counter]\nlibrary = %q\nmethods = { fail = { args = [\"x\"] } }", "types-differ Counter.fail: nyash.toml declares the arguments (x), and its self-description (line 9) ()"},
		"result type":      {"[plugins.Counter]\nlibrary = %q\nmethods = { get = { returns = \"bool\" } }", "types-differ Counter.get: nyash.toml declares the result bool, and its self-description (line 5) i64"},
		"a missing method": {"[plugins.Counter]\nlibrary = %q\nmethods = { got = { method_id = 2 } }", "method-missing Counter.got: the library does not describe it"},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := open(t, inTOML(t, library, tt.toml)).Run(context.Background(), "typecheck")
			require.NoError(t, err)
			var all []string
			for _, f := range report.Findings {
				all = append(all, fmt.Sprintf("%s %s: %s", f.Code, f.Place(), f.Message))
			}
			assert.Contains(t, all, tt.want)
		})
	}
}

// The library's threads are those that it asks for, unless nyash.toml says otherwise.
func TestSelfDescription_Threads(t *testing.T) {
	text := "[plugins.TallyBox]\ntype_id = 7\nthreads = \"pinned\"\nuses = [\"ConsoleBox\"]\nmethods = { pinned = { method_id = 2, args = [], returns = \"i64\" } }"
	library := ccbuild.Library(t, filepath.Join(ccbuild.Root(t), "loader", "testdata", "described.c"), "-DTEXT="+strconv.Quote(text))
	config := plugintest.Config{File: library, Worker: ccbuild.TestersWorker(t), Calls: []plugintest.Invocation{{Method: "pinned"}}}
	report, err := open(t, config).Run(context.Background(), "typecheck")
	require.NoError(t, err)
	assert.Contains(t, lines(report), "TallyBox.pinned(): i64 1")
	report, err = open(t, config).Run(context.Background(), "check")
	require.NoError(t, err)
	assert.Contains(t, lines(report), `TallyBox asks for uses = ["ConsoleBox"]`)
}
