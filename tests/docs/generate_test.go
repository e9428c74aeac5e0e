package docs

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/generate"
)

// TestGeneratePage builds the counters that docs/generate.md shows in three languages, and
// counts with them.
func TestGeneratePage(t *testing.T) {
	root := ccbuild.Root(t)
	page := filepath.Join(root, "docs", "generate.md")
	shown := func(language string) string {
		all := blocks(t, page, language)
		require.Len(t, all, 1, language)
		return all[0]
	}
	toml := shown("toml")
	config, err := registry.Parse(page, []byte(toml))
	require.NoError(t, err)
	boxes, err := generate.PluginBoxes(config, nil)
	require.NoError(t, err)

	for _, tt := range []struct {
		language, file string
		generate       func([]generate.PluginBox) ([]byte, error)
		build          func(t *testing.T, dir string) string
	}{
		{"c", "counter.gen.h", generate.C, func(t *testing.T, dir string) string {
			return ccbuild.Library(t, write(t, dir, "counter.c", shown("c")), "-Wpedantic")
		}},
		{"cpp", "counter.gen.hpp", generate.CPlusPlus, func(t *testing.T, dir string) string {
			return ccbuild.Library(t, write(t, dir, "counter.cpp", shown("cpp")), "-Wpedantic")
		}},
		{"rust", "src/boxes.rs", generate.Rust, func(t *testing.T, dir string) string {
			write(t, dir, "src/lib.rs", shown("rust"))
			write(t, dir, "Cargo.toml", fmt.Sprintf("[package]\nname = \"counter\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[lib]\ncrate-type = [\"cdylib\"]\n[dependencies]\nnyash = { path = %q }\n[workspace]\n", filepath.Join(root, "plugins", "sdk", "rust")))
			ccbuild.Run(t, "cargo", "build", "--offline", "--quiet", "--manifest-path", filepath.Join(dir, "Cargo.toml"), "--target-dir", filepath.Join(dir, "target"))
			if runtime.GOOS == "darwin" {
				return filepath.Join(dir, "target", "debug", "libcounter.dylib")
			}
			return filepath.Join(dir, "target", "debug", "libcounter.so")
		}},
	} {
		t.Run(tt.language, func(t *testing.T) {
			dir := t.TempDir()
			text, err := tt.generate(boxes)
			require.NoError(t, err)
			write(t, dir, tt.file, string(text))
			library := tt.build(t, dir)
			config, err := registry.Parse("nyash.toml", []byte(strings.Replace(toml, `library = "counter"`, fmt.Sprintf("library = %q", library), 1)))
			require.NoError(t, err)
			host, err := loader.OpenConfig(config)
			require.NoError(t, err)
			defer host.Close()
			counter, err := host.New(t.Context(), "Counter", 40)
			require.NoError(t, err)
			defer counter.Close()
			sum, err := loader.Call[int](t.Context(), counter, "add", 2)
			require.NoError(t, err)
			assert.Equal(t, 42, sum)
			label, err := loader.Call[string](t.Context(), counter, "label", "n")
			require.NoError(t, err)
			assert.Equal(t, "n: 42", label)
		})
	}
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, filepath.FromSlash(name))
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
	require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	return file
}
