package isolate

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestLogRate(t *testing.T) {
	tests := map[string]struct {
		lines, bytes int
		sizes        []int // of the lines that come at once
		allowed      int
		told         string
	}{
		"no limit":                {0, 0, []int{1 << 30, 1 << 30}, 2, ""},
		"within the burst":        {1, 0, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 10, ""},
		"a line too many":         {1, 0, []int{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, 10, "1 line left out (more than 1 lines a second; loader.WithLogRate)"},
		"bytes":                   {0, 1, []int{4, 4, 4, 2, 4}, 3, "2 lines left out (more than 1 bytes a second; loader.WithLogRate)"},
		"a line beyond any burst": {0, 1, []int{1 << 20, 1}, 1, "1 line left out (more than 1 bytes a second; loader.WithLogRate)"},
		// Those that lack room for their bytes take none from the lines.
		"both":            {1, 1 << 20, []int{10 << 20, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 0, 0}, 3, "11 lines left out (more than 1 lines or 1 MiB a second; loader.WithLogRate)"},
		"empty lines":     {2, 1, make([]int, 21), 20, "1 line left out (more than 2 lines or 1 bytes a second; loader.WithLogRate)"},
		"enormous limits": {math.MaxInt, math.MaxInt, []int{1, math.MaxInt}, 2, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var h heard
			q := newLineQueue(&h)
			r := newLogRate(&Config{LogLines: tt.lines, LogBytes: tt.bytes}, q)
			at := time.Now()
			r.now = func() time.Time { return at }
			allowed := 0
			for _, n := range tt.sizes {
				if r.allow(n) {
					allowed++
				}
			}
			r.over()
			r.over() // says it once
			q.flush(t.Context())
			assert.Equal(t, tt.allowed, allowed)
			assert.Equal(t, tt.told, strings.Join(h.lines, "|"))
			at = at.Add(burst * time.Second)
			assert.True(t, r.allow(1), "there is room again")
		})
	}
}

// TestLogRateTellsByItself, when nothing more comes.
func TestLogRateTellsByItself(t *testing.T) {
	told := make(chan int)
	r := newLogRate(&Config{LogLines: 1}, nil)
	r.tell = func(n int, _ string) bool { told <- n; return true }
	for range burst + 3 {
		r.allow(1)
	}
	require.LessOrEqual(t, <-told, 3)
}

// TestLogRate_SlowHandler: lines that find no room in the queue are counted by
// themselves, also where there is no limit.
func TestLogRate_SlowHandler(t *testing.T) {
	for _, tt := range []struct {
		lines int
		want  string
	}{
		{0, "2 lines left out (" + tooSlow + ")"},
		{1, "1 line left out (more than 1 lines a second; loader.WithLogRate)|2 lines left out (" + tooSlow + ")"},
	} {
		var h heard
		q := newLineQueue(&h)
		r := newLogRate(&Config{LogLines: tt.lines}, q)
		for range burst + 1 {
			r.allow(1)
		}
		r.leaveOut()
		r.leaveOut()
		r.over()
		q.flush(t.Context())
		assert.Equal(t, tt.want, strings.Join(h.lines, "|"))
	}
}

// TestLogRate_FullQueue: lines that the log has no room for to tell of are told of later.
func TestLogRate_FullQueue(t *testing.T) {
	room := false
	var told []int
	r := newLogRate(&Config{LogLines: 1}, nil)
	r.tell = func(n int, _ string) bool { told = append(told, n); return room }
	r.leaveOut()
	r.leaveOut()
	r.over()
	r.leaveOut()
	room = true
	r.over()
	assert.Equal(t, []int{2, 3}, told)
}
