package isolate

import (
	"math"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/internal/isolate/shm"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
)

// says is a link whose worker is this process, and says what a test has it say.
type says struct {
	transport.Transport
	calls    []transport.BusyCall
	thread   int
	before   time.Duration
	own, all []uint64 // one after the other
	spinning time.Duration
	made     uint64
	asked    uint64
}

func (s *says) BusyCalls(to []transport.BusyCall) []transport.BusyCall { return append(to, s.calls...) }

func (s *says) Serving(int) (thread int, before time.Duration) { return s.thread, s.before }

func (s *says) SharedBytes() (own, all uint64) {
	own, all = s.own[0], s.all[0]
	if len(s.own) > 1 {
		s.own, s.all = s.own[1:], s.all[1:]
	}
	return own, all
}

func (s *says) Spun() time.Duration { return s.spinning }

func (s *says) Counts() (calls, failed uint64) { return s.made, 0 }

func (s *says) HostCalls() uint64 { return s.asked }

func (s *says) FixedShared() uint64 { return shm.HostArena }

func watchOf(s *says, limits Limits) *limitWatch {
	return &limitWatch{s: &Session{link: s}, link: s, limits: &limits, pid: os.Getpid(), known: make(map[transport.BusyCall]serving)}
}

func TestAWorkersWordOnThreads(t *testing.T) {
	const limit = 50 * time.Millisecond
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own := unix.Gettid()
	burn := func(d time.Duration) {
		start, ok := threadTime(os.Getpid(), own)
		require.True(t, ok)
		for used := start; used-start < d; used, _ = threadTime(os.Getpid(), own) {
			continue
		}
	}
	burn(3 * limit)
	long := []transport.BusyCall{{ID: 3, Began: time.Now().Add(-time.Minute)}}
	tests := map[string]struct {
		says  says
		looks []string // what each says; it burns twice the limit between
	}{
		"from the beginning":     {says{calls: long, thread: own}, []string{"limits.cpu_time"}},
		"waits for its turn":     {says{calls: long}, []string{"", ""}},
		"a value in the future":  {says{calls: long, thread: own, before: math.MaxInt64}, []string{"", "limits.cpu_time"}},
		"a thread of another":    {says{calls: long, thread: 1}, []string{"", errThread.Error()}},
		"more than its lifetime": {says{thread: own}, []string{""}},
	}
	for name, tt := range tests { // all on this thread
		if name == "more than its lifetime" {
			tt.says.calls = []transport.BusyCall{{ID: 3, Began: time.Now()}}
		}
		w := watchOf(&tt.says, Limits{})
		for i, want := range tt.looks {
			if i > 0 {
				burn(2 * limit)
			}
			err := w.callTime(limit)
			if want == "" {
				require.NoError(t, err, name)
			} else {
				require.ErrorContains(t, err, want, name)
			}
		}
	}
}

func TestAWorkersWordOnSpinning(t *testing.T) {
	s := &says{made: 600, asked: 400}
	w := watchOf(s, Limits{})
	used := processTime(os.Getpid())
	require.Positive(t, used)
	s.spinning = math.MaxInt64
	assert.GreaterOrEqual(t, w.total(), used-1000*spinPerCall, "not more than for its calls, in both directions")
	s.spinning = time.Millisecond
	assert.GreaterOrEqual(t, w.total(), used-time.Millisecond)
	s.made = math.MaxUint64
	assert.Positive(t, w.total())
}

func TestSharedMemoryUnderALimit(t *testing.T) {
	const limit = 64 << 20
	const fixed = shm.HostArena + limit + sharedSlack
	tests := map[string]struct {
		own, all []uint64
		text     string
	}{
		"nothing":                   {[]uint64{0}, []uint64{0}, ""},
		"all that is allowed":       {[]uint64{5 << 30}, []uint64{5<<30 + fixed}, ""},
		"more":                      {[]uint64{5 << 30}, []uint64{5<<30 + fixed + 1}, "limits.memory: of the memory that it shares with its host, the process has "},
		"the host has more than is": {[]uint64{5 << 30}, []uint64{0}, ""},
		"given back meanwhile":      {[]uint64{0, 0}, []uint64{5 << 30, fixed}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := watchOf(&says{own: tt.own, all: tt.all}, Limits{}).memory(limit)
			if tt.text == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, ErrLimit)
			require.ErrorContains(t, err, tt.text)
		})
	}
}
