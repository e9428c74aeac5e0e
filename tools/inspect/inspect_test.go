package inspect_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/native"
	_ "github.com/nyash-plugins/nyash-go/loader/wasm"
	"github.com/nyash-plugins/nyash-go/loader/worker"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/inspect"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) {
	worker.Main()
	os.Exit(m.Run())
}

func golden(t *testing.T, name, have string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(have), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Equal(t, string(want), have, "go test ./tools/inspect -update writes %s", file)
}

func tallyText(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/tally.toml")
	require.NoError(t, err)
	return string(text)
}

// tally builds a library that describes itself with a text.
func tally(t *testing.T, text string, flags ...string) string {
	t.Helper()
	source := filepath.Join(ccbuild.Root(t), "loader", "testdata", "described.c")
	return ccbuild.Library(t, source, append([]string{"-fvisibility=hidden", "-DTEXT=" + strconv.Quote(text)}, flags...)...)
}

// run inspects a library in a worker. What differs from machine to machine is made the
// same.
func run(t *testing.T, library string) (*inspect.Report, error) {
	t.Helper()
	r, err := inspect.Run(t.Context(), inspect.Config{File: library, Worker: ccbuild.Worker(t)})
	if r != nil {
		assert.NotEmpty(t, r.Format)
		r.Library, r.Format, r.Needs = filepath.Base(library), "ELF X86_64", []string{"libc.so.6"}
	}
	return r, err
}

func text(t *testing.T, r *inspect.Report) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, inspect.WriteText(&b, r))
	return b.String()
}

func TestRun_SelfDescribed(t *testing.T) {
	library := tally(t, tallyText(t), "-DMETHODS=2", "-DTYPE=7", "-DSIGNATURE=3u")
	r, err := run(t, library)
	require.NoError(t, err)
	golden(t, "tally.txt", text(t, r))
	var b strings.Builder
	require.NoError(t, inspect.WriteJSON(&b, r))
	golden(t, "tally.json", b.String())
	b.Reset()
	require.NoError(t, inspect.WriteTOML(&b, r, "./libdescribed.so"))
	golden(t, "tally_entry.toml", b.String())
	assert.NotContains(t, b.String(), "\x1b")

	inProcess, err := inspect.Run(t.Context(), inspect.Config{File: library, InProcess: true})
	require.NoError(t, err)
	assert.Equal(t, r.Boxes, inProcess.Boxes)
	assert.Equal(t, r.Requests, inProcess.Requests)
}

// TestWriteTOML_Read reads the entries that are written, and binds them with the
// library and without: the types are the same.
func TestWriteTOML_Read(t *testing.T) {
	const invokeOnly = "int nyash_plugin_invoke(void) { return -3; }"
	config := `const char *nyash_plugin_config(void) { return ` + strconv.Quote(tallyText(t)) + `; }`
	libraries := map[string]string{
		"two boxes":                tally(t, tallyText(t)),
		"two boxes, and init":      tally(t, tallyText(t), "-DMETHODS=2", "-DTYPE=7"),
		"init alone":               tally(t, "", "-Dnyash_plugin_config=nyash_plugin_other", "-DMETHODS=2", "-DTYPE=7", `-DNAME="TallyBox"`),
		"init alone, without name": tally(t, "", "-Dnyash_plugin_config=nyash_plugin_other", "-DMETHODS=2", "-DTYPE=7"),
		"invoke only":              ccbuild.Source(t, "tally", invokeOnly+config, "-Wno-missing-prototypes"),
	}
	for name, library := range libraries {
		t.Run(name, func(t *testing.T) {
			r, err := run(t, library)
			require.NoError(t, err)
			var entry strings.Builder
			require.NoError(t, inspect.WriteTOML(&entry, r, library))
			c, err := registry.Parse("nyash.toml", []byte(entry.String()))
			require.NoError(t, err, "%+v\n%s", err, entry.String())
			assert.Empty(t, c.Warnings)
			require.Len(t, c.Boxes, len(r.Boxes))
			var uses []string
			for _, u := range c.Libraries[0].Uses {
				uses = append(uses, u.String())
			}
			assert.Equal(t, r.SelfDescribed, len(uses) > 0)
			if r.SelfDescribed {
				assert.Equal(t, []string{"ConsoleBox", "OtherBox.get", "TimeBox.now"}, uses, "what all boxes ask for, in the first entry")
			}
			for i, b := range c.Boxes {
				found, err := c.Find(b.Library)
				require.NoError(t, err)
				assert.Equal(t, library, found)
				bound := loaded(t, library, b)
				assert.Equal(t, withoutHashes(r.Boxes[i]), inspect.Describe(bound), "with the library")
			}
		})
	}
}

