package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/loader/process/channel"
)

var errSocket = errors.New("it closed its control socket")

// Session is one life of a plugin's worker.
type Session struct {
	plugin      *Plugin
	mem         *channel.Memory
	arena       *channel.Arena // of what the host lends
	base        uint64         // address of the memory in the worker; its own word
	description abi.Description
	pid         int
	control     *os.File
	outputDone  chan struct{}

	callers  [channel.Slots]caller
	active   atomic.Int32 // calls under way
	used     atomic.Int32 // slots that were ever used: those above need no look
	leading  atomic.Bool  // a caller waits for all of them
	waiters  atomic.Int32 // for a slot
	slotFree chan struct{}

	dead      atomic.Bool
	ended     chan struct{} // closed when dead
	crash     atomic.Pointer[CrashError]
	killedFor atomic.Pointer[error]
	ready     atomic.Bool // the library is loaded
	expected  atomic.Bool // it was asked to end

	lines    sync.Mutex // the ring has one reader
	unmapped bool       // guarded by lines

	mu      sync.Mutex
	reaped  bool
	printed string
	blobs   int // adopted or lent, and not given back
}

// caller is the host's side of a slot.
type caller struct {
	busy    atomic.Uint32
	waiting atomic.Bool
	told    chan struct{}
	calls   atomic.Uint64
	errors  atomic.Uint64
	_       [24]byte // keeps neighbours out of the cache line
}

func newSession(p *Plugin, mem *channel.Memory) *Session {
	s := &Session{
		plugin: p, mem: mem,
		arena:    channel.NewArena(channel.HostArena, channel.ArenaSize, mem.Drop),
		slotFree: make(chan struct{}, channel.Slots),
		ended:    make(chan struct{}),
	}
	for i := range s.callers {
		s.callers[i].told = make(chan struct{}, 1)
	}
	return s
}

// Description is what the plugin said of itself in init.
func (s *Session) Description() abi.Description { return s.description }

// Lost reports whether the worker has died.
func (s *Session) Lost() bool { return s.dead.Load() }

// Invoke calls nyash_plugin_invoke in the worker. When ctx is done, or the call
// takes longer than the plugin's call timeout, the worker is killed. The error is
// [ErrLost] where no call was made, and matches [ErrCrashed], [ErrTimeout] or
// ctx's error where it was lost.
func (s *Session) Invoke(ctx context.Context, c *abi.Call) error {
	i, err := s.claim(ctx)
	if err != nil {
		return err
	}
	slot := s.mem.Slot(i)
	message, room := c.Message(), c.Room()
	args, argsOwn, err := s.place(channel.ArgsOffset(i), message)
	if err != nil {
		s.release(i)
		return err
	}
	result, resultOwn, err := s.roomFor(i, len(room))
	if err != nil {
		s.giveBack(args, len(message), argsOwn)
		s.release(i)
		return err
	}
	slot.Op, slot.TypeID, slot.Method, slot.Instance = channel.OpInvoke, c.TypeID, c.Method, c.Instance
	slot.Args, slot.ArgsLength = args, uint64(len(message))
	slot.Room, slot.RoomLength, slot.Length = result, uint64(len(room)), 0
	err = s.exchange(ctx, i, slot, s.plugin.config.CallTimeout, ErrTimeout)
	if err == nil {
		// Read once: the worker could change them at any time.
		code, length := slot.Code, slot.Length
		copy(room, s.mem.Bytes(result, min(length, uint64(len(room)))))
		c.Code, c.ResultLength = abi.Code(code), uintptr(length)
		if code != 0 {
			s.callers[i].errors.Add(1)
		}
	} else {
		s.callers[i].errors.Add(1)
	}
	s.giveBack(args, len(message), argsOwn)
	s.giveBack(result, len(room), resultOwn)
	// What the plugin said during the call is heard when the call returns.
	if s.mem.HasLines() {
		s.drain()
	}
	s.release(i)
	return err
}

// InvokeBatch makes none: a call through shared memory is no crossing that many
// could share.
func (s *Session) InvokeBatch(context.Context, []abi.Call) (made int, err error) { return 0, nil }

