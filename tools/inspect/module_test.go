package inspect_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/inspect"
)

// module builds testdata/module.c with a text; its memory is as large with each compiler.
func module(t *testing.T, text string, flags ...string) string {
	t.Helper()
	return ccbuild.Module(t, "testdata/module.c", append([]string{"-DTEXT=" + strconv.Quote(text), "-Wl,--initial-memory=262144,--max-memory=2097152"}, flags...)...)
}

// broken builds a module with one of the faults of tests/wasm.
func broken(t *testing.T, fault string) string {
	t.Helper()
	return ccbuild.Module(t, filepath.Join(ccbuild.Root(t), "tests", "wasm", "testdata", "broken.c"), "-DFAULT="+fault)
}

const described = "[plugins.TallyBox]\ntype_id = 7\n"

func inspectModule(t *testing.T, file string) (*inspect.Report, error) {
	t.Helper()
	r, err := inspect.Run(t.Context(), inspect.Config{File: file})
	if r != nil {
		r.Library = filepath.Base(file)
	}
	return r, err
}

func TestModule_SelfDescribed(t *testing.T) {
	file := module(t, tallyText(t), "-DCONNECT")
	r, err := inspectModule(t, file)
	require.NoError(t, err)
	golden(t, "module.txt", text(t, r))
	var b strings.Builder
	require.NoError(t, inspect.WriteJSON(&b, r))
	golden(t, "module.json", b.String())
	assert.NotContains(t, b.String()+text(t, r), "\x1b")

	b.Reset()
	require.NoError(t, inspect.WriteTOML(&b, r, "./module.wasm"))
	c, err := registry.Parse(filepath.Join(filepath.Dir(file), "nyash.toml"), []byte(b.String()))
	require.NoError(t, err)
	assert.Empty(t, c.Warnings)
	native, err := run(t, tally(t, tallyText(t)))
	require.NoError(t, err)
	assert.Equal(t, native.Boxes, r.Boxes, "as of a native library with the same text")
	assert.Equal(t, native.Requests, r.Requests)
}

// The entry that is written loads.
func TestModule_Entry(t *testing.T) {
	file := module(t, "[plugins.TallyBox]\ntype_id = 7\nmethods = { get = { method_id = 3 } }\n", "-DFILES")
	r, err := inspectModule(t, file)
	require.NoError(t, err)
	assert.True(t, r.Module.Files)
	assert.Contains(t, text(t, r), "  folders     none, unless permissions in nyash.toml gives it some")
	var b strings.Builder
	require.NoError(t, inspect.WriteTOML(&b, r, "./module.wasm"))
	assert.Contains(t, b.String(), "\n# permissions = { read = [\"./data\"], write = [\"./out\"] }\n")
	config := filepath.Join(filepath.Dir(file), "nyash.toml")
	require.NoError(t, os.WriteFile(config, []byte(strings.Replace(b.String(), "# permissions = { read = [\"./data\"], write = [\"./out\"] }", "permissions = { read = [\".\"] }", 1)), 0o644))
	host, err := loader.Open(config)
	require.NoError(t, err)
	defer host.Close()
	require.NoError(t, host.Load(t.Context()))
}

