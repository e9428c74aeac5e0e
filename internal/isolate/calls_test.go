package isolate_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/tests/ccbuild"
	"github.com/nyash-plugins/nyash-go/tests/hosttest"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// The methods of caller.c, and its kinds of memory.
const (
	relay = 1 + iota
	thread
	resolve
	send
	receive
	start
	stop
	measure
	measureOwn
	crash
)

const (
	inMalloc = iota
	inAlloc
	inStack
	nowhere
	forbidden
)

// order is a call of the host that caller.c is to make.
type order struct {
	typeID, method, instance uint32
	room                     int
	message                  []byte
}

func (o order) bytes() []byte {
	var all []byte
	for _, word := range []uint32{o.typeID, o.method, o.instance, uint32(o.room)} {
		all = binary.LittleEndian.AppendUint32(all, word)
	}
	return append(all, o.message...)
}

// answer is what became of it.
type answer struct {
	code           abi.Code
	typeID, method uint32
	thread         uint32
	length         uint64
	result         []byte
}

const answerSize = 24

// ask has the plugin do something in a call with a context.
func ask(ctx context.Context, s *isolate.Session, method uint32, args []byte) (a answer, err error) {
	return askRoom(ctx, s, method, args, 32<<10)
}

// askRoom is ask with so many bytes for the result.
func askRoom(ctx context.Context, s *isolate.Session, method uint32, args []byte, size int) (a answer, err error) {
	c, room := &abi.Call{Method: method}, make([]byte, answerSize+size)
	c.SetArgs(args)
	c.SetResultBuffer(room)
	if err := s.Invoke(ctx, c); err != nil {
		return a, err
	}
	if c.Code != abi.OK {
		return a, c.Code
	}
	word := func(at int) uint32 { return binary.LittleEndian.Uint32(room[at:]) }
	return answer{
		code: abi.Code(int32(word(0))), typeID: word(4), method: word(8), thread: word(12),
		length: binary.LittleEndian.Uint64(room[16:]), result: room[answerSize:c.ResultLength],
	}, nil
}

// mustAsk is ask for what succeeds.
func mustAsk(t testing.TB, s *isolate.Session, method uint32, args []byte) answer {
	t.Helper()
	a, err := ask(t.Context(), s, method, args)
	require.NoError(t, err)
	return a
}

// calls answers with functions of the test, or else echoes.
type calls struct {
	resolve func(ctx context.Context, box, method string) (typeID, methodID uint32, code abi.Code)
	invoke  func(ctx context.Context, c *abi.Call, from hostvtable.Caller)
}

func (k calls) Resolve(ctx context.Context, box, method string) (typeID, methodID uint32, code abi.Code) {
	if k.resolve == nil {
		return 0, 0, abi.ErrInvalidType
	}
	return k.resolve(ctx, box, method)
}

func (k calls) Invoke(ctx context.Context, c *abi.Call, from hostvtable.Caller) {
	if k.invoke != nil {
		k.invoke(ctx, c, from)
		return
	}
	reply(c, c.Message())
}

// reply answers as a method does.
func reply(c *abi.Call, result []byte) {
	room := c.ResultBuffer()
	c.ResultLength = uintptr(len(result))
	if c.Code = abi.OK; len(result) > len(room) {
		c.Code = abi.ErrShortBuffer
		return
	}
	copy(room, result)
}

// onBoth runs a test for each transport.
func onBoth(t *testing.T, test func(t *testing.T, open func(isolate.Config) *isolate.Session)) {
	library := ccbuild.Library(t, "testdata/caller.c")
	for name, channel := range channels {
		t.Run(name, func(t *testing.T) {
			test(t, func(config isolate.Config) *isolate.Session {
				config.Channel = channel
				if config.File == "" {
					config.File = library
				}
				if config.Calls == nil {
					config.Calls = calls{}
				}
				return open(t, config)
			})
		})
	}
}

