package loader_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

// methods declares the methods of testdata/probe.c.
const methods = `
add     = { method_id = 1, args = [ { name = "a", from = "integer", to = "i64" }, { name = "b", from = "integer", to = "i64" } ], returns = "i64" }
echo    = { method_id = 2 }
self    = { method_id = 3, args = [] }
make    = { method_id = 4, args = [] }
hold    = { method_id = 5, args = [], returns = "void" }
release = { method_id = 6, args = [], returns = "void" }
holding = { method_id = 7, args = [], returns = "i64" }
births  = { method_id = 8, args = [], returns = "i64" }
finis   = { method_id = 9, args = [], returns = "i64" }
thread  = { method_id = 10, args = [], returns = "i64" }
overlap = { method_id = 11, args = [], returns = "i64" }
take    = { method_id = 12, args = [ { name = "box", from = "box", to = "handle" } ], returns = "i64" }
other   = { method_id = 13, args = [] }
inits   = { method_id = 14, args = [], returns = "i64" }
demand  = { method_id = 15, args = [], returns = "i64" }
calls   = { method_id = 16, args = [], returns = "i64" }
nothing = { method_id = 17, args = [], returns = "void" }
say     = { method_id = 18, args = [], returns = "void" }
refuse  = { method_id = 19, args = [] }
name    = { method_id = 21, args = [ { name = "type", from = "integer", to = "i64" }, { name = "id", from = "integer", to = "i64" } ] }
wrong   = { method_id = 3, args = [], returns = "i64" }
`

// probeLibrary builds the plugin; each test has its own file, so that no other
// test shares its state.
func probeLibrary(t testing.TB, flags ...string) string {
	return ccbuild.Library(t, "testdata/probe.c", flags...)
}

// probeTOML declares box Probe with further keys. The alias that has wrong
// types is legal in this form only.
func probeTOML(library, keys string) string {
	return fmt.Sprintf("[plugins.Probe]\nlibrary = %q\n%s\n[plugins.Probe.methods]%s", library, keys,
		strings.Replace(methods, "wrong   = { method_id = 3, args = [], returns = \"i64\" }\n", "", 1))
}

func open(t testing.TB, toml string, opts ...loader.Option) *loader.Host {
	t.Helper()
	config, err := registry.Parse("nyash.toml", []byte(toml))
	require.NoError(t, err)
	h, err := loader.OpenConfig(config, append(defaults(), opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, h.Close()) })
	return h
}

// isolated runs the tests with every library in a process of its own.
var isolated = os.Getenv(isolationVariable) == "process"

// piped has them reached through pipes.
var piped = os.Getenv(channelVariable) == "pipe"

const (
	isolationVariable = "NYASH_TEST_ISOLATION"
	channelVariable   = "NYASH_TEST_CHANNEL"
)

func defaults() []loader.Option {
	opts := []loader.Option{loader.WithLogger(slog.New(slog.DiscardHandler))}
	// Asked while a test runs: what is read before does not count when the go
	// command decides whether a result is still good.
	if os.Getenv(isolationVariable) == "process" {
		opts = append(opts, loader.WithIsolation(registry.IsolationProcess))
	}
	if os.Getenv(channelVariable) == "pipe" {
		opts = append(opts, loader.WithWorkerChannel(isolate.ChannelPipe))
	}
	return opts
}

// shortGrace has the calls of an isolated library that were abandoned end soon.
func shortGrace() string {
	if isolated {
		return `cancel_grace = "50ms"`
	}
	return ""
}

func openProbe(t testing.TB, opts ...loader.Option) *loader.Host {
	t.Helper()
	return open(t, probeTOML(probeLibrary(t), ""), opts...)
}

func newBox(t testing.TB, h *loader.Host, name string) *loader.Box {
	t.Helper()
	box, err := h.New(t.Context(), name)
	require.NoError(t, err)
	return box
}

func call(t testing.TB, b *loader.Box, method string, args ...any) loader.Result {
	t.Helper()
	r, err := b.Call(t.Context(), method, args...)
	require.NoError(t, err)
	return r
}

func callInt(t testing.TB, b *loader.Box, method string, args ...any) int64 {
	t.Helper()
	n, err := call(t, b, method, args...).Int()
	require.NoError(t, err)
	return n
}

// eventually runs until ok says so; the test's own time limit ends it.
func eventually(ok func() bool) {
	for !ok() {
	}
}

// output is a log that tests read.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// messages are the messages alone, a line each.
func (o *output) messages() []string {
	var all []string
	for line := range strings.Lines(o.String()) {
		_, msg, _ := strings.Cut(line, `msg="`)
		msg, _, _ = strings.Cut(msg, `"`)
		all = append(all, msg)
	}
	return all
}

func withLog(o *output) loader.Option {
	return loader.WithLogger(slog.New(slog.NewTextHandler(o, &slog.HandlerOptions{Level: slog.LevelDebug})))
}
