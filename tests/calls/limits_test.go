package calls

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// TestMaxHolds: a library holds so many boxes and no more, and one that it does not get is
// finalised.
func TestMaxHolds(t *testing.T) {
	inEachWay(t, func(t *testing.T, keys string, channel loader.Option) {
		h := open(t, []entry{{name: "A", uses: []string{"B", "S"}, keys: keys}, {name: "B"}, {name: "S", keys: "singleton = true"}}, channel, loader.WithMaxHolds(3))
		a, b := hosttest.New(t, h, "A"), hosttest.New(t, h, "B")
		for i, box := range []string{"B", "S", "B", "S", "S"} {
			hosttest.Call(t, a, "hold", i, box)
		}
		failsWith(t, a, abi.ErrOutOfMemory, "A holds 3 boxes, and a library may hold no more (loader.WithMaxHolds)", "hold", 5, "B")
		failsWith(t, a, abi.ErrOutOfMemory, "loader.WithMaxHolds", "held", 0, "make")
		hosttest.Eventually(func() bool { return hosttest.CallInt(t, b, "finis") == 2 })
		hosttest.Call(t, a, "drop", 0)
		hosttest.Call(t, a, "hold", 5, "B")
		assert.EqualValues(t, 3, hosttest.CallInt(t, a, "held", 5, "add", 1, 2))
	})
}

// TestUnfetchedAnswers: answers for which a library has no room are kept up to a number of
// bytes, with their arguments.
func TestUnfetchedAnswers(t *testing.T) {
	const each = 60_000 // bytes, as argument and as answer
	inEachWay(t, func(t *testing.T, keys string, channel loader.Option) {
		var log lines
		h := open(t, []entry{{name: "A", uses: []string{"B"}, keys: keys}, {name: "B"}}, channel, loader.WithMaxResult(1<<17), log.option())
		a := hosttest.New(t, h, "A")
		hosttest.Call(t, a, "hold", 0, "B")
		unfetched := func() int64 { return hosttest.CallInt(t, a, "unfetched", 0, 30, "echo", strings.Repeat("x", each)) }
		assert.EqualValues(t, 16<<17/(2*each), unfetched())
		assert.Zero(t, unfetched(), "those of threads that have ended are kept too")
		assert.Equal(t, 1, strings.Count(log.String(), "loader.WithMaxResult"), log.String())
		works(t, a, "B")
	})
}
