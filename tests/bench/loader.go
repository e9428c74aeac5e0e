package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
)

var ctx = context.Background()

// typeID is what plugin/bench.c has before it is overwritten.
const typeID = 0xBE4C0001

const methods = `
add      = { method_id = 1, args = [ { name = "a", from = "integer", to = "i64" }, { name = "b", from = "integer", to = "i64" } ], returns = "i64" }
echo     = { method_id = 2, args = [ { name = "data", from = "bytes", to = "bytes" } ], returns = "bytes" }
length   = { method_id = 3, args = [ { name = "data", from = "bytes", to = "blob" } ], returns = "i64" }
echoBlob = { method_id = 4, args = [ { name = "data", from = "bytes", to = "blob" } ], returns = "blob" }
`

func openHost(toml string) (*loader.Host, error) {
	config, err := registry.Parse("bench.toml", []byte(toml))
	if err != nil {
		return nil, err
	}
	return loader.OpenConfig(config, loader.WithLogger(slog.New(slog.DiscardHandler)))
}

func addLoader(t *table, _, library string) (end func(), err error) {
	h, err := openHost(fmt.Sprintf("[plugins.Bench]\nlibrary = %q\n[plugins.Bench.methods]%s", library, methods))
	if err != nil {
		return nil, err
	}
	end = func() { exitOn(h.Close()) }
	box, err := h.New(ctx, "Bench")
	if err != nil {
		return end, err
	}
	find := finder(box)
	add, echo, length, echoBlob := find("add"), find("echo"), find("length"), find("echoBlob")

	t.add(workAdd, viaName, func(b *testing.B) {
		x := b.N + 1000
		for b.Loop() {
			check(b, sum(box.Call(ctx, "add", x, 2000)), x+2000)
		}
	})
	t.add(workAdd, viaMethod, func(b *testing.B) {
		x := b.N + 1000
		for b.Loop() {
			check(b, sum(add.Call(ctx, x, 2000)), x+2000)
		}
	})
	tableHost, err := openHost(fmt.Sprintf("[plugins.Table]\nlibrary = %q\ntype_id = 11\n[plugins.Table.methods]%s", library, methods))
	if err != nil {
		return end, err
	}
	end = func() { exitOn(errors.Join(h.Close(), tableHost.Close())) }
	tableBox, err := tableHost.New(ctx, "Table")
	if err != nil {
		return end, err
	}
	tableAdd := finder(tableBox)("add")
	t.add(workAdd, viaTable, func(b *testing.B) {
		x := b.N + 1000
		for b.Loop() {
			check(b, sum(tableAdd.Call(ctx, x, 2000)), x+2000)
		}
	})
	t.addMany(workAdd, viaBatch, 64, batches(box, add))
	for work, size := range echoes {
		t.add(work, viaMethod, appended(echo, size))
		t.add(work, viaBlob, appended(echoBlob, size))
	}
	lend := func(size int) func(b *testing.B) {
		return func(b *testing.B) {
			data := make([]byte, size)
			for b.Loop() {
				check(b, sum(length.Call(ctx, data)), size)
			}
		}
	}
	t.add(workLend, viaMethod, lend(16))
	t.add(workLendMany, viaMethod, lend(1<<20))
	t.add(workBlob, viaMethod, echoBlobs(echoBlob, 1<<20))
	t.add(workBlob64, viaMethod, echoBlobs(echoBlob, 64<<20))
	t.add(workTwo, viaMethod, twoGoroutines(h))
	return end, nil
}

// addLeaf measures the same as leaf methods.
func addLeaf(t *table, _, library string) (end func(), err error) {
	h, err := openHost(fmt.Sprintf("[plugins.Bench]\nlibrary = %q\n[plugins.Bench.methods]%s", library, strings.ReplaceAll(methods, "returns", "leaf = true, returns")))
	if err != nil {
		return nil, err
	}
	end = func() { exitOn(h.Close()) }
	box, err := h.New(ctx, "Bench")
	if err != nil {
		return end, err
	}
	find := finder(box)
	add, echo := find("add"), find("echo")
	t.add(workAdd, viaLeaf, func(b *testing.B) {
		x := b.N + 1000
		for b.Loop() {
			check(b, sum(add.Call(ctx, x, 2000)), x+2000)
		}
	})
	t.add(workAdd, viaLeafName, func(b *testing.B) {
		x := b.N + 1000
		for b.Loop() {
			check(b, sum(box.Call(ctx, "add", x, 2000)), x+2000)
		}
	})
	for work, size := range echoes {
		t.add(work, viaLeaf, appended(echo, size))
	}
	t.add(workTwo, viaLeaf, twoGoroutines(h))
	return end, nil
}

