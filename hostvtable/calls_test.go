//go:build unix

package hostvtable_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/cmem"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// service is a host's side in functions; what it lacks answers success.
type service struct {
	resolve func(ctx context.Context, box, method string) (typeID, methodID uint32, code abi.Code)
	invoke  func(ctx context.Context, c *abi.Call, from hostvtable.Caller)
}

func (s service) Resolve(ctx context.Context, box, method string) (typeID, methodID uint32, code abi.Code) {
	if s.resolve == nil {
		return 0, 0, abi.OK
	}
	return s.resolve(ctx, box, method)
}

func (s service) Invoke(ctx context.Context, c *abi.Call, from hostvtable.Caller) {
	if s.invoke == nil {
		c.Code, c.ResultLength = abi.OK, 0
		return
	}
	s.invoke(ctx, c, from)
}

// library is the C side of these tests. All take the address of a NyashHostCalls.
type library struct {
	resolve          func(host uintptr, box, method string, ids *uint32) int32
	resolveAt        func(host, box, method uintptr, ids *uint32) int32
	resolveNull      func(host uintptr, null int32) int32
	invoke           func(host uintptr, typeID, method uint32, args uintptr, argsLength uintptr, result uintptr, resultLength *uintptr) int32
	known            func(host uintptr, answer *byte, length *uintptr) int32
	thread           func(host uintptr) int32
	onOwnThread      func(host uintptr) int32
	onManyThreads    func(host uintptr, rounds int32) int32
	fromThreads      func(host uintptr, rounds int32) int32
	registersChanged func(host, vtable uintptr, kind int32) int32
	descend          uintptr // for calls of Go that C called
	loop, loopWake   uintptr
}

func newLibrary(t testing.TB) *library {
	lib, err := purego.Dlopen(ccbuild.Library(t, "testdata/calls.c", "-O2"), purego.RTLD_NOW|purego.RTLD_LOCAL)
	require.NoError(t, err)
	l := &library{}
	for name, fn := range map[string]any{
		"call_resolve": &l.resolve, "call_resolve_null": &l.resolveNull,
		"call_invoke": &l.invoke, "call_known": &l.known, "call_thread": &l.thread,
		"call_on_own_thread": &l.onOwnThread, "call_on_many_threads": &l.onManyThreads,
		"call_from_threads": &l.fromThreads, "registers_changed": &l.registersChanged,
	} {
		purego.RegisterLibFunc(fn, lib, name)
	}
	purego.RegisterLibFunc(&l.resolveAt, lib, "call_resolve")
	for name, addr := range map[string]*uintptr{"descend": &l.descend, "loop": &l.loop, "loop_wake": &l.loopWake} {
		*addr, err = purego.Dlsym(lib, name)
		require.NoError(t, err)
	}
	return l
}

func callsOf(t testing.TB, table *hostvtable.Table) uintptr {
	addr, err := table.CallsAddr()
	require.NoError(t, err)
	return addr
}

// serve has a table of the test's own answered by s, and returns its NyashHostCalls.
func serve(t testing.TB, s service) (*hostvtable.Table, uintptr) {
	table := newTable(t, false)
	stop := table.Serve(s)
	require.NotNil(t, stop)
	t.Cleanup(stop)
	return table, callsOf(t, table)
}

func message(t *testing.T, result []byte) string {
	t.Helper()
	value, err := tlv.DecodeOne(result)
	require.NoError(t, err)
	text, err := value.Text()
	require.NoError(t, err)
	return text
}

func TestHostCalls(t *testing.T) {
	table := newTable(t, false)
	addr := callsOf(t, table)
	assert.Equal(t, addr, callsOf(t, table), "it is the same for each load")
	calls := *(*abi.HostCalls)(cmem.Pointer(addr))
	assert.EqualValues(t, unsafe.Sizeof(calls), calls.StructSize)
	assert.Equal(t, abi.HostCallsVersion, calls.Version)
	assert.NotZero(t, calls.Resolve)
	assert.NotZero(t, calls.Invoke)
	assert.NotEqual(t, calls.Resolve, calls.Invoke)
}

