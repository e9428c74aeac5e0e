package faulty

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// TestFailures_Good has calls fail around plugins that deal with that in ways which look like a fault.
func TestFailures_Good(t *testing.T) {
	for name, most := range map[string]time.Duration{
		"failures.c": time.Minute,
		"slow.c":     15 * time.Second, // more than the check may take, as a machine may be busy
	} {
		if !whole && name == "slow.c" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tt, err := plugintest.New(plugintest.Config{
				File: ccbuild.Library(t, "testdata/good/"+name, "-fvisibility=hidden"), Seed: 1, For: explored, Worker: ccbuild.TestersWorker(t),
			})
			require.NoError(t, err)
			start := time.Now()
			report, err := tt.Run(context.Background(), "failures")
			require.NoError(t, err)
			assert.Empty(t, report.Findings)
			assert.Less(t, time.Since(start), most)
		})
	}
}

// TestFailures_Cxx: memory runs out in the C++ library, too, and what it throws then.
func TestFailures_Cxx(t *testing.T) {
	t.Parallel()
	tt, err := plugintest.New(plugintest.Config{
		File: ccbuild.Library(t, "testdata/basket_half.cpp", "-fvisibility=hidden"), Seed: 1, Until: "half-done", Worker: ccbuild.TestersWorker(t),
	})
	require.NoError(t, err)
	report, err := tt.Run(context.Background(), "failures")
	require.NoError(t, err)
	require.Len(t, report.Findings, 1)
	assert.Equal(t, "Basket.put", report.Findings[0].Place())
	assert.Contains(t, report.Findings[0].Message, "malloc at testdata/basket.hpp:15, found no memory")
}