// What is wrong with a module is said, each thing by its name, and it is run only where nothing
// is.
func TestModule_Faults(t *testing.T) {
	type fields struct{ lacks, faults []string }
	tests := map[string]struct {
		file func(t *testing.T) string
		err  []string
		told string
		want fields
	}{
		"missing export": {func(t *testing.T) string { return broken(t, "NO_SHUTDOWN") },
			[]string{"nyash_plugin_shutdown is not exported"}, "lacks       nyash_plugin_shutdown\n", fields{[]string{"nyash_plugin_shutdown"}, []string{"nyash_plugin_shutdown is not exported"}}},
		"wrong type": {func(t *testing.T) string { return broken(t, "WRONG_TYPE") },
			[]string{"nyash_plugin_abi is exported as () → (i64), and is to be () → (i32)"}, "nyash_plugin_abi () → (i64)", fields{[]string{}, []string{"nyash_plugin_abi is exported as () → (i64), and is to be () → (i32)"}}},
		"unknown import": {func(t *testing.T) string { return broken(t, "UNKNOWN_IMPORT") },
			[]string{"it imports the function env.launch, which no host of plugins offers"}, "env.launch", fields{[]string{}, []string{"it imports the function env.launch, which no host of plugins offers; build it for wasm32-wasi, with nyash_plugin.h"}}},
		"several": {func(t *testing.T) string {
			return ccbuild.ModuleSource(t, "several", `__attribute__((import_module("env"), import_name("launch"))) long long launch(void);
				__attribute__((export_name("nyash_plugin_abi"))) long long abi(void) { return launch(); }`)
		}, []string{"env.launch", "nyash_plugin_abi is exported as () → (i64)", "nyash_plugin_shutdown is not exported", "nyash_alloc is not exported; nyash_plugin.h of this release defines it"},
			"lacks       nyash_plugin_init, nyash_plugin_invoke, nyash_plugin_shutdown,", fields{lacks: []string{
				"nyash_plugin_init", "nyash_plugin_invoke", "nyash_plugin_shutdown", "nyash_host_table", "nyash_alloc", "nyash_free",
			}}},
		"loops at start": {func(t *testing.T) string { return broken(t, "LOOPS_AT_START") }, []string{"did not answer within load_timeout (2s)"}, "four symbols", fields{[]string{}, []string{}}},
		"traps at start": {func(t *testing.T) string { return broken(t, "TRAPS_AT_START") }, []string{"unreachable"}, "four symbols", fields{[]string{}, []string{}}},
		"another ABI":    {func(t *testing.T) string { return broken(t, "OLD_ABI") }, []string{"built for ABI version 7"}, "four symbols", fields{[]string{}, []string{}}},
		"init fails":     {func(t *testing.T) string { return module(t, described, "-DINIT=-5") }, []string{"nyash_plugin_init returned"}, "its last log lines\n  hello \\x1b[2J\n", fields{[]string{}, []string{}}},
		"trap in config": {func(t *testing.T) string { return module(t, "", "-DCONFIG=abort()") }, []string{"nyash_plugin_config", "unreachable"}, "four symbols", fields{[]string{}, []string{}}},
		"no plugin": {func(t *testing.T) string {
			return ccbuild.ModuleSource(t, "other", `__attribute__((export_name("other"))) int other(void) { return 1; }`)
		}, []string{"is not a plugin: it exports no nyash_plugin_ function"}, "others      other", fields{lacks: []string{
			"nyash_plugin_abi", "nyash_plugin_init", "nyash_plugin_invoke", "nyash_plugin_shutdown", "nyash_host_table", "nyash_alloc", "nyash_free",
		}}},
		"too much memory": {func(t *testing.T) string {
			return module(t, "", "-Wl,--initial-memory=2147483648,--max-memory=4294967296")
		},
			[]string{"memory"}, "memory      2048 MiB at first, 4096 MiB at most\n", fields{[]string{}, []string{}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := inspect.Run(t.Context(), inspect.Config{File: tt.file(t), Timeout: 2 * time.Second})
			for _, want := range tt.err {
				require.ErrorContains(t, err, want)
			}
			require.NotNil(t, r)
			assert.False(t, r.Loaded)
			assert.Contains(t, text(t, r), tt.told)
			assert.Equal(t, tt.want.lacks, r.Lacks)
			if tt.want.faults != nil {
				assert.Equal(t, tt.want.faults, r.Module.Faults)
			}
			var b bytes.Buffer
			require.NoError(t, inspect.WriteJSON(&b, r))
			var again inspect.Report
			require.NoError(t, json.Unmarshal(b.Bytes(), &again))
			assert.Equal(t, r.Module, again.Module)
			assert.Contains(t, again.Error, tt.err[0])
			assert.Error(t, inspect.WriteTOML(&b, r, "x.wasm"))
		})
	}
}

// A fault is noted with the function that has it.
func TestModule_FaultOfFunction(t *testing.T) {
	r, err := inspectModule(t, broken(t, "WRONG_IMPORT"))
	require.ErrorContains(t, err, "it imports nyash.log as () → (i64), and that is (i32, i32) → ()")
	var with []string
	for _, f := range append(r.Module.Imports, r.Module.Exports...) {
		if f.Fault != "" {
			with = append(with, f.Module+"."+f.Name+" "+f.Type)
		}
	}
	assert.Equal(t, []string{"nyash.log () → (i64)"}, with)
}

