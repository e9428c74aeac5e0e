// Package badplugins shows that broken libraries and lying plugins give clear
// errors and cost the host nothing. Every fault is a real plugin of a few lines
// in testdata.
package badplugins

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
	"github.com/nyash-plugins/nyash-go/tlv"
)

var ctx = context.Background()

// host opens a host with the plugin at path as box Fault, and a good plugin
// beside it.
func host(t *testing.T, path, fault string, opts ...loader.Option) *loader.Host {
	t.Helper()
	good := ccbuild.Library(t, "testdata/good.c")
	text := fmt.Sprintf(`
[plugins.Fault]
library = %q
%s
[plugins.Good]
library = %q
methods = { run = { method_id = 1, args = [], returns = "i32" } }
`, path, fault, good)
	// These are faults of libraries in the host's own process, whose memory is looked at.
	opts = append(opts, loader.WithIsolation(loader.IsolationNone), loader.WithMemoryTracking())
	return hosttest.Open(t, text, opts...)
}

// unhurt checks that the host goes on working and that nothing of the faulty
// library's memory is left.
func unhurt(t *testing.T, h *loader.Host, path string) {
	t.Helper()
	good := hosttest.New(t, h, "Good")
	result := hosttest.Call(t, good, "run")
	assert.Equal(t, int32(42), result.Any())
	require.NoError(t, good.Close())

	table, err := hostvtable.For(path, true)
	require.NoError(t, err)
	memory, ok := table.Memory()
	require.True(t, ok)
	assert.Equal(t, hostvtable.Memory{Allocs: memory.Allocs}, memory, "blocks are left or were freed wrongly")
}

// methods is what nyash.toml says of a faulty box unless a row says otherwise.
const methods = `type_id = 900
methods = { run = { method_id = 1, args = [] } }`

func TestLoad_NotALibrary(t *testing.T) {
	good := ccbuild.Library(t, "testdata/good.c")
	elf, err := os.ReadFile(good)
	require.NoError(t, err)
	otherMachine := append([]byte(nil), elf...)
	otherMachine[18], otherMachine[19] = 0xf3, 0 // e_machine: RISC-V
	program := append([]byte(nil), elf...)
	program[16] = 2 // e_type: ET_EXEC
	bits32 := append([]byte(nil), elf...)
	bits32[4] = 1 // EI_CLASS

	tests := map[string]struct {
		contents []byte
		want     string
	}{
		"text":               {[]byte("#!/bin/sh\necho hello\n"), "it is no ELF file: it starts with \"#!/bin/sh\\nec\""},
		"empty":              {nil, "the file is empty"},
		"cut in the header":  {elf[:40], "cut short"},
		"cut in the headers": {elf[:200], "cut short"},
		"cut in a segment":   {elf[:len(elf)/4], "cut short"},
		"one byte":           {[]byte{0x7f}, "it is no ELF file"},
		"a module":           {[]byte("\x00asm\x01\x00\x00\x00"), "it is a WebAssembly module, whose name must end in .wasm"},
		"magic alone":        {[]byte("\x7fELF"), "cut short"},
		"other processor":    {otherMachine, "it was built for EM_RISCV"},
		"a program":          {program, "build it with -shared"},
		"32 bits":            {bits32, "32-bit"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "libfault.so")
			require.NoError(t, os.WriteFile(path, tt.contents, 0o755))
			h := host(t, path, methods)
			_, err := h.New(ctx, "Fault")
			require.ErrorIs(t, err, native.ErrNotLibrary)
			assert.ErrorContains(t, err, tt.want)
			assert.ErrorContains(t, err, path)
			unhurt(t, h, path)
		})
	}
}

func TestLoad_MissingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "libnone.so")
	h := host(t, path, methods)
	_, err := h.New(ctx, "Fault")
	require.ErrorIs(t, err, fs.ErrNotExist)
	assert.ErrorContains(t, err, "nyash.toml:2:10")
	assert.ErrorContains(t, err, path)
	unhurt(t, h, path)
}

func TestLoad_Directory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "libdir.so")
	require.NoError(t, os.Mkdir(path, 0o755))
	_, err := host(t, path, methods).New(ctx, "Fault")
	require.ErrorIs(t, err, native.ErrNotLibrary)
	assert.ErrorContains(t, err, "it is a directory")
}

