//go:build unix

package native_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/ebitengine/purego"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/native"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
)

type quiet struct{}

func (quiet) PluginLog(abi.LogLevel, string, bool) {}
func (quiet) PluginWake(uint64, bool)              {}

// Who asks, as testdata/connect.c numbers it, and what the last does.
const (
	inConnect = 101 + iota
	inInit
	inShutdown
	inInvoke
	inTable
	inResolve
	onThread
)

type key struct{}

// asked is one question of the library: who, and the word in the context of the call in
// which it asked ("none" without a context).
type asked struct {
	who    uint32
	within any
}

// host answers with success and keeps what it was asked.
type host struct {
	mu      sync.Mutex
	asked   []asked
	threads []uint64
	ctxs    []context.Context
	loud    bool // it keeps what threads ask too
}

func (h *host) note(ctx context.Context, who uint32, thread uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var within any = "none"
	if ctx != nil {
		within = ctx.Value(key{})
	}
	h.asked = append(h.asked, asked{who, within})
	h.threads = append(h.threads, thread)
	h.ctxs = append(h.ctxs, ctx)
}

func (h *host) Resolve(ctx context.Context, _, _ string) (typeID, methodID uint32, code abi.Code) {
	h.note(ctx, inResolve, 0)
	return 1, 2, abi.OK
}

func (h *host) Invoke(ctx context.Context, c *abi.Call, from hostvtable.Caller) {
	c.Code, c.ResultLength = abi.OK, 0
	if c.Method != onThread || h.loud {
		h.note(ctx, c.Method, from.Thread())
	}
}

// take returns what was asked since the last time.
func (h *host) take() []asked {
	h.mu.Lock()
	defer h.mu.Unlock()
	got := h.asked
	h.asked = nil
	return got
}

func named(t *testing.T, name string) context.Context {
	return context.WithValue(t.Context(), key{}, name)
}

// around is a Config.Around with such a context.
func around(t *testing.T, name string) func(run func(context.Context)) {
	return func(run func(context.Context)) { run(named(t, name)) }
}

func connecting(t testing.TB, flags ...string) string {
	return ccbuild.Library(t, "testdata/connect.c", flags...)
}

func open(t testing.TB, config native.Config) *native.Library {
	t.Helper()
	lib, err := native.Open(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { _ = lib.Close() })
	return lib
}

func call(t *testing.T, lib *native.Library, name string, typeID, method uint32) abi.Code {
	t.Helper()
	c := &abi.Call{TypeID: typeID, Method: method}
	c.SetResultBuffer(make([]byte, 64))
	require.NoError(t, lib.Invoke(named(t, name), c))
	return c.Code
}

var allThreads = []native.Threads{native.Free, native.Serial, native.Pinned}

func TestConnect_Contexts(t *testing.T) {
	const typeID = 6
	for _, threads := range allThreads {
		t.Run(threads.String(), func(t *testing.T) {
			h := &host{loud: true}
			lib, err := native.Open(named(t, "open"), native.Config{
				File: connecting(t, "-DTABLE", "-DCONFIG"), Threads: threads, Sink: quiet{}, Calls: h, Around: around(t, "around"),
				Configure: func(string) (native.Threads, error) {
					assert.Empty(t, h.take(), "config comes before connect")
					return threads, nil
				},
				Tables: []native.TableRequest{{Box: "Conn", Methods: []string{"ask"}}},
			})
			require.NoError(t, err)
			defer lib.Close()
			assert.Equal(t, []asked{{inConnect, "around"}, {inInit, "around"}, {inResolve, "open"}}, h.take())
			d := lib.Description()
			assert.True(t, d.Connects)
			assert.Equal(t, []abi.Method{{ID: 1, Name: "ask"}}, d.Tables[0].Methods)

			assert.Equal(t, abi.OK, call(t, lib, "call", typeID, 1))
			assert.Equal(t, []asked{{inInvoke, "call"}}, h.take())
			assert.Equal(t, abi.OK, call(t, lib, "call", typeID, 2))
			assert.Equal(t, []asked{{onThread, "none"}}, h.take(), "a thread of its own")

			batch := []abi.Call{{TypeID: typeID, Method: 1}, {TypeID: typeID, Method: 1}}
			made, err := lib.InvokeBatch(named(t, "batch"), batch)
			require.NoError(t, err)
			if made != 0 { // a library that has tables makes batches where its boxes have none
				assert.Equal(t, 2, made)
			}
			assert.Equal(t, []asked{{inInvoke, "batch"}, {inInvoke, "batch"}}, h.take())

			require.NoError(t, lib.Route(typeID, 0))
			assert.Equal(t, abi.OK, call(t, lib, "table", typeID, 1))
			assert.Equal(t, []asked{{inTable, "table"}}, h.take())

			require.NoError(t, lib.Close())
			assert.Equal(t, []asked{{inShutdown, "around"}}, h.take())
			assert.Nil(t, hostvtable.Current())
			if threads == native.Pinned {
				assert.Equal(t, h.threads[0], h.threads[1], "connect and init have one thread")
				assert.Equal(t, h.threads[0], h.threads[len(h.threads)-1], "and shutdown")
			}
		})
	}
}

