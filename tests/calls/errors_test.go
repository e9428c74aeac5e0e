package calls

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/loader"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/registry/builtin"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// inEachWay runs a test with callers that are reached in each way.
func inEachWay(t *testing.T, test func(t *testing.T, keys string, channel loader.Option)) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			t.Parallel()
			test(t, way.keys, loader.WithWorkerChannel(way.channel))
		})
	}
}

// lines is a log that can be read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *lines) option() loader.Option {
	return loader.WithLogger(slog.New(slog.NewTextHandler(l, nil)))
}

func TestUndeclaredBox(t *testing.T) {
	inEachWay(t, func(t *testing.T, keys string, channel loader.Option) {
		var log lines
		h := open(t, []entry{{name: "A", uses: []string{"B.add"}, keys: keys}, {name: "B"}, {name: "S", keys: "singleton = true"}}, channel, log.option())
		a := hosttest.New(t, h, "A")
		for range 3 {
			for _, box := range []string{"GoBox", "B", "S", "Nobody"} {
				failsWith(t, a, abi.ErrNotPermitted, "", "ask", box, "add", 1, 2)
			}
		}
		for _, line := range []string{`may not call B.birth: add \"B.birth\" to uses of A`, `may not call GoBox: add \"GoBox\" to uses of A`, "may not call Nobody, which nobody provides"} {
			assert.Equal(t, 1, strings.Count(log.String(), line), "%s in\n%s", line, log.String())
		}

		b := hosttest.New(t, h, "B")
		assert.EqualValues(t, 3, hosttest.CallInt(t, a, "on", b, "B", "add", 1, 2), "the method that is listed")
		failsWith(t, a, abi.ErrNotPermitted, "", "on", b, "B", "echo", 1)
	})
}

// TestResolve_Broken: that a box cannot be loaded is logged once, however often and by
// whatever methods it is asked for.
func TestResolve_Broken(t *testing.T) {
	inEachWay(t, func(t *testing.T, keys string, channel loader.Option) {
		var log lines
		text := toml(t, []entry{{name: "A", uses: []string{"Broken"}, keys: keys}}) + "[plugins.Broken]\nlibrary = \"./not/there.so\"\n"
		h := hosttest.Open(t, text, channel, log.option())
		a := hosttest.New(t, h, "A")
		for _, method := range []string{"one", "two", "one"} {
			assert.EqualValues(t, abi.ErrPlugin, hosttest.CallInt(t, a, "resolve", "Broken", method))
		}
		assert.Equal(t, 1, strings.Count(log.String(), "asks for Broken.one: "), log.String())
		assert.Zero(t, strings.Count(log.String(), "asks for Broken.two: "), log.String())
	})
}

// TestUses_Birth: birth stands in the list like any other method.
func TestUses_Birth(t *testing.T) {
	inEachWay(t, func(t *testing.T, keys string, channel loader.Option) {
		h := open(t, []entry{{name: "A", uses: []string{"B.birth", "B.add", "GoBox.add", "GoBox.birth"}, keys: keys}, {name: "B"}}, channel)
		a := hosttest.New(t, h, "A")
		for _, box := range []string{"B", "GoBox"} {
			works(t, a, box)
			failsWith(t, a, abi.ErrNotPermitted, "", "ask", box, "echo", 1)
		}
	})
}

// TestUses_SingleMethod: a singleton's birth goes with any of its methods.
func TestUses_SingleMethod(t *testing.T) {
	inEachWay(t, func(t *testing.T, keys string, channel loader.Option) {
		h := open(t, []entry{{name: "A", uses: []string{"S.add"}, keys: keys}, {name: "S", keys: "singleton = true"}}, channel)
		a := hosttest.New(t, h, "A")
		works(t, a, "S")
		failsWith(t, a, abi.ErrNotPermitted, "", "ask", "S", "echo", 1)
		s := hosttest.New(t, h, "S")
		assert.EqualValues(t, 0, hosttest.CallInt(t, s, "finis"), "a hold of a singleton does not finalise it")
		works(t, a, "S")
	})
}

func TestGuessedHandle(t *testing.T) {
	inEachWay(t, func(t *testing.T, keys string, channel loader.Option) {
		h := open(t, []entry{{name: "A", uses: []string{"B"}, keys: keys}, {name: "B"}}, channel)
		a, b := hosttest.New(t, h, "A"), hosttest.New(t, h, "B")
		works(t, a, "B") // A has been told a type id
		const firstType = 1 << 31
		failsWith(t, a, abi.ErrInvalidHandle, "neither holds nor is lent a B 77", "raw", firstType, 16, 77, 1, 2)
		for id := range 20 {
			failsWith(t, a, abi.ErrInvalidHandle, "", "raw", firstType, 16, id, 1, 2)
		}
		failsWith(t, a, abi.ErrInvalidType, "resolve tells the ids", "raw", firstType+1, 16, b.ID(), 1, 2)
		failsWith(t, a, abi.ErrInvalidType, "", "raw", b.Type().ID+1, 16, b.ID(), 1, 2)
		works(t, a, "B")
	})
}

