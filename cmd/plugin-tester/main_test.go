package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/command"
	"github.com/nyash-plugins/nyash-go/internal/isolate/probe"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

func TestMain(m *testing.M) {
	probe.Main()
	os.Exit(m.Run())
}

// run runs the command as a user would.
func run(t *testing.T, args ...string) (out string, err error) {
	t.Helper()
	var b bytes.Buffer
	root := newRoot()
	root.SetOut(&b)
	root.SetErr(&b)
	if worker := ccbuild.TestersWorker(t); worker != "" && args[0] != "--help" && args[0] != "--version" {
		args = append(args, "--worker", worker)
	}
	root.SetArgs(args)
	err = command.Execute(context.Background(), root)
	return b.String(), err
}

func build(t *testing.T, name string) string {
	return ccbuild.Library(t, "../../tests/faulty/testdata/"+name+".c", "-fvisibility=hidden")
}

// small is a plugin without a fault, and with one method, so that all checks of it are soon made.
func small(t *testing.T) string {
	return ccbuild.Source(t, "small", `
#include "nyash.h"
static int32_t one(NyashContext *c) { return nyash_return_i32(c, 1); }
static const NyashMethod methods[] = {{.id = 1, .name = "one", .call = one, .result = NYASH_I32}};
static const NyashBox box = {.name = "One", .type_id = 741, .state_size = 1, NYASH_METHODS(methods)};
NYASH_PLUGIN(&box)
`, "-fvisibility=hidden")
}

func TestCommand_ExitStatus(t *testing.T) {
	out, err := run(t, "check", build(t, "good"))
	require.NoError(t, err)
	assert.Contains(t, out, "Counter, type 710")
	assert.Contains(t, out, "no findings (1 check, 0 calls, seed ")

	out, err = run(t, "check", build(t, "duplicate_id"))
	require.ErrorIs(t, err, errFindings)
	assert.Contains(t, out, "error[duplicate-id] Counter.again: it describes get and again with the id 2")

	_, err = run(t, "check", "/nonexistent.so")
	require.ErrorIs(t, err, plugintest.ErrCannotRun)
	_, err = run(t, "check")
	require.Error(t, err)
	require.False(t, errors.Is(err, errFindings))
}

