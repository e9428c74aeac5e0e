package wasm

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// hostile declares testdata/hostile.c, and a module that behaves.
const hostile = `
[plugins.Good]
box = "Module"
library = %q
[plugins.Good.methods]
add = { method_id = 1, args = [ { name = "a", from = "integer", to = "i64" }, { name = "b", from = "integer", to = "i64" } ], returns = "i64" }

[plugins.Hostile]
library = %q
type_id = 7
call_timeout = "200ms"
load_timeout = "2s"
limits = { memory = "4MiB" }
restart = { max = 1000, within = "1h", backoff = "0s" }
env = ["NYASH_TEST_SCRIPT"]
uses = ["GoBox"]
[plugins.Hostile.methods]
any  = { method_id = 1 }
blob = { method_id = 2, args = [], returns = "blob" }
send = { method_id = 3, args = [ { name = "data", from = "bytes", to = "blob" } ] }
box  = { method_id = 4, args = [], returns = "Hostile" }
text = { method_id = 5, args = [ "a", "b" ], returns = "string" }
`

// echo is what the module may call at its host.
type echo struct{}

func (echo) Echo(value any) any        { return value }
func (echo) Length(data []byte) int64  { return int64(len(data)) }
func (echo) Text(n int64) string       { return strings.Repeat("x", int(uint16(n))) }
func (echo) Panic() (int64, error)     { panic("oops") }
func (echo) Fail(text string) error    { return errors.New(text) }
func (echo) Wait(ctx context.Context)  { <-ctx.Done() }
func (echo) Nothing()                  {}
func (echo) Many(of ...int64) []byte   { return make([]byte, len(of)) }
func (echo) Number(f float64) float64  { return f }
func (echo) Small(n int32, b bool) any { return n }

// FuzzHostile has a module answer its host what the fuzzer likes, in all that it answers. The host
// gives errors that say of whom they are, everything ends, and a module that behaves works on.
func FuzzHostile(f *testing.F) {
	file := ccbuild.ModuleAt(f, filepath.Join(f.TempDir(), "hostile.wasm"), "testdata/hostile.c")
	config, err := registry.Parse("nyash.toml", fmt.Appendf(nil, hostile, moduleFile(f), file))
	require.NoError(f, err)
	options := append(hosttest.Options(), loader.WithBox("GoBox", func() echo { return echo{} }), loader.WithMaxBlob(1<<20))
	f.Add([]byte{})
	f.Add([]byte(strings.Repeat("\x02\x03\x04\x05\x06", 100)))
	f.Add([]byte(strings.Repeat("\x02\x07\x01\x03\x0a", 100)))
	f.Add([]byte(strings.Repeat("\x03\x02\x05\x02\x02\x02", 100)))
	f.Add([]byte(strings.Repeat("\x02", 40) + "\xff\xff\xff"))
	f.Add([]byte(strings.Repeat("\x02", 43) + "\xfe\xfe\xfe"))
	for n := range byte(16) { // each thing wrong once, among what is right
		f.Add([]byte(strings.Repeat("\x02", 10+int(n)*3) + string([]byte{0, n, n * 16, 1, n}) + strings.Repeat("\x02\x05", 30)))
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		t.Setenv("NYASH_TEST_SCRIPT", hex.EncodeToString(script[:min(len(script), 1<<12)]))
		h, err := loader.OpenConfig(config, options...)
		require.NoError(t, err)
		good := hosttest.New(t, h, "Good")
		provoke(t, h)
		require.EqualValues(t, 3, hosttest.CallInt(t, good, "add", 1, 2))
		told(t, h.Close())
	})
}

// provoke calls the hostile module in each way.
func provoke(t *testing.T, h *loader.Host) {
	ctx := t.Context()
	if err := h.Load(ctx, "Hostile"); err != nil {
		told(t, err)
		return
	}
	for range 2 {
		box, err := h.New(ctx, "Hostile")
		told(t, err)
		if err != nil {
			continue
		}
		for _, call := range []struct {
			method string
			args   []any
		}{
			{"any", []any{1, "two", 3.5}}, {"blob", nil}, {"send", []any{make([]byte, 5000)}}, {"box", nil},
			{"text", []any{strings.Repeat("x", 9000), box}}, {"any", []any{box, box}}, {"blob", nil},
		} {
			r, err := box.Call(ctx, call.method, call.args...)
			told(t, err)
			if blob, err := r.Blob(); err == nil {
				blob.Release()
			}
			if other, err := r.Box(); err == nil && other != box {
				told(t, other.Close())
			}
		}
		told(t, box.Close())
	}
}

// told looks at an error: it says of which library it is, and is fit to be shown.
func told(t *testing.T, err error) {
	if err == nil {
		return
	}
	require.Contains(t, strings.ToLower(err.Error()), "hostile")
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSuffix(line, "\n")
		require.Equal(t, contract.Printable(line), line)
	}
}
