//go:build linux

package isolation

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// TestSoak has several goroutines call a plugin whose process is killed, crashes
// and hangs at random, and checks every result. `make soak` runs it for ten
// minutes, the other tests for a second.
func TestSoak(t *testing.T) {
	span := time.Second
	if text := os.Getenv("NYASH_SOAK"); text != "" {
		var err error
		span, err = time.ParseDuration(text)
		require.NoError(t, err)
	}
	h := hosttest.Open(t, toml(faulty(t), never+"\ncall_timeout = \"200ms\""))
	unhurt(t, h)
	files, goroutines := descriptors(t), runtime.NumGoroutine()
	var right, crashed atomic.Int64
	var wg sync.WaitGroup
	end := time.Now().Add(span)
	for seed := range uint64(4) {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(seed, 1))
			for time.Now().Before(end) {
				if !soak(t, h, random, &right, &crashed) {
					return
				}
			}
		})
	}
	wg.Wait()
	unhurt(t, h)
	hosttest.Eventually(func() bool { return descriptors(t) <= files+perWorker && runtime.NumGoroutine() <= goroutines+4 })
	assert.LessOrEqual(t, mappings(t), 2)
	assert.Positive(t, right.Load())
	assert.Positive(t, crashed.Load())
	t.Logf("%d right answers, %d calls lost, %d restarts", right.Load(), crashed.Load(), h.Plugins()[0].Restarts)
}

// lost are the errors that a call may have when its process is killed.
var lost = []error{loader.ErrPluginCrashed, loader.ErrInstanceLost, loader.ErrCallTimeout}

func isLost(err error) bool {
	for _, e := range lost {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// leaveSoon makes a call whose context ends at a random moment. It reports whether
// the answer was a right one.
func leaveSoon(t *testing.T, box *loader.Box, random *rand.Rand) bool {
	short, cancel := context.WithTimeout(ctx, time.Duration(random.IntN(200))*time.Microsecond)
	defer cancel()
	r, err := box.Call(short, "spin")
	if errors.Is(err, context.DeadlineExceeded) || isLost(err) {
		return true
	}
	n, err := r.Int()
	return assert.NoError(t, err) && assert.Zero(t, n)
}

// soak uses one box until it is lost.
func soak(t *testing.T, h *loader.Host, random *rand.Rand, right, crashed *atomic.Int64) bool {
	box, err := h.New(ctx, "Faulty")
	if err != nil {
		return assert.True(t, isLost(err), err)
	}
	defer box.Close()
	for range random.IntN(2000) {
		a, b := random.IntN(1000), random.IntN(1000)
		if random.IntN(50) == 0 {
			if !leaveSoon(t, box, random) {
				return false
			}
			continue
		}
		r, err := box.Call(ctx, "add", a, b)
		if err != nil {
			crashed.Add(1)
			return assert.True(t, isLost(err), err)
		}
		sum, err := r.Int()
		if !assert.NoError(t, err) || !assert.EqualValues(t, a+b, sum) {
			return false
		}
		right.Add(1)
	}
	how := []string{"segv", "abort", "exit", "overflow", "loop", "", ""}[random.IntN(7)]
	if how == "" {
		if pid := h.Plugins()[0].PID; pid != 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		return true
	}
	_, err = box.Call(ctx, how)
	crashed.Add(1)
	return assert.True(t, isLost(err), err)
}
