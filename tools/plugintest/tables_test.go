package plugintest_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// shops are the libraries of shop.c, by their flags.
var shops struct {
	sync.Mutex
	made map[string]string
}

// shop is a library with tables beside the four functions. It takes a second to build.
func shop(t *testing.T, flags ...string) string {
	t.Helper()
	shops.Lock()
	defer shops.Unlock()
	key := strings.Join(flags, " ")
	if shops.made[key] == "" {
		out := filepath.Join(builds, strconv.Itoa(len(shops.made)), "libshop.so")
		require.NoError(t, os.MkdirAll(filepath.Dir(out), 0o700))
		ccbuild.LibraryAt(t, out, "testdata/shop.c", append([]string{"-fvisibility=hidden"}, flags...)...)
		if shops.made == nil {
			shops.made = make(map[string]string)
		}
		shops.made[key] = out
	}
	return shops.made[key]
}

// wild is a library of tests/wild.
func wild(t *testing.T, source string, flags ...string) string {
	return ccbuild.Library(t, filepath.Join("../../tests/wild/testdata", source), append([]string{"-std=gnu11", "-fvisibility=hidden"}, flags...)...)
}

// alone is a copy of a library in a folder of its own.
func alone(t *testing.T, library string) string {
	t.Helper()
	data, err := os.ReadFile(library)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), filepath.Base(library))
	require.NoError(t, os.WriteFile(path, data, 0o700))
	return path
}

// beside puts a nyash_box.toml beside a library.
func beside(t *testing.T, library, manifest string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(library), registry.ManifestName), []byte(manifest), 0o600))
}

// skipped lists what a report says was left out.
func skipped(r *plugintest.Report) []string {
	all := []string{}
	for _, c := range r.Checks {
		all = append(all, c.Skipped...)
	}
	return all
}

// found lists findings as code, place and message.
func found(r *plugintest.Report) []string {
	all := []string{}
	for i := range r.Findings {
		f := &r.Findings[i]
		all = append(all, fmt.Sprintf("%s %s: %s", f.Code, f.Place(), f.Message))
	}
	return all
}

// run runs one check.
func run(t *testing.T, config plugintest.Config, check string) *plugintest.Report {
	t.Helper()
	config.Worker = ccbuild.TestersWorker(t)
	report, err := open(t, config).Run(context.Background(), check)
	require.NoError(t, err)
	return report
}

// A box with a table has no batches, though the library exports nyash_plugin_invoke_batch.
func TestTables_NoBatches(t *testing.T) {
	report := run(t, plugintest.Config{File: shop(t)}, "protocol")
	assert.Empty(t, found(report))
}

var boxLine = regexp.MustCompile(`^\w+, type \d+$`)