// place puts a message where the worker sees it: into the slot, or into a block
// of its own that is to be given back.
func (s *Session) place(own uint64, message []byte) (offset uint64, block bool, err error) {
	if len(message) <= channel.BufferSize {
		copy(s.mem.Bytes(own, uint64(len(message))), message)
		return own, false, nil
	}
	offset, ok := s.arena.Alloc(uint64(len(message)))
	if !ok {
		return 0, false, errNoRoom(len(message))
	}
	copy(s.mem.Bytes(offset, uint64(len(message))), message)
	return offset, true, nil
}

// roomFor finds room for a result. In a slot it ends where the guarded page
// begins, but for what keeps its beginning aligned.
func (s *Session) roomFor(i, size int) (offset uint64, block bool, err error) {
	const alignment = 8
	if size <= channel.BufferSize {
		offset = channel.GuardOffset(i) - uint64((size+alignment-1)&^(alignment-1))
		clear(s.mem.Bytes(offset, uint64(min(size, 4)))) // see the loader's seal
		return offset, false, nil
	}
	offset, ok := s.arena.Alloc(uint64(size))
	if !ok {
		return 0, false, errNoRoom(size)
	}
	clear(s.mem.Bytes(offset, 4))
	return offset, true, nil
}

func (s *Session) giveBack(offset uint64, length int, block bool) {
	if block {
		s.arena.Free(offset, uint64(length))
	}
}

func errNoRoom(size int) error {
	return fmt.Errorf("no room for %d bytes in the memory that host and worker share", size)
}

// claim takes a slot, and waits for one while all are taken.
func (s *Session) claim(ctx context.Context) (int, error) {
	for {
		for i := range s.callers {
			c := &s.callers[i]
			if c.busy.Load() == 0 && c.busy.CompareAndSwap(0, 1) {
				if s.dead.Load() {
					s.free(i)
					return 0, ErrLost
				}
				s.active.Add(1)
				s.markUsed(int32(i) + 1)
				return i, nil
			}
		}
		if err := s.waitForSlot(ctx); err != nil {
			return 0, err
		}
	}
}

func (s *Session) markUsed(n int32) {
	for used := s.used.Load(); used < n; used = s.used.Load() {
		if s.used.CompareAndSwap(used, n) {
			return
		}
	}
}

func (s *Session) waitForSlot(ctx context.Context) error {
	s.waiters.Add(1)
	defer s.waiters.Add(-1)
	for i := range s.callers {
		if s.callers[i].busy.Load() == 0 {
			return nil
		}
	}
	select {
	case <-s.slotFree:
		return nil
	case <-s.ended:
		return ErrLost
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *Session) release(i int) {
	s.active.Add(-1)
	s.free(i)
}

func (s *Session) free(i int) {
	s.callers[i].busy.Store(0)
	if s.waiters.Load() != 0 {
		select {
		case s.slotFree <- struct{}{}:
		default:
		}
	}
	if s.dead.Load() {
		s.unmap()
	}
}

// How long a caller looks for its answer before it goes to sleep.
const spin = 10 * time.Microsecond

var processors = runtime.NumCPU()

// exchange hands a slot to the worker and waits until it comes back. After limit,
// if it is not 0, the worker is killed, and the error is late.
func (s *Session) exchange(ctx context.Context, i int, slot *channel.Slot, limit time.Duration, late error) error {
	me := &s.callers[i]
	me.calls.Add(1)
	slot.State.Store(channel.Requested)
	s.mem.Pending().Or(1 << i)
	if s.mem.Watching().Load() == 0 {
		s.wake()
	}
	// A caller that looks takes a processor from the worker unless there are
	// several, and from other callers.
	if processors > 1 && s.active.Load() == 1 {
		for start, round := time.Now(), 0; ; round++ {
			if slot.State.Load() == channel.Done {
				return nil
			}
			channel.Pause(4)
			if round%16 == 15 && time.Since(start) > spin {
				break
			}
		}
	}
	return s.wait(ctx, i, slot, limit, late)
}

// wake has a server of the worker look for requests.
func (s *Session) wake() {
	s.mem.Requests().Add(1)
	channel.Wake(s.mem.Requests(), 1)
}

// wait waits for a slot without a processor.
func (s *Session) wait(ctx context.Context, i int, slot *channel.Slot, limit time.Duration, late error) error {
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, func() { s.kill(context.Cause(ctx)) })
		defer stop()
	}
	var over atomic.Bool
	if limit > 0 {
		timer := time.AfterFunc(limit, func() {
			over.Store(true)
			s.kill(late)
		})
		defer timer.Stop()
	}
	me := &s.callers[i]
	select {
	case <-me.told: // of an earlier call
	default:
	}
	me.waiting.Store(true)
	for slot.State.Load() != channel.Done && !s.dead.Load() {
		if s.leading.CompareAndSwap(false, true) {
			s.lead(slot)
			s.leading.Store(false)
			continue
		}
		<-me.told
	}
	me.waiting.Store(false)
	// Whoever leaves sees to it that one of those who stay waits for all: the one
	// who did may have been this one, or have counted on this one.
	if !s.leading.Load() {
		s.appoint()
	}
	if slot.State.Load() == channel.Done {
		return nil
	}
	switch {
	case over.Load():
		return fmt.Errorf("%w after %v", late, limit)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	return s.crash.Load()
}

