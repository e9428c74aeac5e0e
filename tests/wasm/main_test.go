// Package wasm tests plugins that are WebAssembly modules: that they work as native ones do, and
// that a host is unharmed by whatever they do.
package wasm

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	_ "github.com/nyash-plugins/nyash-go/loader/wasm"
	"github.com/nyash-plugins/nyash-go/loader/worker"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// methods are those of testdata/module.c.
const methods = `
add     = { method_id = 1, args = [ { name = "a", from = "integer", to = "i64" }, { name = "b", from = "integer", to = "i64" } ], returns = "i64" }
echo    = { method_id = 2 }
spin    = { method_id = 3, args = [] }
trap    = { method_id = 4, args = [] }
sleep   = { method_id = 5, args = [ { name = "ms", from = "integer", to = "i64" } ] }
print   = { method_id = 6, args = [] }
wake    = { method_id = 7, args = [] }
count   = { method_id = 8, args = [], returns = "i64" }
recurse = { method_id = 9, args = [] }
grow    = { method_id = 10, args = [ { name = "bytes", from = "integer", to = "i64" } ], returns = "i64" }
length  = { method_id = 11, args = [ { name = "data", from = "bytes", to = "blob" } ], returns = "i64" }
give    = { method_id = 12, args = [ { name = "bytes", from = "integer", to = "i64" } ], returns = "blob" }
lie     = { method_id = 13, args = [ { name = "what", from = "integer", to = "i64" } ] }
lieBlob = { method_id = 17, args = [ { name = "what", from = "integer", to = "i64" } ], returns = "blob" }
loop    = { method_id = 14, args = [ { name = "turns", from = "integer", to = "i64" } ], returns = "i64" }
exit    = { method_id = 15, args = [ { name = "status", from = "integer", to = "i64" } ] }
take    = { method_id = 16, args = [ { name = "box", from = "box", to = "handle" } ] }
random  = { method_id = 20, args = [ { name = "bytes", from = "integer", to = "i64" } ] }
`

// toml declares box Module with a file and further keys of the library.
func toml(file, keys string) string {
	return fmt.Sprintf("[plugins.Module]\nlibrary = %q\n%s\n[plugins.Module.methods]%s", file, keys, methods)
}

// module is testdata/module.c, compiled once.
var module string

func TestMain(m *testing.M) {
	worker.Main()
	dir, err := os.MkdirTemp("", "nyash-wasm")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	module = filepath.Join(dir, "module.wasm")
	status := m.Run()
	os.RemoveAll(dir)
	os.Exit(status)
}

var compiled sync.Once

// moduleFile is the module that most tests use.
func moduleFile(t testing.TB) string {
	t.Helper()
	compiled.Do(func() { ccbuild.ModuleAt(t, module, "testdata/module.c", "-O2", "-mbulk-memory") })
	require.FileExists(t, module)
	return module
}

func open(t testing.TB, keys string, opts ...loader.Option) *loader.Host {
	t.Helper()
	return hosttest.Open(t, toml(moduleFile(t), keys), opts...)
}

func newBox(t testing.TB, h *loader.Host) *loader.Box {
	t.Helper()
	box, err := h.New(t.Context(), "Module")
	require.NoError(t, err)
	return box
}

func callInt(t testing.TB, b *loader.Box, method string, args ...any) int64 {
	t.Helper()
	n, err := loader.Call[int64](t.Context(), b, method, args...)
	require.NoError(t, err)
	return n
}

// openHost opens a host with the module of a file.
func openHost(file string) (*loader.Host, error) {
	config, err := registry.Parse("nyash.toml", []byte(toml(file, "")))
	if err != nil {
		return nil, err
	}
	return loader.OpenConfig(config, hosttest.Options()...)
}
