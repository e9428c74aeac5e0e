package meter_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tetratelabs/wazero"

	"github.com/nyash-plugins/nyash-go/internal/wasm/meter"
)

// FuzzRewrite gives any bytes to Rewrite. It must answer with a located error or with a module that wazero accepts
// exactly if it accepts the original: in particular nothing that is out of range in the original may be in range
// afterwards.
func FuzzRewrite(f *testing.F) {
	for _, c := range cases {
		f.Add(c.module)
	}
	for _, m := range endless() {
		f.Add(m)
	}
	for i, file := range wasmFiles(f, "internal/integration_test/spectest/v2/testdata") {
		if data, err := os.ReadFile(file); err == nil && i%7 == 0 && len(data) < 1000 {
			f.Add(data)
		}
	}
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigInterpreter().WithMemoryLimitPages(256))
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := meter.Rewrite(data, meter.Options{MaxFile: 1 << 20, MaxFunction: 1 << 16, MaxTable: 1 << 16})
		if err != nil {
			var located *meter.Error
			require.ErrorAs(t, err, &located)
			require.LessOrEqual(t, located.Offset, len(data))
			return
		}
		require.LessOrEqual(t, len(out), 30*len(data)+1000)
		compile := func(b []byte) error {
			m, err := rt.CompileModule(ctx, b)
			if err == nil {
				m.Close(ctx)
			}
			return err
		}
		want, got := compile(data), compile(out)
		if want != nil && strings.Contains(want.Error(), "custom") {
			return // dropped
		}
		require.Equal(t, want == nil, got == nil, "%v | %v", want, got)
	})
}
