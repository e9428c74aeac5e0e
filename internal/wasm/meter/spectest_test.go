package meter_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"
	"github.com/tetratelabs/wazero/api"

	"github.com/nyash-plugins/nyash-go/internal/wasm/meter"
)

// engineDir is where wazero's module is, which carries the WebAssembly specification's tests and real modules.
var engineDir = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/tetratelabs/wazero").Output()
	return strings.TrimSpace(string(out)), err
})

func suite(t testing.TB, version string) []string {
	dir, err := engineDir()
	require.NoError(t, err)
	files, err := filepath.Glob(filepath.Join(dir, "internal/integration_test/spectest", version, "testdata/*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

// wasmFiles are the modules below a folder of wazero's.
func wasmFiles(t testing.TB, folder string) []string {
	dir, err := engineDir()
	require.NoError(t, err)
	var files []string
	require.NoError(t, filepath.WalkDir(filepath.Join(dir, folder), func(path string, _ os.DirEntry, err error) error {
		if strings.HasSuffix(path, ".wasm") {
			files = append(files, path)
		}
		return err
	}))
	require.NotEmpty(t, files)
	return files
}

type script struct {
	Commands []struct {
		Type     string `json:"type"`
		Line     int    `json:"line"`
		Name     string `json:"name"`
		Filename string `json:"filename"`
		As       string `json:"as"`
		Module   string `json:"module_type"`
		Action   action `json:"action"`
	} `json:"commands"`
}

type action struct {
	Type   string `json:"type"`
	Module string `json:"module"`
	Field  string `json:"field"`
	Args   []struct {
		Type  string `json:"type"`
		Lane  string `json:"lane_type"`
		Value any    `json:"value"`
	} `json:"args"`
}

func number(s string, bits int) uint64 {
	if strings.HasPrefix(s, "nan") {
		if bits == 32 {
			return 0x7fc00000
		}
		return 0x7ff8000000000000
	}
	v, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		signed, _ := strconv.ParseInt(s, 10, 64)
		v = uint64(signed)
	}
	if bits < 64 {
		v &= 1<<bits - 1
	}
	return v
}

func (a action) values() []uint64 {
	var out []uint64
	for _, arg := range a.Args {
		switch {
		case arg.Type == "v128":
			bits, _ := strconv.Atoi(arg.Lane[1:])
			var words [2]uint64
			for i, v := range arg.Value.([]any) {
				words[i*bits/64] |= number(v.(string), bits) << (i * bits % 64)
			}
			out = append(out, words[0], words[1])
		case arg.Value == nil || arg.Value == "null":
			out = append(out, 0)
		case arg.Type == "externref":
			out = append(out, number(arg.Value.(string), 64)+1)
		case arg.Type == "i32" || arg.Type == "f32":
			out = append(out, number(arg.Value.(string), 32))
		default:
			out = append(out, number(arg.Value.(string), 64))
		}
	}
	return out
}

// world is a runtime with the modules that a script has made.
type world struct {
	rt      wazero.Runtime
	rewrite bool
	last    api.Module
	named   map[string]api.Module
	tick    int
}

func newWorld(t testing.TB, rewrite bool) *world {
	ctx := context.Background()
	w := &world{rt: wazero.NewRuntimeWithConfig(ctx, engine()), rewrite: rewrite, named: map[string]api.Module{}}
	t.Cleanup(func() { w.rt.Close(ctx) })
	host(t, w.rt, func() { w.tick++ })
	return w
}

func (w *world) bytes(b []byte) ([]byte, error) {
	if !w.rewrite {
		return b, nil
	}
	return meter.Rewrite(b, meter.Options{})
}

func (w *world) instantiate(b []byte, name string) error {
	b, err := w.bytes(b)
	if err != nil {
		return err
	}
	m, err := w.rt.InstantiateWithConfig(context.Background(), b, wazero.NewModuleConfig().WithName(name))
	if err != nil {
		return err
	}
	w.last = m
	return nil
}

func (w *world) act(a action) (out []uint64, trap string) {
	m := w.last
	if a.Module != "" {
		m = w.named[a.Module]
	}
	if m == nil {
		return nil, "no module"
	}
	if a.Type == "get" {
		return []uint64{m.ExportedGlobal(a.Field).Get()}, ""
	}
	f := m.ExportedFunction(a.Field)
	out, err := f.Call(context.Background(), a.values()...)
	if err != nil {
		trap, _, _ = strings.Cut(err.Error(), "\n")
		return nil, trap
	}
	i := 0
	for _, typ := range f.Definition().ResultTypes() {
		if typ == 0x70 && out[i] != 0 { // a function reference is an address
			out[i] = 1
		}
		if i++; typ == 0x7b {
			i++
		}
	}
	return out, ""
}

// TestSpecification runs the specification's tests with and without rewriting. Both must answer, trap and refuse alike.
func TestSpecification(t *testing.T) {
	versions := []string{"v2"}
	if os.Getenv("NYASH_TEST_ROUNDS") == "all" { // as `make modules` does; version 2 has most of it
		versions = append(versions, "v1")
	}
	for _, version := range versions {
		spectest, err := os.ReadFile(filepath.Join(filepath.Dir(suite(t, version)[0]), "../../testdata/spectest.wasm"))
		require.NoError(t, err)
		for _, file := range suite(t, version) {
			t.Run(version+"/"+strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
				raw, err := os.ReadFile(file)
				require.NoError(t, err)
				var s script
				require.NoError(t, json.Unmarshal(raw, &s))
				require.NotEmpty(t, s.Commands)
				plain, metered := newWorld(t, false), newWorld(t, true)
				for _, w := range []*world{plain, metered} {
					_, err := w.rt.Instantiate(context.Background(), spectest)
					require.NoError(t, err)
				}
				for i, c := range s.Commands {
					var binary []byte
					if c.Filename != "" && c.Module != "text" {
						binary, err = os.ReadFile(filepath.Join(filepath.Dir(file), c.Filename))
						require.NoError(t, err)
					}
					switch c.Type {
					case "module":
						name := ""
						if i+1 < len(s.Commands) && s.Commands[i+1].Type == "register" {
							name = s.Commands[i+1].As
						}
						for _, w := range []*world{plain, metered} {
							require.NoErrorf(t, w.instantiate(binary, name), "line %d", c.Line)
							if c.Name != "" {
								w.named[c.Name] = w.last
							}
						}
					case "assert_return", "assert_trap", "assert_exhaustion", "action":
						want, wantTrap := plain.act(c.Action)
						got, trap := metered.act(c.Action)
						require.Equalf(t, wantTrap, trap, "line %d", c.Line)
						require.Equalf(t, want, got, "line %d", c.Line)
					case "assert_invalid", "assert_malformed", "assert_unlinkable", "assert_uninstantiable":
						if binary == nil {
							continue
						}
						plainLast, meteredLast := plain.last, metered.last
						want, got := plain.instantiate(binary, ""), metered.instantiate(binary, "")
						plain.last, metered.last = plainLast, meteredLast
						if want != nil {
							require.Errorf(t, got, "line %d: %v", c.Line, want)
						} else if !errors.As(got, new(*meter.Error)) { // it is stricter than wazero
							require.NoErrorf(t, got, "line %d", c.Line)
						}
					}
				}
			})
		}
	}
}