// twoGoroutines adds on a box for each processor.
func twoGoroutines(h *loader.Host) func(b *testing.B) {
	return func(b *testing.B) {
		b.SetParallelism(1)
		b.RunParallel(func(pb *testing.PB) {
			own, err := h.New(ctx, "Bench")
			if err != nil {
				b.Error(err)
				return
			}
			defer own.Close()
			add, err := own.Method("add")
			if err != nil {
				b.Error(err)
				return
			}
			for x := 1000; pb.Next(); x++ {
				if sum(add.Call(ctx, x, 2000)) != int64(x+2000) {
					b.Error("wrong sum")
					return
				}
			}
		})
	}
}

func finder(box *loader.Box) func(name string) *loader.Method {
	return func(name string) *loader.Method {
		m, err := box.Method(name)
		exitOn(err)
		return m
	}
}

// batches makes batches of 64 calls of add.
func batches(box *loader.Box, add *loader.Method) func(b *testing.B) {
	return func(b *testing.B) {
		batch := box.Batch()
		var results []loader.BatchResult
		for b.Loop() {
			for i := range 64 {
				if err := batch.AddMethod(add, 1000, i); err != nil {
					b.Fatal(err)
				}
			}
			var err error
			if results, err = batch.AppendResults(ctx, results[:0]); err != nil {
				b.Fatal(err)
			}
		}
		for i, r := range results {
			check(b, sum(r.Result, r.Err), 1000+i)
		}
	}
}

// appended echoes bytes into a slice of the caller's.
func appended(m *loader.Method, size int) func(b *testing.B) {
	return func(b *testing.B) {
		data := make([]byte, size)
		var dst []byte
		for b.Loop() {
			var err error
			if dst, err = m.AppendBytes(ctx, dst[:0], data); err != nil || len(dst) != size {
				b.Fatal(len(dst), err)
			}
		}
	}
}

// echoBlobs echoes data by reference.
func echoBlobs(m *loader.Method, size int) func(b *testing.B) {
	return func(b *testing.B) {
		data := make([]byte, size)
		for b.Loop() {
			r, err := m.Call(ctx, data)
			if err != nil {
				b.Fatal(err)
			}
			blob, err := r.Blob()
			if err != nil || blob.Len() != size {
				b.Fatal(err)
			}
			blob.Release()
		}
	}
}

// addIsolated measures the loader with the library in another process, and
// addPiped the same through pipes.
func addIsolated(t *table, _, library string) (end func(), err error) {
	return addWorker(t, viaProcess, library, isolate.ChannelMemory)
}

func addPiped(t *table, _, library string) (end func(), err error) {
	return addWorker(t, viaPipes, library, isolate.ChannelPipe)
}

func addWorker(t *table, via, library string, channel isolate.Channel) (end func(), err error) {
	h, err := openIsolated(library, channel)
	if err != nil {
		return nil, err
	}
	end = func() { exitOn(h.Close()) }
	box, err := h.New(ctx, "Bench")
	if err != nil {
		return end, err
	}
	find := finder(box)
	add, echo, echoBlob := find("add"), find("echo"), find("echoBlob")
	t.add(workAdd, via, func(b *testing.B) {
		x := b.N + 1000
		for b.Loop() {
			check(b, sum(add.Call(ctx, x, 2000)), x+2000)
		}
	})
	if channel == isolate.ChannelMemory {
		t.addMany(workAdd, viaBatched, 64, batches(box, add))
	}
	for work, size := range echoes {
		t.add(work, via, appended(echo, size))
	}
	t.add(workBlob, via, echoBlobs(echoBlob, 1<<20))
	t.add(workBlob64, via, echoBlobs(echoBlob, 64<<20))
	t.callers[via] = func() (caller, error) {
		own, err := h.New(ctx, "Bench")
		if err != nil {
			return nil, err
		}
		add, err := own.Method("add")
		return func() bool { return sum(add.Call(ctx, 1000, 2000)) == 3000 }, err
	}
	return end, nil
}

// sum is the number that a call returned, or -1.
func sum(r loader.Result, err error) int64 {
	if err != nil {
		return -1
	}
	n, err := r.Int()
	if err != nil {
		return -1
	}
	return n
}

func check(b *testing.B, have int64, want int) {
	if have != int64(want) {
		b.Fatalf("%d instead of %d", have, want)
	}
}