func TestWrongArguments(t *testing.T) {
	inEachWay(t, func(t *testing.T, keys string, channel loader.Option) {
		h := open(t, []entry{{name: "A", uses: []string{"GoBox"}, keys: keys}}, channel)
		a := hosttest.New(t, h, "A")
		failsWith(t, a, abi.ErrInvalidArgs, "argument 2", "ask", "GoBox", "add", 1, "two")
		failsWith(t, a, abi.ErrInvalidArgs, "argument 1", "ask", "GoBox", "add", int32(1), 2)
		failsWith(t, a, abi.ErrInvalidArgs, "it takes 2", "ask", "GoBox", "add", 1)
		works(t, a, "GoBox")
	})
}

func TestRecursion(t *testing.T) {
	inEachWay(t, func(t *testing.T, keys string, channel loader.Option) {
		h := open(t, []entry{{name: "A", uses: []string{"A"}, keys: keys}}, channel)
		a := hosttest.New(t, h, "A")
		assert.EqualValues(t, 10, hosttest.CallInt(t, a, "recurse", 10))
		failsWith(t, a, abi.ErrPlugin, "", "recurse", 1000)
		works(t, a, "A")
	})
}

// TestRecursion_Depth: calls nest 64 deep.
func TestRecursion_Depth(t *testing.T) {
	h := open(t, []entry{{name: "A", uses: []string{"A"}}})
	a := hosttest.New(t, h, "A")
	assert.EqualValues(t, 64, hosttest.CallInt(t, a, "recurse", 64))
	failsWith(t, a, abi.ErrPlugin, "more than 64 deep", "recurse", 65)
}

func TestSerial_Reentered(t *testing.T) {
	for _, threads := range []string{"serial", "pinned"} {
		t.Run(threads, func(t *testing.T) {
			inEachWay(t, func(t *testing.T, keys string, channel loader.Option) {
				serial := keys + "\nthreads = \"" + threads + "\""
				h := open(t, []entry{{name: "A", uses: []string{"A", "B"}, keys: serial}, {name: "B", uses: []string{"A"}, keys: serial}}, channel)
				a := hosttest.New(t, h, "A")
				failsWith(t, a, abi.ErrPlugin, "wait for itself", "ask", "A", "add", 1, 2)
				failsWith(t, a, abi.ErrPlugin, "wait for itself", "ask", "B", "ask", "A", "add", 1, 2)
				works(t, a, "B")
			})
		})
	}
}

// TestSerial_Crossing: A calls B while B calls A. A call that would close the circle fails,
// and none waits for ever.
func TestSerial_Crossing(t *testing.T) {
	inEachWay(t, func(t *testing.T, keys string, channel loader.Option) {
		serial := keys + "\nthreads = \"serial\""
		h := open(t, []entry{{name: "A", uses: []string{"B"}, keys: serial}, {name: "B", uses: []string{"A"}, keys: serial}}, channel)
		boxes := map[string]*loader.Box{"A": hosttest.New(t, h, "B"), "B": hosttest.New(t, h, "A")}
		var right, refused atomic.Int64
		var all sync.WaitGroup
		for target, box := range boxes {
			for range 2 {
				all.Go(func() {
					for range 100 {
						n, err := loader.Call[int64](context.Background(), box, "ask", target, "add", 2, 3)
						switch {
						case err == nil && n == 5:
							right.Add(1)
						case errors.Is(err, abi.ErrPlugin) && strings.Contains(err.Error(), "wait for itself"):
							refused.Add(1)
						default:
							t.Errorf("%d, %v", n, err)
						}
					}
				})
			}
		}
		all.Wait()
		assert.EqualValues(t, 400, right.Load()+refused.Load())
		for target, box := range boxes {
			works(t, box, target)
		}
	})
}

// TestInit_Circle: A's init calls B, whose init calls A.
func TestInit_Circle(t *testing.T) {
	inEachWay(t, func(t *testing.T, keys string, channel loader.Option) {
		h := open(t, []entry{
			{name: "A", uses: []string{"B"}, keys: keys, flags: []string{`-DINIT_BOX="B"`}},
			{name: "B", uses: []string{"A"}, keys: keys, flags: []string{`-DINIT_BOX="A"`}},
		}, channel)
		a := hosttest.New(t, h, "A")
		assert.EqualValues(t, 0, hosttest.CallInt(t, a, "initCode"))
		assert.EqualValues(t, abi.ErrPlugin, hosttest.CallInt(t, a, "ask", "B", "initCode"))
		works(t, a, "B")
		works(t, hosttest.New(t, h, "B"), "A")
	})
}

