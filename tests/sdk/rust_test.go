package sdk

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// TestRust_Cargo runs the crates' own tests: the vectors, and calls from C's side.
func TestRust_Cargo(t *testing.T) {
	cargo(t, sdkCrate, "test")
	cargo(t, counterCrate, "test")
	cargo(t, logAnalyzerCrate, "test")
}

func TestRust_Types(t *testing.T) {
	long := strings.Repeat("é", 32_767) + "x"
	everywhere(t, samples(t), func(t *testing.T, toml string) {
		box := hosttest.New(t, hosttest.Open(t, toml), "SampleBox")
		for _, c := range []struct {
			method string
			value  any
		}{
			{"bools", true},
			{"bools", false},
			{"i32s", int32(math.MinInt32)},
			{"i64s", int64(math.MinInt64)},
			{"i64s", int64(math.MaxInt64)},
			{"f64s", 0.1},
			{"f64s", math.Inf(-1)},
			{"f64s", math.SmallestNonzeroFloat64},
			{"f32s", float32(0.5)},
			{"texts", ""},
			{"texts", "a\x00é"},
			{"texts", long},
			{"ownedTexts", "owned"},
			{"bytes", []byte{}},
			{"bytes", []byte{0, 255}},
			{"bytes", []byte(long)},
			{"ownedBytes", []byte("owned")},
		} {
			assert.True(t, assert.ObjectsAreEqual(c.value, value(t, box, c.method, c.value)), "%s(%.40v)", c.method, c.value)
		}
		assert.Equal(t, "true -1 -2 0.5 0.25 text [1, 2]", value(t, box, "all", true, -1, -2, 0.5, 0.25, "text", []byte{1, 2}))
		assert.Equal(t, "a-", value(t, box, "join", "a"))
		assert.Equal(t, "ab", value(t, box, "join", "a", "b"))
		assert.Equal(t, "abbb", value(t, box, "join", "a", "b", 3))
		assert.Equal(t, "wanted 1 to 3 arguments, got 0", fails(t, abi.ErrInvalidArgs, box, "join"))
		assert.Equal(t, "argument 2 (second): wanted string, got i64", fails(t, abi.ErrInvalidArgs, box, "join", "a", 1))
		assert.Equal(t, "argument 3 (times): out of range for i32", fails(t, abi.ErrInvalidArgs, box, "join", "a", "b", int64(1)<<40))
	})
}

func TestRust_Blobs(t *testing.T) {
	everywhere(t, samples(t), func(t *testing.T, toml string) {
		h := hosttest.Open(t, toml, loader.WithMemoryTracking())
		box := hosttest.New(t, h, "SampleBox")
		big := bytes.Repeat([]byte("0123456789"), 300_000)
		for _, data := range [][]byte{{}, {7}, big} {
			blob := blobOf(t, box, "blobs", data)
			assert.True(t, bytes.Equal(data, blob.Bytes()), "%d bytes", len(data))
			blob.Release()
		}
		assert.EqualValues(t, len(big)/10*(10*'0'+45), value(t, box, "sum", big))
		blob := blobOf(t, box, "ramp", 1000)
		assert.EqualValues(t, 999%256, blob.Bytes()[999])
		blob.Release()
		assert.Equal(t, "0 to 16777216 bytes", fails(t, abi.ErrInvalidArgs, box, "ramp", -1))
		for _, memory := range h.Memory() {
			assert.Zero(t, memory.Blocks, "%+v", memory)
		}
	})
}

func TestRust_Handles(t *testing.T) {
	everywhere(t, samples(t), func(t *testing.T, toml string) {
		h := hosttest.Open(t, toml)
		box, two := hosttest.New(t, h, "SampleBox"), hosttest.New(t, h, "PartBox", 2)
		made := boxOf(t, box, "part", 40)
		assert.Equal(t, int64(40), value(t, made, "value"))
		assert.Equal(t, int64(42), value(t, box, "add", made, two))
		assert.Same(t, two, boxOf(t, box, "pass", two))

		assert.Contains(t, fails(t, abi.ErrInvalidArgs, box, "add", made, box), "argument 2 (b): wanted handle of PartBox, got one of type 40")
		assert.Contains(t, fails(t, abi.ErrPlugin, box, "kept"), "nothing is kept")
		assert.Equal(t, int64(40), value(t, box, "keep", made))
		require.NoError(t, made.Close())
		assert.Contains(t, fails(t, abi.ErrInvalidHandle, box, "kept"), "there is no PartBox with instance id")
	})
}

func TestRust_Panics(t *testing.T) {
	everywhere(t, samples(t), func(t *testing.T, toml string) {
		log := hosttest.NewLog()
		h := hosttest.Open(t, toml, log.Option())
		box := hosttest.New(t, h, "FaultBox", false)
		assert.Equal(t, "panicked: ouch é", fails(t, abi.ErrPlugin, box, "panic", "ouch é"))
		assert.Equal(t, "panicked: index out of bounds: the len is 3 but the index is 7", fails(t, abi.ErrPlugin, box, "index", 7))
		assert.Equal(t, int64(2), value(t, box, "index", 1))

		assert.Equal(t, "panicked: while it was locked", fails(t, abi.ErrPlugin, box, "panicLocked"))
		assert.Contains(t, fails(t, abi.ErrPlugin, box, "locked"), "PoisonError")
		assert.Equal(t, int64(0), value(t, box, "recovered"))
		assert.Equal(t, true, value(t, box, "panicElsewhere"))

		bad := hosttest.New(t, h, "FaultBox", false)
		value(t, bad, "endBadly")
		require.NoError(t, bad.Close())
		assert.Equal(t, int64(3), value(t, box, "index", 2))

		for _, logged := range []string{"on a thread of its own", "a bad end", "src/lib.rs:"} {
			hosttest.Eventually(func() bool { return strings.Contains(strings.Join(log.Messages(), "\n"), logged) })
		}
	})
}

