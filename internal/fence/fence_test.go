package fence_test

import (
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/nyash-plugins/nyash-go/internal/fence"
)

// TestFence: never does the releaser miss the sleeper while the sleeper misses the release. Without
// Heavy that happens a few times in 200,000 rounds on two processors.
func TestFence(t *testing.T) {
	const rounds = 20_000
	var (
		owner      atomic.Uint64
		waiters    atomic.Int32
		turn, spin atomic.Int64
		finished   atomic.Int64 // how many of two have ended the round
		seen       int32
	)
	wait := func(round int64) {
		for n := 0; turn.Load() != round; n++ {
			if n > 10_000 {
				runtime.Gosched()
			}
		}
	}
	go func() {
		for round := range int64(rounds) {
			wait(round + 1)
			fence.Release(&owner)
			seen = waiters.Load()
			finished.Add(1)
		}
	}()
	missed := 0
	for round := range int64(rounds) {
		owner.Store(7)
		waiters.Store(0)
		finished.Store(0)
		turn.Store(round + 1)
		for i := range round % 200 { // until the releaser has seen that, more or less
			spin.Store(i)
		}
		waiters.Add(1)
		fence.Heavy()
		held := owner.Load() != 0
		finished.Add(1)
		for finished.Load() != 2 {
			runtime.Gosched()
		}
		if held && seen == 0 {
			missed++
		}
	}
	assert.Zero(t, missed)
}
