package isolate_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// The methods of batch.c.
const (
	batchEcho = 1 + iota
	batchFail
	batchCrash
	batchOverrun
	batchHold
	batchRelease
	batchCount
	batchNothing
	batchLie
	batchNap
)

// batchWays are the ways in which a batch is made.
var batchWays = map[string][]string{"in one crossing": {"-DBATCH"}, "one by one": nil}

const batchRoom = 1024

type batchStep struct {
	method uint32
	args   []byte
}

func batchOf(steps []batchStep) []abi.Call {
	calls := make([]abi.Call, len(steps))
	for i, s := range steps {
		calls[i].Method = s.method
		calls[i].SetArgs(s.args)
		calls[i].SetResultBuffer(make([]byte, batchRoom))
	}
	return calls
}

func repeated(n int, s batchStep) []batchStep { return slices.Repeat([]batchStep{s}, n) }

// told is what a call answered.
func told(c *abi.Call) string {
	length := c.ResultLength
	c.ResultLength = batchRoom
	n := min(length, batchRoom)
	if c.Code == abi.ErrShortBuffer {
		n = 0
	}
	return fmt.Sprintf("%d %d %x", c.Code, length, c.ResultBuffer()[:n])
}

// TestInvokeBatch_SameAsSingleCalls compares batches with calls that are made one by one by the host.
func TestInvokeBatch_SameAsSingleCalls(t *testing.T) {
	echo := func(n int) batchStep { return batchStep{batchEcho, bytes.Repeat([]byte{7}, n)} }
	count := batchStep{method: batchCount}
	tests := map[string][]batchStep{
		"one":                       {echo(5)},
		"errors":                    {echo(3), {method: batchFail}, echo(4), {method: 99}, {method: batchNothing}, {method: batchLie}, count},
		"short buffer":              {echo(1), echo(2), echo(batchRoom + 1), echo(3), echo(5000), echo(4), count},
		"short buffers only":        repeated(4, echo(2000)),
		"more than a slot":          append(repeated(1000, echo(24)), count),
		"much more than a slot":     append(repeated(100, echo(1000)), count),
		"messages of their own":     {echo(1), echo(100_000), echo(2), echo(68 << 10), count},
		"the whole room":            repeated(70, echo(batchRoom)),
		"a message that fits":       {echo(69_000), echo(1)},
		"results of the whole room": append(repeated(67, batchStep{method: batchLie}), echo(1), count),
	}
	for way, flags := range batchWays {
		library := ccbuild.Library(t, "testdata/batch.c", flags...)
		for channel, kind := range channels {
			for name, steps := range tests {
				t.Run(way+"/"+channel+"/"+name, func(t *testing.T) {
					configs := []isolate.Config{{}}
					if name == "short buffer" {
						configs = append(configs, isolate.Config{CallTimeout: time.Minute}, isolate.Config{Threads: native.Serial}, isolate.Config{Threads: native.Pinned})
					}
					for _, config := range configs {
						config.File, config.Channel = library, kind
						var want, got []string
						single := open(t, config)
						for _, c := range batchOf(steps) {
							require.NoError(t, single.Invoke(t.Context(), &c))
							want = append(want, told(&c))
						}
						s, calls := open(t, config), batchOf(steps)
						for at := 0; at < len(calls); {
							made, err := s.InvokeBatch(t.Context(), calls[at:])
							require.NoError(t, err)
							for i := range calls[at : at+made] {
								got = append(got, told(&calls[at+i]))
							}
							at += made
							if made == 0 { // this one has to be made by itself
								require.NoError(t, s.Invoke(t.Context(), &calls[at]))
								got = append(got, told(&calls[at]))
								at++
							}
						}
						require.Equal(t, want, got)
						assert.Zero(t, s.Active())
					}
				})
			}
		}
	}
}

// TestInvokeBatch_Ends: a worker that dies in the middle.
func TestInvokeBatch_Ends(t *testing.T) {
	tests := map[string]struct {
		last  uint32
		want  string
		cause error
	}{
		"crash":   {batchCrash, "SIGABRT", transport.ErrCrashed},
		"overrun": {batchOverrun, "plugin crashed", transport.ErrCrashed},
		"late":    {batchHold, "call_timeout", transport.ErrTimeout},
	}
	for way, flags := range batchWays {
		library := ccbuild.Library(t, "testdata/batch.c", flags...)
		for name, tt := range tests {
			t.Run(way+"/"+name, func(t *testing.T) {
				config := isolate.Config{File: library}
				if tt.cause == transport.ErrTimeout { //nolint:errorlint // of the table
					config.CallTimeout = 50 * time.Millisecond
				}
				s := open(t, config)
				calls := batchOf([]batchStep{{batchEcho, []byte("a")}, {batchEcho, []byte("b")}, {method: tt.last}, {batchEcho, []byte("c")}})
				made, err := s.InvokeBatch(t.Context(), calls)
				require.ErrorIs(t, err, tt.cause)
				require.ErrorContains(t, err, tt.want)
				if way == "one by one" || config.CallTimeout > 0 {
					require.Equal(t, 2, made, "those before have their answers")
					assert.Equal(t, "0 1 62", told(&calls[1]))
				} else {
					require.Zero(t, made)
				}
				_, err = s.InvokeBatch(t.Context(), calls)
				require.ErrorIs(t, err, transport.ErrLost)
			})
		}
	}
}

