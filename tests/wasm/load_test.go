package wasm

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// loads loads a module and returns the error; the host works on.
func loads(t *testing.T, file, keys string, opts ...loader.Option) error {
	t.Helper()
	good := moduleFile(t)
	h := hosttest.Open(t, fmt.Sprintf("[plugins.Good]\nbox = \"Module\"\nlibrary = %q\n[plugins.Module]\nlibrary = %q\n%s\n", good, file, keys), opts...)
	err := h.Load(context.Background(), "Module")
	box, goodErr := h.New(t.Context(), "Good")
	require.NoError(t, goodErr)
	assert.Equal(t, int64(3), hosttest.CallInt(t, box, "add", 1, 2))
	return err
}

// faults are what can be wrong with testdata/broken.c.
var faults = []fault{
	{"NO_SHUTDOWN", loader.ErrSymbol, "nyash_plugin_shutdown is not exported", nil},
	{"NO_INVOKE", loader.ErrSymbol, "nyash_plugin_invoke is not exported", nil},
	{"WRONG_TYPE", loader.ErrSymbol, "nyash_plugin_abi is exported as () → (i64), and is to be () → (i32)", nil},
	{"UNKNOWN_IMPORT", loader.ErrNotLibrary, "it imports the function env.launch, which no host of plugins offers", nil},
	{"WRONG_IMPORT", loader.ErrNotLibrary, "it imports nyash.log as () → (i64), and that is (i32, i32) → ()", nil},
	{"LOOPS_AT_START", loader.ErrNoAnswer, "within load_timeout (2s)", nil},
	{"LOOPS_IN_INIT", loader.ErrNoAnswer, "did not answer within load_timeout (2s)", nil},
	{"TRAPS_AT_START", loader.ErrPluginCrashed, "_initialize: wasm error: unreachable in start", nil},
	{"OLD_ABI", loader.ErrVersion, "it was built for ABI version 7, and this host has 1", nil},
	{"REFUSES", loader.ErrInit, "nyash_plugin_init returned plugin error (-5)", nil},
	{"NAME_OUTSIDE", loader.ErrDescription, "type_name: 1 bytes at 0xfffffffe are not in its memory of", nil},
	{"METHODS_OUTSIDE", loader.ErrDescription, "method 1 of 1 (method_id 1): name: 1 bytes at 0xffffff00 are not in its memory of", nil},
	{"MANY_METHODS", loader.ErrDescription, "methods: 786432 bytes at 0xfffffff0 are not in its memory of", nil},
	{"NONE", loader.ErrNotLibrary, "memory", []string{"-Wl,--initial-memory=4294901760"}},
}

type fault struct {
	fault  string
	reason error
	want   string
	flags  []string
}

// TestFaults: what is wrong with a module is an error that says what and where.
func TestFaults(t *testing.T) {
	for _, tt := range faults {
		t.Run(tt.fault, func(t *testing.T) {
			t.Parallel()
			tt.test(t)
		})
	}
}

func (f fault) test(t *testing.T) {
	file := ccbuild.Module(t, "testdata/broken.c", append([]string{"-DNONE=99", "-DFAULT=" + f.fault}, f.flags...)...)
	err := loads(t, file, `load_timeout = "2s"`)
	require.ErrorIs(t, err, f.reason)
	assert.Contains(t, err.Error(), f.want)
	assert.Contains(t, err.Error(), "broken.wasm")
}

func TestStartPrints(t *testing.T) {
	log := hosttest.NewLog()
	file := ccbuild.Module(t, "testdata/broken.c", "-DFAULT=PRINTS_AT_START")
	require.NoError(t, loads(t, file, "", log.Option()))
	assert.Contains(t, log.Messages(), "from a constructor")
}

// TestNotIsolated: that a limit has no effect without a process is said where there is none.
func TestNotIsolated(t *testing.T) {
	for isolation, want := range map[loader.Isolation]int{loader.IsolationNone: 1, loader.IsolationProcess: 0} {
		log := hosttest.NewLog()
		open(t, `limits = { cpu_time = "1s" }`, log.Option(), loader.WithIsolation(isolation))
		require.Len(t, log.Messages(), want, isolation)
	}
}

// TestTruncated: a module that ends at any place is an error, and so is one with other bytes
// in it, or the host runs it.
func TestTruncated(t *testing.T) {
	whole, err := os.ReadFile(ccbuild.Module(t, "testdata/broken.c", "-DFAULT=99", "-Wl,--strip-all"))
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "short.wasm")
	for n := 0; n < len(whole); n += 1 + n/16 {
		require.NoError(t, os.WriteFile(file, whole[:n], 0o644))
		var load *loader.LoadError
		require.ErrorAs(t, loads(t, file, ""), &load, "%d bytes", n)
	}
}