func TestRust_Errors(t *testing.T) {
	everywhere(t, samples(t), func(t *testing.T, toml string) {
		woken := make(chan uint64, 1)
		h := hosttest.Open(t, toml, loader.WithWake(func(_ string, handle uint64) { woken <- handle }))
		_, err := h.New(ctx, "FaultBox", true)
		require.ErrorIs(t, err, abi.ErrPlugin)
		require.ErrorContains(t, err, "not today")

		box := hosttest.New(t, h, "FaultBox", false)
		assert.Equal(t, "broken, number 77", fails(t, 77, box, "broken", 77))
		for _, taken := range []int{0, 1, -1, -3, -9} { // numbers that mean something else
			fails(t, abi.ErrPlugin, box, "broken", taken)
		}
		assert.Contains(t, fails(t, abi.ErrPlugin, box, "missing"), "os error 2")
		assert.Len(t, value(t, box, "long", 65_535), 65_535)
		assert.Equal(t, "the result has 65536 bytes, and may have 65535", fails(t, abi.ErrPlugin, box, "long", 65_536))

		value(t, box, "say", "é\x00")
		value(t, box, "wakeMe", 99)
		assert.EqualValues(t, 99, <-woken)
	})
}

// TestRust_EndDuringCalls closes boxes while calls on them are under way: those come to
// their end, and the instances end after them.
func TestRust_EndDuringCalls(t *testing.T) {
	everywhere(t, samples(t), func(t *testing.T, toml string) {
		h := hosttest.Open(t, toml)
		watch := hosttest.New(t, h, "FaultBox", false)
		before := hosttest.CallInt(t, watch, "ended")
		const boxes, calls = 8, 4
		var all []*loader.Box
		var held, closed sync.WaitGroup
		for range boxes {
			box := hosttest.New(t, h, "FaultBox", false)
			all = append(all, box)
			for range calls {
				held.Go(func() {
					_, err := box.Call(ctx, "hold")
					assert.NoError(t, err)
				})
			}
		}
		hosttest.Eventually(func() bool { return hosttest.CallInt(t, watch, "held") == boxes*calls })
		for _, box := range all {
			closed.Go(func() { assert.NoError(t, box.Close()) })
		}
		assert.Equal(t, before, hosttest.CallInt(t, watch, "ended"))
		value(t, watch, "release")
		held.Wait()
		closed.Wait()
		assert.EqualValues(t, boxes, hosttest.CallInt(t, watch, "ended")-before)
	})
}

// TestRust_AbandonedCalls ends the context of a call in a worker: fini comes while the
// plugin is still at work.
func TestRust_AbandonedCalls(t *testing.T) {
	h := hosttest.Open(t, declare(t, samples(t), `isolation = "process"`, `cancel_grace = "1m"`))
	watch, box := hosttest.New(t, h, "FaultBox", false), hosttest.New(t, h, "FaultBox", false)
	until, cancel := context.WithCancel(ctx)
	left := make(chan error)
	go func() {
		_, err := box.Call(until, "hold")
		left <- err
	}()
	hosttest.Eventually(func() bool { return hosttest.CallInt(t, watch, "held") == 1 })
	cancel()
	require.ErrorIs(t, <-left, context.Canceled)
	require.NoError(t, box.Close())
	value(t, watch, "release")
	hosttest.Eventually(func() bool { return hosttest.CallInt(t, watch, "ended") == 1 })
}

func TestRust_Batch(t *testing.T) {
	h := hosttest.Open(t, declare(t, counterBox(t)))
	batch := hosttest.New(t, h, "CounterBox").Batch()
	for range 100 {
		require.NoError(t, batch.Add("inc", "batched"))
		require.NoError(t, batch.Add("names")) // may have more than a batch has room for
	}
	results, err := batch.Run(ctx)
	require.NoError(t, err)
	require.Len(t, results, 200)
	for i, r := range results {
		require.NoError(t, r.Err)
		if i%2 == 0 {
			assert.EqualValues(t, i/2+1, hosttest.Int(t, r.Result, r.Err))
		}
	}
}

// TestRust_Reload shuts the library down and loads it again in one process.
func TestRust_Reload(t *testing.T) {
	for range 3 {
		h := hosttest.OpenUnclosed(t, declare(t, counterBox(t)))
		assert.EqualValues(t, 1, hosttest.CallInt(t, hosttest.New(t, h, "CounterBox"), "inc", "again"))
		require.NoError(t, h.Close())
	}
}

func TestRust_ManyGoroutines(t *testing.T) {
	const goroutines = 32
	calls := 50
	if whole {
		calls = 500
	}
	everywhere(t, counterBox(t), func(t *testing.T, toml string) {
		h := hosttest.Open(t, toml)
		box := hosttest.New(t, h, "CounterBox")
		var wg sync.WaitGroup
		for i := range goroutines {
			wg.Go(func() {
				own := fmt.Sprint("own ", i)
				for range calls {
					_, err := box.Call(ctx, "inc", "shared")
					assert.NoError(t, err)
					_, err = box.Call(ctx, "add", own, 2)
					assert.NoError(t, err)
				}
			})
		}
		wg.Wait()
		assert.EqualValues(t, goroutines*calls, value(t, box, "get", "shared"))
		assert.EqualValues(t, 2*calls, value(t, box, "get", "own 7"))
		assert.Len(t, strings.Split(value(t, box, "names").(string), "\n"), goroutines+1)
	})
}