// loaded is a box of a nyash.toml, bound to what its library says.
func loaded(t *testing.T, file string, b *registry.Box) *registry.Type {
	t.Helper()
	lib, err := native.Open(t.Context(), native.Config{File: file, InvokeOnly: b.Library.InvokeOnly, Sink: quiet{}})
	require.NoError(t, err)
	defer lib.Close()
	d := lib.Description()
	var own *registry.Description
	if d.Config != nil {
		own, err = registry.ParseDescription("lib", *d.Config)
		require.NoError(t, err)
	}
	typ, err := b.Bind(own, d)
	require.NoError(t, err)
	alone, err := b.Bind(nil, abi.Description{})
	require.NoError(t, err)
	assert.Equal(t, inspect.Describe(typ), inspect.Describe(alone), "the entry says it all")
	return typ
}

// quiet drops what a library says.
type quiet struct{}

func (quiet) PluginLog(abi.LogLevel, string, bool) {}
func (quiet) PluginWake(uint64, bool)              {}

func withoutHashes(b inspect.Box) inspect.Box {
	for i := range b.Methods {
		b.Methods[i].Hash, b.Methods[i].InitHash = "", ""
	}
	return b
}

const typebox = `const struct { unsigned tag; short version, size; const char *name; } nyash_typebox_MapBox = {0x54594258, 1, 16, "MapBox"};`

func TestRun_Generations(t *testing.T) {
	tests := map[string]struct {
		source             string
		generations, lacks []string
		warning            string
	}{
		"invoke only":            {"int nyash_plugin_invoke(void) { return -3; }", []string{inspect.InvokeOnly}, []string{"nyash_plugin_abi", "nyash_plugin_init", "nyash_plugin_shutdown"}, "it describes no box"},
		"tables":                 {typebox, []string{inspect.Tables}, []string{"nyash_plugin_abi", "nyash_plugin_init", "nyash_plugin_invoke", "nyash_plugin_shutdown"}, "its struct_size is 16, which leaves out invoke_id"},
		"invoke only and tables": {typebox + "int nyash_plugin_invoke(void) { return -3; }", []string{inspect.InvokeOnly, inspect.Tables}, []string{"nyash_plugin_abi", "nyash_plugin_init", "nyash_plugin_shutdown"}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := run(t, ccbuild.Source(t, "old", tt.source))
			require.NoError(t, err)
			assert.Equal(t, tt.generations, r.Generations)
			assert.Equal(t, tt.lacks, r.Lacks)
			assert.Contains(t, strings.Join(r.Warnings, "\n"), tt.warning)
			if len(tt.generations) > 0 && tt.generations[len(tt.generations)-1] == inspect.Tables {
				assert.Equal(t, []string{"MapBox"}, r.Tables)
				assert.Contains(t, text(t, r), "  tables      MapBox\n")
			}
			require.ErrorContains(t, inspect.WriteTOML(&bytes.Buffer{}, r, "old"), "there is nothing to write")
		})
	}
}

