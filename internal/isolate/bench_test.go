package isolate_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

// silence is a sink that hears nothing.
type silence struct{}

func (silence) PluginLog(abi.LogLevel, string, bool) {}
func (silence) PluginWake(uint64, bool)              {}

var channels = map[string]isolate.Channel{"memory": isolate.ChannelMemory, "pipes": isolate.ChannelPipe}

// open starts the worker of a library, which is ended with the test.
func open(t testing.TB, config isolate.Config) *isolate.Session {
	t.Helper()
	if config.Sink == nil {
		config.Sink = silence{}
	}
	config.InUse = func() bool { return true }
	p, err := isolate.Open(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	s, err := p.Session(t.Context())
	require.NoError(t, err)
	return s
}

// BenchmarkCall is a call of a plugin in a worker, of 24 bytes each way.
func BenchmarkCall(b *testing.B) {
	library := ccbuild.Library(b, "testdata/plain.c")
	for name, channel := range channels {
		b.Run(name, func(b *testing.B) {
			s := open(b, isolate.Config{File: library, Channel: channel})
			c, room, message := new(abi.Call), make([]byte, 1024), make([]byte, 24)
			var times []time.Duration
			b.ReportAllocs()
			for b.Loop() {
				c.SetArgs(message)
				c.SetResultBuffer(room)
				began := time.Now()
				if err := s.Invoke(b.Context(), c); err != nil || c.Code != abi.OK {
					b.Fatal(c.Code, err)
				}
				if len(times) < 1<<20 {
					times = append(times, time.Since(began))
				}
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)/2].Nanoseconds()), "p50-ns")
		})
	}
}

// BenchmarkBatch is 64 calls of a plugin in a worker, of 24 bytes each way, for each call.
func BenchmarkBatch(b *testing.B) {
	for library, flags := range map[string][]string{"in one crossing": {"-DBATCH"}, "one by one": nil} {
		file := ccbuild.Library(b, "testdata/plain.c", flags...)
		for name, channel := range channels {
			b.Run(library+", "+name, func(b *testing.B) {
				s := open(b, isolate.Config{File: file, Channel: channel})
				const room = 1024
				calls, rooms, message := make([]abi.Call, 64), make([]byte, 64*room), make([]byte, 24)
				var times []time.Duration
				b.ReportAllocs()
				for b.Loop() {
					began := time.Now()
					for i := range calls {
						calls[i].SetArgs(message)
						calls[i].SetResultBuffer(rooms[i*room:][:room])
					}
					for made := 0; made < len(calls); {
						n, err := s.InvokeBatch(b.Context(), calls[made:])
						require.NoError(b, err)
						if made += n; made < len(calls) {
							require.NoError(b, s.Invoke(b.Context(), &calls[made]))
							made++
						}
					}
					times = append(times, time.Since(began))
				}
				slices.Sort(times)
				b.ReportMetric(float64(times[len(times)/2].Nanoseconds())/float64(len(calls)), "p50-ns/call")
			})
		}
	}
}
