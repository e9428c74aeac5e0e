package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
)

// adder is a host function.
type adder struct{}

func (*adder) Add(a, b int64) int64 { return a + b }

// nestedTOML declares plugins that call and are called: A in this process, I in another.
const nestedTOML = `
[plugins.A]
library = %q
uses = ["Adder", "B"]
[plugins.B]
library = %q
[plugins.B.methods]
add = { method_id = 16, args = [ { name = "a", from = "integer", to = "i64" }, { name = "b", from = "integer", to = "i64" } ], returns = "i64" }
[plugins.I]
library = %q
uses = ["Adder"]
isolation = "process"
`

// openNested opens a host with those plugins.
func openNested(dir string) (*loader.Host, error) {
	var libraries []any
	for _, name := range []string{"A", "B", "I"} {
		library := filepath.Join(dir, "lib"+name+".so")
		cmd := exec.Command("cc", "-std=c11", "-O2", "-fPIC", "-shared", "-pthread", "-I../../abi/include", fmt.Sprintf("-DTYPE_NAME=%q", name),
			"-o", library, "../calls/testdata/relay.c")
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%v: %w\n%s", cmd, err, out)
		}
		libraries = append(libraries, library)
	}
	config, err := registry.Parse("bench.toml", fmt.Appendf(nil, nestedTOML, libraries...))
	if err != nil {
		return nil, err
	}
	return loader.OpenConfig(config, loader.WithLogger(slog.New(slog.DiscardHandler)), loader.WithWorker(filepath.Join(dir, "nyash-worker")),
		loader.WithBox("Adder", func() *adder { return new(adder) }))
}

// addNested measures calls that plugins make: as many as the benchmark asks for in one call
// of the plugin.
func addNested(t *table, dir, _ string) (end func(), err error) {
	h, err := openNested(dir)
	if err != nil {
		return nil, err
	}
	end = func() { exitOn(h.Close()) }
	for slot, row := range []struct{ via, box, target string }{{viaGoType, "A", "Adder"}, {viaPlugin, "A", "B"}} {
		box, err := h.New(ctx, row.box)
		if err == nil {
			_, err = box.Call(ctx, "hold", slot, row.target)
		}
		if err != nil {
			return end, err
		}
		t.add(workNested, row.via, func(b *testing.B) {
			n, err := loader.Call[int64](ctx, box, "loop", slot, b.N, "add", 2, 3)
			if err != nil || n != 5 {
				b.Fatal(n, err)
			}
		})
	}
	return end, nil
}

// measureNested is how long calls of an isolated plugin take, in ns, by its own clock: the
// medians of five medians. inside are calls one after another within a call of the plugin,
// asleep those from a thread of its own when both sides sleep before.
func measureNested(dir string) (inside, asleep float64, err error) {
	h, err := openNested(dir)
	if err != nil {
		return 0, 0, err
	}
	defer h.Close()
	box, err := h.New(ctx, "I")
	if err != nil {
		return 0, 0, err
	}
	if _, err = box.Call(ctx, "hold", 0, "Adder"); err != nil {
		return 0, 0, err
	}
	measure := func(method string, calls int) float64 {
		var all []float64
		for range 5 {
			n, callErr := loader.Call[int64](ctx, box, method, 0, calls, "add", 2, 3)
			err = errors.Join(err, callErr)
			all = append(all, float64(n))
		}
		slices.Sort(all)
		return all[2]
	}
	return measure("median", 1000), measure("asleep", 200), err
}