func TestInvoke_ArgumentsArrive(t *testing.T) {
	l := newLibrary(t)
	var got abi.Call
	var args []byte
	var capacity int
	var from hostvtable.Caller
	table, host := serve(t, service{invoke: func(_ context.Context, c *abi.Call, caller hostvtable.Caller) {
		got, from, args, capacity = *c, caller, bytes.Clone(c.Message()), len(c.ResultBuffer())
		c.ResultLength = uintptr(copy(c.ResultBuffer(), "answer"))
		c.Code = 17
	}})
	answer, length := make([]byte, 10), uintptr(9)
	require.EqualValues(t, 17, l.known(host, &answer[0], &length))
	assert.Equal(t, uint32(0xf1e2d3c4), got.TypeID)
	assert.Equal(t, uint32(0xfffffffd), got.Method)
	assert.Equal(t, uint32(0x80000001), got.Instance)
	assert.Equal(t, "he\x00lo", string(args))
	assert.Equal(t, 9, capacity)
	assert.EqualValues(t, 6, length)
	assert.Equal(t, "answer\x00\x00\x00\x00", string(answer))
	assert.Same(t, table, from)
}

func TestInvoke_Codes(t *testing.T) {
	l := newLibrary(t)
	for _, code := range []abi.Code{0, -1, -5, -10, 1, 1<<31 - 1, -1 << 31} {
		t.Run(fmt.Sprint(int32(code)), func(t *testing.T) {
			_, host := serve(t, service{
				invoke: func(_ context.Context, c *abi.Call, _ hostvtable.Caller) { c.Code, c.ResultLength = code, 1<<40 },
				resolve: func(context.Context, string, string) (uint32, uint32, abi.Code) {
					return 1, 2, code
				},
			})
			length := uintptr(0)
			assert.Equal(t, int32(code), l.invoke(host, 1, 2, 0, 0, 0, &length))
			assert.EqualValues(t, 1<<40, length)
			ids := []uint32{77, 78}
			assert.Equal(t, int32(code), l.resolve(host, "A", "b", &ids[0]))
			want := []uint32{77, 78}
			if code == abi.OK {
				want = []uint32{1, 2}
			}
			assert.Equal(t, want, ids)
		})
	}
}

// What is wrong with the pointers of an invoke is said, and never followed.
func TestInvoke_Pointers(t *testing.T) {
	l := newLibrary(t)
	var args, result []byte
	called := false
	_, host := serve(t, service{invoke: func(_ context.Context, c *abi.Call, _ hostvtable.Caller) {
		called, args, result = true, c.Message(), c.ResultBuffer()
		growStack(64) // where the pointers of c are looked at
		c.Code, c.ResultLength = abi.OK, 0
		runtime.KeepAlive(args)
	}})
	buffer := make([]byte, 128)
	room := uintptr(unsafe.Pointer(&buffer[0]))
	tests := map[string]struct {
		args, argsLength, result, resultLength uintptr
		noLength                               bool
		message                                string // none for calls that are made
		refused                                bool
	}{
		"nothing":                    {},
		"dangling and empty":         {args: 1, result: 1},
		"memory and empty":           {args: room, result: room},
		"args NULL":                  {argsLength: 5, result: room, resultLength: 128, refused: true, message: "args is NULL"},
		"args in the first page":     {args: 4095, argsLength: 1, result: room, resultLength: 128, refused: true, message: "args is NULL"},
		"args without end":           {args: room, argsLength: 1<<63 + 5, result: room, resultLength: 128, refused: true, message: "longer than memory"},
		"args past the end":          {args: ^uintptr(0) - 10, argsLength: 20, result: room, resultLength: 128, refused: true, message: "longer than memory"},
		"args NULL and small result": {argsLength: 5, result: room, resultLength: 12, refused: true},
		"args NULL and no result":    {argsLength: 5, refused: true},
		"result NULL":                {resultLength: 10, refused: true},
		"result without end":         {result: room, resultLength: ^uintptr(0), refused: true},
		"no result_len":              {noLength: true, result: room, refused: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			called = false
			length := &tt.resultLength
			if tt.noLength {
				length = nil
			}
			code := l.invoke(host, 1, 2, tt.args, tt.argsLength, tt.result, length)
			assert.Equal(t, !tt.refused, called, "the host was asked")
			if !tt.refused {
				assert.Equal(t, int32(abi.OK), code)
				assert.Empty(t, args)
				assert.Empty(t, result)
				return
			}
			assert.Equal(t, int32(abi.ErrInvalidArgs), code)
			if tt.message != "" {
				assert.Contains(t, message(t, buffer[:tt.resultLength]), tt.message)
			} else if !tt.noLength {
				assert.Zero(t, tt.resultLength, "there is no message")
			}
		})
	}
	runtime.KeepAlive(buffer)
}

