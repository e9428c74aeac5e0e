package calls

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// BenchmarkNested is a call that a plugin makes of its host, with two i64 and one for a
// result. Each call of the plugin makes all of them, so that its own time does not count.
func BenchmarkNested(b *testing.B) {
	for _, caller := range ways {
		for _, target := range []string{"Adder", "B"} {
			b.Run(caller.name+" to "+target, func(b *testing.B) {
				h := open(b, []entry{{name: "A", uses: []string{"B", "Adder"}, keys: caller.keys}, {name: "B"}}, loader.WithWorkerChannel(caller.channel), loader.WithBox("Adder", func() *adder { return new(adder) }))
				a := hosttest.New(b, h, "A")
				hosttest.Call(b, a, "hold", 1, target)
				b.ReportAllocs()
				b.ResetTimer()
				n, err := loader.Call[int64](b.Context(), a, "loop", 1, b.N, "add", 2, 3)
				require.NoError(b, err)
				require.EqualValues(b, 5, n)
			})
		}
	}
}
