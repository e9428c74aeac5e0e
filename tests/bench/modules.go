package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/nyash-plugins/nyash-go/loader"
	_ "github.com/nyash-plugins/nyash-go/loader/wasm"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// loopTurns is how long the loop is that a module is interruptible in.
const loopTurns = 100_000_000

const moduleMethods = methods + `
loop     = { method_id = 5, args = [ { name = "n", from = "integer", to = "i64" } ], returns = "i64" }
`

// moduleFile is plugin/bench.c as a module.
func moduleFile(dir string) string { return filepath.Join(dir, "bench.wasm") }

// bulkFile is the same, built with the instruction that copies memory, which the flags of
// plugins/ leave out.
func bulkFile(dir string) string { return filepath.Join(dir, "bulk.wasm") }

// wasmCompiler is the command that makes a module, with the flags of the plugins in plugins/.
func wasmCompiler(out, source string, flags ...string) []string {
	command := []string{"clang", "--target=wasm32-wasi", "-mexec-model=reactor", "-std=c11", "-O2", "-I../../abi/include",
		"-Wl,--stack-first,-z,stack-size=262144,--strip-debug", "-o", out, source}
	return append(command, flags...)
}

// addModules measures the loader with plugins that are WebAssembly modules, which are
// interruptible as all modules are.
func addModules(t *table, dir, _ string) (end func(), err error) {
	open := func(file string, instances int) (*loader.Host, error) {
		return openHost(fmt.Sprintf("[plugins.Bench]\nlibrary = %q\ninstances = %d\n[plugins.Bench.methods]%s", file, instances, moduleMethods))
	}
	h, err := open(moduleFile(dir), 1)
	if err != nil {
		return nil, err
	}
	end = func() { exitOn(h.Close()) }
	box, err := h.New(ctx, "Bench")
	if err != nil {
		return end, err
	}
	find := finder(box)
	add, echo, echoBlob, loop := find("add"), find("echo"), find("echoBlob"), find("loop")
	t.add(workAdd, viaModule, func(b *testing.B) {
		x := b.N + 1000
		for b.Loop() {
			check(b, sum(add.Call(ctx, x, 2000)), x+2000)
		}
	})
	for work, size := range echoes {
		t.add(work, viaModule, appended(echo, size))
	}
	t.add(workBlob, viaModule, echoBlobs(echoBlob, 1<<20))
	t.add(workLoop, viaModule, func(b *testing.B) {
		for b.Loop() {
			check(b, sum(loop.Call(ctx, loopTurns)), loopTurns)
		}
	})
	bulk, err := open(bulkFile(dir), 1)
	if err != nil {
		return end, err
	}
	end = func() { exitOn(errors.Join(h.Close(), bulk.Close())) }
	bulkBox, err := bulk.New(ctx, "Bench")
	if err != nil {
		return end, err
	}
	bulkEcho := finder(bulkBox)("echo")
	for work, size := range echoes {
		t.add(work, viaBulk, appended(bulkEcho, size))
	}
	pair, err := open(moduleFile(dir), 2)
	if err != nil {
		return end, err
	}
	end = func() { exitOn(errors.Join(h.Close(), bulk.Close(), pair.Close())) }
	// New boxes live in the modules in turn.
	var two [2]*loader.Method
	for i := range two {
		own, err := pair.New(ctx, "Bench")
		if err != nil {
			return end, err
		}
		two[i] = finder(own)("add")
	}
	t.addMany(workTwo, viaModule, len(two), func(b *testing.B) {
		var all sync.WaitGroup
		for _, add := range two {
			all.Go(func() {
				for x := range b.N {
					if sum(add.Call(ctx, x, 2000)) != int64(x+2000) {
						b.Error("wrong sum")
						return
					}
				}
			})
		}
		all.Wait()
	})
	return end, nil
}

// addModuleLoads measures how long FileBox as a module takes to be loaded, with its code on the
// disk and in this process.
func addModuleLoads(t *table, _, _ string) (end func(), err error) {
	file, err := filepath.Abs("../../plugins/filebox/build/nyash_filebox_plugin.wasm")
	if err != nil {
		return nil, err
	}
	open := func() (*loader.Host, error) { return openHost(fmt.Sprintf("[plugins.FileBox]\nlibrary = %q\n", file)) }
	load := func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			h, err := open()
			if err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			err = h.Load(ctx, "FileBox")
			b.StopTimer()
			if err = errors.Join(err, h.Close()); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	}
	h, err := open()
	if err == nil {
		err = errors.Join(h.Load(ctx, "FileBox"), h.Close()) // the code is on the disk
	}
	if err != nil {
		return nil, err
	}
	t.add(workInstance, viaDisk, load)
	t.add(workInstance, viaMemory, func(b *testing.B) {
		h, err := open()
		if err == nil {
			err = h.Load(ctx, "FileBox")
		}
		if err != nil {
			b.Fatal(err)
		}
		load(b)
		if err := h.Close(); err != nil {
			b.Fatal(err)
		}
	})
	return nil, nil
}

