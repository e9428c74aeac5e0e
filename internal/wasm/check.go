package wasm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/tetratelabs/wazero/api"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/native"
)

// magic is what a module begins with.
const magic = "\x00asm"

// checkFile looks at the beginning of a file: whether it is a module at all. What follows is for
// package meter, which goes through the whole of it before the compiler does.
func checkFile(text []byte) error {
	if len(text) < 8 || string(text[:len(magic)]) != magic {
		return errors.New("it does not begin with \\0asm")
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

// face is what a module imports and exports.
type face struct {
	imports  []function
	exports  []function
	memory   bool   // it exports its memory
	foreign  bool   // it imports one
	unusable string // what it imports beside functions and memory, of which there is nothing
}

// function is one that a module imports or exports.
type function struct {
	module, name    string // module of an import
	params, results []api.ValueType
}

// fault is why a module cannot be a plugin.
type fault struct {
	reason   error
	text     string
	function function // that it is about; without a name for others
}

// check is the first of the faults as an error of a file.
func (f *face) check(file string) error {
	if faults := f.faults(); len(faults) > 0 {
		return &native.Error{File: file, Reason: faults[0].reason, Detail: faults[0].text}
	}
	return nil
}

// faults are why no host would run a module with this face.
func (f *face) faults() (all []fault) {
	add := func(reason error, of function, format string, args ...any) {
		all = append(all, fault{reason, fmt.Sprintf(format, args...), of})
	}
	for _, i := range f.imports {
		want, known := imports()[i.module][i.name]
		switch {
		case !known:
			add(native.ErrNotModule, i, "it imports the function %s, which no host of plugins offers; build it for wasm32-wasi, with nyash_plugin.h",
				contract.Excerpt(i.module+"."+i.name))
		case want.params != nil && !i.is(want.params, want.results):
			add(native.ErrNotModule, i, "it imports %s.%s as %s, and that is %s", i.module, i.name,
				signature(i.params, i.results), signature(want.params, want.results))
		}
	}
	if f.unusable != "" {
		add(native.ErrNotModule, function{}, "it imports the %s, and a host of plugins offers functions alone", f.unusable)
	}
	if f.foreign {
		add(native.ErrNotModule, function{}, "it imports its memory; a plugin exports its own")
	}
	if !f.memory {
		add(native.ErrSymbol, function{}, "%s is not exported; a plugin exports its memory by that name", memoryName)
	}
	for _, want := range exports {
		have := f.export(want.name)
		switch {
		case have == nil && !want.optional:
			add(native.ErrSymbol, function{name: want.name}, "%s is not exported%s", want.name, advice(want.name))
		case have != nil && !have.is(want.params, want.results):
			add(native.ErrSymbol, *have, "%s is exported as %s, and is to be %s", want.name,
				signature(have.params, have.results), signature(want.params, want.results))
		}
	}
	if f.export(abi.SymbolConnect) != nil && f.export(symbolHostCalls) == nil {
		add(native.ErrSymbol, function{name: symbolHostCalls}, "%s is not exported, and %s is%s", symbolHostCalls, abi.SymbolConnect, advice(symbolHostCalls))
	}
	return all
}

func (f *face) export(name string) *function {
	i := slices.IndexFunc(f.exports, func(e function) bool { return e.name == name })
	if i < 0 {
		return nil
	}
	return &f.exports[i]
}

func (f *function) is(params, results []api.ValueType) bool {
	return slices.Equal(f.params, params) && slices.Equal(f.results, results)
}

func advice(symbol string) string {
	switch symbol {
	case symbolHostTable, symbolHostCalls, symbolAlloc, symbolFree:
		return "; nyash_plugin.h of this release defines it where it is compiled for wasm32"
	}
	return ""
}

// maxShown is how many value types of a signature are shown.
const maxShown = 16

// signature writes a type as the text format does.
func signature(params, results []api.ValueType) string {
	names := func(all []api.ValueType) string {
		names := make([]string, 0, maxShown+1)
		for i, t := range all {
			if i == maxShown {
				names = append(names, fmt.Sprintf("and %d more", len(all)-maxShown))
				break
			}
			names = append(names, api.ValueTypeName(t))
		}
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("(%s) → (%s)", names(params), names(results))
}