// Boxes are those of the tables, of the manifest and of nyash.toml together, and no others.
// What makes one unusable concerns that one.
func TestTables_Boxes(t *testing.T) {
	const (
		item    = "[provides]\nboxes = [\"ItemBox\"]\n[ItemBox]\ntype_id = 1\n"
		textBox = "[provides]\nboxes = [\"TextBox\"]\n[TextBox]\ntype_id = 61\n"
		inBoth  = "[plugins]\nServerBox = %[1]q\nClientBox = %[1]q\n"
		http    = "[provides]\nboxes = [\"ServerBox\", \"ClientBox\"]\n[ServerBox]\ntype_id = 70\nmethods.stop = { id = 2 }\n[ClientBox]\ntype_id = 71\n"
	)
	text, four := wild(t, "text/text.c", "-DTABLES"), wild(t, "http/http.c", "-DTABLES")
	mix := ccbuild.Library(t, "testdata/mix.c", "-std=gnu11", "-fvisibility=hidden")
	both, renamed := shop(t), shop(t, "-DITEM=Item")
	tests := map[string]struct {
		library        string
		manifest, toml string
		boxes          []string
		found          []string // each a part of one finding
		skipped        []string // likewise
	}{
		"nothing gives a type_id": {text, "", "", nil, nil,
			[]string{"TextBox: its type_id is not known; add a nyash_box.toml beside it, or give --config"}},
		"nyash.toml gives none either": {text, "", "[plugins]\nTextBox = %q\n", nil, nil,
			[]string{"TextBox: its type_id is not known; add a nyash_box.toml beside it, or write it into nyash.toml"}},
		"nyash.toml gives all": {text, "", "[plugins.TextBox]\nlibrary = %q\ntype_id = 61\nmethods = { length = { args = [], returns = \"i64\" } }\n", []string{"TextBox, type 61"}, nil, nil},
		"beside nyash_plugin_invoke": {mix, "", "[libraries.\"x\"]\npath = %q\nboxes = [\"TextBox\"]\n[libraries.\"x\".TextBox]\ntype_id = 61\nmethods = { length = { method_id = 4 } }\n",
			[]string{"TextBox, type 61"}, nil, nil},
		"nyash.toml gives all of two": {four, "", "[libraries.\"x\"]\npath = %q\nboxes = [\"ServerBox\", \"ClientBox\"]\n[libraries.\"x\".ServerBox]\ntype_id = 70\nmethods = { stop = { method_id = 2 } }\n[libraries.\"x\".ClientBox]\ntype_id = 71\nmethods = { get = { method_id = 1 } }\n",
			[]string{"ServerBox, type 70", "ClientBox, type 71"}, nil, []string{"RequestBox: its type_id is not known", "ResponseBox: its type_id is not known"}},
		"a method that is misspelt": {text, textBox + "methods = { lenght = {} }\n", "", nil,
			[]string{"manifest-invalid TextBox: ", ":5:13: TextBox.methods.lenght: its id is not known"}, []string{"calls: none of its boxes can be used"}},
		"one that is misspelt, and one box more": {four, http + "methods = { gett = {} }\n", "", []string{"ServerBox, type 70"},
			[]string{"manifest-invalid ClientBox: "}, []string{"RequestBox: its type_id is not known; write it into nyash_box.toml, or give --config", "ResponseBox: its type_id"}},
		"the same, with a nyash.toml": {four, http + "methods = { gett = {} }\n", inBoth, []string{"ServerBox, type 70"},
			[]string{"manifest-invalid ClientBox: "}, []string{"RequestBox: its type_id", "ResponseBox: its type_id"}},
		"nyash.toml mends the manifest": {four, http + "methods = { gett = {} }\n", "[plugins.ServerBox]\nlibrary = %[1]q\n[plugins.ClientBox]\nlibrary = %[1]q\nmethods = { gett = { method_id = 1 } }\n",
			[]string{"ServerBox, type 70", "ClientBox, type 71"}, nil, []string{"RequestBox: its type_id", "ResponseBox: its type_id"}},
		"a method of nyash.toml that is misspelt": {text, textBox, "[plugins.TextBox]\nlibrary = %q\nmethods = { lenght = {}, length = {} }\n", []string{"TextBox, type 61"},
			[]string{"method-missing TextBox.lenght: nothing gives its id, and the library's table does not know the name"}, nil},
		"a box that the library lacks": {text, "[provides]\nboxes = [\"TextBox\", \"WordBox\"]\n[TextBox]\ntype_id = 61\nmethods.length = {}\n[WordBox]\ntype_id = 62\n", "", []string{"TextBox, type 61"},
			[]string{"manifest-invalid WordBox: ", ":6:2: the library has no box WordBox; it has TextBox"}, nil},
		"it lacks one, and there is a nyash.toml": {text, "[provides]\nboxes = [\"TextBox\", \"WordBox\"]\n[TextBox]\ntype_id = 61\nmethods.length = {}\n[WordBox]\ntype_id = 62\n", "[plugins]\nTextBox = %q\n", []string{"TextBox, type 61"},
			[]string{"manifest-invalid WordBox: "}, nil},
		"nyash.toml lists it": {text, textBox + "methods.length = {}\n", "[plugins]\nTextBox = %[1]q\nWordBox = %[1]q\n", []string{"TextBox, type 61"},
			[]string{"type-name WordBox: the library has no box WordBox; it has TextBox"}, nil},
		"another name for the table": {renamed, "", "", []string{"ItemBox, type 1", "BagBox, type 2"},
			[]string{"table-invalid Item: the library has no box Item; it has ItemBox, BagBox; NYASH_TYPEBOX's first argument is the box's name"}, nil},
		"the same, in nyash.toml": {renamed, "", "[plugins]\nItem = %[1]q\nBagBox = %[1]q\n", []string{"BagBox, type 2", "ItemBox, type 1"},
			[]string{"table-invalid Item: "}, nil},
		"a manifest that contradicts the library": {both, strings.Replace(item, "type_id = 1", "type_id = 9", 1), "", []string{"ItemBox, type 1", "BagBox, type 2"}, nil, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			library := alone(t, tt.library)
			config := plugintest.Config{File: library}
			if tt.manifest != "" {
				beside(t, library, tt.manifest)
			}
			if tt.toml != "" {
				config = inTOML(t, library, tt.toml)
			}
			report := run(t, config, "check")
			var boxes []string
			for _, line := range report.Checks[0].Lines {
				if boxLine.MatchString(line) {
					boxes = append(boxes, line)
				}
			}
			assert.Equal(t, tt.boxes, boxes)
			if tt.toml != "" {
				report = run(t, config, "typecheck")
			}
			each(t, tt.found, found(report))
			each(t, tt.skipped, skipped(report))
		})
	}
}

