package wasm

import (
	"context"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/imports/wasi_snapshot_preview1"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// bare is the module as a program written by hand would have it: without anything of this
// project, and without being interruptible.
type bare struct {
	invoke api.Function
	memory api.Memory
	at     uint32
	stack  [7]uint64
}

const bareRoom = 72 << 10

func newBare(t testing.TB) *bare {
	ctx := context.Background()
	runtime := wazero.NewRuntime(ctx)
	t.Cleanup(func() { runtime.Close(ctx) })
	_, err := wasi_snapshot_preview1.Instantiate(ctx, runtime)
	require.NoError(t, err)
	nothing := api.GoFunc(func(context.Context, []uint64) {})
	i32, one := api.ValueTypeI32, []api.ValueType{api.ValueTypeI32}
	_, err = runtime.NewHostModuleBuilder("nyash").
		NewFunctionBuilder().WithGoFunction(nothing, []api.ValueType{i32, i32}, nil).Export("log").
		NewFunctionBuilder().WithGoFunction(nothing, []api.ValueType{api.ValueTypeI64}, nil).Export("wake").
		NewFunctionBuilder().WithGoFunction(nothing, []api.ValueType{i32, i32, i32, i32}, one).Export("resolve").
		NewFunctionBuilder().WithGoFunction(nothing, []api.ValueType{i32, i32, i32, i32, i32, i32, i32}, one).Export("invoke").
		Instantiate(ctx)
	require.NoError(t, err)
	text, err := os.ReadFile(moduleFile(t))
	require.NoError(t, err)
	m, err := runtime.InstantiateWithConfig(ctx, text, wazero.NewModuleConfig().WithStartFunctions("_initialize"))
	require.NoError(t, err)
	got, err := m.ExportedFunction("nyash_alloc").Call(ctx, 8+2*bareRoom)
	require.NoError(t, err)
	return &bare{invoke: m.ExportedFunction(abi.SymbolInvoke), memory: m.ExportedMemory("memory"), at: uint32(got[0])}
}

// lay writes a message where call passes it.
func (b *bare) lay(message []byte) { b.memory.Write(b.at+8, message) }

func (b *bare) call(method uint32, size int) error {
	b.memory.WriteUint32Le(b.at, bareRoom)
	b.stack = [7]uint64{7, uint64(method), 1, uint64(b.at + 8), uint64(size), uint64(b.at + 8 + bareRoom), uint64(b.at)}
	return b.invoke.CallWithStack(context.Background(), b.stack[:])
}

// result copies the result to room.
func (b *bare) result(room []byte) []byte {
	n, _ := b.memory.ReadUint32Le(b.at)
	view, _ := b.memory.Read(b.at+8+bareRoom, n)
	return append(room[:0], view...)
}

func numbers(t testing.TB, n ...int64) []byte {
	msg := tlv.AppendHeader(nil)
	for _, v := range n {
		msg = tlv.AppendInt64(msg, v)
	}
	require.NoError(t, tlv.PatchArgc(msg, len(n)))
	return msg
}

func BenchmarkBareAdd(b *testing.B) {
	m, msg := newBare(b), numbers(b, 1, 2)
	m.lay(msg)
	for b.Loop() {
		if err := m.call(1, len(msg)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBareEcho(b *testing.B) {
	for name, size := range map[string]int{"1KiB": 1 << 10, "32KiB": 32 << 10} {
		b.Run(name, func(b *testing.B) {
			m := newBare(b)
			msg, err := tlv.AppendBytes(tlv.AppendHeader(nil), make([]byte, size))
			require.NoError(b, err)
			require.NoError(b, tlv.PatchArgc(msg, 1))
			room := make([]byte, 0, bareRoom)
			for b.Loop() {
				m.lay(msg)
				if err := m.call(2, len(msg)); err != nil {
					b.Fatal(err)
				}
				room = m.result(room)
			}
		})
	}
}

func BenchmarkBareLoop(b *testing.B) {
	m, msg := newBare(b), numbers(b, 100_000_000)
	m.lay(msg)
	for b.Loop() {
		require.NoError(b, m.call(14, len(msg)))
	}
}