func TestHostCall(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(isolate.Config) *isolate.Session) {
		type outer struct{ context.Context }
		ctx := outer{t.Context()}
		var seen abi.Call
		var own *isolate.Session
		var last context.Context
		s := open(isolate.Config{Calls: calls{
			resolve: func(c context.Context, box, method string) (typeID, methodID uint32, code abi.Code) {
				last = c
				if box != "Box" {
					return 9, 9, abi.ErrInvalidType
				}
				return 1 << 31, uint32(len(method)), abi.OK
			},
			invoke: func(c context.Context, call *abi.Call, from hostvtable.Caller) {
				last, seen = c, *call
				assert.Same(t, own, from.Session())
				if call.Method == 7 {
					room := call.ResultBuffer()
					call.Code, call.ResultLength = abi.ErrInvalidHandle, uintptr(contract.WriteMessage(room, "gone"))
					return
				}
				reply(call, append([]byte("re:"), call.Message()...))
			},
		}})
		own = s
		require.True(t, s.Description().Connects)

		for name, tt := range map[string]struct {
			names          string
			typeID, method uint32
			code           abi.Code
		}{
			"found":         {"Box\x00read\x00", 1 << 31, 4, abi.OK},
			"not found":     {"Bux\x00read\x00", 0, 0, abi.ErrInvalidType},
			"empty":         {"\x00\x00", 0, 0, abi.ErrInvalidType},
			"any bytes":     {"Box\x00\xff\x1b[31m\x00", 1 << 31, 6, abi.OK},
			"longest":       {"Box\x00" + strings.Repeat("x", contract.MaxName) + "\x00", 1 << 31, contract.MaxName, abi.OK},
			"one too large": {"Box\x00" + strings.Repeat("x", contract.MaxName+1) + "\x00", 0, 0, abi.ErrInvalidArgs},
		} {
			last = nil
			a, err := ask(ctx, s, resolve, []byte(tt.names))
			require.NoError(t, err, name)
			assert.Equal(t, answer{code: tt.code, typeID: tt.typeID, method: tt.method, result: a.result}, a, name)
			if tt.code != abi.ErrInvalidArgs {
				assert.Equal(t, ctx, last, name)
			}
		}

		a, err := ask(ctx, s, relay, order{1 << 31, 3, 5, 100, []byte("hello")}.bytes())
		require.NoError(t, err)
		assert.Equal(t, []any{abi.OK, uint64(8), "re:hello"}, []any{a.code, a.length, string(a.result)})
		assert.Equal(t, []uint32{1 << 31, 3, 5}, []uint32{seen.TypeID, seen.Method, seen.Instance})
		assert.Equal(t, ctx, last)

		a = mustAsk(t, s, relay, order{1, 7, 1, 100, nil}.bytes())
		assert.Equal(t, abi.ErrInvalidHandle, a.code)
		v, err := tlv.DecodeOne(a.result)
		require.NoError(t, err)
		text, _ := v.Text()
		assert.Equal(t, "gone", text)
		a = mustAsk(t, s, relay, order{1, 7, 1, 0, nil}.bytes())
		assert.Equal(t, []any{abi.ErrInvalidHandle, uint64(0)}, []any{a.code, a.length})
	})
}

// TestHostCall_Sizes has messages and results that fit their buffers, and larger ones.
func TestHostCall_Sizes(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(isolate.Config) *isolate.Session) {
		var tries atomic.Int32
		s := open(isolate.Config{Calls: calls{invoke: func(_ context.Context, c *abi.Call, _ hostvtable.Caller) {
			tries.Add(1)
			reply(c, c.Message())
		}}})
		for _, size := range []int{0, 1, 4, 65_543, 65_544, 68 << 10, 68<<10 + 1, 1 << 20, 16 << 20} {
			message := bytes.Repeat([]byte{1, 2, 3, 5, 7, 11, 13}, size/7+1)[:size]
			for _, room := range []int{0, size / 2, size - 1} {
				if room < 0 || room >= size {
					continue
				}
				a, err := askRoom(t.Context(), s, relay, order{1, 1, 1, room, message}.bytes(), room)
				require.NoError(t, err)
				require.Equal(t, []any{abi.ErrShortBuffer, uint64(size)}, []any{a.code, a.length}, "%d bytes, room for %d", size, room)
			}
			tries.Store(0)
			large := size + size/10
			a, err := askRoom(t.Context(), s, relay, order{1, 1, 1, large, message}.bytes(), large)
			require.NoError(t, err)
			require.Equal(t, []any{abi.OK, uint64(size)}, []any{a.code, a.length}, size)
			require.True(t, bytes.Equal(message, a.result), size)
			// The host repeats the call for its own buffer, as a plugin would.
			assert.LessOrEqual(t, tries.Load(), int32(2))
		}
		a := mustAsk(t, s, relay, order{1, 1, 1, 100, make([]byte, 16<<20+1)}.bytes())
		assert.Equal(t, abi.ErrInvalidArgs, a.code)
		assert.Contains(t, string(a.result), "a message of 16777217 bytes, and the host reads 16777216")
	})
}