func TestResolve(t *testing.T) {
	l := newLibrary(t)
	var box, method string
	_, host := serve(t, service{resolve: func(_ context.Context, b, m string) (uint32, uint32, abi.Code) {
		box, method = b, m
		return 0xf0000001, 0xf0000002, abi.OK
	}})
	longest := strings.Repeat("x", 1024)
	tests := map[string]struct {
		box, method string
		refused     bool
	}{
		"names":        {"CounterBox", "get", false},
		"empty":        {"", "", false},
		"any bytes":    {"caf\xe9", "\x01\xff", false},
		"long":         {longest, longest, false},
		"box too long": {longest + "x", "b", true},
		"method too":   {"A", longest + "x", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ids := []uint32{1, 2}
			code := l.resolve(host, tt.box, tt.method, &ids[0])
			if tt.refused {
				assert.Equal(t, int32(abi.ErrInvalidArgs), code)
				assert.Equal(t, []uint32{1, 2}, ids)
				return
			}
			require.Equal(t, int32(abi.OK), code)
			assert.Equal(t, []string{tt.box, tt.method}, []string{box, method})
			assert.Equal(t, []uint32{0xf0000001, 0xf0000002}, ids)
		})
	}
	for null := range int32(4) {
		want := abi.ErrInvalidArgs
		if null == 0 {
			want = abi.OK
		}
		assert.Equal(t, int32(want), l.resolveNull(host, null), "NULL %b", null)
	}
	good := append([]byte("name"), 0)
	name := uintptr(unsafe.Pointer(&good[0]))
	ids := []uint32{1, 2}
	for what, at := range map[string][2]uintptr{"box": {0, name}, "method": {name, 0}, "unmapped": {1 << 45, name}} {
		assert.Equal(t, int32(abi.ErrInvalidArgs), l.resolveAt(host, at[0], at[1], &ids[0]), what)
	}
	runtime.KeepAlive(good)
}

func TestEntry_KeepsRegisters(t *testing.T) {
	l := newLibrary(t)
	table, host := serve(t, service{invoke: func(_ context.Context, c *abi.Call, _ hostvtable.Caller) {
		c.Code, c.ResultLength = abi.OK, 0
		growStack(64)
		runtime.GC()
	}})
	var got recorder
	defer table.Attach(&got)()
	for kind, name := range []string{"invoke", "resolve", "log"} {
		t.Run(name, func(t *testing.T) {
			assert.Zero(t, l.registersChanged(host, table.Addr(), int32(kind)))
		})
	}
	assert.Equal(t, []line{{abi.LogInfo, "text", true}}, got.lines)
}

// growStack needs so many KiB of stack and says whether what is there is whole.
//
//go:noinline
func growStack(kib int) bool {
	var block [1024]byte
	for i := range block {
		block[i] = byte(kib)
	}
	if kib > 0 && !growStack(kib-1) {
		return false
	}
	return bytes.Count(block[:], []byte{byte(kib)}) == len(block)
}

func TestInvoke_StackGrows(t *testing.T) {
	l := newLibrary(t)
	whole := false
	_, host := serve(t, service{invoke: func(_ context.Context, c *abi.Call, _ hostvtable.Caller) {
		buffer := c.ResultBuffer()
		whole = growStack(512) && string(c.Message()) == "he\x00lo"
		c.Code, c.ResultLength = abi.OK, uintptr(copy(buffer, "answer"))
	}})
	// A goroutine of its own has a small stack, which is moved.
	done := make(chan struct{})
	go func() {
		defer close(done)
		answer, length := make([]byte, 10), uintptr(10)
		assert.Zero(t, l.known(host, &answer[0], &length))
		assert.Equal(t, "answer", string(answer[:length]))
	}()
	<-done
	assert.True(t, whole)
}

// busyCollector makes garbage and has it collected until the returned function is called.
func busyCollector() (stop func()) {
	old := debug.SetGCPercent(1)
	var stopped atomic.Bool
	var busy sync.WaitGroup
	busy.Go(func() {
		for !stopped.Load() {
			_ = make([]byte, 1<<16)
			runtime.GC()
		}
	})
	return func() {
		stopped.Store(true)
		busy.Wait()
		debug.SetGCPercent(old)
	}
}