// What a call on one goroutine asks is not of the calls on others.
func TestConnect_CallsAtOnce(t *testing.T) {
	for _, threads := range allThreads {
		t.Run(threads.String(), func(t *testing.T) {
			h := &host{}
			lib := open(t, native.Config{File: connecting(t), Threads: threads, Sink: quiet{}, Calls: h})
			h.take()
			const callers, rounds = 4, 200
			var group sync.WaitGroup
			for caller := range callers {
				group.Go(func() {
					ctx := context.WithValue(t.Context(), key{}, caller)
					c := &abi.Call{TypeID: 1, Method: 1}
					for range rounds {
						assert.NoError(t, lib.Invoke(ctx, c))
						assert.Equal(t, abi.OK, c.Code)
					}
				})
			}
			group.Wait()
			counts := make(map[asked]int)
			for _, a := range h.take() {
				counts[a]++
			}
			want := make(map[asked]int)
			for caller := range callers {
				want[asked{inInvoke, caller}] = rounds
			}
			assert.Equal(t, want, counts)
		})
	}
}

// A call that begins within another, on the same goroutine, has its own context meanwhile.
func TestConnect_Nested(t *testing.T) {
	inner, outer := &host{}, &nesting{}
	outer.other = open(t, native.Config{File: connecting(t), Sink: quiet{}, Calls: inner})
	outer.ctx = named(t, "inner")
	lib := open(t, native.Config{File: connecting(t), Sink: quiet{}, Calls: outer})
	inner.take()
	outer.host.take()
	outer.nest = true
	assert.Equal(t, abi.OK, call(t, lib, "outer", 1, 1))
	assert.Equal(t, []asked{{inInvoke, "inner"}}, inner.take())
	assert.Equal(t, []asked{{inInvoke, "outer"}}, outer.host.take())
	assert.Equal(t, "outer", outer.after.Value(key{}))
	outer.nest = false
}

// nesting calls another library for what it is asked.
type nesting struct {
	host
	nest  bool
	other *native.Library
	ctx   context.Context
	after context.Context
}

func (n *nesting) Invoke(ctx context.Context, c *abi.Call, from hostvtable.Caller) {
	n.host.Invoke(ctx, c, from)
	if n.nest {
		other := &abi.Call{TypeID: 1, Method: 1}
		if err := n.other.Invoke(n.ctx, other); err != nil {
			other.Code = abi.ErrPlugin
		}
		c.Code, n.after = other.Code, hostvtable.Current()
	}
}

func TestConnect_Refused(t *testing.T) {
	tests := map[string]struct {
		flags  []string
		reason error
		code   error
		text   string
		asked  []asked
	}{
		"by connect":     {[]string{"-DCONNECT_CODE=-6"}, native.ErrConnect, abi.ErrOutOfMemory, "nyash_plugin_connect returned out of memory (-6)", []asked{{inConnect, "around"}}},
		"own number":     {[]string{"-DCONNECT_CODE=17"}, native.ErrConnect, abi.Code(17), "plugin error (17)", []asked{{inConnect, "around"}}},
		"by init":        {[]string{"-DINIT_CODE=-5"}, native.ErrInit, abi.ErrPlugin, "nyash_plugin_init", []asked{{inConnect, "around"}, {inInit, "around"}}},
		"by what it has": {[]string{"-DBAD_INFO"}, native.ErrDescription, nil, "method_count", []asked{{inConnect, "around"}, {inInit, "around"}, {inShutdown, "around"}}},
	}
	for name, tt := range tests {
		for _, threads := range allThreads {
			t.Run(fmt.Sprintf("%s, %v", name, threads), func(t *testing.T) {
				h := &host{}
				file := connecting(t, tt.flags...)
				_, err := native.Open(t.Context(), native.Config{File: file, Threads: threads, Sink: quiet{}, Calls: h, Around: around(t, "around")})
				var refused *native.Error
				require.ErrorAs(t, err, &refused)
				require.ErrorIs(t, err, tt.reason)
				if tt.code != nil {
					require.ErrorIs(t, err, tt.code)
				}
				assert.ErrorContains(t, err, tt.text)
				assert.Equal(t, tt.asked, h.take())

				resolved, err := native.Inspect(file)
				require.NoError(t, err)
				table, err := hostvtable.For(resolved, false)
				require.NoError(t, err)
				stop := table.Serve(h)
				require.NotNil(t, stop, "nobody answers for it any more")
				stop()
			})
		}
	}
}