func TestHostCall_Blobs(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(isolate.Config) *isolate.Session) {
		var data []byte
		s := open(isolate.Config{Track: true, MaxBlob: 2 << 20, Calls: calls{invoke: func(_ context.Context, c *abi.Call, from hostvtable.Caller) {
			if c.Method == 2 {
				addr, err := from.Place(data)
				if err != nil {
					c.Code, c.ResultLength = abi.ErrOutOfMemory, 0
					return
				}
				msg := tlv.AppendBlob(tlv.AppendHeader(nil), addr, uint64(len(data)))
				require.NoError(t, tlv.PatchArgc(msg, 1))
				reply(c, msg)
				return
			}
			data = data[:0]
			require.NoError(t, contract.EachBlob(c.Message(), func(addr, length uint64) (uint64, error) {
				if length == 0 {
					assert.Zero(t, addr)
				}
				data = append(data, memory(addr, length)...)
				return addr, nil
			}))
			reply(c, nil)
		}}})
		give := func(kind uint32, size int) answer {
			return mustAsk(t, s, send, order{1, 1, kind, 200, binary.LittleEndian.AppendUint64(nil, uint64(size))}.bytes())
		}
		for _, kind := range []uint32{inMalloc, inAlloc, inStack} {
			for _, size := range []int{0, 1, 4096, 64 << 10, 1 << 20, 2 << 20} {
				if kind == inStack && size > 4096 {
					continue
				}
				a := give(kind, size)
				require.Equal(t, abi.OK, a.code, "%d bytes", size)
				require.Len(t, data, size)
				for i, b := range data {
					if b != byte(i) {
						t.Fatalf("byte %d of %d is %d", i, size, b)
					}
				}
				a = mustAsk(t, s, receive, order{1, 2, 1, 64, nil}.bytes())
				require.Equal(t, []any{abi.OK, uint64(size)}, []any{a.code, a.length})
				sum := uint32(0)
				for _, b := range data {
					sum += uint32(b)
				}
				require.Equal(t, sum, a.thread)
			}
		}
		for _, kind := range []uint32{nowhere, forbidden} {
			a := give(kind, 16<<10)
			assert.Equal(t, abi.ErrInvalidArgs, a.code)
			assert.Contains(t, string(a.result), "cannot be read")
		}
		a := give(inMalloc, 2<<20+1)
		assert.Equal(t, abi.ErrInvalidArgs, a.code)
		assert.Contains(t, string(a.result), "blobs")
		m, ok := s.Memory()
		require.True(t, ok)
		assert.Equal(t, []int{0, 0, 0}, []int{m.Blocks, m.DoubleFrees, m.ForeignFrees})
	})
}

// TestHostCall_OwnThread: a thread of the plugin's own has no context, and its own number.
func TestHostCall_OwnThread(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(isolate.Config) *isolate.Session) {
		type caller struct {
			ctx    context.Context
			thread uint64
		}
		seen := make(chan caller, 2)
		s := open(isolate.Config{Calls: calls{invoke: func(ctx context.Context, c *abi.Call, from hostvtable.Caller) {
			seen <- caller{ctx, from.Thread()}
			reply(c, c.Message())
		}}})
		within := mustAsk(t, s, relay, order{1, 1, 1, 10, []byte("within")}.bytes())
		own := mustAsk(t, s, thread, order{1, 1, 1, 10, []byte("own")}.bytes())
		assert.Equal(t, []string{"within", "own"}, []string{string(within.result), string(own.result)})
		assert.Equal(t, caller{t.Context(), uint64(within.thread)}, <-seen)
		assert.Equal(t, caller{nil, uint64(own.thread)}, <-seen)
	})
}

