package hostvtable_test

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/nyash-plugins/nyash-go/hostvtable"
)

// key is of a value that tells contexts apart.
type key struct{}

// More goroutines than there is room for without a lock are inside at once, and each finds
// its own contexts.
func TestCurrent_ManyGoroutines(t *testing.T) {
	const goroutines, rounds, depth = 2000, 5, 3
	var inside, wrong atomic.Int64
	everybody := make(chan struct{})
	var group sync.WaitGroup
	for g := range goroutines {
		group.Go(func() {
			check := func(want any) {
				var have any
				if ctx := hostvtable.Current(); ctx != nil {
					have = ctx.Value(key{})
				}
				if have != want {
					wrong.Add(1)
				}
			}
			for round := range rounds {
				var entries [depth]hostvtable.Entry
				for level := range depth {
					entries[level] = hostvtable.Enter(context.WithValue(t.Context(), key{}, [2]int{g, level}))
					check([2]int{g, level})
				}
				if round == 0 && inside.Add(1) == goroutines {
					close(everybody)
				}
				<-everybody
				runtime.Gosched()
				for level := depth - 1; level >= 0; level-- {
					check([2]int{g, level})
					entries[level].Leave()
				}
				check(nil)
			}
		})
	}
	group.Wait()
	assert.Zero(t, wrong.Load())
	assert.Nil(t, hostvtable.Current())
}

// A goroutine that ends in the middle of a call, by runtime.Goexit, leaves nothing behind
// where its caller leaves by defer.
func TestCurrent_Goexit(t *testing.T) {
	for range 1000 {
		done := make(chan any)
		go func() {
			defer func() { done <- hostvtable.Current() }()
			defer hostvtable.Enter(t.Context()).Leave()
			runtime.Goexit()
		}()
		assert.Nil(t, <-done)
	}
}