// TestInit_Described: a library that describes itself calls in its init, when its host has
// read that.
func TestInit_Described(t *testing.T) {
	inEachWay(t, func(t *testing.T, keys string, channel loader.Option) {
		h := open(t, []entry{{name: "A", uses: []string{"GoBox"}, keys: keys, flags: []string{"-DDESCRIBED", `-DINIT_BOX="GoBox"`}}}, channel)
		a := hosttest.New(t, h, "A")
		assert.EqualValues(t, abi.OK, hosttest.CallInt(t, a, "initCode"))
		works(t, a, "GoBox")
	})
}

// TestInit_Self: a library's init calls its own box.
func TestInit_Self(t *testing.T) {
	inEachWay(t, func(t *testing.T, keys string, channel loader.Option) {
		h := open(t, []entry{{name: "A", uses: []string{"A"}, keys: keys, flags: []string{`-DINIT_BOX="A"`}}}, channel)
		a := hosttest.New(t, h, "A")
		assert.EqualValues(t, abi.ErrPlugin, hosttest.CallInt(t, a, "initCode"))
		works(t, a, "A")
	})
}

// TestShutdown_Calls: who uses another library is shut down before it, whichever was loaded
// first.
func TestShutdown_Calls(t *testing.T) {
	inEachWay(t, func(t *testing.T, keys string, channel loader.Option) {
		for _, first := range []string{"A", "B"} {
			var log lines
			h := hosttest.OpenUnclosed(t, toml(t, []entry{
				{name: "A", uses: []string{"B"}, keys: keys, flags: []string{`-DSHUTDOWN_BOX="B"`}}, {name: "B", keys: keys},
			}), channel, log.option())
			require.NoError(t, h.Load(t.Context(), first))
			require.NoError(t, h.Load(t.Context()))
			require.NoError(t, h.Close())
			assert.Contains(t, log.String(), "shutdown was answered -5", "a host that closes makes no instances")
		}
	})
}

// TestClose_Inside: a host function closes what its own chain is in.
func TestClose_Inside(t *testing.T) {
	inEachWay(t, func(t *testing.T, keys string, channel loader.Option) {
		var h *loader.Host
		var a *loader.Box
		closing := func(f func(context.Context) error) builtin.Method {
			return builtin.Method{Func: func(ctx context.Context, _ any, _ []tlv.Value) (tlv.Value, error) {
				err := f(ctx)
				if !errors.Is(err, loader.ErrCircle) {
					return tlv.Void(), errors.New("it was closed")
				}
				return tlv.String(err.Error()), nil
			}, Signature: registry.Signature{ArgsDeclared: true}}
		}
		closer := &builtin.Box{Name: "Closer", New: func([]tlv.Value) (any, error) { return new(int), nil }}
		for name, f := range map[string]func(context.Context) error{
			"box":          func(context.Context) error { return a.Close() },
			"host":         func(context.Context) error { return h.Close() },
			"hostShutdown": func(ctx context.Context) error { return h.Shutdown(ctx) },
		} {
			m := closing(f)
			m.Name = name
			closer.Methods = append(closer.Methods, m)
		}
		h = hosttest.Open(t, toml(t, []entry{{name: "A", uses: []string{"Closer"}, keys: keys}}), channel, loader.WithBuiltins(closer, goBox()))
		a = hosttest.New(t, h, "A")
		for _, method := range []string{"box", "host", "hostShutdown"} {
			assert.Contains(t, text(t, hosttest.Call(t, a, "ask", "Closer", method)), "wait for itself", method)
		}
		assert.EqualValues(t, 3, hosttest.CallInt(t, a, "add", 1, 2))
		require.NoError(t, a.Close())
	})
}

// TestLateThread: a thread that a library has left behind is answered, and not crashed, when
// its host has closed.
func TestLateThread(t *testing.T) {
	h := hosttest.OpenUnclosed(t, toml(t, []entry{{name: "A", uses: []string{"B"}}, {name: "B"}}))
	a := hosttest.New(t, h, "A")
	hosttest.Call(t, a, "hold", 1, "B")
	hosttest.Call(t, a, "linger", 1)
	hosttest.Eventually(func() bool { return hosttest.CallInt(t, a, "lingering") == 0 })
	require.NoError(t, h.Close())

	again := open(t, []entry{{name: "A", uses: []string{"B"}}, {name: "B"}})
	works(t, hosttest.New(t, again, "A"), "B")
}

func TestSecondHost(t *testing.T) {
	entries := []entry{{name: "A", uses: []string{"GoBox"}}}
	text := toml(t, entries)
	first := hosttest.Open(t, text, loader.WithBuiltins(goBox()))
	a := hosttest.New(t, first, "A")
	second := hosttest.Open(t, text, loader.WithBuiltins(goBox()))
	_, err := second.New(t.Context(), "A")
	require.ErrorIs(t, err, loader.ErrBusy)
	assert.ErrorContains(t, err, "isolat")
	works(t, a, "GoBox")

	third := hosttest.Open(t, text, loader.WithBuiltins(goBox()), loader.WithIsolation(loader.IsolationProcess))
	works(t, hosttest.New(t, third, "A"), "GoBox")
}