// TestHostCall_Refused: without Calls, all is refused.
func TestHostCall_Refused(t *testing.T) {
	library := ccbuild.Library(t, "testdata/caller.c")
	for name, channel := range channels {
		t.Run(name, func(t *testing.T) {
			s := open(t, isolate.Config{File: library, Channel: channel})
			for _, method := range []uint32{relay, thread} {
				assert.Equal(t, abi.ErrNotPermitted, mustAsk(t, s, method, order{1, 1, 1, 10, nil}.bytes()).code)
			}
			assert.Equal(t, abi.ErrNotPermitted, mustAsk(t, s, resolve, []byte("Box\x00read\x00")).code)
		})
	}
}

// TestHostCall_Phases: connect, init and shutdown call with the context that Around gives.
func TestHostCall_Phases(t *testing.T) {
	type around struct{ context.Context }
	library := ccbuild.Library(t, "testdata/caller.c", "-DPHASES=7")
	for name, channel := range channels {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var seen []string
			note := func(ctx context.Context, what string) {
				mu.Lock()
				defer mu.Unlock()
				if ctx == nil {
					what += " on a thread of its own"
				} else if _, ok := ctx.(around); !ok {
					what += " elsewhere"
				}
				seen = append(seen, what)
			}
			ended := 0
			p, err := isolate.Open(t.Context(), isolate.Config{
				File: library, Channel: channel, Sink: silence{}, InUse: func() bool { return true },
				Around: func(ctx context.Context, run func(context.Context)) { run(around{ctx}) },
				OnEnd:  func(*isolate.Session) { ended++ },
				Calls: calls{
					resolve: func(ctx context.Context, box, method string) (typeID, methodID uint32, code abi.Code) {
						note(ctx, box+"."+method)
						return 1, 2, abi.OK
					},
					invoke: func(ctx context.Context, c *abi.Call, _ hostvtable.Caller) {
						note(ctx, fmt.Sprint("invoke ", c.Instance))
						reply(c, nil)
					},
				},
			})
			require.NoError(t, err)
			s, err := p.Session(t.Context())
			require.NoError(t, err)
			assert.Equal(t, abi.OK, mustAsk(t, s, relay, order{1, 1, 9, 0, nil}.bytes()).code)
			require.NoError(t, p.Close())
			assert.Equal(t, 1, ended)
			assert.Equal(t, []string{
				"Box.method", "invoke 1",
				"Box.method on a thread of its own", "invoke 3 on a thread of its own", "Box.method", "invoke 2",
				"invoke 9 elsewhere",
				"Box.method", "invoke 4",
			}, seen)
		})
	}
}

// nested is the context of a call that a plugin waits for.
type nested struct {
	context.Context
	depth int
}

func (n nested) Nested() bool { return n.depth > 0 }

// TestHostCall_Recursion has calls of one worker nest 20 deep: more than there are places
// kept for them.
func TestHostCall_Recursion(t *testing.T) {
	const depth = 20
	onBoth(t, func(t *testing.T, open func(isolate.Config) *isolate.Session) {
		var s *isolate.Session
		s = open(isolate.Config{Nested: true, Calls: calls{invoke: func(ctx context.Context, c *abi.Call, _ hostvtable.Caller) {
			n := ctx.(nested)
			if n.depth == depth {
				reply(c, []byte("bottom"))
				return
			}
			a, err := ask(nested{n.Context, n.depth + 1}, s, relay, order{1, 1, 1, 100, c.Message()}.bytes())
			if assert.NoError(t, err) {
				reply(c, append([]byte("."), a.result...))
			}
		}}})
		for range 3 {
			a, err := ask(nested{t.Context(), 0}, s, relay, order{1, 1, 1, 100, []byte("x")}.bytes())
			require.NoError(t, err)
			assert.Equal(t, strings.Repeat(".", depth)+"bottom", string(a.result))
		}
	})
}

