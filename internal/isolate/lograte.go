package isolate

import (
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
)

// burst is how many seconds' worth of lines may come at once.
const burst = 10

// leftOutEvery is how long what is left out is counted before the log is told.
const leftOutEvery = time.Second

// logRate bounds what a worker writes to its host's log, in lines and bytes a second,
// and counts what is left out. Wakes are not its business.
type logRate struct {
	lines, bytes *rate.Limiter
	most         int // bytes that a line costs at most: a longer one must come through too
	now          func() time.Time
	tell         func(n int, why string) bool // false where the log has no room for it
	bounds       string                       // in words

	mu      sync.Mutex
	tooMany int         // lines left out that were over the bounds
	tooSlow int         // those for which the queue had no room
	timer   *time.Timer // runs while either is not 0
}

// tooSlow is why a line that kept to the bounds was left out.
const tooSlow = "the host's log handler takes lines more slowly than they come"

// newLogRate makes one whose own lines go the way of the worker's.
func newLogRate(c *Config, q *lineQueue) *logRate {
	return newRate(c.LogLines, c.LogBytes, func(text string) bool {
		return q.put(line{level: abi.LogWarn, text: text, own: true})
	})
}

func newRate(lines, bytes int, put func(text string) bool) *logRate {
	lines, bytes = min(lines, math.MaxInt/burst), min(bytes, math.MaxInt/burst)
	limiter := func(n int) *rate.Limiter {
		if n == 0 {
			return rate.NewLimiter(rate.Inf, 0)
		}
		return rate.NewLimiter(rate.Limit(n), burst*n)
	}
	r := &logRate{lines: limiter(lines), bytes: limiter(bytes), most: burst * bytes, now: time.Now, bounds: logBounds(lines, bytes)}
	r.tell = func(n int, why string) bool {
		plural := "s"
		if n == 1 {
			plural = ""
		}
		return put(fmt.Sprintf("%d line%s left out (%s)", n, plural, why))
	}
	return r
}

// logBounds are the bounds in words, of which one may be missing.
func logBounds(lines, bytes int) string {
	var bounds []string
	if lines > 0 {
		bounds = append(bounds, fmt.Sprintf("%d lines", lines))
	}
	switch {
	case bytes > 0 && bytes%(1<<20) == 0:
		bounds = append(bounds, fmt.Sprintf("%d MiB", bytes>>20))
	case bytes > 0:
		bounds = append(bounds, fmt.Sprintf("%d bytes", bytes))
	}
	return strings.Join(bounds, " or ")
}

// allow tells whether a line of so many bytes is to be handed on. One that is not
// is counted; the log is told how many there were a second later, and not at each
// line that finds room in between.
func (r *logRate) allow(bytes int) bool {
	bytes = min(bytes, r.most)
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	// A line that lacks room in one has no part of the other.
	if fits(r.lines, now, 1) && fits(r.bytes, now, bytes) {
		r.lines.AllowN(now, 1)
		r.bytes.AllowN(now, bytes)
		return true
	}
	r.count(&r.tooMany)
	return false
}

// leaveOut counts a line that was allowed and found no room in the queue.
func (r *logRate) leaveOut() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count(&r.tooSlow)
}

// count counts a line that is left out, with mu held.
func (r *logRate) count(n *int) {
	*n++
	if r.timer == nil {
		r.timer = time.AfterFunc(leftOutEvery, r.over)
	}
}

func fits(l *rate.Limiter, now time.Time, n int) bool {
	return l.Limit() == rate.Inf || l.TokensAt(now) >= float64(n)
}

// over tells the log how many lines were left out: there is room again, or no line
// will come.
func (r *logRate) over() {
	r.mu.Lock()
	many, slow := r.tooMany, r.tooSlow
	r.tooMany, r.tooSlow = 0, 0
	if r.timer != nil {
		r.timer.Stop()
		r.timer = nil
	}
	r.mu.Unlock()
	r.say(&r.tooMany, many, fmt.Sprintf("more than %s a second; loader.WithLogRate", r.bounds))
	r.say(&r.tooSlow, slow, tooSlow)
}

// say tells the log how many lines were left out, or counts them again.
func (r *logRate) say(count *int, n int, why string) {
	if n == 0 || r.tell(n, why) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	*count += n - 1
	r.count(count)
}

// BoundedSink hands on what a library logs in the host's own process, as much of it as a worker's
// may. It is made by [NewBoundedSink].
type BoundedSink struct {
	sink hostvtable.Sink
	rate *logRate
}

// NewBoundedSink bounds the lines that come to a sink; see [Config.LogLines].
func NewBoundedSink(sink hostvtable.Sink, lines, bytes int) *BoundedSink {
	return &BoundedSink{sink, newRate(lines, bytes, func(text string) bool {
		sink.PluginLog(abi.LogWarn, text, true)
		return true
	})}
}

// PluginLog implements [hostvtable.Sink].
func (b *BoundedSink) PluginLog(level abi.LogLevel, text string, own bool) {
	if b.rate.allow(len(text)) {
		b.sink.PluginLog(level, text, own)
	}
}

// PluginWake implements [hostvtable.Sink]. Wakes are not bounded.
func (b *BoundedSink) PluginWake(handle uint64, own bool) { b.sink.PluginWake(handle, own) }

// Close logs how many lines were left out, if it was not told yet.
func (b *BoundedSink) Close() { b.rate.over() }
