//go:build linux

package calls

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// soak is a run of calls in both directions, of workers that crash at random.
type soak struct {
	t           *testing.T
	host        *loader.Host
	right, lost atomic.Int64
}

// TestSoak has plugins in workers and in this process call each other and a host function,
// while the workers are killed and crash and contexts end. Every answer is checked, and at
// the end nothing is held. `make soak` runs it for ten minutes, the other tests for a second.
func TestSoak(t *testing.T) {
	span := time.Second
	if text := os.Getenv("NYASH_SOAK"); text != "" {
		var err error
		span, err = time.ParseDuration(text)
		require.NoError(t, err)
	}
	for _, way := range ways[1:] {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			all := []string{"A", "B", "C", "GoBox"}
			never := isolated + "\nrestart = { max = 1000000, within = \"1s\", backoff = \"0s\" }\ncall_timeout = \"10s\""
			h := open(t, []entry{{name: "A", uses: all, keys: never}, {name: "B", uses: all, keys: never + "\nthreads = \"serial\""}, {name: "C", uses: all}},
				loader.WithWorkerChannel(way.channel))
			s := &soak{t: t, host: h}
			c := hosttest.New(t, h, "C")
			end := time.Now().Add(span)
			var wg sync.WaitGroup
			for seed := range uint64(4) {
				wg.Go(func() {
					random := rand.New(rand.NewPCG(seed, 2))
					for time.Now().Before(end) && s.round(int(seed), random) {
					}
				})
			}
			wg.Wait()
			hosttest.Eventually(func() bool {
				return hosttest.CallInt(t, c, "births") == hosttest.CallInt(t, c, "finis")+1
			})
			for _, target := range []string{"A", "B"} { // of which a worker may have been killed last
				hosttest.Eventually(func() bool {
					n, err := loader.Call[int64](context.Background(), c, "ask", target, "add", 2, 3)
					return err == nil && n == 5
				})
			}
			assert.Positive(t, s.right.Load())
			t.Logf("%d right answers, %d calls lost, restarts: %d and %d", s.right.Load(), s.lost.Load(), h.Plugins()[0].Restarts, h.Plugins()[1].Restarts)
		})
	}
}

// round makes a box and calls it, until it is lost or has been called enough.
func (s *soak) round(seed int, random *rand.Rand) bool {
	names := []string{"A", "B", "C"}
	box, err := s.host.New(context.Background(), names[random.IntN(len(names))])
	if err != nil {
		return s.excused(err)
	}
	defer box.Close()
	for range random.IntN(50) {
		ctx, cancel := context.Background(), func() {}
		if random.IntN(20) == 0 {
			ctx, cancel = context.WithTimeout(ctx, time.Duration(random.IntN(500))*time.Microsecond)
		}
		ok := s.one(ctx, box, seed, random)
		cancel()
		if !ok {
			return !s.t.Failed()
		}
	}
	switch random.IntN(6) {
	case 0:
		if pid := s.host.Plugins()[random.IntN(2)].PID; pid != 0 {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	case 1:
		_, err := box.Call(context.Background(), "ask", names[random.IntN(2)], "crash")
		return s.excused(err)
	}
	return true
}

// one makes one call. It returns false where the box is lost, or an answer is wrong.
func (s *soak) one(ctx context.Context, box *loader.Box, seed int, random *rand.Rand) bool {
	targets := []string{"A", "B", "C", "GoBox"}
	target := targets[random.IntN(len(targets))]
	a, b := random.IntN(1000), random.IntN(1000)
	var err error
	var n int64
	switch random.IntN(7) {
	case 0, 1:
		n, err = loader.Call[int64](ctx, box, "ask", target, "add", a, b)
	case 2:
		if target == "B" { // its own thread would wait for the turn of the call that waits for the thread
			target = "A"
		}
		n, err = loader.Call[int64](ctx, box, "thread", target, "add", a, b)
	case 3:
		n, err = loader.Call[int64](ctx, box, "ask", targets[random.IntN(3)], "ask", target, "add", a, b)
	case 4: // what is held goes with the worker, or is handed on
		slot := 4*seed + random.IntN(4)
		if _, err = box.Call(context.Background(), "hold", slot, target); err == nil {
			n, err = loader.Call[int64](ctx, box, "held", slot, "add", a, b)
			if _, dropErr := box.Call(context.Background(), "drop", slot); dropErr != nil && err == nil {
				err = dropErr
			}
		}
	case 5:
		other, newErr := s.host.New(ctx, target)
		if err = newErr; err == nil {
			n, err = loader.Call[int64](ctx, box, "on", other, target, "add", a, b)
			_ = other.Close()
		}
	case 6:
		if target == "GoBox" {
			target = "C"
		}
		made, callErr := loader.Call[*loader.Box](ctx, box, "ask", target, "make")
		if err = callErr; err == nil {
			n, err = loader.Call[int64](ctx, made, "add", a, b)
			_ = made.Close()
		}
	}
	if err != nil {
		return s.excused(err) && !errors.Is(err, loader.ErrInstanceLost) && !errors.Is(err, loader.ErrPluginCrashed)
	}
	s.right.Add(1)
	return assert.EqualValues(s.t, a+b, n)
}

// excused reports whether an error is one that a call may have when workers die, contexts
// end and chains cross.
func (s *soak) excused(err error) bool {
	s.lost.Add(1)
	if err == nil || strings.Contains(err.Error(), "no room for another") {
		return assert.Fail(s.t, "an answer where there can be none", "%v", err)
	}
	for _, e := range []error{loader.ErrPluginCrashed, loader.ErrInstanceLost, loader.ErrCallTimeout, context.DeadlineExceeded, abi.ErrPlugin, abi.ErrInvalidHandle} {
		if errors.Is(err, e) {
			return true
		}
	}
	return assert.NoError(s.t, err)
}
