package wasm

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

func BenchmarkAdd(b *testing.B) {
	box := newBox(b, open(b, ""))
	add, err := box.Method("add")
	require.NoError(b, err)
	ctx := context.Background()
	for b.Loop() {
		if _, err := loader.Invoke[int64](ctx, add, 1, 2); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEcho(b *testing.B) {
	box := newBox(b, open(b, ""))
	echo, err := box.Method("echo")
	require.NoError(b, err)
	for name, size := range map[string]int{"1KiB": 1 << 10, "32KiB": 32 << 10} {
		text, room := []byte(strings.Repeat("x", size)), make([]byte, 0, 64<<10)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := echo.AppendBytes(context.Background(), room, text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLoop(b *testing.B) {
	box := newBox(b, open(b, ""))
	for b.Loop() {
		callInt(b, box, "loop", 100_000_000)
	}
}

func BenchmarkStart(b *testing.B) {
	file := moduleFile(b)
	keep := open(b, "") // the code is there
	newBox(b, keep)
	for b.Loop() {
		h, err := openHost(file)
		require.NoError(b, err)
		require.NoError(b, h.Load(context.Background(), "Module"))
		require.NoError(b, h.Close())
	}
}

// BenchmarkLoad loads FileBox with the code that is kept on disk, and closes it again.
func BenchmarkLoad(b *testing.B) {
	file := filepath.Join(b.TempDir(), "filebox.wasm")
	ccbuild.ModuleAt(b, file, filepath.Join(ccbuild.Root(b), "plugins", "filebox", "filebox.c"), "-O2", "-lm")
	b.Setenv("XDG_CACHE_HOME", b.TempDir())
	config, err := registry.Parse("nyash.toml", fmt.Appendf(nil, "[plugins.FileBox]\nlibrary = %q\n", file))
	require.NoError(b, err)
	load := func() {
		h, err := loader.OpenConfig(config, hosttest.Options()...)
		require.NoError(b, err)
		require.NoError(b, h.Load(context.Background(), "FileBox"))
		require.NoError(b, h.Close())
	}
	load()
	for b.Loop() {
		load()
	}
}
