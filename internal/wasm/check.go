package wasm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/native"
)

// checkFile looks at the beginning of a file: whether it is a module at all. What follows is for
// package meter, which goes through the whole of it before the compiler does.
func checkFile(text []byte) error {
	if len(text) < 8 || string(text[:4]) != "\x00asm" {
		return errors.New("it is not a WebAssembly module: it does not begin with \\0asm")
	}
	if version := binary.LittleEndian.Uint32(text[4:]); version != 1 {
		what := ""
		if version == 0x1000d {
			what = " (it is a component; build a core module for wasm32-wasi)"
		}
		return fmt.Errorf("it is of WebAssembly version %#x, and 1 is supported%s", version, what)
	}
	return nil
}

// The functions that a module exports beside those of docs/abi.md; the header defines them.
const (
	symbolHostTable = "nyash_host_table"
	symbolHostCalls = "nyash_host_calls"
	symbolAlloc     = "nyash_alloc"
	symbolFree      = "nyash_free"
	symbolStart     = "_initialize" // of a reactor; not "_start", which is a program's
	memoryName      = "memory"
)

// export is a function of a module.
type export struct {
	name            string
	params, results []api.ValueType
	optional        bool
}

const i32, i64 = api.ValueTypeI32, api.ValueTypeI64

func types(t ...api.ValueType) []api.ValueType { return t }

// exports are the functions of a module, in the order of [functions].
var exports = []export{
	{abi.SymbolABI, nil, types(i32), false},
	{abi.SymbolInit, types(i32, i32), types(i32), false},
	{abi.SymbolInvoke, types(i32, i32, i32, i32, i32, i32, i32), types(i32), false},
	{abi.SymbolShutdown, nil, nil, false},
	{symbolHostTable, nil, types(i32), false},
	{symbolAlloc, types(i32), types(i32), false},
	{symbolFree, types(i32), nil, false},
	{abi.SymbolInvokeBatch, types(i32, i32), types(i32), true},
	{abi.SymbolConfig, nil, types(i32), true},
	{abi.SymbolConnect, types(i32), types(i32), true},
	{symbolHostCalls, nil, types(i32), true},
	{symbolStart, nil, nil, true},
}

// checkInterface looks at what a module exports and imports.
func checkInterface(file string, m wazero.CompiledModule) error {
	fail := func(reason error, format string, args ...any) error {
		return &native.Error{File: file, Reason: reason, Detail: fmt.Sprintf(format, args...)}
	}
	for _, f := range m.ImportedFunctions() {
		module, name, _ := f.Import()
		want, known := imports[module][name]
		switch {
		case !known:
			return fail(native.ErrNotLibrary, "it imports the function %s, which no host of plugins offers; build it for wasm32-wasi, with nyash_plugin.h",
				contract.Excerpt(module+"."+name))
		case want.params != nil && !hasType(f, want.params, want.results):
			return fail(native.ErrNotLibrary, "it imports %s.%s as %s, and that is %s", module, name,
				signature(f.ParamTypes(), f.ResultTypes()), signature(want.params, want.results))
		}
	}
	if len(m.ImportedMemories()) > 0 {
		return fail(native.ErrNotLibrary, "it imports its memory; a plugin exports its own")
	}
	if m.ExportedMemories()[memoryName] == nil {
		return fail(native.ErrSymbol, "%s is not exported; a plugin exports its memory by that name", memoryName)
	}
	found := m.ExportedFunctions()
	for _, e := range exports {
		f := found[e.name]
		switch {
		case f == nil && !e.optional:
			return fail(native.ErrSymbol, "%s is not exported%s", e.name, advice(e.name))
		case f != nil && !hasType(f, e.params, e.results):
			return fail(native.ErrSymbol, "%s is exported as %s, and is to be %s", e.name,
				signature(f.ParamTypes(), f.ResultTypes()), signature(e.params, e.results))
		}
	}
	if found[abi.SymbolConnect] != nil && found[symbolHostCalls] == nil {
		return fail(native.ErrSymbol, "%s is not exported, and %s is%s", symbolHostCalls, abi.SymbolConnect, advice(symbolHostCalls))
	}
	return nil
}

func hasType(f api.FunctionDefinition, params, results []api.ValueType) bool {
	return slices.Equal(f.ParamTypes(), params) && slices.Equal(f.ResultTypes(), results)
}

func advice(symbol string) string {
	switch symbol {
	case symbolHostTable, symbolHostCalls, symbolAlloc, symbolFree:
		return "; nyash_plugin.h of this release defines it where it is compiled for wasm32"
	}
	return ""
}

// signature writes a type as the text format does.
func signature(params, results []api.ValueType) string {
	names := func(all []api.ValueType) (text string) {
		for i, t := range all {
			if i > 0 {
				text += ", "
			}
			text += api.ValueTypeName(t)
		}
		return text
	}
	return fmt.Sprintf("(%s) → (%s)", names(params), names(results))
}