// A file that ends anywhere is a located error, with what comes before.
func TestModule_Truncated(t *testing.T) {
	whole, err := os.ReadFile(module(t, "", "-Wl,--strip-all"))
	require.NoError(t, err)
	dir := t.TempDir()
	step, told := max(len(whole)/97, 1), 0
	for size := 0; size < len(whole); size += step {
		file := filepath.Join(dir, fmt.Sprintf("%d.wasm", size))
		require.NoError(t, os.WriteFile(file, whole[:size], 0o644))
		r, err := inspectModule(t, file)
		require.ErrorContains(t, err, file, size)
		require.NotNil(t, r, size)
		assert.False(t, r.Loaded)
		assert.NotEmpty(t, text(t, r))
		if len(r.Exports) > 0 {
			told++
		}
	}
	assert.Positive(t, told, "the exports come before the code")
}

// uleb is a number as a module has it.
func uleb(n int) (b []byte) {
	for ; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

// Files with many names, of any bytes, cost little time and memory.
func TestModule_Hostile(t *testing.T) {
	head := []byte("\x00asm\x01\x00\x00\x00")
	section := func(id byte, count int, body []byte) []byte {
		body = append(uleb(count), body...)
		return append(append([]byte{id}, uleb(len(body))...), body...)
	}
	arity := append(append([]byte{0x60}, uleb(1000)...), bytes.Repeat([]byte{0x7f}, 1000)...)
	types := section(1, 1, append(arity, 0))
	imports := func(n int) []byte { return section(2, n, bytes.Repeat([]byte("\x03e\x1b[\x02xy\x00\x00"), n)) }
	for name, tt := range map[string]struct {
		file    []byte
		err     string
		imports int
	}{
		"many imports":      {bytes.Join([][]byte{head, types, imports(1 << 16)}, nil), `it imports the function e\x1b[.xy`, 1 << 16},
		"too many imports":  {bytes.Join([][]byte{head, types, imports(1<<16 + 1)}, nil), "more than 65536 imports", 1 << 16},
		"a claimed count":   {bytes.Join([][]byte{head, types, section(2, 1<<28, []byte("\x01e\x01f\x00\x00"))}, nil), "268435456 imports in", 0},
		"a claimed length":  {append(append([]byte{}, head...), 1, 0xff, 0xff, 0xff, 0xff, 0x0f), "section 1 of 4294967295 bytes", 0},
		"an imported table": {bytes.Join([][]byte{head, section(2, 1, []byte("\x01e\x01\x1b\x01\x70\x00\x01"))}, nil), "is not a plugin", 0},
		"a component":       {[]byte("\x00asm\x0d\x00\x01\x00"), "it is a component", 0},
		"text":              {[]byte("#!/bin/sh\n"), "it does not begin with \\0asm", 0},
		"nothing":           {nil, "it does not begin with \\0asm", 0},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "x.wasm")
			require.NoError(t, os.WriteFile(file, tt.file, 0o644))
			r, err := inspectModule(t, file)
			require.NotNil(t, r)
			shown := text(t, r)
			assert.NotContains(t, shown+r.Error, "\x1b")
			assert.Less(t, len(shown), 64<<10)
			require.Len(t, r.Module.Imports, tt.imports)
			assert.LessOrEqual(t, len(r.Module.Faults), 17)
			require.Error(t, err)
			if name == "many imports" { // it exports nothing either
				assert.Contains(t, r.Module.Imports[0].Fault, tt.err)
				return
			}
			assert.ErrorContains(t, err, tt.err)
		})
	}
}

func TestModule_Name(t *testing.T) {
	file := strings.TrimSuffix(module(t, described), ".wasm") + ".so"
	require.NoError(t, os.Rename(strings.TrimSuffix(file, ".so")+".wasm", file))
	r, err := inspectModule(t, file)
	require.NoError(t, err)
	assert.Contains(t, strings.Join(r.Warnings, "\n"), "hosts know a WebAssembly module by its name, which ends in .wasm")

	_, err = inspect.Run(t.Context(), inspect.Config{File: filepath.Join(t.TempDir(), "none.wasm")})
	require.ErrorIs(t, err, os.ErrNotExist)
	dir := filepath.Join(t.TempDir(), "dir.wasm")
	require.NoError(t, os.Mkdir(dir, 0o755))
	_, err = inspect.Run(t.Context(), inspect.Config{File: dir})
	require.ErrorContains(t, err, "is a directory; name the library in it")
}

// A module that hangs ends with the context.
func TestModule_Cancelled(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	r, err := inspect.Run(ctx, inspect.Config{File: broken(t, "LOOPS_IN_INIT"), Timeout: time.Hour})
	require.Error(t, err)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Less(t, time.Since(start), 30*time.Second)
	assert.False(t, r.Loaded)
}