func TestLoad_SymlinkLoop(t *testing.T) {
	path := filepath.Join(t.TempDir(), "libloop.so")
	require.NoError(t, os.Symlink(path, path))
	_, err := host(t, path, methods).New(ctx, "Fault")
	require.Error(t, err)
	assert.ErrorContains(t, err, "libloop.so")
}

func TestLoad_BadLibrary(t *testing.T) {
	tests := map[string]struct {
		toml string
		want []string
		is   error
	}{
		"no_abi":               {methods, []string{"nyash_plugin_abi is not exported"}, native.ErrSymbol},
		"no_init":              {methods, []string{"nyash_plugin_init is not exported"}, native.ErrSymbol},
		"no_invoke":            {methods, []string{"nyash_plugin_invoke is not exported"}, native.ErrSymbol},
		"no_shutdown":          {methods, []string{"nyash_plugin_shutdown is not exported"}, native.ErrSymbol},
		"abi_2":                {methods, []string{"built for version 2, this host speaks version 1"}, abi.ErrVersionMismatch},
		"init_fails":           {methods, []string{"nyash_plugin_init returned plugin error (-5)"}, abi.ErrPlugin},
		"undefined_symbol":     {methods, []string{"nobody_defines_this"}, native.ErrOpen},
		"other_type_id":        {methods, []string{"nyash.toml says type_id 900, the library says 901", "nyash.toml:4:1"}, nil},
		"other_type_name":      {methods, []string{"the library calls its box Default, and nyash.toml calls it Fault"}, nil},
		"other_method_id":      {methods, []string{"nyash.toml says method_id 1, the library says 2", "nyash.toml:5:"}, nil},
		"missing_method":       {methods, []string{"the library has no method run (did you mean ran?)"}, nil},
		"duplicate_ids":        {methods, []string{"two methods with the id 1: run and walk"}, nil},
		"duplicate_names":      {methods, []string{"describes the method run twice, with the ids 1 and 2"}, nil},
		"birth_has_id_5":       {methods, []string{"describes birth with the id 5"}, nil},
		"null_method_name":     {methods, []string{"method 2 of 2 (method_id 2): its name is NULL"}, native.ErrDescription},
		"empty_method_name":    {methods, []string{"method 1 of 1 (method_id 1): name: it is empty"}, native.ErrDescription},
		"not_utf8_method_name": {methods, []string{`"caf\xe9" is not UTF-8`}, abi.ErrInvalidUTF8},
		"not_utf8_type_name":   {methods, []string{`type_name: "\xff" is not UTF-8`}, abi.ErrInvalidUTF8},
		"method_count_huge":    {methods, []string{"method_count is 4294967295"}, native.ErrDescription},
		"methods_null":         {methods, []string{"method_count is 1 but methods is NULL"}, native.ErrDescription},
		"methods_wild":         {methods, []string{"address 0x40 cannot be read"}, native.ErrDescription},
		"type_name_wild":       {methods, []string{"type_name: address 0x200000000000 cannot be read"}, native.ErrDescription},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := ccbuild.Library(t, "testdata/"+name+".c")
			h := host(t, path, tt.toml)
			for range 2 { // an error is no different the second time
				_, err := h.New(ctx, "Fault")
				require.Error(t, err)
				for _, want := range tt.want {
					assert.ErrorContains(t, err, want)
				}
				if tt.is != nil {
					assert.ErrorIs(t, err, tt.is)
				}
			}
			// Once init has succeeded the code stays, as after any shutdown.
			if _, initialised := afterInit[name]; !initialised {
				assert.False(t, strings.Contains(mapped(t), path), "the library is still mapped")
			}
			unhurt(t, h, path)
		})
	}
}

// afterInit are the faults that show only when init has succeeded.
var afterInit = map[string]struct{}{
	"other_type_id": {}, "other_type_name": {}, "other_method_id": {}, "missing_method": {},
	"duplicate_ids": {}, "duplicate_names": {}, "birth_has_id_5": {},
	"null_method_name": {}, "empty_method_name": {}, "not_utf8_method_name": {}, "not_utf8_type_name": {},
	"method_count_huge": {}, "methods_null": {}, "methods_wild": {}, "type_name_wild": {},
}