// How long the one who waits for all sleeps at most before looking whether a
// request was overlooked. The worker says when it is done; this is for one that
// does not.
const patience = 2 * time.Millisecond

// lead waits until own is done, and tells the others when theirs are: one
// thread waits in the system for any number of goroutines.
func (s *Session) lead(own *channel.Slot) {
	completions, asleep := s.mem.Completions(), s.mem.HostAsleep()
	for {
		seen := completions.Load()
		told, unstarted := s.tell(own)
		if own.State.Load() == channel.Done || s.dead.Load() {
			return
		}
		if unstarted && s.mem.Watching().Load() == 0 {
			s.wake()
		}
		if told {
			runtime.Gosched() // those who were told come first
			continue
		}
		asleep.Store(1)
		if completions.Load() == seen && own.State.Load() != channel.Done && !s.dead.Load() {
			channel.Wait(completions, seen, patience)
		}
		asleep.Store(0)
	}
}

// tell wakes the callers whose slots are done.
func (s *Session) tell(own *channel.Slot) (told, unstarted bool) {
	for i := range s.used.Load() {
		me, slot := &s.callers[i], s.mem.Slot(int(i))
		if !me.waiting.Load() || slot == own {
			continue
		}
		switch slot.State.Load() {
		case channel.Done:
			told = me.tell() || told
		case channel.Requested:
			unstarted = true
		}
	}
	return told, unstarted || own.State.Load() == channel.Requested
}

func (c *caller) tell() bool {
	select {
	case c.told <- struct{}{}:
		return true
	default:
		return false
	}
}

// appoint has one of those who wait look for answers: the first, who does the
// same when it leaves.
func (s *Session) appoint() {
	for i := range s.used.Load() {
		if c := &s.callers[i]; c.waiting.Load() {
			c.tell()
			return
		}
	}
}

// die ends the session: its crash is known by now.
func (s *Session) die() {
	s.dead.Store(true)
	close(s.ended)
	s.plugin.died(s)
	for i := range s.callers {
		s.callers[i].tell()
	}
	s.lines.Lock()
	if !s.unmapped {
		s.mem.Completions().Add(1)
		channel.Wake(s.mem.Completions(), channel.Slots)
	}
	s.lines.Unlock()
	s.unmap()
}

// unmap gives the memory back when nobody can look at it any more.
func (s *Session) unmap() {
	s.lines.Lock()
	defer s.lines.Unlock()
	s.mu.Lock()
	blobs := s.blobs
	s.mu.Unlock()
	if s.unmapped || blobs > 0 {
		return
	}
	for i := range s.callers {
		if s.callers[i].busy.Load() != 0 {
			return
		}
	}
	s.unmapped = true
	s.mem.Unmap()
}

