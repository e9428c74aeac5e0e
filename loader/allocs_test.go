package loader_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
)

// TestAllocs holds the number of allocations of a call. The portable call path
// has one of its own.
func TestAllocs(t *testing.T) {
	ctx := context.Background() // without a Done channel
	box := newBox(t, openProbe(t), "Probe")
	method := func(name string) *loader.Method {
		m, err := box.Method(name)
		require.NoError(t, err)
		return m
	}
	add, nothing, echo, take := method("add"), method("nothing"), method("echo"), method("take")
	a, b := len(t.Name())*1000, 2000 // no constants, which need no allocation anyway
	f := float64(a) / 3
	text, data, room := strings.Repeat("x", 100), make([]byte, 100), make([]byte, 0, 200)
	canceled, cancel := context.WithCancel(ctx)
	defer cancel()

	type allocs struct {
		want float64
		run  func() error
	}
	tests := map[string]allocs{
		"resolved method, numbers": {0, func() error { _, err := add.Call(ctx, a, b); return err }},
		"resolved method, nothing": {0, func() error { _, err := nothing.Call(ctx); return err }},
		"resolved method, a box":   {0, func() error { _, err := take.Call(ctx, box); return err }},
		"by name, numbers":         {0, func() error { _, err := box.Call(ctx, "add", a, b); return err }},
		"with a context to cancel": {0, func() error { _, err := box.Call(canceled, "add", a, b); return err }},
		"invoke, int":              {0, func() error { _, err := loader.Invoke[int](ctx, add, a, b); return err }},
		"invoke, uint32":           {0, func() error { _, err := loader.Invoke[uint32](ctx, add, a, b); return err }},
		"invoke, a defined type":   {0, func() error { _, err := loader.Invoke[time.Duration](ctx, add, a, b); return err }},
		"invoke, float32":          {0, func() error { _, err := loader.Invoke[float32](ctx, echo, f); return err }},
		"invoke, string":           {1, func() error { _, err := loader.Invoke[string](ctx, echo, text); return err }},
		"call by name, int":        {0, func() error { _, err := loader.Call[int](ctx, box, "add", a, b); return err }},
		"string result":            {1, func() error { _, err := echo.Call(ctx, text); return err }},
		"bytes appended":           {0, func() error { _, err := echo.AppendBytes(ctx, room, data); return err }},
	}
	tabled, err := newBox(t, openTabled(t), "Probe").Method("add")
	require.NoError(t, err)
	tests["table, numbers"] = allocs{0, func() error { _, err := tabled.Call(ctx, a, b); return err }}
	ledger, err := open(t, "", withLedger()).New(ctx, "LedgerBox", 0)
	require.NoError(t, err)
	addTo, err := ledger.Method("add")
	require.NoError(t, err)
	tests["a Go value's method, numbers"] = allocs{-portableAllocs, func() error { _, err := addTo.Call(ctx, a, b); return err }}
	blobs := newBox(t, openBlobs(t), "Blobs")
	length, err := blobs.Method("length")
	require.NoError(t, err)
	give, err := blobs.Method("give")
	require.NoError(t, err)
	tests["blob lent"] = allocs{0, func() error { _, err := length.Call(ctx, data); return err }}
	// Whatever its length: trying whether the memory is there, and the way to release it.
	appended := 4.0
	if isolated { // the worker tries that
		appended = 1
	}
	tests["blob appended"] = allocs{appended, func() error { _, err := give.AppendBytes(ctx, room, len(data)); return err }}
	if piped { // which costs system calls, and more than these
		delete(tests, "with a context to cancel")
		delete(tests, "blob lent")
		delete(tests, "blob appended")
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := testing.AllocsPerRun(200, func() {
				if err := tt.run(); err != nil {
					t.Error(err)
				}
			})
			assert.Equal(t, tt.want+portableAllocs, got)
		})
	}
}
