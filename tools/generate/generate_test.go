package generate_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tools/generate"
)

var update = flag.Bool("update", false, "write the golden files")

func load(t *testing.T, file string) *registry.Config {
	t.Helper()
	config, err := registry.Load(filepath.Join("testdata", file))
	require.NoError(t, err, "%+v", err)
	return config
}

// declared are the boxes of a nyash.toml as a host without their libraries has them.
func declared(t *testing.T, config *registry.Config) []*registry.Type {
	t.Helper()
	var all []*registry.Type
	for _, b := range config.Boxes {
		bound, err := b.Bind(nil, abi.Description{})
		require.NoError(t, err)
		all = append(all, bound)
	}
	return all
}

// manifested are the boxes of a nyash_box.toml, as a host has them that names them alone.
func manifested(t *testing.T, file string) []*registry.Type {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", file))
	require.NoError(t, err)
	manifest, err := registry.ParseManifest(file, data)
	require.NoError(t, err, "%+v", err)
	var all []*registry.Type
	for _, b := range manifest.Boxes {
		config, err := registry.Parse("nyash.toml", []byte("[plugins]\n"+b.Name+" = \"library\"\n"))
		require.NoError(t, err)
		bound, err := config.Boxes[0].Bind(manifest, abi.Description{Tables: []abi.Table{{Box: b.Name}}})
		require.NoError(t, err)
		all = append(all, bound)
	}
	return all
}

func plugin(t *testing.T, config *registry.Config, names ...string) []generate.PluginBox {
	t.Helper()
	boxes, err := generate.PluginBoxes(config, names)
	require.NoError(t, err)
	return boxes
}

var pluginLanguages = map[string]func([]generate.PluginBox) ([]byte, error){
	"c": generate.C, "cpp": generate.CPlusPlus, "rust": generate.Rust,
}

// TestGolden compares what is generated with files that other tests compile.
func TestGolden(t *testing.T) {
	kinds, loose := load(t, "kinds.toml"), load(t, "loose.toml")
	for name, text := range map[string]func() ([]byte, error){
		"golden/kinds/boxes.go":   func() ([]byte, error) { return generate.Go("kinds", declared(t, kinds)) },
		"golden/loose/boxes.go":   func() ([]byte, error) { return generate.Go("loose", declared(t, loose)) },
		"golden/tail/boxes.go":    func() ([]byte, error) { return generate.Go("tail", manifested(t, "tail.toml")) },
		"golden/plugin/kinds.h":   func() ([]byte, error) { return generate.C(plugin(t, kinds)) },
		"golden/plugin/loose.h":   func() ([]byte, error) { return generate.C(plugin(t, loose, "loose-box")) },
		"golden/plugin/quiet.h":   func() ([]byte, error) { return generate.C(plugin(t, loose, "quiet")) },
		"golden/plugin/kinds.hpp": func() ([]byte, error) { return generate.CPlusPlus(plugin(t, kinds)) },
		"golden/plugin/quiet.hpp": func() ([]byte, error) { return generate.CPlusPlus(plugin(t, loose, "quiet")) },
		"golden/plugin/kinds.rs":  func() ([]byte, error) { return generate.Rust(plugin(t, kinds)) },
		"golden/plugin/quiet.rs":  func() ([]byte, error) { return generate.Rust(plugin(t, loose, "quiet")) },
	} {
		t.Run(name, func(t *testing.T) {
			got, err := text()
			require.NoError(t, err)
			again, err := text()
			require.NoError(t, err)
			assert.Equal(t, string(got), string(again), "the same boxes give the same text")
			file := filepath.Join("testdata", filepath.FromSlash(name))
			if *update {
				require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
				require.NoError(t, os.WriteFile(file, got, 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			assert.Equal(t, string(want), string(got), "go test ./tools/generate -run=Golden -update writes it anew")
		})
	}
}
