//go:build (amd64 || arm64) && (darwin || freebsd || linux)

package leaf_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"runtime/trace"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

const (
	// tortureVariable is how long to go on, for all rounds together; `make torture` sets it.
	tortureVariable = "NYASH_TEST_TORTURE"
	// tormentVariable has the program of tests be one round: "library duration".
	tormentVariable = "NYASH_TEST_LEAF_TORMENT"
)

// rounds are what the runtime is told in each.
var rounds = []string{
	"gcstoptheworld=0",                 // as it is by default
	"gcstoptheworld=1",                 // each collection stops the world for its whole length
	"clobberfree=1,gcshrinkstackoff=0", // what is freed is overwritten
	"asyncpreemptoff=1",                // no signals of the scheduler's
}

// TestTorture makes leaf calls from 64 goroutines while all happens that could move their stacks,
// stop them or look at them: collections without pause, profiling, execution traces, signals,
// panics and Goexit, stacks that grow before and after.
func TestTorture(t *testing.T) {
	length := 4 * time.Second
	if text := os.Getenv(tortureVariable); text != "" {
		var err error
		length, err = time.ParseDuration(text)
		require.NoError(t, err)
	}
	lib := library(t, "-DCONNECT")
	for _, godebug := range rounds {
		t.Run(godebug, func(t *testing.T) {
			cmd := ccbuild.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "GODEBUG="+godebug, "GOGC=1", "GOTRACEBACK=system",
				fmt.Sprintf("%s=%s %v", tormentVariable, lib, length/time.Duration(len(rounds))))
			out, err := cmd.CombinedOutput()
			assert.NoError(t, err, "%s", tail(out))
			assert.Contains(t, string(out), "right answers: ")
			t.Logf("%s", tail(out)[bytes.LastIndex(tail(out), []byte("right answers")):])
		})
	}
}

func tail(out []byte) []byte { return out[max(0, len(out)-8000):] }

// torment is one round. It ends the process.
func torment(text string) {
	var lib, length string
	if _, err := fmt.Sscan(text, &lib, &length); err != nil {
		panic(err)
	}
	duration, err := time.ParseDuration(length)
	if err != nil {
		panic(err)
	}
	h, err := openText(declare("Leaf", lib, ""))
	if err != nil {
		panic(err)
	}
	var over atomic.Bool
	time.AfterFunc(duration, func() { over.Store(true) })

	var disturbers sync.WaitGroup
	for _, disturb := range []func(){collect, collect, profile, traceAll, sendSignals, changeSettings} {
		disturbers.Go(func() {
			for !over.Load() {
				disturb()
			}
		})
	}
	var right atomic.Int64
	var callers sync.WaitGroup
	for range 64 {
		callers.Go(func() {
			box, err := h.New(ctx, "Leaf")
			if err != nil {
				panic(err)
			}
			defer box.Close()
			c := caller{box: box, random: rand.New(rand.NewPCG(rand.Uint64(), 0))}
			for !over.Load() {
				c.step()
				right.Add(1)
			}
		})
	}
	callers.Wait()
	disturbers.Wait()
	if err := h.Close(); err != nil {
		panic(err)
	}
	fmt.Println("right answers:", right.Load())
	os.Exit(0)
}

// caller makes calls of one box, and looks at each answer.
type caller struct {
	box    *loader.Box
	random *rand.Rand
	kept   [][]byte // for the collector
}

func (c *caller) step() {
	switch c.random.IntN(10) {
	case 0:
		grown(c.random.IntN(200), c.add)
	case 1:
		func() {
			defer func() { _ = recover() }()
			c.add()
			panic("by intention")
		}()
	case 2:
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer c.add()
			c.add()
			runtime.Goexit()
		}()
		<-done
	case 3: // long enough to be interrupted
		c.must(c.box.Call(ctx, "spin", 30_000+c.random.IntN(200_000), 0))
	case 4:
		data := bytes.Repeat([]byte{byte(c.random.IntN(256))}, c.random.IntN(3000))
		r, err := c.box.Call(ctx, "echo", data)
		c.must(r, err)
		if got, _ := r.Bytes(); !bytes.Equal(got, data) {
			panic("echo answered something else")
		}
		c.kept = append(c.kept, data)
		if len(c.kept) > 100 {
			c.kept = nil
		}
	case 5:
		c.must(c.box.Call(ctx, "stack", c.random.IntN(100), 0))
	case 6:
		if _, err := c.box.Call(ctx, "ask", 0, 0); err == nil || !strings.Contains(err.Error(), "a leaf method cannot call its host") {
			panic(err)
		}
	case 7:
		c.must(c.box.Call(ctx, "alloc", 0, 0))
	default:
		for range 20 {
			c.add()
		}
	}
}

func (c *caller) add() {
	a, b := c.random.IntN(1<<40), c.random.IntN(1<<40)
	if n, err := loader.Call[int](ctx, c.box, "add", a, b); err != nil || n != a+b {
		panic(fmt.Sprintf("%d + %d = %d, %v", a, b, n, err))
	}
}

func (c *caller) must(_ loader.Result, err error) {
	if err != nil {
		panic(err)
	}
}

// grown runs f deep in a stack, on which it then has to grow, and which shrinks again.
func grown(depth int, f func()) byte {
	var room [512]byte
	room[depth%len(room)] = 1
	if depth == 0 {
		f()
		return room[0]
	}
	return grown(depth-1, f) + room[1]
}

func collect() { runtime.GC() }

func profile() {
	if err := pprof.StartCPUProfile(io.Discard); err != nil {
		panic(err)
	}
	time.AfterFunc(100*time.Millisecond, pprof.StopCPUProfile)
	for pprof.StartCPUProfile(io.Discard) != nil {
		runtime.Gosched()
	}
	pprof.StopCPUProfile()
	var b bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&b, 2); err != nil {
		panic(err)
	}
}

func traceAll() {
	if err := trace.Start(io.Discard); err != nil {
		panic(err)
	}
	runtime.GC()
	trace.Stop()
}

// sendSignals sends this process signals: that of the scheduler's, and one that the program
// wants.
func sendSignals() {
	heard := make(chan os.Signal, 1)
	signal.Notify(heard, syscall.SIGUSR1)
	defer signal.Stop(heard)
	for range 100 {
		for _, s := range []syscall.Signal{syscall.SIGURG, syscall.SIGUSR1, syscall.SIGWINCH} {
			if err := syscall.Kill(syscall.Getpid(), s); err != nil {
				panic(err)
			}
		}
	}
	<-heard
}

func changeSettings() {
	debug.SetGCPercent(1 + rand.IntN(5))
	debug.FreeOSMemory()
	runtime.Gosched()
}