// mapped lists the files that the process has mapped.
func mapped(t *testing.T) string {
	if runtime.GOOS != "linux" {
		return ""
	}
	maps, err := os.ReadFile("/proc/self/maps")
	require.NoError(t, err)
	return string(maps)
}

func TestBirth_BadResult(t *testing.T) {
	tests := map[string]struct {
		want string
		is   error
	}{
		"birth_3_bytes":    {"it answered 3 bytes: 01 02 03", loader.ErrProtocol},
		"birth_id_0":       {"instance id 0, which is never one", loader.ErrProtocol},
		"birth_nothing":    {"it answered 0 bytes", loader.ErrProtocol},
		"birth_other_type": {"a handle of type 63, and the box has type_id 900", loader.ErrProtocol},
		"birth_fails":      {"Fault.birth: out of memory (-6)", abi.ErrOutOfMemory},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := ccbuild.Library(t, "testdata/"+name+".c")
			h := host(t, path, methods)
			_, err := h.New(ctx, "Fault")
			require.ErrorIs(t, err, tt.is)
			assert.ErrorContains(t, err, tt.want)
			unhurt(t, h, path)
		})
	}
}

func TestBirth_LiveID(t *testing.T) {
	path := ccbuild.Library(t, "testdata/birth_same_id.c")
	h := host(t, path, methods)
	first := hosttest.New(t, h, "Fault")
	_, err := h.New(ctx, "Fault")
	require.ErrorIs(t, err, loader.ErrProtocol)
	assert.ErrorContains(t, err, "instance id 1, which is alive already")
	require.NoError(t, first.Close())
	_, err = h.New(ctx, "Fault")
	require.NoError(t, err, "after the fini the id is free")
	unhurt(t, h, path)
}

func TestBirth_Handle(t *testing.T) {
	path := ccbuild.Library(t, "testdata/birth_handle.c")
	h := host(t, path, methods)
	box, err := h.New(ctx, "Fault")
	require.NoError(t, err)
	assert.EqualValues(t, 7, box.ID())
	unhurt(t, h, path)
}

func TestCall_BadAnswer(t *testing.T) {
	returns := func(word string) string {
		return `methods = { run = { method_id = 1, args = [], returns = "` + word + `" } }`
	}
	tests := map[string]struct {
		toml string
		want string
		is   error
	}{
		"result_too_long":     {methods, "returned a length of 65544 for a 65543-byte result buffer: memory may be damaged", loader.ErrProtocol},
		"result_overrun":      {methods, "wrote past the end of its 65543-byte result buffer: memory may be damaged", loader.ErrProtocol},
		"always_short":        {methods, "answered 8 times that its result buffer was too short", loader.ErrProtocol},
		"short_asks_less":     {methods, "answered that 65543 bytes are too short and asked for 1", loader.ErrProtocol},
		"short_asks_terabyte": {methods, "the plugin asks for 1099511627776 bytes, the host allows 16777216", loader.ErrResultSize},
		"result_not_tlv":      {methods, "the result is malformed: decode TLV: byte 0: version is 25960", tlv.ErrVersion},
		"result_other_type":   {returns("string"), "Fault.run: the result is i64, and is declared as string", nil},
		"handle_of_nothing":   {methods, "the result is a handle of type 63, instance 1: no box of Fault has that type_id, nor has it been told of one of another library by that", loader.ErrProtocol},
		"handle_zero":         {methods, "instance id 0, which is never one", loader.ErrProtocol},
		"message_with_error":  {methods, "Fault.run: plugin error (-5): out of paper", abi.ErrPlugin},
		"message_malformed":   {methods, "Fault.run: invalid arguments (-4)", abi.ErrInvalidArgs},
		"message_length_lies": {methods, "Fault.run: plugin error (-5)", abi.ErrPlugin},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			path := ccbuild.Library(t, "testdata/"+name+".c")
			h := host(t, path, tt.toml)
			box, err := h.New(ctx, "Fault")
			require.NoError(t, err)
			for range 2 {
				_, err = box.Call(ctx, "run")
				require.Error(t, err)
				assert.ErrorContains(t, err, tt.want)
				if tt.is != nil {
					assert.ErrorIs(t, err, tt.is)
				}
				var call *loader.CallError
				require.ErrorAs(t, err, &call)
				assert.Equal(t, "Fault", call.Box)
				assert.Equal(t, "run", call.Method)
			}
			require.NoError(t, box.Close())
			unhurt(t, h, path)
		})
	}
}