// Lend copies data to where the worker sees it and returns its address there.
func (s *Session) Lend(data []byte) (addr uint64, err error) {
	if len(data) == 0 {
		return 0, nil
	}
	s.mu.Lock()
	if s.dead.Load() {
		s.mu.Unlock()
		return 0, ErrLost
	}
	s.blobs++ // keeps the memory
	s.mu.Unlock()
	offset, ok := s.arena.Alloc(uint64(len(data)))
	if !ok {
		s.dropBlob()
		return 0, errNoRoom(len(data))
	}
	copy(s.mem.Bytes(offset, uint64(len(data))), data)
	return s.base + offset, nil
}

// TakeBack ends the use of what Lend lent.
func (s *Session) TakeBack(addr uint64, length int) {
	if length == 0 {
		return
	}
	s.arena.Free(addr-s.base, uint64(length))
	s.dropBlob()
}

func (s *Session) dropBlob() {
	s.mu.Lock()
	s.blobs--
	s.mu.Unlock()
	if s.dead.Load() {
		s.unmap()
	}
}

// Adopt takes over a blob that a call returned, as [hostvtable.Table.Adopt] does.
// The bytes are in the memory that the worker shares: it could change them, but
// not take them away.
func (s *Session) Adopt(addr, length uint64) (data []byte, release func(), err error) {
	if addr == 0 && length == 0 {
		return nil, func() {}, nil
	}
	if _, err := s.operate(channel.OpAdopt, addr, length); err != nil {
		return nil, nil, err
	}
	offset := addr - s.base
	if offset < channel.WorkerArena || offset > channel.Size || length > channel.Size-offset {
		return nil, nil, fmt.Errorf("%d bytes at address %#x are not in the memory that the plugin's alloc takes from", length, addr)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs++
	return s.mem.Bytes(offset, length), func() {
		_, _ = s.operate(channel.OpFree, addr, 0) // a worker that is gone has freed it
		s.dropBlob()
	}, nil
}

// grace is how long a worker may take for what is not a call, the plugin's
// shutdown among it. Then it is killed: nobody waits for ever for one that was
// stopped.
const grace = 5 * time.Second

var errGrace = errors.New("the plugin's process did not answer, and was killed")

// operate asks the worker for something that is not a call. An error may be the
// worker's.
func (s *Session) operate(op uint32, args, length uint64) (answer []byte, err error) {
	ctx := context.Background()
	i, err := s.claim(ctx)
	if err != nil {
		return nil, err
	}
	defer s.release(i)
	slot := s.mem.Slot(i)
	room, _, err := s.roomFor(i, channel.BufferSize)
	if err != nil {
		return nil, err
	}
	slot.Op, slot.Args, slot.ArgsLength = op, args, length
	slot.Room, slot.RoomLength, slot.Length = room, channel.BufferSize, 0
	if err := s.exchange(ctx, i, slot, grace, errGrace); err != nil {
		return nil, err
	}
	code, size := slot.Code, min(slot.Length, channel.BufferSize)
	answer = append(answer, s.mem.Bytes(room, size)...)
	if s.mem.HasLines() {
		s.drain()
	}
	if code != 0 {
		return nil, errors.New(string(answer))
	}
	return answer, nil
}

// Memory counts what the plugin took from the host table, if the plugin was
// opened to track it.
func (s *Session) Memory() (m hostvtable.Memory, ok bool) {
	if !s.plugin.config.Track {
		return m, false
	}
	answer, err := s.operate(channel.OpMemory, 0, 0)
	if err != nil || json.Unmarshal(answer, &m) != nil {
		return hostvtable.Memory{}, false
	}
	return m, true
}

var errOver = errors.New("the plugin was shut down")

// end shuts the plugin down and ends the worker. No call is under way.
func (s *Session) end() error {
	s.expected.Store(true)
	_, err := s.operate(channel.OpShutdown, 0, 0)
	if errors.Is(err, ErrLost) {
		err = nil // it has ended already
	}
	s.kill(errOver) // it has nothing left to do
	<-s.ended
	return err
}