// TestHostCall_NoSlot: nested calls never wait, and ordinary ones leave them some places.
func TestHostCall_NoSlot(t *testing.T) {
	const ordinary = 64 - transport.ControlSlots - transport.NestedSlots
	onBoth(t, func(t *testing.T, open func(isolate.Config) *isolate.Session) {
		var under atomic.Int32
		release := make(chan struct{})
		s := open(isolate.Config{Nested: true, Calls: calls{invoke: func(_ context.Context, c *abi.Call, _ hostvtable.Caller) {
			under.Add(1)
			<-release
			reply(c, nil)
		}}})
		var all sync.WaitGroup
		call := func(ctx context.Context) {
			all.Go(func() {
				_, err := ask(ctx, s, relay, order{1, 1, 1, 10, nil}.bytes())
				assert.NoError(t, err)
			})
		}
		for range ordinary {
			call(t.Context())
		}
		hosttest.Eventually(func() bool { return under.Load() == ordinary })
		call(t.Context()) // waits
		for range transport.NestedSlots {
			call(nested{t.Context(), 1})
		}
		hosttest.Eventually(func() bool { return under.Load() == ordinary+transport.NestedSlots })
		_, err := ask(nested{t.Context(), 1}, s, relay, order{1, 1, 1, 10, nil}.bytes())
		require.ErrorIs(t, err, transport.ErrNoSlot)
		close(release)
		all.Wait()
		_, err = ask(nested{t.Context(), 1}, s, relay, order{1, 1, 1, 10, nil}.bytes())
		require.NoError(t, err)
	})
}

// TestHostCall_Concurrent has many calls that each call back, several times.
func TestHostCall_Concurrent(t *testing.T) {
	const callers, rounds = 64, 30
	onBoth(t, func(t *testing.T, open func(isolate.Config) *isolate.Session) {
		s := open(isolate.Config{})
		var all sync.WaitGroup
		for i := range callers {
			all.Go(func() {
				for j := range rounds {
					method := uint32(relay)
					if i%4 == 0 {
						method = thread
					}
					text := fmt.Sprint(i, " ", j, strings.Repeat("x", i*j))
					a, err := ask(t.Context(), s, method, order{1, 1, 1, 4000, []byte(text)}.bytes())
					if assert.NoError(t, err) {
						assert.Equal(t, text, string(a.result))
					}
				}
			})
		}
		all.Wait()
	})
}

// TestHostCall_Threads has more threads of the plugin's own than there are lanes.
func TestHostCall_Threads(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(isolate.Config) *isolate.Session) {
		var under, most, all atomic.Int32
		s := open(isolate.Config{Calls: calls{invoke: func(ctx context.Context, c *abi.Call, _ hostvtable.Caller) {
			n := under.Add(1)
			for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
				continue
			}
			all.Add(1)
			runtime.Gosched()
			under.Add(-1)
			reply(c, c.Message())
		}}})
		for range 40 {
			mustAsk(t, s, start, order{1, 1, 1, 100, []byte("again")}.bytes())
		}
		hosttest.Eventually(func() bool { return all.Load() > 2000 })
		assert.Equal(t, "within", string(mustAsk(t, s, relay, order{1, 1, 1, 100, []byte("within")}.bytes()).result))
		made := mustAsk(t, s, stop, order{}.bytes()).length
		assert.EqualValues(t, all.Load()-1, made)
		assert.LessOrEqual(t, most.Load(), int32(17))
	})
}

// TestHostCall_Timeout: the time in which the plugin waits for its host does not count, and
// its own does.
func TestHostCall_Timeout(t *testing.T) {
	const limit = 100 * time.Millisecond
	onBoth(t, func(t *testing.T, open func(isolate.Config) *isolate.Session) {
		wait := 3 * limit
		s := open(isolate.Config{CallTimeout: limit, Restart: isolate.Restart{Max: 1}, Calls: calls{invoke: func(_ context.Context, c *abi.Call, _ hostvtable.Caller) {
			<-time.After(wait)
			reply(c, c.Message())
		}}})
		assert.Equal(t, "x", string(mustAsk(t, s, relay, order{1, 1, 1, 10, []byte("x")}.bytes()).result))
		wait = 0
		began := time.Now()
		_, err := ask(t.Context(), s, measure, order{1, 1, 1, 1 << 30, nil}.bytes()) // calls back all the time
		require.ErrorIs(t, err, transport.ErrTimeout)
		assert.GreaterOrEqual(t, time.Since(began), limit)
	})
}