func TestHostCalls_ThreadsOfThePlugin(t *testing.T) {
	l := newLibrary(t)
	var garbage atomic.Pointer[[]byte]
	_, host := serve(t, service{
		resolve: func(ctx context.Context, box, method string) (uint32, uint32, abi.Code) {
			if ctx != nil {
				return 0, 0, abi.ErrPlugin
			}
			return uint32(box[3] - '0'), uint32(len(method)), abi.OK
		},
		invoke: func(ctx context.Context, c *abi.Call, _ hostvtable.Caller) {
			answer := make([]byte, 12+len(c.Message()))
			garbage.Store(&answer)
			le := func(at int, v uint32) {
				*(*[4]byte)(answer[at:]) = [4]byte{byte(v), byte(v >> 8), byte(v >> 16), byte(v >> 24)}
			}
			le(0, c.TypeID)
			le(4, c.Method)
			le(8, c.Instance)
			for i, b := range c.Message() {
				answer[12+i] = b + 1
			}
			c.ResultLength = uintptr(copy(c.ResultBuffer(), answer))
			if ctx != nil {
				c.Code = abi.ErrPlugin
				return
			}
			c.Code = abi.OK
		},
	})
	defer busyCollector()()
	defer hostvtable.Enter(t.Context()).Leave() // this goroutine is not theirs
	assert.Zero(t, l.fromThreads(host, 300))
}

func TestHostCalls_ThreadsThatEnd(t *testing.T) {
	l := newLibrary(t)
	var calls atomic.Int64
	_, host := serve(t, service{invoke: func(ctx context.Context, c *abi.Call, from hostvtable.Caller) {
		calls.Add(1)
		sameThread(ctx, c, from)
		if ctx != nil {
			c.Code = abi.ErrPlugin
		}
	}})
	const rounds = 1000
	assert.Zero(t, l.onManyThreads(host, rounds))
	assert.EqualValues(t, 4*rounds, calls.Load())
}

// sameThread answers success where the library and the host call this thread the same.
func sameThread(_ context.Context, c *abi.Call, from hostvtable.Caller) {
	c.Code, c.ResultLength = abi.OK, 0
	if *(*uint64)(c.Args) != from.Thread() {
		c.Code = abi.ErrInvalidArgs
	}
}

func TestThread(t *testing.T) {
	l := newLibrary(t)
	_, host := serve(t, service{invoke: sameThread})
	assert.Zero(t, l.thread(host))
	assert.Zero(t, l.onOwnThread(host))
}

func TestCurrent_IsOfTheGoroutine(t *testing.T) {
	l := newLibrary(t)
	var seen []any
	_, host := serve(t, service{invoke: func(ctx context.Context, c *abi.Call, _ hostvtable.Caller) {
		c.Code, c.ResultLength = abi.OK, 0
		if ctx == nil {
			seen = append(seen, nil)
			return
		}
		seen = append(seen, ctx.Value(key{}))
	}})
	ask := func(fn func(uintptr) int32) any {
		seen = nil
		require.Zero(t, fn(host))
		require.Len(t, seen, 1)
		return seen[0]
	}
	assert.Nil(t, ask(l.thread), "outside")
	outer := hostvtable.Enter(context.WithValue(t.Context(), key{}, "outer"))
	assert.Equal(t, "outer", ask(l.thread))
	assert.Nil(t, ask(l.onOwnThread), "a thread of the library's own, meanwhile")
	inner := hostvtable.Enter(context.WithValue(t.Context(), key{}, "inner"))
	assert.Equal(t, "inner", ask(l.thread))
	inner.Leave()
	assert.Equal(t, "outer", ask(l.thread))
	none := hostvtable.Enter(nil) //nolint:staticcheck // it hides the outer one
	assert.Nil(t, ask(l.thread))
	none.Leave()
	other := make(chan any)
	go func() { other <- ask(l.thread) }()
	assert.Nil(t, <-other, "another goroutine")
	outer.Leave()
	assert.Nil(t, ask(l.thread), "after Leave")
}

