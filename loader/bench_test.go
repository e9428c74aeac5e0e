package loader_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

// BenchmarkCall measures a call by name, two integers in and one out.
func BenchmarkCall(b *testing.B) {
	box := newBox(b, openProbe(b), "Probe")
	x := b.N + 1000 // no constant, which could be passed for less
	b.ReportAllocs()
	for b.Loop() {
		r, err := box.Call(context.Background(), "add", x, 2000)
		if err != nil {
			b.Fatal(err)
		}
		if n, _ := r.Int(); n != int64(x+2000) {
			b.Fatal(n)
		}
	}
}

// BenchmarkMethod measures the same by a method that was found before.
func BenchmarkMethod(b *testing.B) {
	add, err := newBox(b, openProbe(b), "Probe").Method("add")
	require.NoError(b, err)
	x := b.N + 1000
	b.ReportAllocs()
	for b.Loop() {
		r, err := add.Call(context.Background(), x, 2000)
		if err != nil {
			b.Fatal(err)
		}
		if n, _ := r.Int(); n != int64(x+2000) {
			b.Fatal(n)
		}
	}
}

// BenchmarkLeaf measures BenchmarkMethod as a leaf method.
func BenchmarkLeaf(b *testing.B) {
	h := open(b, strings.ReplaceAll(probeTOML(probeLibrary(b), ""), "add     = {", "add = { leaf = true,"))
	add, err := newBox(b, h, "Probe").Method("add")
	require.NoError(b, err)
	x := b.N + 1000
	b.ReportAllocs()
	for b.Loop() {
		r, err := add.Call(context.Background(), x, 2000)
		if err != nil {
			b.Fatal(err)
		}
		if n, _ := r.Int(); n != int64(x+2000) {
			b.Fatal(n)
		}
	}
}

// BenchmarkTable measures the same through a TypeBox table.
func BenchmarkTable(b *testing.B) {
	add, err := newBox(b, openTabled(b), "Probe").Method("add")
	require.NoError(b, err)
	x := b.N + 1000
	b.ReportAllocs()
	for b.Loop() {
		r, err := add.Call(context.Background(), x, 2000)
		if err != nil {
			b.Fatal(err)
		}
		if n, _ := r.Int(); n != int64(x+2000) {
			b.Fatal(n)
		}
	}
}

// BenchmarkInvoke measures BenchmarkMethod with the result as a Go value.
func BenchmarkInvoke(b *testing.B) {
	b.Run("int", benchmarkInvoke[int])
	b.Run("uint16", benchmarkInvoke[uint16])
	b.Run("defined type", benchmarkInvoke[count])
}

func benchmarkInvoke[T interface {
	loader.ResultType
	~int | ~uint16
}](b *testing.B) {
	add, err := newBox(b, openProbe(b), "Probe").Method("add")
	require.NoError(b, err)
	x := b.N + 1000
	b.ReportAllocs()
	for b.Loop() {
		n, err := loader.Invoke[T](context.Background(), add, x, 2000)
		if err != nil {
			b.Fatal(err)
		}
		if n != T(x+2000) {
			b.Fatal(n)
		}
	}
}

// BenchmarkEcho measures bytes in and bytes out, into memory of the caller's.
func BenchmarkEcho(b *testing.B) {
	echo, err := newBox(b, openBlobs(b), "Blobs").Method("bytes")
	require.NoError(b, err)
	data, dst := make([]byte, 16), make([]byte, 0, 16)
	b.ReportAllocs()
	for b.Loop() {
		if dst, err = echo.AppendBytes(context.Background(), dst[:0], data); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkLeafEcho measures a kilobyte in and out of a leaf method.
func BenchmarkLeafEcho(b *testing.B) {
	h := open(b, fmt.Sprintf(`[plugins.Blobs]
library = %q
[plugins.Blobs.methods]
bytes = { method_id = 7, leaf = true, args = [ { name = "data", from = "bytes", to = "bytes" } ], returns = "bytes" }
`, ccbuild.Library(b, "testdata/blob.c", "-O2")))
	echo, err := newBox(b, h, "Blobs").Method("bytes")
	require.NoError(b, err)
	data, dst := make([]byte, 1024), make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		if dst, err = echo.AppendBytes(context.Background(), dst[:0], data); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkParallel measures calls from all processors, on one box that they
// share and on a box for each.
func BenchmarkParallel(b *testing.B) {
	h := openProbe(b)
	shared := newBox(b, h, "Probe")
	boxes := map[string]func() *loader.Box{
		"shared box": func() *loader.Box { return shared },
		"own boxes":  func() *loader.Box { return newBox(b, h, "Probe") },
	}
	for name, box := range boxes {
		b.Run(name, func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				box := box()
				for pb.Next() {
					if _, err := box.Call(context.Background(), "add", 1, 2); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

// BenchmarkLoad measures load, init and shutdown of FileBox.
func BenchmarkLoad(b *testing.B) {
	config, err := registry.Load("../nyash.toml")
	require.NoError(b, err)
	for b.Loop() {
		h, err := loader.OpenConfig(config)
		if err != nil {
			b.Fatal(err)
		}
		if err := h.Load(context.Background(), "FileBox"); err != nil {
			b.Fatal(err)
		}
		if err := h.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