// TestHostCall_Abandoned: a call whose context has ended still calls its host, which can
// see that, and ends.
func TestHostCall_Abandoned(t *testing.T) {
	onBoth(t, func(t *testing.T, open func(isolate.Config) *isolate.Session) {
		asked, leave := make(chan struct{}), make(chan struct{})
		var ended atomic.Int32
		s := open(isolate.Config{CancelGrace: time.Hour, Calls: calls{invoke: func(ctx context.Context, c *abi.Call, _ hostvtable.Caller) {
			if ctx.Err() != nil {
				ended.Add(1)
				c.Code, c.ResultLength = abi.ErrPlugin, 0
				return
			}
			close(asked)
			<-leave
			reply(c, nil)
		}}})
		ctx, cancel := context.WithCancelCause(t.Context())
		done := make(chan error)
		go func() {
			_, err := ask(ctx, s, measure, order{1, 1, 1, 100, nil}.bytes())
			done <- err
		}()
		<-asked
		why := errors.New("enough")
		cancel(why)
		close(leave)
		err := <-done
		var late *transport.AbandonedError
		require.ErrorAs(t, err, &late)
		require.ErrorIs(t, err, why)
		require.NoError(t, late.Wait())
		assert.EqualValues(t, 99, ended.Load())
	})
}

// TestHostCall_Death: a worker that dies while its call of the host is under way is a crash
// for who called it, when that call has ended.
func TestHostCall_Death(t *testing.T) {
	for _, method := range []uint32{relay, thread} {
		onBoth(t, func(t *testing.T, open func(isolate.Config) *isolate.Session) {
			var own atomic.Pointer[isolate.Session]
			placed := make(chan error, 1)
			ends := make(chan *isolate.Session, 2)
			s := open(isolate.Config{Restart: isolate.Restart{Max: 1}, OnEnd: func(s *isolate.Session) { ends <- s }, Calls: calls{invoke: func(_ context.Context, c *abi.Call, from hostvtable.Caller) {
				s := own.Load()
				process, err := os.FindProcess(s.PID())
				assert.NoError(t, err)
				assert.NoError(t, process.Kill())
				assert.Same(t, s, <-ends)
				assert.True(t, s.Lost())
				_, err = from.Place([]byte("nobody has it"))
				placed <- err
				reply(c, make([]byte, 50)) // to memory that is still there
			}}})
			own.Store(s)
			_, err := ask(t.Context(), s, method, order{1, 1, 1, 100, make([]byte, 100<<10)}.bytes())
			require.ErrorIs(t, err, transport.ErrCrashed)
			require.ErrorIs(t, <-placed, transport.ErrLost)
			assert.Empty(t, ends, "once")
		})
	}
}

// TestHostCall_Idle: a worker whose own thread has a call under way is not idle.
func TestHostCall_Idle(t *testing.T) {
	library := ccbuild.Library(t, "testdata/caller.c")
	for name, channel := range channels {
		t.Run(name, func(t *testing.T) {
			asked, release := make(chan struct{}, 1000), make(chan struct{})
			ended := make(chan struct{})
			p, err := isolate.Open(t.Context(), isolate.Config{
				File: library, Channel: channel, Sink: silence{}, IdleTimeout: 50 * time.Millisecond,
				InUse: func() bool { return false }, OnEnd: func(*isolate.Session) { close(ended) },
				Calls: calls{invoke: func(_ context.Context, c *abi.Call, _ hostvtable.Caller) {
					select {
					case asked <- struct{}{}:
					default:
					}
					<-release
					reply(c, nil)
				}},
			})
			require.NoError(t, err)
			defer p.Close()
			s, err := p.Session(t.Context())
			require.NoError(t, err)
			mustAsk(t, s, start, order{1, 1, 1, 10, nil}.bytes())
			<-asked
			select {
			case <-ended:
				t.Fatal("it was ended")
			case <-time.After(300 * time.Millisecond):
			}
			// Once it has stopped, it is.
			done := make(chan error)
			go func() {
				_, err := ask(t.Context(), s, stop, order{}.bytes())
				done <- err
			}()
			hosttest.Eventually(func() bool { return s.Active() == 2 })
			close(release)
			require.NoError(t, <-done)
			<-ended
		})
	}
}