// TestInvokeBatch_CallTimeout is that of each call.
func TestInvokeBatch_CallTimeout(t *testing.T) {
	library := ccbuild.Library(t, "testdata/batch.c", "-DBATCH")
	s := open(t, isolate.Config{File: library, CallTimeout: 200 * time.Millisecond})
	calls := batchOf(repeated(30, batchStep{method: batchNap}))
	began := time.Now()
	made, err := s.InvokeBatch(t.Context(), calls)
	require.NoError(t, err)
	assert.Equal(t, len(calls), made)
	assert.Greater(t, time.Since(began), 2*200*time.Millisecond)
}

// holding tells of a call of batchHold.
type holding struct {
	silence
	calls atomic.Int32
}

func (h *holding) PluginLog(_ abi.LogLevel, text string, _ bool) {
	if strings.Contains(text, "holding") {
		h.calls.Add(1)
	}
}

// TestInvokeBatch_ContextEnds: what was answered before is there, and what goes on has its
// memory until it has ended.
func TestInvokeBatch_ContextEnds(t *testing.T) {
	for way, flags := range batchWays {
		library := ccbuild.Library(t, "testdata/batch.c", flags...)
		for channel, kind := range channels {
			t.Run(way+"/"+channel, func(t *testing.T) {
				if way == "one by one" && kind == isolate.ChannelPipe {
					s := open(t, isolate.Config{File: library, Channel: kind})
					made, err := s.InvokeBatch(t.Context(), batchOf(repeated(2, batchStep{method: batchNap})))
					require.NoError(t, err)
					require.Zero(t, made, "there are no batches")
					return
				}
				sink := &holding{}
				s := open(t, isolate.Config{File: library, Channel: kind, Sink: sink, CancelGrace: time.Minute, Threads: native.Free})
				calls := batchOf([]batchStep{{batchEcho, []byte("a")}, {method: batchHold}, {batchEcho, []byte("b")}})
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					hosttest.Eventually(func() bool { return sink.calls.Load() == 1 })
					cancel()
				}()
				made, err := s.InvokeBatch(ctx, calls)
				var late *transport.AbandonedError
				require.ErrorAs(t, err, &late)
				require.ErrorIs(t, err, context.Canceled)
				before, after := 0, 3 // where the library makes them, nothing is known and it goes on
				if way == "one by one" {
					before, after = 1, 1
					assert.Equal(t, "0 1 61", told(&calls[0]))
				}
				assert.Equal(t, before, made)
				for range 3 { // others are served meanwhile
					var c abi.Call
					c.Method = batchCount
					c.SetResultBuffer(make([]byte, 64))
					require.NoError(t, s.Invoke(t.Context(), &c))
					assert.EqualValues(t, 2, binary.LittleEndian.Uint32(c.ResultBuffer()))
				}
				c := batchOf([]batchStep{{method: batchRelease}})[0]
				require.NoError(t, s.Invoke(t.Context(), &c))
				require.NoError(t, late.Wait())
				assert.Equal(t, after, late.Made)
				assert.Equal(t, "0 4 01000000", told(&calls[1]))
				if after == 3 {
					assert.Equal(t, "0 1 62", told(&calls[2]))
				}
				assert.Zero(t, s.Active())
				_, err = s.InvokeBatch(ctx, calls)
				require.ErrorIs(t, err, context.Canceled, "no call is made")
			})
		}
	}
}

// TestInvoke_AllAtOnce: each call finds a server, however many are held up.
func TestInvoke_AllAtOnce(t *testing.T) {
	library := ccbuild.Library(t, "testdata/batch.c")
	for channel, kind := range channels {
		t.Run(channel, func(t *testing.T) {
			sink := &holding{}
			s := open(t, isolate.Config{File: library, Channel: kind, Sink: sink, Threads: native.Free})
			const callers = 40
			done := make(chan error)
			for range callers {
				go func() {
					c := batchOf([]batchStep{{method: batchHold}})
					done <- s.Invoke(t.Context(), &c[0])
				}()
			}
			hosttest.Eventually(func() bool { return sink.calls.Load() == callers })
			c := batchOf([]batchStep{{method: batchRelease}})
			require.NoError(t, s.Invoke(t.Context(), &c[0]))
			for range callers {
				require.NoError(t, <-done)
			}
			assert.Zero(t, s.Active())
		})
	}
}