// Whatever way a malformed result takes, the plugin broke a rule.
func TestCall_Malformed(t *testing.T) {
	path := ccbuild.Library(t, "testdata/result_not_tlv.c")
	box := hosttest.New(t, host(t, path, methods), "Fault")
	run, err := box.Method("run")
	require.NoError(t, err)
	batch := box.Batch()
	require.NoError(t, batch.Add("run"))
	for name, call := range map[string]func() error{
		"Call":        func() error { _, err := box.Call(ctx, "run"); return err },
		"Invoke":      func() error { _, err := loader.Invoke[int](ctx, run); return err },
		"AppendBytes": func() error { _, err := run.AppendBytes(ctx, nil); return err },
		"Batch": func() error {
			results, err := batch.Run(ctx)
			require.NoError(t, err)
			return results[0].Err
		},
	} {
		err := call()
		require.ErrorIs(t, err, loader.ErrProtocol, name)
		require.ErrorIs(t, err, tlv.ErrVersion, name)
		assert.ErrorContains(t, err, "Fault.run: protocol violation: the result is malformed: decode TLV: byte 0", name)
	}
}

func TestCallError_MessageAndLog(t *testing.T) {
	path := ccbuild.Library(t, "testdata/message_with_error.c")
	h := host(t, path, methods)
	box := hosttest.New(t, h, "Fault")
	_, err := box.Call(ctx, "run")
	var call *loader.CallError
	require.ErrorAs(t, err, &call)
	assert.Equal(t, abi.ErrPlugin, call.Code)
	assert.Equal(t, "out of paper", call.Message)
	assert.Equal(t, []string{"tray 2 is empty"}, call.Log)
	assert.Equal(t, "Fault.run: plugin error (-5): out of paper", fmt.Sprintf("%v", err))
	assert.Equal(t, "Fault.run: plugin error (-5): out of paper\n\ttray 2 is empty", fmt.Sprintf("%+v", err))
}

func TestCall_Codes(t *testing.T) {
	path := ccbuild.Library(t, "testdata/code.c")
	h := host(t, path, `type_id = 900
methods = { run = { method_id = 1, args = [ { name = "code", from = "integer", to = "i32" } ] } }`)
	box, err := h.New(ctx, "Fault")
	require.NoError(t, err)
	for _, code := range []abi.Code{-2, -3, -4, -5, -6, -7, -8, -9, -42, 7} {
		t.Run(code.Error(), func(t *testing.T) {
			_, err := box.Call(ctx, "run", int32(code))
			require.ErrorIs(t, err, code)
			var call *loader.CallError
			require.ErrorAs(t, err, &call)
			assert.Equal(t, code, call.Code)
			assert.Equal(t, "Fault.run: "+code.Error(), err.Error())
			if !code.Known() {
				assert.ErrorIs(t, err, abi.ErrPlugin)
			}
		})
	}
	t.Run("short buffer without a size", func(t *testing.T) {
		_, err := box.Call(ctx, "run", -1)
		require.ErrorIs(t, err, loader.ErrProtocol)
	})
	unhurt(t, h, path)
}

func TestMemory_Leak(t *testing.T) {
	h := host(t, ccbuild.Library(t, "testdata/leaks.c"), methods)
	box := hosttest.New(t, h, "Fault")
	_, err := box.Call(ctx, "run")
	require.NoError(t, err)
	assert.Equal(t, hostvtable.Memory{Blocks: 1, Bytes: 123, Allocs: 1}, h.Memory()["Fault"])
}

func TestTestdata_Used(t *testing.T) {
	source, err := os.ReadFile("faults_test.go")
	require.NoError(t, err)
	files, err := filepath.Glob("testdata/*.c")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	logs, err := os.ReadFile("logging_test.go")
	require.NoError(t, err)
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".c")
		if !strings.Contains(string(source)+string(logs), name) {
			t.Error(errors.New("no test uses " + file))
		}
	}
}
