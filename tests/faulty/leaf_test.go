package faulty

import (
	"context"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// leafRounds is how often each plugin with leaf methods is looked at.
func leafRounds() uint64 {
	if whole {
		return 10
	}
	return 1
}

// TestLeaf_Found looks at the leaf methods of the plugins that break a promise of theirs, again
// and again: what is found depends on time, and must not.
func TestLeaf_Found(t *testing.T) {
	files, err := filepath.Glob("testdata/leaf_*.c")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".c"), func(t *testing.T) {
			t.Parallel()
			p := read(t, file)
			c := p.config(t, ccbuild.Library(t, file, "-fvisibility=hidden"))
			for c.Seed = 1; c.Seed <= leafRounds(); c.Seed++ {
				tt, err := plugintest.New(c)
				require.NoError(t, err)
				report, err := tt.Run(context.Background(), "leaf")
				require.NoError(t, err)
				require.Equal(t, p.want, findings(report), "round %d", c.Seed)
			}
		})
	}
}

// TestLeaf_NoFindings looks at leaf methods without a fault, also while all processors are
// busy, and then makes all other checks.
func TestLeaf_NoFindings(t *testing.T) {
	c := plugintest.Config{File: ccbuild.Library(t, "testdata/good/leaf.c", "-O2", "-fvisibility=hidden"), For: explored, Worker: ccbuild.TestersWorker(t)}
	check := func(t *testing.T) {
		for c.Seed = 1; c.Seed <= leafRounds(); c.Seed++ {
			tt, err := plugintest.New(c)
			require.NoError(t, err)
			report, err := tt.Run(context.Background(), "leaf")
			require.NoError(t, err)
			require.Empty(t, report.Findings, "round %d", c.Seed)
			require.Len(t, report.Checks, 1)
			assert.Greater(t, report.Calls(), 6*64, "each of the six methods was watched")
			assert.Empty(t, report.Checks[0].Skipped)
		}
	}
	t.Run("quiet", check)
	t.Run("busy", func(t *testing.T) {
		if leafRounds() == 1 {
			return // `make faulty` keeps the processors busy
		}
		stop := make(chan struct{})
		var busy sync.WaitGroup
		defer busy.Wait()
		defer close(stop)
		for range 2 * runtime.NumCPU() {
			busy.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
				}
			})
		}
		check(t)
	})
	if !whole {
		return
	}
	t.Run("all checks", func(t *testing.T) {
		tt, err := plugintest.New(c)
		require.NoError(t, err)
		report, err := tt.All(context.Background())
		require.NoError(t, err)
		assert.Empty(t, report.Findings)
	})
}
