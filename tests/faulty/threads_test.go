package faulty

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tools/plugintest"
)

// ofThreads are the plugins whose fault is one of threads: those that are made of store.h, and those that say so.
var ofThreads = regexp.MustCompile(`(?m)^(#include "store\.h"|// threads)$`)

// threadRounds is how often each of them is tested.
func threadRounds() uint64 {
	if whole {
		return 10
	}
	return 1
}

// threadSample are those that are tested each time.
var threadSample = []string{"check_then_act"}

// TestThreads_Found: what depends on how threads meet by chance is found each time.
func TestThreads_Found(t *testing.T) {
	files, err := filepath.Glob("testdata/*.c")
	require.NoError(t, err)
	tested := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		if !ofThreads.Match(text) {
			continue
		}
		tested++
		name := strings.TrimSuffix(filepath.Base(file), ".c")
		if !whole && !strings.Contains(strings.Join(threadSample, " "), name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			p := read(t, file)
			c := p.config(t, ccbuild.Library(t, file, "-fvisibility=hidden"))
			c.For = 2 * time.Minute // as long as it takes
			until := c.Until
			for c.Seed = 1; c.Seed <= threadRounds(); c.Seed++ {
				if c.Until = until; whole && c.Seed == 1 {
					c.Until = "" // it has no other finding
				}
				tt, err := plugintest.New(c)
				require.NoError(t, err)
				report, err := tt.Run(context.Background(), "threads")
				require.NoError(t, err)
				require.Equal(t, p.want, p.expected(findings(report)), "round %d: %+v", c.Seed, report.Findings)
			}
		})
	}
	assert.Greater(t, tested, 12)
}

// TestThreads_NoFindings tests plugins that guard what threads share, each in another way.
func TestThreads_NoFindings(t *testing.T) {
	for _, name := range []string{"store.c", "atomics.c", "rwlock.c", "once.c", "meant.c", "snapshots.c", "standard.cpp"} {
		if !whole && name != "atomics.c" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			file := filepath.Join("testdata/good", name)
			c := plugintest.Config{File: ccbuild.Library(t, file, "-fvisibility=hidden", "-O2"), Worker: ccbuild.TestersWorker(t), NoMemcheck: true}
			if !whole {
				c.For = time.Second
			}
			for c.Seed = 1; c.Seed <= threadRounds(); c.Seed++ {
				tt, err := plugintest.New(c)
				require.NoError(t, err)
				var report *plugintest.Report
				for _, check := range []string{"stress", "threads"} {
					report, err = tt.Run(context.Background(), check)
					require.NoError(t, err)
				}
				require.Empty(t, report.Findings, "round %d", c.Seed)
				assert.Empty(t, report.Checks[len(report.Checks)-1].Skipped)
			}
		})
	}
}