// unchecked is plugin/bench.c's module in a program that is written for it alone: without this
// project, and without any way to interrupt the module.
type unchecked struct {
	invoke       api.Function
	memory       api.Memory
	args, result uint32 // where messages lie
	stack        [7]uint64
}

// uncheckedRoom is the room for a message, in bytes. What lies before them is the result's length.
const uncheckedRoom = 64 << 10

func newUnchecked(runtime wazero.Runtime, file string) (*unchecked, error) {
	if _, err := wasi_snapshot_preview1.Instantiate(ctx, runtime); err != nil {
		return nil, err
	}
	nothing, i32, i64 := api.GoFunc(func(context.Context, []uint64) {}), api.ValueTypeI32, api.ValueTypeI64
	if _, err := runtime.NewHostModuleBuilder("nyash").
		NewFunctionBuilder().WithGoFunction(nothing, []api.ValueType{i32, i32}, nil).Export("log").
		NewFunctionBuilder().WithGoFunction(nothing, []api.ValueType{i64}, nil).Export("wake").
		NewFunctionBuilder().WithGoFunction(nothing, []api.ValueType{i32, i32, i32, i32}, []api.ValueType{i32}).Export("resolve").
		NewFunctionBuilder().WithGoFunction(nothing, []api.ValueType{i32, i32, i32, i32, i32, i32, i32}, []api.ValueType{i32}).Export("invoke").
		Instantiate(ctx); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	module, err := runtime.InstantiateWithConfig(ctx, text, wazero.NewModuleConfig().WithStartFunctions("_initialize"))
	if err != nil {
		return nil, err
	}
	got, err := module.ExportedFunction("nyash_alloc").Call(ctx, 8+2*uncheckedRoom)
	if err != nil {
		return nil, err
	}
	u := &unchecked{invoke: module.ExportedFunction("nyash_plugin_invoke"), memory: module.Memory()}
	u.args = uint32(got[0]) + 8
	u.result = u.args + uncheckedRoom
	return u, nil
}

// call makes a call with a message of so many bytes that is there.
func (u *unchecked) call(method, size int) error {
	u.memory.WriteUint32Le(u.args-8, uncheckedRoom)
	u.stack = [7]uint64{typeID, uint64(method), 1, uint64(u.args), uint64(size), uint64(u.result), uint64(u.args - 8)}
	if err := u.invoke.CallWithStack(ctx, u.stack[:]); err != nil {
		return err
	}
	if code := api.DecodeI32(u.stack[0]); code != 0 {
		return fmt.Errorf("the plugin returned %d", code)
	}
	return nil
}

// answer is the result's n bytes.
func (u *unchecked) answer(n uint32) ([]byte, error) {
	answer, ok := u.memory.Read(u.result, n)
	if have, _ := u.memory.ReadUint32Le(u.args - 8); !ok || have != n {
		return nil, fmt.Errorf("a result of %d bytes instead of %d", have, n)
	}
	return answer, nil
}

// echo copies bytes in and out.
func (u *unchecked) echo(size int) func(b *testing.B) {
	return func(b *testing.B) {
		data, dst, head := make([]byte, size), make([]byte, size), echoMessage(size)[:sumAt]
		for b.Loop() {
			if !u.memory.Write(u.args, head) || !u.memory.Write(u.args+sumAt, data) {
				b.Fatal("out of range")
			}
			if err := u.call(2, sumAt+size); err != nil {
				b.Fatal(err)
			}
			answer, err := u.answer(uint32(sumAt + size))
			if err != nil {
				b.Fatal(err)
			}
			copy(dst, answer[sumAt:])
		}
	}
}

func addUnchecked(t *table, dir, _ string) (end func(), err error) {
	runtime, bulkRuntime := wazero.NewRuntime(ctx), wazero.NewRuntime(ctx)
	end = func() { exitOn(errors.Join(runtime.Close(ctx), bulkRuntime.Close(ctx))) }
	u, err := newUnchecked(runtime, moduleFile(dir))
	if err != nil {
		return end, err
	}
	bulk, err := newUnchecked(bulkRuntime, bulkFile(dir))
	if err != nil {
		return end, err
	}
	number := func(b *testing.B, want int64) {
		answer, err := u.answer(16)
		if err != nil {
			b.Fatal(err)
		}
		check(b, int64(binary.LittleEndian.Uint64(answer[sumAt:])), int(want))
	}
	t.add(workAdd, viaUnchecked, func(b *testing.B) {
		args := addMessage()
		u.memory.Write(u.args, args)
		for b.Loop() {
			if err := u.call(1, len(args)); err != nil {
				b.Fatal(err)
			}
		}
		number(b, 3000)
	})
	for work, size := range echoes {
		t.add(work, viaUncheckedIO, u.echo(size))
		t.add(work, viaUncheckedBulk, bulk.echo(size))
	}
	t.add(workLoop, viaUnchecked, func(b *testing.B) {
		args, err := tlv.Encode(tlv.Int64(loopTurns))
		if err != nil {
			b.Fatal(err)
		}
		u.memory.Write(u.args, args)
		for b.Loop() {
			if err := u.call(5, len(args)); err != nil {
				b.Fatal(err)
			}
		}
		number(b, loopTurns)
	})
	return end, nil
}