// What is known of a library that does not load is told, beside one error.
func TestRun_Broken(t *testing.T) {
	const four = "unsigned nyash_plugin_abi(void) { return %s; }\nint nyash_plugin_init(void) { %s; return 0; }\nint nyash_plugin_invoke(void) { return -3; }\nvoid nyash_plugin_shutdown(void) {}\n"
	good := "[plugins.TallyBox]\ntype_id = 7\n"
	tests := map[string]struct {
		library func(t *testing.T) string
		err     string
		told    string // of the report as text
	}{
		"crash in config":      {func(t *testing.T) string { return tally(t, good, "-DCRASH") }, "plugin crashed: SIGABRT", "four symbols"},
		"hang in config":       {func(t *testing.T) string { return tally(t, good, "-DHANG") }, "no answer within 300ms", "four symbols"},
		"crash in init":        {source(fmt.Sprintf(four, "1", "*(volatile char *)8 = 0")), "plugin crashed: SIGSEGV", "four symbols"},
		"exit in init":         {source("#include <unistd.h>\n" + fmt.Sprintf(four, "1", "_exit(0)")), "plugin crashed", "four symbols"},
		"other ABI":            {source(fmt.Sprintf(four, "9", "")), "the plugin was built for version 9, this host speaks version 1", "four symbols"},
		"init fails":           {source(strings.Replace(fmt.Sprintf(four, "1", ""), "return 0", "return -5", 1)), "nyash_plugin_init returned", "four symbols"},
		"a mistake in text":    {func(t *testing.T) string { return tally(t, good+"singleton = 3") }, "libdescribed.so (self-description):3:13: plugins.TallyBox.singleton: it must be a boolean", "nyash_plugin_config"},
		"text against init":    {func(t *testing.T) string { return tally(t, good, "-DTYPE=9", `-DNAME="TallyBox"`) }, "the library says type_id 7 here, and 9 in init", "TallyBox, type 9"},
		"missing dependencies": {source("int nowhere(void);\n" + fmt.Sprintf(four, "1", "nowhere()")), "cannot be opened", "four symbols"},
		"no invoke":            {source("unsigned nyash_plugin_abi(void) { return 1; }"), "missing symbol: nyash_plugin_invoke", "lacks       nyash_plugin_init, nyash_plugin_invoke"},
		"no plugin":            {source("int helper(void) { return 1; }"), "is not a plugin: it exports no nyash_plugin_ function", "exports     nothing of the plugin ABI"},
		"other processor":      {otherProcessor, "it was built for EM_AARCH64", "nyash_plugin_invoke"},
		"init contradicts": {source(`#include "nyash_plugin.h"
			uint32_t nyash_plugin_abi(void) { return 1; }
			int32_t nyash_plugin_init(const NyashHostVtable *h, NyashPluginInfo *info) {
				static const NyashMethodInfo m[] = {{1, "get", 0}, {1, "put", 0}};
				(void)h; info->type_name = "Bag"; info->type_id = 3; info->methods = m; info->method_count = 2; return 0;
			}
			int32_t nyash_plugin_invoke(uint32_t t, uint32_t m, uint32_t i, const uint8_t *a, size_t n, uint8_t *r, size_t *l) { return -3; }
			void nyash_plugin_shutdown(void) {}`), "libbroken.so: Bag: the library describes two methods with the id 1: get and put; fix the library", "    1  put(…)"},
		"logs": {source(`#include "nyash_plugin.h"
			uint32_t nyash_plugin_abi(void) { return 1; }
			int32_t nyash_plugin_init(const NyashHostVtable *h, NyashPluginInfo *info) { (void)info; h->log(3, "no \x1b[2Jlicence"); return -5; }
			int32_t nyash_plugin_invoke(uint32_t t, uint32_t m, uint32_t i, const uint8_t *a, size_t n, uint8_t *r, size_t *l) { return -3; }
			void nyash_plugin_shutdown(void) {}`), "nyash_plugin_init returned", "its last log lines\n  no \\x1b[2Jlicence\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := inspect.Config{File: tt.library(t), Worker: ccbuild.Worker(t)}
			if strings.HasPrefix(name, "hang") {
				c.Timeout = 300 * time.Millisecond
			}
			r, err := inspect.Run(t.Context(), c)
			require.ErrorContains(t, err, tt.err)
			require.NotNil(t, r)
			shown := text(t, r)
			assert.Contains(t, shown, tt.told)
			assert.NotContains(t, shown+r.Error, "\x1b")
			var again inspect.Report
			var b bytes.Buffer
			require.NoError(t, inspect.WriteJSON(&b, r))
			require.NoError(t, json.Unmarshal(b.Bytes(), &again))
			assert.Contains(t, again.Error, tt.err)
		})
	}
}

