package plan

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// LeafSamples is of how many calls of a leaf method the median is taken.
	LeafSamples = 64
	// LeafLimit is how long a leaf method may take.
	LeafLimit = 20 * time.Microsecond
)

// Leaf is what the calls of a leaf method share. It is safe for concurrent use.
type Leaf struct {
	// Label says what is called, for the message of a crash.
	Label string
	// Called is set when it has called its host, which it must not.
	Called atomic.Bool

	warm    atomic.Bool // there were LeafSamples calls
	mu      sync.Mutex
	samples [LeafSamples]time.Duration
	next    int // where the next sample goes
	slow    bool
}

// Warm reports whether so many calls were measured that a sample now and then will do.
func (l *Leaf) Warm() bool { return l.warm.Load() }

// Measured adds the time of a call. It returns the median of the last LeafSamples calls where
// that is above LeafLimit for the first time, and else 0.
func (l *Leaf) Measured(d time.Duration) (median time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.samples[l.next] = d
	l.next = (l.next + 1) % LeafSamples
	if l.next == 0 {
		l.warm.Store(true)
	}
	if l.slow || l.next != 0 {
		return 0
	}
	sorted := l.samples
	slices.Sort(sorted[:])
	if median = sorted[LeafSamples/2]; median <= LeafLimit {
		return 0
	}
	l.slow = true
	return median
}