// TestBombs: modules that are small and would take much.
func TestBombs(t *testing.T) {
	tests := map[string]struct {
		module []byte
		want   string
	}{
		"text":              {[]byte("#!/bin/sh\n"), "it does not begin with \\0asm"},
		"empty":             {nil, "it does not begin with \\0asm"},
		"a component":       {[]byte("\x00asm\x0d\x00\x01\x00"), "it is a component"},
		"nothing in it":     {[]byte("\x00asm\x01\x00\x00\x00"), "memory is not exported"},
		"blocks":            {function(append(bytes.Repeat([]byte{0x02, 0x40}, 100_000), bytes.Repeat([]byte{0x0b}, 100_001)...)), ""},
		"a long function":   {function(append(bytes.Repeat([]byte{0x01}, 2<<20), 0x0b)), ""},
		"locals":            {functionWith([]byte{1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x7f}, []byte{0x0b}), ""},
		"functions":         {sections(section(1, 1, 0x60, 0, 0), section(3, 0xff, 0xff, 0xff, 0xff, 0x0f)), ""},
		"a table of 4 GiB":  {sections(section(4, 1, 0x70, 0, 0xff, 0xff, 0xff, 0xff, 0x0f)), ""},
		"a memory of 4 GiB": {sections(section(5, 1, 0, 0x80, 0x80, 0x04)), ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "bomb.wasm")
			require.NoError(t, os.WriteFile(file, tt.module, 0o644))
			began := time.Now()
			err := loads(t, file, `load_timeout = "10s"`)
			var load *loader.LoadError
			require.ErrorAs(t, err, &load)
			assert.Equal(t, file, load.File)
			assert.Contains(t, err.Error(), tt.want)
			assert.Less(t, time.Since(began), 10*time.Second)
		})
	}
}

func sections(all ...[]byte) []byte {
	return append([]byte("\x00asm\x01\x00\x00\x00"), bytes.Join(all, nil)...)
}

func section(id byte, body ...byte) []byte {
	return append(binary.AppendUvarint([]byte{id}, uint64(len(body))), body...)
}

// function is a module with one function, of this code.
func function(code []byte) []byte { return functionWith([]byte{0}, code) }

func functionWith(locals, code []byte) []byte {
	body := append(locals, code...)
	one := append(binary.AppendUvarint([]byte{1}, uint64(len(body))), body...)
	return sections(section(1, 1, 0x60, 0, 0), section(3, 1, 0), section(10, one...))
}

// TestCache: code that was kept is used again, unless it is damaged.
func TestCache(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	file := ccbuild.Module(t, "testdata/broken.c", "-DFAULT=99")
	load := func() {
		h := hosttest.OpenUnclosed(t, fmt.Sprintf("[plugins.Module]\nlibrary = %q\n", file))
		require.NoError(t, h.Load(t.Context(), "Module"))
		require.NoError(t, h.Close())
	}
	kept := func() (all []string) {
		found, err := filepath.Glob(filepath.Join(os.Getenv("XDG_CACHE_HOME"), "nyash", "wasm", "wazero-*", "*"))
		require.NoError(t, err)
		return found
	}
	entry := func() string {
		found, err := filepath.Glob(filepath.Join(os.Getenv("XDG_CACHE_HOME"), "nyash", "wasm", "*.module"))
		require.NoError(t, err)
		require.Len(t, found, 1)
		return found[0]
	}
	load()
	require.Len(t, kept(), 1)
	code, err := os.ReadFile(kept()[0])
	require.NoError(t, err)
	before, err := os.Stat(kept()[0])
	require.NoError(t, err)
	load()
	again, err := os.Stat(kept()[0])
	require.NoError(t, err)
	assert.True(t, os.SameFile(before, again), "it was not written again")

	for name, damage := range map[string]func() error{
		"other bytes": func() error {
			return os.WriteFile(kept()[0], append(bytes.Repeat([]byte{0xcc}, len(code)-8), code[len(code)-8:]...), 0o600)
		},
		"an offset": func() error {
			return os.WriteFile(kept()[0], append(bytes.Clone(code[:24]), append([]byte{1}, code[25:]...)...), 0o600)
		},
		"cut":                  func() error { return os.Truncate(kept()[0], 20) },
		"empty":                func() error { return os.Truncate(kept()[0], 0) },
		"no code":              func() error { return os.Remove(kept()[0]) },
		"no entry":             func() error { return os.Remove(entry()) },
		"an entry that is cut": func() error { return os.Truncate(entry(), 90) },
		"an entry with other bytes": func() error {
			text, err := os.ReadFile(entry())
			if err != nil {
				return err
			}
			text[len(text)/2] ^= 1
			return os.WriteFile(entry(), text, 0o600)
		},
		"nothing": func() error { return os.RemoveAll(filepath.Dir(entry())) },
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, damage())
			load()
			rebuilt, err := os.ReadFile(kept()[0])
			require.NoError(t, err)
			assert.True(t, bytes.Equal(code, rebuilt), "it was rebuilt")
		})
	}
}

// TestCache_NotUsed: why code is not kept is told.
func TestCache_NotUsed(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", dir)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "nyash"), nil, 0o600))
	log := hosttest.NewLog()
	newBox(t, open(t, "", log.Option()))
	assert.Equal(t, []string{"compiled code is not kept: mkdir " + filepath.Join(dir, "nyash") + ": not a directory"}, log.Messages())
}

// TestCache_Alike: modules that differ in nothing but what their functions do have code of their
// own.
func TestCache_Alike(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	one := ccbuild.Module(t, "testdata/alike.c", "-DANSWER=111", "-Wl,--strip-all")
	two := ccbuild.Module(t, "testdata/alike.c", "-DANSWER=222", "-Wl,--strip-all")
	for range 3 { // compiled, and then kept
		for file, want := range map[string]string{one: "(111)", two: "(222)"} {
			require.ErrorContains(t, loads(t, file, ""), want)
		}
	}
}

// TestLoadTimeout_Compiling: the time to load is over while one large function is compiled.
func TestLoadTimeout_Compiling(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	file := ccbuild.Module(t, "testdata/large.c", "-O0")
	err := loads(t, file, `load_timeout = "1ms"`)
	require.ErrorIs(t, err, loader.ErrNoAnswer)
	assert.ErrorContains(t, err, "compile "+file)
	assert.ErrorContains(t, err, "within load_timeout (1ms)")
	require.NoError(t, loads(t, file, ""), "what was being compiled is there for the next")
}