// TestHostCall_Leaves: nothing is left of calls: no goroutine, and no descriptor.
func TestHostCall_Leaves(t *testing.T) {
	library := ccbuild.Library(t, "testdata/caller.c")
	for name, channel := range channels {
		t.Run(name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			for range 3 {
				p, err := isolate.Open(t.Context(), isolate.Config{File: library, Channel: channel, Sink: silence{}, Calls: calls{}, InUse: func() bool { return true }})
				require.NoError(t, err)
				s, err := p.Session(t.Context())
				require.NoError(t, err)
				for range 20 {
					mustAsk(t, s, start, order{1, 1, 1, 10, nil}.bytes())
				}
				mustAsk(t, s, relay, order{1, 1, 1, 10, nil}.bytes())
				require.NoError(t, p.Close())
			}
			hosttest.Eventually(func() bool { return runtime.NumGoroutine() <= before })
		})
	}
}

// TestHostCall_LeavesNoMemory has calls need more memory one after the other than the
// worker may have at a time.
func TestHostCall_LeavesNoMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		return // limits.memory is an error
	}
	const size, rounds = 1 << 20, 70
	limit := uint64(24 << 20)
	onBoth(t, func(t *testing.T, open func(isolate.Config) *isolate.Session) {
		data := make([]byte, size)
		s := open(isolate.Config{Limits: isolate.Limits{Memory: &limit}, Calls: calls{invoke: func(_ context.Context, c *abi.Call, from hostvtable.Caller) {
			if c.Method != 2 {
				reply(c, nil)
				return
			}
			addr, err := from.Place(data)
			if !assert.NoError(t, err) {
				return
			}
			msg := tlv.AppendBlob(tlv.AppendHeader(nil), addr, size)
			require.NoError(t, tlv.PatchArgc(msg, 1))
			reply(c, msg)
		}}})
		for range rounds {
			for _, kind := range []uint32{inMalloc, inAlloc} {
				a := mustAsk(t, s, send, order{1, 1, kind, 200, binary.LittleEndian.AppendUint64(nil, size)}.bytes())
				require.Equal(t, abi.OK, a.code, string(a.result))
			}
			require.Equal(t, abi.OK, mustAsk(t, s, receive, order{1, 2, 1, 64, nil}.bytes()).code)
			large := order{1, 1, 1, size, data}.bytes()
			require.Equal(t, abi.OK, mustAsk(t, s, relay, large).code)
			require.Equal(t, abi.OK, mustAsk(t, s, thread, large).code)
		}
		assert.Zero(t, s.Lent(), "of the host's")
	})
}

// BenchmarkHostCall is a call of a plugin to its host, of 24 bytes each way: in a call, and
// on a thread of the plugin's own when both sides have gone to sleep.
func BenchmarkHostCall(b *testing.B) {
	library := ccbuild.Library(b, "testdata/caller.c")
	for name, channel := range channels {
		for what, method := range map[string]uint32{"within": measure, "own": measureOwn} {
			b.Run(name+"/"+what, func(b *testing.B) {
				s := open(b, isolate.Config{File: library, Channel: channel, Calls: calls{}})
				b.ReportAllocs()
				var medians []uint64
				n := max(b.N, 1)
				for n > 0 {
					part := min(n, 1000)
					n -= part
					medians = append(medians, mustAsk(b, s, method, order{1, 1, 1, part, make([]byte, 24)}.bytes()).length)
				}
				slices.Sort(medians)
				b.ReportMetric(float64(medians[len(medians)/2]), "p50-ns")
			})
		}
	}
}
