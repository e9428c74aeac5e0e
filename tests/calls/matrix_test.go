package calls

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/loader"
	_ "github.com/nyash-plugins/nyash-go/loader/wasm"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
)

// isolated has a library run in a process of its own.
const isolated = `isolation = "process"`

// module has a library be a WebAssembly module.
const module = "# a module"

type way struct {
	name, keys string
	channel    loader.Channel
}

// ways are the native ways to reach a library that calls, or is called.
var ways = []way{
	{"in process", "", loader.ChannelAuto},
	{"memory", isolated, loader.ChannelMemory},
	{"pipe", isolated, loader.ChannelPipe},
}

// moduleWays are those to a module.
var moduleWays = []way{
	{"module", module, loader.ChannelAuto},
	{"module, memory", isolatedModule, loader.ChannelMemory},
	{"module, pipe", isolatedModule, loader.ChannelPipe},
}

// isolatedModule has a library be a WebAssembly module in a process of its own.
const isolatedModule = "# a module\n" + isolated

// TestMatrix has a plugin that is reached in each way call each kind of target.
func TestMatrix(t *testing.T) {
	for _, caller := range append(slices.Clone(ways), moduleWays...) {
		targets := []struct{ name, box, keys string }{
			{"built in", "GoBox", ""},
			{"in process", "B", ""},
			{"isolated", "B", isolated},
			{"module", "B", module},
			{"isolated module", "B", isolatedModule},
			{"its own library", "A", ""},
		}
		for _, target := range targets {
			t.Run(caller.name+" to "+target.name, func(t *testing.T) {
				t.Parallel()
				entries := []entry{{name: "A", uses: []string{"A", "B", "GoBox"}, keys: caller.keys}, {name: "B", keys: target.keys}}
				h := open(t, entries, loader.WithWorkerChannel(caller.channel))
				a := hosttest.New(t, h, "A")
				if strings.HasPrefix(caller.keys, module) && target.box == "A" { // which takes one call at a time
					failsWith(t, a, abi.ErrPlugin, "it would wait for itself", "ask", "A", "add", 1, 2)
					return
				}
				testPair(t, h, a, target.box)
			})
		}
	}
}

func testPair(t *testing.T, h *loader.Host, a *loader.Box, target string) {
	t.Run("values", func(t *testing.T) {
		works(t, a, target)
		for _, v := range []any{true, int32(-7), int64(1) << 40, float32(1.5), 2.5, "héllo\x00", []byte{0, 255}, "", strings.Repeat("x", 65_535)} {
			r := hosttest.Call(t, a, "ask", target, "echo", v)
			assert.Equal(t, fmt.Sprint(v), fmt.Sprint(r.Any()))
		}
		failsWith(t, a, abi.ErrPlugin, "no such thing", "ask", target, "fail", "no such thing")
		failsWith(t, a, abi.ErrInvalidMethod, "", "ask", target, "nonsense")
	})
	t.Run("thread", func(t *testing.T) {
		assert.EqualValues(t, 7, hosttest.CallInt(t, a, "thread", target, "add", 3, 4))
		failsWith(t, a, abi.ErrPlugin, "not now", "thread", target, "fail", "not now")
	})
	t.Run("short buffer", func(t *testing.T) {
		hosttest.Call(t, a, "hold", 1, target)
		long := strings.Repeat("y", 1000)
		for room := range 3 {
			assert.Equal(t, long, text(t, hosttest.Call(t, a, "room", room*400, 1, "echo", long)))
		}
		failsWith(t, a, abi.ErrPlugin, "", "room", 0, 1, "fail", "a message without room")
		hosttest.Call(t, a, "drop", 1)
	})
	t.Run("hold", func(t *testing.T) {
		hosttest.Call(t, a, "hold", 2, target)
		for i := range 3 {
			assert.EqualValues(t, i+1, hosttest.CallInt(t, a, "held", 2, "add", i, 1))
		}
		hosttest.Call(t, a, "drop", 2)
		failsWith(t, a, abi.ErrInvalidHandle, "", "held", 2, "add", 1, 1)
		failsWith(t, a, abi.ErrInvalidHandle, "", "drop", 2)
	})
	t.Run("give", func(t *testing.T) {
		hosttest.Call(t, a, "hold", 3, target)
		box := boxOf(t, hosttest.Call(t, a, "give", 3))
		assert.Equal(t, target, box.Name())
		assert.EqualValues(t, 3, hosttest.CallInt(t, box, "add", 1, 2))
		if target != "A" { // of its own boxes a library knows the numbers anyway
			failsWith(t, a, abi.ErrInvalidHandle, "", "held", 3, "add", 1, 1)
		}
		require.NoError(t, box.Close())
	})
	t.Run("lent", func(t *testing.T) {
		box := hosttest.New(t, h, target)
		assert.EqualValues(t, 9, hosttest.CallInt(t, a, "on", box, target, "add", 4, 5))
		assert.Same(t, box, boxOf(t, hosttest.Call(t, a, "back", box)))
		hosttest.Call(t, a, "keep", 4, box, target)
		if target != "A" {
			failsWith(t, a, abi.ErrInvalidHandle, "neither holds nor is lent", "held", 4, "add", 1, 1)
			_, err := a.Call(t.Context(), "give", 4)
			require.ErrorIs(t, err, loader.ErrProtocol)
		}
		require.NoError(t, box.Close())
		failsWith(t, a, abi.ErrInvalidHandle, "", "held", 4, "add", 1, 1)
	})
	if target == "GoBox" {
		return
	}
	t.Run("handles", func(t *testing.T) { testHandles(t, h, a, target) })
	t.Run("blobs", func(t *testing.T) { testBlobs(t, a, target) })
}

// testHandles passes boxes on, in both directions.
func testHandles(t *testing.T, h *loader.Host, a *loader.Box, target string) {
	hosttest.Call(t, a, "ask", target, "take", a)
	other := hosttest.New(t, h, "GoBox")
	defer other.Close()
	assert.Same(t, other, boxOf(t, hosttest.Call(t, a, "ask", target, "back", other)), "what was lent comes back")
	assert.Same(t, a, boxOf(t, hosttest.Call(t, a, "ask", target, "back", a)))
	made := boxOf(t, hosttest.Call(t, a, "ask", target, "make"))
	assert.Equal(t, target, made.Name())
	assert.EqualValues(t, 2, hosttest.CallInt(t, made, "add", 1, 1))
	require.NoError(t, made.Close())
}

func testBlobs(t *testing.T, a *loader.Box, target string) {
	for _, size := range []int{0, 1, 65_536, 1 << 20} {
		data := bytes.Repeat([]byte{1, 2, 3, 250}, size/4+1)[:size]
		sum := 0
		for _, b := range data {
			sum += int(b)
		}
		assert.EqualValues(t, size*1000+sum%1000, hosttest.CallInt(t, a, "sendBlob", target, "length", data), size)
		r := hosttest.Call(t, a, "getBlob", target, "blob", size)
		blob, err := r.Blob()
		require.NoError(t, err)
		require.Equal(t, size, blob.Len())
		for i, b := range blob.Bytes() {
			if b != byte(i) {
				t.Fatalf("byte %d of %d is %d", i, size, b)
			}
		}
		blob.Release()
	}
}