// A box of which no method is called is no tested one.
func TestNotes_NoMethods(t *testing.T) {
	nothing := ccbuild.Library(t, "../../tests/faulty/testdata/good.c", "-fvisibility=hidden", "-DDESCRIBE=static NyashMethodInfo methods[0];")
	tables := wild(t, "text/text.c", "-DTABLES")
	for name, tt := range map[string]struct {
		library, manifest, toml string
		skipped                 []string
	}{
		"init gives none":       {nothing, "", "", []string{"Counter: its methods are not known; give --config"}},
		"nyash.toml has none":   {nothing, "", "[plugins]\nCounter = %q", []string{"Counter: its methods are not known; write them into nyash.toml"}},
		"nyash.toml lists none": {nothing, "", "[plugins.Counter]\nlibrary = %q\nmethods = {}", nil},
		"a manifest has none":   {tables, "[provides]\nboxes = [\"TextBox\"]\n[TextBox]\ntype_id = 61\n", "", []string{"TextBox: its methods are not known; give --config"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			library := alone(t, tt.library)
			config := plugintest.Config{File: library}
			if tt.manifest != "" {
				beside(t, library, tt.manifest)
			}
			if tt.toml != "" {
				config = inTOML(t, library, tt.toml)
			}
			assert.Equal(t, append([]string{}, tt.skipped...), skipped(run(t, config, "check")))
		})
	}
}

// Checks that would call nothing are left out, but where they are asked for.
func TestNotes_NoBoxes(t *testing.T) {
	library := wild(t, "note/note.c", "-DINVOKE_ID=NULL")
	tester := open(t, plugintest.Config{File: library, Worker: ccbuild.TestersWorker(t)})
	report, err := tester.All(context.Background())
	require.NoError(t, err)
	var checks []string
	for _, c := range report.Checks {
		checks = append(checks, c.Name)
	}
	assert.Equal(t, []string{"check", "lifecycle"}, checks)
	assert.Equal(t, []string{"calls: none of its boxes can be used"}, skipped(report))
	assert.Len(t, found(report), 1)
	report = run(t, plugintest.Config{File: library}, "protocol")
	assert.Equal(t, []string{"calls: none of its boxes can be used"}, skipped(report))
}

// Boxes that are none of files are none of io's business.
func TestNotes_NoFiles(t *testing.T) {
	assert.Equal(t, []string{"no box has open, write, read, close"}, skipped(run(t, plugintest.Config{File: shop(t)}, "io")))
	config := inTOML(t, wild(t, "text/text.c", "-DINVOKE_ONLY"), "[libraries.\"x\"]\npath = %q\nboxes = [\"TextBox\"]\n[libraries.\"x\".TextBox]\ntype_id = 61\nmethods = { open = { method_id = 1 }, write = { method_id = 2 } }\n")
	assert.Equal(t, []string{"TextBox has no read, close"}, skipped(run(t, config, "io")))
}

// A library of the later public form needs a nyash.toml that declares it as one.
func TestInvokeOnly(t *testing.T) {
	library := wild(t, "text/text.c", "-DINVOKE_ONLY")
	report := run(t, plugintest.Config{File: library}, "check")
	require.Len(t, report.Findings, 1)
	assert.Equal(t, "missing-symbol", report.Findings[0].Code)
	assert.Contains(t, report.Findings[0].Fix, "with nyash_plugin_invoke alone it is a library for [libraries] of a nyash.toml: give that with --config")
	report = run(t, inTOML(t, library, "[libraries.\"x\"]\npath = %q\nboxes = [\"TextBox\"]\n[libraries.\"x\".TextBox]\ntype_id = 61\nmethods = { length = { method_id = 4 } }\n"), "check")
	assert.Empty(t, found(report))
	report = run(t, plugintest.Config{File: ccbuild.Source(t, "nothing", "static int nothing __attribute__((unused));\n")}, "check")
	require.Len(t, report.Findings, 1)
	assert.NotContains(t, report.Findings[0].Fix, "--config")
}

