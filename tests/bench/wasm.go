package main

import (
	"encoding/binary"
	"slices"
)

// Where messages lie in the module's memory.
const (
	wasmArgs   = 0
	wasmResult = 128 << 10
	wasmPages  = 4 // of 64 KiB
)

// wasmModule is the work of plugin/bench.c as a WebAssembly module, put together
// here because no compiler for it can be counted on.
//
//	add(i64, i64) i64   the sum
//	addMessage()        the same from and to messages in memory
//	echo(n i32)         copies n bytes from the arguments to the result
func wasmModule() []byte {
	const (
		i32, i64 = 0x7f, 0x7e
		end      = 0x0b
		localGet = 0x20
		i64Load  = 0x29
		i64Store = 0x37
		i32Const = 0x41
		i64Add   = 0x7c
		aligned1 = 0 // no alignment is promised
	)
	load := func(at int) []byte {
		return slices.Concat([]byte{i32Const}, signed(at), []byte{i64Load, aligned1, 0})
	}
	code := func(instructions ...[]byte) []byte {
		return sized(slices.Concat([]byte{0}, slices.Concat(instructions...), []byte{end})) // no locals
	}
	export := func(name string, kind, index byte) []byte {
		return slices.Concat(sized([]byte(name)), []byte{kind, index})
	}
	return slices.Concat(
		[]byte("\x00asm\x01\x00\x00\x00"),
		section(1, // types
			[]byte{0x60, 2, i64, i64, 1, i64},
			[]byte{0x60, 0, 0},
			[]byte{0x60, 1, i32, 0}),
		section(3, []byte{0}, []byte{1}, []byte{2}), // the functions' types
		section(5, []byte{0, wasmPages}),            // memory
		section(7, export("memory", 2, 0), export("add", 0, 0), export("addMessage", 0, 1), export("echo", 0, 2)),
		section(10, // code
			code([]byte{localGet, 0, localGet, 1, i64Add}),
			code([]byte{i32Const}, signed(wasmResult+sumAt), load(wasmArgs+8), load(wasmArgs+20), []byte{i64Add, i64Store, aligned1, 0}),
			code([]byte{i32Const}, signed(wasmResult), []byte{i32Const}, signed(wasmArgs), []byte{localGet, 0, 0xfc, 10, 0, 0})), // memory.copy
	)
}

// section is a vector of items behind its id and size.
func section(id byte, items ...[]byte) []byte {
	return slices.Concat([]byte{id}, sized(slices.Concat(binary.AppendUvarint(nil, uint64(len(items))), slices.Concat(items...))))
}

// sized puts a length before b.
func sized(b []byte) []byte { return append(binary.AppendUvarint(nil, uint64(len(b))), b...) }

// signed is a number in signed LEB128.
func signed(n int) []byte {
	var out []byte
	for {
		b := byte(n & 0x7f)
		n >>= 7
		if n == 0 && b&0x40 == 0 || n == -1 && b&0x40 != 0 {
			return append(out, b)
		}
		out = append(out, b|0x80)
	}
}