func TestCommand_Reports(t *testing.T) {
	dir := t.TempDir()
	junit, sarif := filepath.Join(dir, "r.xml"), filepath.Join(dir, "r.sarif")
	out, err := run(t, "lifecycle", build(t, "prints"), "--json", "--junit", junit, "--sarif", sarif, "--seed", "3")
	require.ErrorIs(t, err, errFindings)
	var report struct {
		Version int
		Clean   bool
		Reports []plugintest.Report
	}
	require.NoError(t, json.Unmarshal([]byte(out), &report), "nothing else is written: %s", out)
	assert.Equal(t, 2, report.Version)
	assert.False(t, report.Clean)
	require.Len(t, report.Reports, 1)
	assert.Equal(t, uint64(3), report.Reports[0].Seed)
	assert.Equal(t, "prints", report.Reports[0].Findings[0].Code)
	data, err := os.ReadFile(junit)
	require.NoError(t, err)
	require.NoError(t, xml.Unmarshal(data, new(struct{})))
	data, err = os.ReadFile(sarif)
	require.NoError(t, err)
	assert.Contains(t, string(data), `"ruleId": "prints"`)
	_, err = run(t, "check", build(t, "good"), "--junit", filepath.Join(dir, "no", "folder"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

// TestCommand_Until: a run that ends without the finding that it was to go on for says so.
func TestCommand_Until(t *testing.T) {
	out, err := run(t, "check", build(t, "duplicate_id"), "--until", "leak")
	require.ErrorIs(t, err, errFindings)
	assert.Contains(t, out, "\nleak was not found\n")
	out, err = run(t, "check", build(t, "duplicate_id"), "--until", "duplicate-id")
	require.ErrorIs(t, err, errFindings)
	assert.NotContains(t, out, "was not found")
	out, err = run(t, "check", build(t, "good"), "--until", "leak", "--json")
	require.NoError(t, err)
	assert.True(t, json.Valid([]byte(out)), out)
}

func TestCommand_Typecheck(t *testing.T) {
	library := build(t, "good")
	config := filepath.Join(t.TempDir(), "nyash.toml")
	require.NoError(t, os.WriteFile(config, []byte("[plugins.Counter]\nlibrary = \""+library+"\"\n[plugins.Counter.methods]\nadd = { args = [ { name = \"n\", from = \"integer\", to = \"i32\" } ] }\npoke = false\n"), 0o600))
	out, err := run(t, "typecheck", library, "--config", config, "--call", "add=i64:3")
	require.ErrorIs(t, err, errFindings)
	assert.Contains(t, out, "error[args-type] Counter.add: it refuses (n integer→i32) as nyash.toml (line 4) declares, and takes (i64)")
	assert.Contains(t, out, config+":4", "the line of the method")
	assert.Contains(t, out, "Counter.add(i64 3): i64 3")
	assert.Contains(t, out, "warning[method-undeclared] Counter.get")
	assert.NotContains(t, out, "warning[method-undeclared] Counter.poke", "nyash.toml hides it")

	for _, command := range []string{"typecheck", "all"} {
		_, err = run(t, command, library, "--config", config, "--call", "sub=1")
		require.ErrorContains(t, err, "--call 'sub=1': the library has no method sub; it has add, get, ", command)
	}
	for flags, want := range map[string]string{
		"--call Countr.get=1":   "--call 'Countr.get=1': the library has no box Countr (did you mean Counter?); it has Counter",
		"--call Counter.gte=1":  "--call 'Counter.gte=1': Counter has no method gte (did you mean get?); it has ",
		"--call ad=1":           "--call 'ad=1': the library has no method ad (did you mean add?); it has ",
		"--call add=handle:Cat": "--call 'add=handle:Cat': the library has no box Cat; it has Counter",
		"--birth Countr=2":      "--birth 'Countr=2': the library has no box Countr (did you mean Counter?); it has Counter",
		"--only lek":            `there are no findings with the code "lek" (did you mean leak?); plugin-tester explain lists the codes`,
	} {
		_, err = run(t, append([]string{"typecheck", library, "--config", config}, strings.Fields(flags)...)...)
		require.ErrorContains(t, err, want)
	}
	other := hosttest.File(t, hosttest.PluginTOML(t, "filebox", "nyash-filebox-plugin"))
	_, err = run(t, "typecheck", library, "--config", other)
	require.ErrorIs(t, err, plugintest.ErrCannotRun)
	require.ErrorContains(t, err, "does not describe "+library+"; it describes nyash-filebox-plugin; give --config the nyash.toml of this library, or leave it out")
	_, err = run(t, "typecheck", library, "--config", "../../nyash.toml")
	require.ErrorContains(t, err, "nyash.toml does not describe "+library+"; it describes nyash-filebox-plugin, nyash-mathbox-plugin, ")
	_, err = run(t, "typecheck", library)
	require.ErrorContains(t, err, "--config")
}

func TestCommand_Validate(t *testing.T) {
	config := filepath.Join(t.TempDir(), "nyash.toml")
	require.NoError(t, os.WriteFile(config, []byte("[plugins]\nOne = \""+small(t)+"\"\n"), 0o600))
	out, err := run(t, "validate", "--config", config, "--no-memcheck", "--for", "300ms")
	require.NoError(t, err, out)
	for _, check := range []string{"check ", "typecheck ", "lifecycle ", "protocol ", "stress "} {
		assert.Contains(t, out, check)
	}
	require.NoError(t, os.WriteFile(config, []byte("[plugins]\nCounter = \"nowhere\"\n"), 0o600))
	_, err = run(t, "validate", "--config", config)
	require.ErrorIs(t, err, plugintest.ErrCannotRun)
	require.NoError(t, os.WriteFile(config, []byte("[plugins\n"), 0o600))
	_, err = run(t, "validate", "--config", config)
	require.ErrorIs(t, err, plugintest.ErrCannotRun)
}

// TestCommand_Uses: the boxes of the program that a nyash.toml is for are not there.
func TestCommand_Uses(t *testing.T) {
	library := small(t)
	config := filepath.Join(t.TempDir(), "nyash.toml")
	require.NoError(t, os.WriteFile(config, []byte("[plugins.One]\nlibrary = \""+library+"\"\nuses = [\"TimeBox.now\", \"AppBox\"]\n"), 0o600))
	want := "plugin-tester: warning: " + config + ":3:24: plugins.One.uses: there is no box AppBox; "
	out, err := run(t, "check", library, "--config", config)
	require.NoError(t, err, out)
	assert.Contains(t, out, want)
	out, err = run(t, "validate", "--config", config, "--only", "crash", "--no-memcheck", "--for", "300ms")
	require.NoError(t, err, out)
	assert.Equal(t, 1, strings.Count(out, want))
}

func TestCommand_TLVDebug(t *testing.T) {
	out, err := run(t, "tlv-debug", "--message", "i32:7, hello")
	require.NoError(t, err)
	assert.Contains(t, out, "    16  68656c6c6f                         \"hello\"")

	out, err = run(t, "tlv-debug", "--hex", "0100", "0100")
	require.ErrorIs(t, err, errFindings, "a message that cannot be read")
	assert.Contains(t, out, "decode TLV: byte 4")

	library := build(t, "good")
	out, err = run(t, "tlv-debug", "--method", "Counter.add", library, "5")
	require.NoError(t, err)
	assert.Contains(t, out, "Counter.add on instance 1 answered 0 (success), *result_len = 16")
	assert.Contains(t, out, "i64 5")
	out, err = run(t, "tlv-debug", "--method", "birth", library)
	require.NoError(t, err)
	assert.Contains(t, out, "the instance's id")
	out, err = run(t, "tlv-debug", "--method", "fail", library)
	require.NoError(t, err)
	assert.Contains(t, out, "answered -5 (plugin error), ")
	assert.Contains(t, out, `"this always fails"`)
	out, err = run(t, "tlv-debug", "--method", "poke", build(t, "crash_poke"))
	require.ErrorIs(t, err, errFindings)
	assert.Contains(t, out, "error[crash] Counter.poke: SIGSEGV")

	for text, args := range map[string][]string{
		"did you mean poke?": {"tlv-debug", "--method", "pok", library},
		"--method needs":     {"tlv-debug", "--method", "poke"},
		"not hexadecimal":    {"tlv-debug", "--hex", "xy"},
		"--hex and --message cannot be used together": {"tlv-debug", "--hex", "00", "--message", "5"},
	} {
		_, err = run(t, args...)
		require.ErrorContains(t, err, text)
	}
}

// TestCommand_TLVDebugJSON: whoever asks for JSON gets one object, and nothing beside it.
func TestCommand_TLVDebugJSON(t *testing.T) {
	library := build(t, "good")
	read := func(out string) (d debugged) {
		t.Helper()
		require.NoError(t, json.Unmarshal([]byte(out), &d), out)
		assert.Equal(t, debugVersion, d.Version)
		return d
	}
	out, err := run(t, "tlv-debug", "--json", "--message", "i32:7, hello, bytes:00ff, f64:inf, handle:6/1, true, void")
	require.NoError(t, err)
	assert.Equal(t, []valueInfo{{"i32", 7.0}, {"string", "hello"}, {"bytes", "00ff"}, {"f64", "+Inf"}, {"handle", "6/1"}, {"bool", true}, {"void", nil}}, read(out).Message.Values)
	out, err = run(t, "tlv-debug", "--json", "--hex", "0100", "0100")
	require.ErrorIs(t, err, errFindings)
	assert.Contains(t, read(out).Message.Error, "decode TLV: byte 4")
	out, err = run(t, "tlv-debug", "--json", "--method", "Counter.add", library, "5")
	require.NoError(t, err)
	answer := read(out).Answer
	require.NotNil(t, answer)
	assert.Equal(t, "success", answer.CodeName)
	assert.Equal(t, []valueInfo{{"i64", 5.0}}, answer.Result.Values)
	out, err = run(t, "tlv-debug", "--json", "--method", "poke", build(t, "crash_poke"))
	require.ErrorIs(t, err, errFindings)
	d := read(out)
	assert.Nil(t, d.Answer)
	require.Len(t, d.Findings, 1)
	assert.Equal(t, "crash", d.Findings[0].Code)
}

// TestCommand_Usage: mistakes in the command line are told plainly; whatever is not a finding ends with 2.
func TestCommand_Usage(t *testing.T) {
	for args, want := range map[string]string{
		"ceck":                                "unknown command \"ceck\" (did you mean check?); plugin-tester --help lists the commands",
		"check":                               "name a library: plugin-tester check LIBRARY [flags]",
		"check a b":                           "name one library, not 2: plugin-tester check LIBRARY [flags]",
		"check --foo a":                       "unknown flag: --foo (plugin-tester check --help lists the flags)",
		"explore --for 0 a":                   "invalid argument \"0\" for \"--for\" flag: write a time, 10s or 2m (plugin-tester explore --help lists the flags)",
		"validate --for -1s":                  "invalid argument \"-1s\" for \"--for\" flag: write a time, 10s or 2m (plugin-tester validate --help lists the flags)",
		"check --timeout 5 a":                 "invalid argument \"5\" for \"--timeout\" flag: write a time, 10s or 2m (plugin-tester check --help lists the flags)",
		"check --timeout 0s a":                "invalid argument \"0s\" for \"--timeout\" flag: write a time, 10s or 2m (plugin-tester check --help lists the flags)",
		"validate x":                          "plugin-tester validate takes no arguments, and got x",
		"help ceck":                           "unknown command \"ceck\" (did you mean check?); plugin-tester --help lists the commands",
		"completion":                          "name a command; plugin-tester completion --help lists them",
		"completion fsh":                      "unknown command \"fsh\" (did you mean fish?); plugin-tester completion --help lists the commands",
		"check --seed x a":                    "invalid argument \"x\" for \"--seed\" flag: that is no number (plugin-tester check --help lists the flags)",
		"check --seed 1e99 a":                 "invalid argument \"1e99\" for \"--seed\" flag: that is no number (plugin-tester check --help lists the flags)",
		"check --seed 99999999999999999999 a": "invalid argument \"99999999999999999999\" for \"--seed\" flag: that number is too large (plugin-tester check --help lists the flags)",
		"tlv-debug":                           "name a message: its arguments, --message or --hex; --message '' is the one without arguments",
		"explain --html x.html crash":         "plugin-tester explain does not use --html (plugin-tester explain --help lists the flags)",
		"tlv-debug --until crash --hex 00":    "plugin-tester tlv-debug does not use --until (plugin-tester tlv-debug --help lists the flags)",
		"tlv-debug --html x.html --hex 00":    "plugin-tester tlv-debug without --method does not use --html (plugin-tester tlv-debug --help lists the flags)",
		"tlv-debug --hex zz":                  "cannot test: not hexadecimal: 'z' is no digit of it",
		"tlv-debug --hex 0 --message 5":       "--hex and --message cannot be used together: leave out all but one",
	} {
		_, err := run(t, strings.Fields(args)...)
		require.EqualError(t, err, want)
		require.NotErrorIs(t, err, errFindings)
	}
	out, err := run(t, "explain", "--help")
	require.NoError(t, err)
	assert.Contains(t, out, "--json")
	assert.NotContains(t, out, "--html")
	out, err = run(t, "--version")
	require.NoError(t, err)
	assert.Regexp(t, `^plugin-tester .*, plugin ABI 1, go1`, out)
}

// TestCommand_Completion: shells complete libraries, files and the codes of findings.
func TestCommand_Completion(t *testing.T) {
	for words, want := range map[string]string{
		"check ":               "so\ndylib\ndll\nwasm\ntoml\n:8\n",
		"check x.so ":          ":4\n",
		"all --config ":        "toml\n:8\n",
		"--junit ":             "xml\n:8\n",
		"all --only hang,cras": "hang,crash\tthe plugin crashed\n:6\n",
		"all --skip exit,exi":  ":6\n", // it is there
		"explain own-":         "own-mistake\tthe plugin's SDK reports a mistake of the plugin\n:4\n",
		"explain crash own-":   "own-mistake\tthe plugin's SDK reports a mistake of the plugin\n:4\n",
		"lifec":                "lifecycle\tbirths, ends, many instances, memory growth, loading again and again\n:4\n",
	} {
		var out bytes.Buffer
		root := newRoot()
		root.SetOut(&out)
		root.SetErr(io.Discard)
		root.SetArgs(append([]string{"__complete"}, strings.Split(words, " ")...))
		require.NoError(t, command.Execute(t.Context(), root))
		assert.Equal(t, want, out.String(), words)
	}
}

// TestCommand_Explain: each code can be explained, and all are listed.
func TestCommand_Explain(t *testing.T) {
	explain := func(args ...string) (string, error) {
		var out bytes.Buffer
		root := newRoot()
		root.SetOut(&out)
		root.SetArgs(append([]string{"explain"}, args...))
		err := command.Execute(t.Context(), root)
		return out.String(), err
	}
	out, err := explain("args-kept")
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(out, "error[args-kept]: the plugin used args or result after the call\n\nThe plugin used"), out)
	assert.Contains(t, out, "\nwrong:\n    static int32_t rename_it(")
	assert.Contains(t, out, "\nexpected: no pointer kept after the call\nmend: Copy")
	assert.NotContains(t, out, "\x1b")

	list, err := explain()
	require.NoError(t, err)
	for _, rule := range plugintest.Rules() {
		assert.Contains(t, "\n"+list, "\n"+rule.Code+" ", rule.Code)
		one, err := explain(rule.Code)
		require.NoError(t, err)
		assert.Greater(t, len(one), 300)
	}

	crash, err := explain("crash")
	require.NoError(t, err)
	hang, err := explain("hang")
	require.NoError(t, err)
	for _, args := range []string{"hang crash", "hang, crash", "hang,crash", "hang crash hang"} {
		both, err := explain(strings.Fields(args)...)
		require.NoError(t, err, args)
		assert.Equal(t, hang+"\n"+crash, both, args)
	}

	out, err = explain("crash", "--json")
	require.NoError(t, err)
	var d struct {
		Version int
		Codes   []struct{ Code, Meaning, Mend string }
	}
	require.NoError(t, json.Unmarshal([]byte(out), &d))
	assert.Equal(t, 1, d.Version)
	require.Len(t, d.Codes, 1)
	assert.Equal(t, "crash", d.Codes[0].Code)

	for args, want := range map[string]string{
		"arg-kept": `there are no findings with the code "arg-kept" (did you mean args-kept?); plugin-tester explain lists the codes`,
		"exit hng": `there are no findings with the code "hng" (did you mean hang?); plugin-tester explain lists the codes`,
		",":        "name a code, or leave it out; plugin-tester explain lists the codes",
	} {
		_, err := explain(strings.Fields(args)...)
		require.EqualError(t, err, want)
		require.NotErrorIs(t, err, errFindings)
	}
}

func TestCommand_Help(t *testing.T) {
	out, err := run(t, "--help")
	require.NoError(t, err)
	names := []string{"all", "validate", "explain", "tlv-debug"}
	for _, c := range plugintest.Checks() {
		names = append(names, c.Name)
	}
	for _, name := range names {
		assert.True(t, strings.Contains(out, "\n  "+name+" "), name)
	}
}

// TestCommand_NoFolder: a report that cannot be written is told before the library is tested.
func TestCommand_NoFolder(t *testing.T) {
	library := small(t)
	for _, flag := range []string{"--html", "--junit", "--sarif"} {
		for path, want := range map[string]string{"/nowhere/report": "no such file or directory", library + "/report": "libsmall.so is no folder"} {
			out, err := run(t, "check", library, flag, path)
			require.ErrorContains(t, err, "cannot write "+path)
			require.ErrorContains(t, err, want)
			assert.NotErrorIs(t, err, errFindings)
			assert.NotContains(t, out, "check")
		}
	}
	out, err := run(t, "explore", library, "--save", library+"/scripts")
	require.ErrorContains(t, err, "cannot save scripts: ")
	assert.NotErrorIs(t, err, errFindings)
	assert.NotContains(t, out, "explore")
}

// TestCommand_ReportOverInput: a report takes the place of nothing that is read, nor of another report.
func TestCommand_ReportOverInput(t *testing.T) {
	library := small(t)
	before, err := os.ReadFile(library)
	require.NoError(t, err)
	dir := t.TempDir()
	link := filepath.Join(dir, "link")
	require.NoError(t, os.Symlink(library, link))
	for _, args := range [][]string{{"--html", library}, {"--junit", link}, {"--sarif", library}, {"--html", filepath.Join(dir, "a"), "--junit", dir + "/./a"}} {
		_, err := run(t, append([]string{"check", library}, args...)...)
		require.ErrorContains(t, err, "which would be lost")
		assert.NotErrorIs(t, err, errFindings)
	}
	after, err := os.ReadFile(library)
	require.NoError(t, err)
	assert.Equal(t, before, after)
	_, err = run(t, "check", library, "--html", os.DevNull, "--junit", os.DevNull)
	assert.NoError(t, err, "a device loses nothing")
}

// writer calls a function at each write.
type writer func()

func (w writer) Write(p []byte) (int, error) { w(); return len(p), nil }

// TestCommand_Interrupted: a run that was ended says that it is not whole.
func TestCommand_Interrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	root := newRoot()
	root.SetOut(writer(cancel)) // with the line of the first check
	root.SetErr(io.Discard)
	args := []string{"all", small(t)}
	if worker := ccbuild.TestersWorker(t); worker != "" {
		args = append(args, "--worker", worker)
	}
	root.SetArgs(args)
	err := command.Execute(ctx, root)
	require.ErrorIs(t, err, context.Canceled)
	assert.ErrorContains(t, err, "libsmall.so was not tested to the end: what is above was found until then; --for 5s takes less time")
}