// Go and C call each other by turns, 200 deep, each with a context of its own.
func TestHostCalls_Recursion(t *testing.T) {
	l := newLibrary(t)
	var host uintptr
	const depth = 200
	var depths []uint32
	_, host = serve(t, service{invoke: func(ctx context.Context, c *abi.Call, _ hostvtable.Caller) {
		c.ResultLength = 0
		left := c.TypeID
		if ctx == nil || ctx.Value(key{}) != left {
			c.Code = -2000
			return
		}
		depths = append(depths, left)
		entry := hostvtable.Enter(context.WithValue(context.Background(), key{}, left-1))
		below, _, _ := purego.SyscallN(l.descend, host, uintptr(left-1))
		entry.Leave()
		c.Code = abi.Code(int32(uint32(below)))
		if now := hostvtable.Current(); now == nil || now.Value(key{}) != left {
			c.Code = -3000
		}
		if left%50 == 0 {
			runtime.GC()
		}
	}})
	entry := hostvtable.Enter(context.WithValue(context.Background(), key{}, uint32(depth)))
	defer entry.Leave()
	below, _, _ := purego.SyscallN(l.descend, host, depth)
	assert.EqualValues(t, depth, int32(uint32(below)))
	assert.Len(t, depths, depth)
}

func TestHostCalls_Panic(t *testing.T) {
	l := newLibrary(t)
	_, host := serve(t, service{
		resolve: func(context.Context, string, string) (uint32, uint32, abi.Code) { panic("resolve failed") },
		invoke: func(_ context.Context, c *abi.Call, _ hostvtable.Caller) {
			c.SetResultBuffer(nil) // as far as it got
			panic("invoke failed")
		},
	})
	ids := []uint32{1, 2}
	assert.Equal(t, int32(abi.ErrPlugin), l.resolve(host, "A", "b", &ids[0]))
	assert.Equal(t, []uint32{1, 2}, ids)
	answer, length := make([]byte, 100), uintptr(100)
	assert.Equal(t, int32(abi.ErrPlugin), l.known(host, &answer[0], &length))
	assert.Contains(t, message(t, answer[:length]), "the host failed")
	length = 10
	assert.Equal(t, int32(abi.ErrPlugin), l.known(host, &answer[0], &length))
	assert.Zero(t, length, "no room for a message")
}

func TestServe_OneAtATime(t *testing.T) {
	l := newLibrary(t)
	table := newTable(t, false)
	host := callsOf(t, table)
	ask := func() (code int32, text string) {
		answer, length := make([]byte, 100), uintptr(100)
		if code = l.known(host, &answer[0], &length); length > 0 {
			text = message(t, answer[:length])
		}
		ids := []uint32{1, 2}
		assert.Equal(t, code, l.resolve(host, "A", "b", &ids[0]), "resolve")
		return code, text
	}
	answering := func(code abi.Code) service {
		return service{
			resolve: func(context.Context, string, string) (uint32, uint32, abi.Code) { return 0, 0, code },
			invoke:  func(_ context.Context, c *abi.Call, _ hostvtable.Caller) { c.Code, c.ResultLength = code, 0 },
		}
	}
	unanswered := uint64(0)
	assertClosed := func(when string) {
		code, text := ask()
		unanswered += 2 // an invoke and a resolve
		assert.Equal(t, unanswered, table.Unanswered(), when)
		assert.Equal(t, int32(abi.ErrPlugin), code, when)
		assert.Contains(t, text, "the library is closed", when)
	}
	assertClosed("before")
	stop := table.Serve(answering(41))
	code, _ := ask()
	assert.EqualValues(t, 41, code)
	assert.Nil(t, table.Serve(answering(42)), "while another serves")
	code, _ = ask()
	assert.EqualValues(t, 41, code)
	stop()
	assertClosed("after")
	again := table.Serve(answering(43))
	stop() // which is not its own
	code, _ = ask()
	assert.EqualValues(t, 43, code)
	assert.Equal(t, unanswered, table.Unanswered(), "what is answered does not count")
	again()
	assertClosed("at the end")
}

func TestPlace(t *testing.T) {
	d := newDriver(t)
	for _, track := range []bool{false, true} {
		t.Run(fmt.Sprintf("track=%v", track), func(t *testing.T) {
			table := newTable(t, track)
			var got recorder
			defer table.Attach(&got)()
			addr, err := table.Place([]byte("a blob"))
			require.NoError(t, err)
			require.NotZero(t, addr)
			data, release, err := table.Adopt(addr, 6)
			require.NoError(t, err, "it is what alloc would have returned")
			assert.Equal(t, "a blob", string(data))
			release()

			addr, err = table.Place([]byte("another"))
			require.NoError(t, err)
			d.free(table.Addr(), uintptr(addr))
			assert.Empty(t, got.lines)
			if m, ok := table.Memory(); ok {
				assert.Equal(t, hostvtable.Memory{Allocs: 2}, m)
			}

			addr, err = table.Place(nil)
			require.NoError(t, err)
			assert.Zero(t, addr)
		})
	}
}