func source(text string) func(t *testing.T) string {
	return func(t *testing.T) string { return ccbuild.Source(t, "broken", text, "-Wno-unused-parameter") }
}

// otherProcessor is a library whose header names another processor.
func otherProcessor(t *testing.T) string {
	library := tally(t, tallyText(t))
	data, err := os.ReadFile(library)
	require.NoError(t, err)
	data[18] = 183 // EM_AARCH64
	require.NoError(t, os.WriteFile(library, data, 0o755))
	return library
}

func TestRun_NoLibrary(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "script.sh")
	require.NoError(t, os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755))
	empty := filepath.Join(dir, "empty.so")
	require.NoError(t, os.WriteFile(empty, nil, 0o755))
	for file, want := range map[string]string{
		filepath.Join(dir, "none.so"): "no such file or directory",
		dir:                           "is a directory; name the library in it",
		script:                        "not a loadable shared library: it is no ELF file",
		empty:                         "the file is empty",
		"/dev/null":                   "it is a device, not a file",
	} {
		r, err := inspect.Run(t.Context(), inspect.Config{File: file})
		require.ErrorContains(t, err, want)
		assert.Nil(t, r)
	}
	r, err := inspect.Run(t.Context(), inspect.Config{File: tally(t, tallyText(t)), Worker: filepath.Join(dir, "none")})
	require.ErrorContains(t, err, "--isolation none loads it in this process")
	assert.False(t, r.Loaded)
}

func TestFind_Names(t *testing.T) {
	t.Chdir(t.TempDir())
	mk := func(file string) {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, nil, 0o644))
	}
	mk("build/libkv.so")
	mk("libhere.so")
	require.NoError(t, os.Mkdir("kv", 0o755))
	_, err := inspect.Find("kvx", "nyash.toml")
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "nyash.toml does not exist")
	found, err := inspect.Find("kv", "nyash.toml")
	require.NoError(t, err)
	assert.Equal(t, inspect.Found{File: "kv"}, found, "without a nyash.toml a directory is a directory")

	require.NoError(t, os.WriteFile("nyash.toml", []byte("[plugin_paths]\nsearch_paths = [\"build\"]\n[plugins.KeyValue]\nlibrary = \"kv\"\nuses = [\"ConsoleBox\", \"TimeBx\"]\n"), 0o644))
	for name, want := range map[string]struct{ file, entry string }{
		"libhere.so":       {"libhere.so", "./libhere.so"},
		"./build/libkv.so": {"./build/libkv.so", "build/libkv.so"},
		"kv":               {"build/libkv.so", "kv"},
		"KeyValue":         {"build/libkv.so", "kv"},
		"libkv.so":         {"build/libkv.so", "libkv.so"},
	} {
		found, err := inspect.Find(name, "nyash.toml")
		require.NoError(t, err, name)
		assert.Equal(t, want.entry, found.Entry, name)
		have, err := os.Stat(found.File)
		require.NoError(t, err)
		expected, err := os.Stat(want.file)
		require.NoError(t, err)
		assert.True(t, os.SameFile(have, expected), "%s is %s", name, found.File)
	}
	_, err = inspect.Find("kvx", "nyash.toml")
	require.ErrorContains(t, err, "build/libkvx.so")
	assert.True(t, errors.Is(err, fs.ErrNotExist))
	found, err = inspect.Find("KeyValue", "nyash.toml")
	require.NoError(t, err)
	require.Len(t, found.Warnings, 1)
	assert.ErrorContains(t, found.Warnings[0], "nyash.toml:5:23: plugins.KeyValue.uses: there is no box TimeBx (did you mean TimeBox?)")
	_, err = inspect.Find("./kvx", "nyash.toml")
	require.ErrorContains(t, err, "build the library")
}
