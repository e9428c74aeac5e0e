package main

import (
	"encoding/binary"
	"testing"

	"github.com/tetratelabs/wazero"
)

func addWazero(t *table, _, _ string) (end func(), err error) {
	runtime := wazero.NewRuntime(ctx)
	end = func() { exitOn(runtime.Close(ctx)) }
	module, err := runtime.Instantiate(ctx, wasmModule())
	if err != nil {
		return end, err
	}
	add, addMessageFn, echo := module.ExportedFunction("add"), module.ExportedFunction("addMessage"), module.ExportedFunction("echo")
	memory := module.Memory()
	t.add(workAdd, viaWazero, func(b *testing.B) {
		stack := make([]uint64, 2)
		for b.Loop() {
			stack[0], stack[1] = 1000, 2000
			if err := add.CallWithStack(ctx, stack); err != nil {
				b.Fatal(err)
			}
		}
		check(b, int64(stack[0]), 3000)
	})
	t.add(workAdd, viaWazeroIO, func(b *testing.B) {
		args, result := addMessage(), make([]byte, 16)
		for b.Loop() {
			if !memory.Write(wasmArgs, args) {
				b.Fatal("out of range")
			}
			if err := addMessageFn.CallWithStack(ctx, nil); err != nil {
				b.Fatal(err)
			}
			answer, ok := memory.Read(wasmResult, 16)
			if !ok {
				b.Fatal("out of range")
			}
			copy(result, answer)
		}
		check(b, int64(binary.LittleEndian.Uint64(result[sumAt:])), 3000)
	})
	for work, size := range echoes {
		t.add(work, viaWazeroIO, func(b *testing.B) {
			data, dst, stack := make([]byte, size), make([]byte, size), make([]uint64, 1)
			for b.Loop() {
				if !memory.Write(wasmArgs, data) {
					b.Fatal("out of range")
				}
				stack[0] = uint64(size)
				if err := echo.CallWithStack(ctx, stack); err != nil {
					b.Fatal(err)
				}
				answer, ok := memory.Read(wasmResult, uint32(size))
				if !ok {
					b.Fatal("out of range")
				}
				copy(dst, answer)
			}
		})
	}
	return end, nil
}