func TestConnect_OneHost(t *testing.T) {
	tests := map[string]struct {
		flags         []string
		first, second bool // Exclusive
		refused       string
	}{
		"neither":               {flags: []string{"-DNO_CONNECT"}},
		"the first exclusive":   {flags: []string{"-DNO_CONNECT"}, first: true, refused: "async, uses or events"},
		"the second exclusive":  {flags: []string{"-DNO_CONNECT"}, second: true, refused: "async, uses or events"},
		"both exclusive":        {flags: []string{"-DNO_CONNECT"}, first: true, second: true, refused: "async, uses or events"},
		"it connects":           {refused: "nyash_plugin_connect"},
		"it connects, and both": {first: true, second: true, refused: "nyash_plugin_connect"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			file := connecting(t, tt.flags...)
			a, b := &host{}, &host{}
			first := open(t, native.Config{File: file, Sink: quiet{}, Calls: a, Exclusive: tt.first})
			assert.Equal(t, len(tt.flags) == 0, first.Description().Connects)
			second := native.Config{File: file, Sink: quiet{}, Calls: b, Exclusive: tt.second}
			lib, err := native.Open(t.Context(), second)
			if tt.refused == "" {
				require.NoError(t, err)
				require.NoError(t, lib.Close())
				return
			}
			require.ErrorIs(t, err, native.ErrBusy)
			assert.ErrorContains(t, err, tt.refused)
			assert.ErrorContains(t, err, `isolation = "process"`)
			assert.Empty(t, b.take())

			require.NoError(t, first.Close())
			lib = open(t, second)
			if len(tt.flags) > 0 {
				return
			}
			assert.Equal(t, []asked{{inConnect, nil}, {inInit, nil}}, b.take(), "connect is called again")
			assert.Equal(t, abi.OK, call(t, lib, "call", 1, 1))
			assert.Equal(t, []asked{{inInvoke, "call"}}, b.take())
		})
	}
}

// A system's loader may take a file that was replaced while it was open for another
// library, which then has one and the same table.
func TestConnect_TableTaken(t *testing.T) {
	file, err := native.Inspect(connecting(t))
	require.NoError(t, err)
	table, err := hostvtable.For(file, false)
	require.NoError(t, err)
	stop := table.Serve(&host{})
	require.NotNil(t, stop)
	h := &host{}
	_, err = native.Open(t.Context(), native.Config{File: file, Sink: quiet{}, Calls: h})
	require.ErrorIs(t, err, native.ErrBusy)
	assert.ErrorContains(t, err, "close that one first")
	assert.Empty(t, h.take(), "it was not connected")
	stop()
	open(t, native.Config{File: file, Sink: quiet{}, Calls: h})
	assert.Equal(t, []asked{{inConnect, nil}, {inInit, nil}}, h.take())
}

func TestConnect_NobodyAnswers(t *testing.T) {
	lib := open(t, native.Config{File: connecting(t), Sink: quiet{}})
	assert.Equal(t, abi.ErrNotPermitted, call(t, lib, "call", 1, 1))
	assert.Equal(t, abi.ErrNotPermitted, call(t, lib, "call", 1, 2))
}

// A thread that the library leaves behind is answered that it is closed, for ever.
func TestConnect_LeftBehind(t *testing.T) {
	file := connecting(t)
	handle, err := purego.Dlopen(file, purego.RTLD_NOW|purego.RTLD_LOCAL)
	require.NoError(t, err)
	var lastAnswer func() int32
	purego.RegisterLibFunc(&lastAnswer, handle, "last_answer")
	h := &host{}
	lib := open(t, native.Config{File: file, Sink: quiet{}, Calls: h})
	require.Equal(t, abi.OK, call(t, lib, "call", 1, 3))
	require.Equal(t, abi.OK, call(t, lib, "call", 1, 1))
	require.NoError(t, lib.Close())
	assert.Equal(t, int32(abi.ErrPlugin), lastAnswer())
}

func BenchmarkInvoke(b *testing.B) {
	for name, flags := range map[string][]string{"alone": {"-DNO_CONNECT"}, "connected": nil} {
		b.Run(name, func(b *testing.B) {
			lib := open(b, native.Config{File: connecting(b, flags...), Sink: quiet{}})
			c, ctx := &abi.Call{TypeID: 1, Method: 9}, b.Context()
			b.ReportAllocs()
			for b.Loop() {
				if lib.Invoke(ctx, c) != nil {
					b.Fatal("the call failed")
				}
			}
		})
	}
}