// A handle that a method returns is of the box that is declared, and of one that there is.
func TestReturns_Boxes(t *testing.T) {
	const listed = "[plugins]\nMoreBox = %[1]q\nNoteBox = \"./note.so\"\n[plugins.OddBox]\nlibrary = %[1]q\n"
	for name, tt := range map[string]struct {
		flag, manifest, toml string
		found                []string
	}{
		"nothing wrong": {"-DMADE=MORE", oddManifest, "", nil},
		"listed":        {"-DMADE=MORE", oddManifest, listed + "methods.make = { args = [], returns = \"MoreBox\" }\n", nil},
		"no box at all": {"-DMADE=99", oddManifest, "",
			[]string{"result-type OddBox.make: it returned a handle of type 99, and no box has this type_id; OddBox has 21, MoreBox has 22"}},
		"the manifest has another type_id": {"-DMADE=MORE", strings.Replace(oddManifest, "= 22", "= 23", 1), "",
			[]string{"result-type OddBox.make: it returned a handle of type 22, and no box has this type_id; OddBox has 21, MoreBox has 23"}},
		"another box": {"-DMADE=ODD", oddManifest, listed + "methods.make = { args = [], returns = \"MoreBox\" }\n",
			[]string{"result-type OddBox.make: it returned a handle of OddBox, type 21, and nyash.toml (line 6) declares MoreBox"}},
		"a box of another library": {"-DMADE=MORE", oddManifest, listed + "methods.make = { args = [], returns = \"NoteBox\" }\n",
			[]string{"result-type OddBox.make: it returned a handle of MoreBox, type 22, and nyash.toml (line 6) declares NoteBox"}},
		"no box": {"-DMADE=MORE", oddManifest, listed + "methods.range = { returns = \"MoreBox\" }\n",
			[]string{"result-type OddBox.range: it returned i64, and nyash.toml (line 6) declares MoreBox"}},
		"a box that is not listed": {"-DMADE=MORE", oddManifest, "[plugins]\nOddBox = %q\n",
			[]string{"result-type OddBox.make: it returned a handle of MoreBox, type 22, which nyash.toml does not list"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			library := odd(t, tt.flag)
			beside(t, library, tt.manifest)
			config := plugintest.Config{File: library}
			if tt.toml != "" {
				config = inTOML(t, library, tt.toml)
			}
			assert.Equal(t, append([]string{}, tt.found...), found(run(t, config, "typecheck")))
		})
	}
}

// nyash.toml and the library's own text name the same box.
func TestReturns_Text(t *testing.T) {
	text := "[plugins.TallyBox]\ntype_id = 7\nmethods = { pinned = { method_id = 2, args = [], returns = \"TallyBox\" } }"
	library := ccbuild.Library(t, filepath.Join(ccbuild.Root(t), "loader", "testdata", "described.c"), "-DTEXT="+strconv.Quote(text))
	for toml, want := range map[string]string{
		"[plugins.Mine]\nlibrary = %q\nbox = \"TallyBox\"\nmethods = { pinned = { returns = \"Mine\" } }":                               "",
		"[plugins.Mine]\nlibrary = %q\nbox = \"TallyBox\"\nmethods = { pinned = { returns = \"Other\" } }\n[plugins]\nOther = \"o.so\"": "types-differ Mine.pinned: nyash.toml declares the result Other, and its self-description (line 3) TallyBox",
	} {
		all := strings.Join(found(run(t, inTOML(t, library, toml), "typecheck")), "\n")
		if want == "" {
			assert.NotContains(t, all, "types-differ")
		} else {
			assert.Contains(t, all, want)
		}
	}
}

// A table knows the names of its methods, and no others.
func TestResolve(t *testing.T) {
	for name, tt := range map[string]struct {
		flag  string
		found []string
	}{
		"nothing wrong":    {"-DRESOLVING=", nil},
		"all names":        {"-DRESOLVING=return 1", []string{`resolve-unchecked OddBox.resolve: it answers 1 for "no_such_method_of_plugin_tester"`}},
		"names that begin": {"-DRESOLVING=if (strncmp(name, \"make\", 4) == 0) return 2", []string{`resolve-unchecked OddBox.resolve: it answers 2 for "make_no_such_method_of_plugin_tester"`}},
		"a crash":          {"-DRESOLVING=abort()", []string{"crash OddBox.resolve: SIGABRT (aborted)"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report := run(t, plugintest.Config{File: odd(t, tt.flag)}, "check")
			each(t, tt.found, found(report))
		})
	}
}

// odd is a library with the tables of OddBox and MoreBox, and oddManifest its manifest.
func odd(t *testing.T, flags ...string) string {
	library := ccbuild.Library(t, "testdata/odd.c", append([]string{"-std=gnu11", "-fvisibility=hidden"}, flags...)...)
	beside(t, library, oddManifest)
	return library
}

const oddManifest = `[provides]
boxes = ["OddBox", "MoreBox"]
[OddBox]
type_id = 21
[OddBox.methods]
make = { args = [], returns = "box" }
[MoreBox]
type_id = 22
methods = {}
`

// each asserts that each part is in one of the texts, and that there are no other texts.
func each(t *testing.T, parts, texts []string) {
	t.Helper()
	all := strings.Join(texts, "\n")
	for _, part := range parts {
		assert.Contains(t, all, part)
	}
	for _, text := range texts {
		ok := false
		for _, part := range parts {
			ok = ok || strings.Contains(text, part)
		}
		assert.True(t, ok, "unexpected: %s", text)
	}
}
