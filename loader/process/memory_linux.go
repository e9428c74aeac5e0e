package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/loader/process/channel"
)

// memoryLink reaches a worker through memory that both share, and a socket for
// what is not a call.
type memoryLink struct {
	s       *Session
	mem     *channel.Memory
	arena   *channel.Arena // of what the host lends
	base    uint64         // address of the memory in the worker; its own word
	control *os.File
	loading atomic.Bool // the worker had come to that when it died
	reading sync.Mutex  // held while the answer to load is awaited

	times    callTimes
	callers  [channel.Slots]caller
	running  atomic.Int32 // calls under way
	used     atomic.Int32 // slots that were ever used: those above need no look
	leading  atomic.Bool  // a caller waits for all of them
	waiters  atomic.Int32 // for a slot
	slotFree chan struct{}

	lines    sync.Mutex // the ring has one reader
	unmapped bool       // guarded by lines

	mu    sync.Mutex
	blobs int // adopted or lent, and not given back
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

// memoryWorks tells whether there is memory to share.
var memoryWorks = sync.OnceValue(func() bool {
	fd, err := unix.MemfdCreate("nyash-worker", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return false
	}
	_ = unix.Close(fd)
	return true
})

func newMemoryLink(s *Session) (link, *gift, error) {
	mem, file, err := channel.Create()
	if err != nil {
		return nil, nil, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		file.Close()
		mem.Unmap()
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	g := &gift{[]*os.File{os.NewFile(uintptr(pair[1]), "worker's control socket"), file}, channel.KindMemory}
	// With the flag set, the runtime waits for the socket without a thread.
	if err := unix.SetNonblock(pair[0], true); err != nil {
		_ = unix.Close(pair[0])
		g.close()
		mem.Unmap()
		return nil, nil, err
	}
	l := &memoryLink{
		s: s, mem: mem,
		arena:    channel.NewArena(channel.HostArena, channel.ArenaSize, mem.Drop),
		control:  os.NewFile(uintptr(pair[0]), "control socket"),
		slotFree: make(chan struct{}, channel.Slots),
	}
	l.times.on = s.plugin.config.Limits.CPUTime != nil
	for i := range l.callers {
		l.callers[i].told = make(chan struct{}, 1)
	}
	return l, g, nil
}

func (l *memoryLink) load(load *channel.Load) (answer channel.Loaded, err error) {
	// A worker may end when it has answered: the answer is read before the socket
	// is closed.
	l.reading.Lock()
	defer l.reading.Unlock()
	if err := channel.Send(l.control, load); err != nil {
		return answer, err
	}
	if err := channel.Receive(l.control, &answer); err != nil {
		return answer, err
	}
	l.base = answer.Base
	l.drain() // what init said
	if answer.Error == nil {
		go l.listen()
	}
	return answer, nil
}

func (l *memoryLink) active() int { return int(l.running.Load()) }

func (l *memoryLink) counts() (calls, failed uint64) {
	for i := range l.callers {
		calls += l.callers[i].calls.Load()
		failed += l.callers[i].errors.Load()
	}
	return calls, failed
}

// invoke implements link.
func (l *memoryLink) invoke(ctx context.Context, c *abi.Call) error { return l.call(ctx, c, nil) }

// probe implements link.
func (l *memoryLink) probe(ctx context.Context, p *Probe) error { return l.call(ctx, &p.Call, p) }

func (l *memoryLink) call(ctx context.Context, c *abi.Call, p *Probe) error {
	i, err := l.claim(ctx)
	if err != nil {
		return err
	}
	slot := l.mem.Slot(i)
	message, room := c.Message(), c.Room()
	args, argsOwn, err := l.place(channel.ArgsOffset(i), message)
	if err != nil {
		l.release(i)
		return err
	}
	result, resultOwn, err := l.roomFor(i, len(room))
	if err != nil {
		l.giveBack(args, len(message), argsOwn)
		l.release(i)
		return err
	}
	slot.Op, slot.TypeID, slot.Method, slot.Instance = channel.OpInvoke, c.TypeID, c.Method, c.Instance
	if p != nil {
		slot.Op, slot.Layout = channel.OpProbe, p.Layout
	}
	slot.Args, slot.ArgsLength = args, uint64(len(message))
	slot.Room, slot.RoomLength, slot.Length = result, uint64(len(room)), 0
	l.times.begin(i)
	err = l.exchange(ctx, i, slot, l.s.plugin.config.CallTimeout, ErrTimeout)
	l.times.end(i)
	if err == nil {
		// Read once: the worker could change them at any time.
		code, length := slot.Code, slot.Length
		if p == nil {
			copy(room, l.mem.Bytes(result, min(length, uint64(len(room)))))
		} else {
			copy(room, l.mem.Bytes(result, uint64(len(room))))
			p.Damage = slot.Damage
		}
		c.Code, c.ResultLength = abi.Code(code), uintptr(length)
		if code != 0 {
			l.callers[i].errors.Add(1)
		}
	} else {
		l.callers[i].errors.Add(1)
	}
	l.giveBack(args, len(message), argsOwn)
	l.giveBack(result, len(room), resultOwn)
	// What the plugin said during the call is heard when the call returns.
	if l.mem.HasLines() {
		l.drain()
	}
	l.release(i)
	return err
}

// place puts a message where the worker sees it: into the slot, or into a block
// of its own that is to be given back.
func (l *memoryLink) place(own uint64, message []byte) (offset uint64, block bool, err error) {
	if len(message) <= channel.BufferSize {
		copy(l.mem.Bytes(own, uint64(len(message))), message)
		return own, false, nil
	}
	offset, ok := l.arena.Alloc(uint64(len(message)))
	if !ok {
		return 0, false, errNoRoom(len(message))
	}
	copy(l.mem.Bytes(offset, uint64(len(message))), message)
	return offset, true, nil
}

// roomFor finds room for a result. In a slot it ends where the guarded page
// begins, but for what keeps its beginning aligned.
func (l *memoryLink) roomFor(i, size int) (offset uint64, block bool, err error) {
	const alignment = 8
	if size <= channel.BufferSize {
		offset = channel.GuardOffset(i) - uint64((size+alignment-1)&^(alignment-1))
		clear(l.mem.Bytes(offset, uint64(min(size, 4)))) // see the loader's seal
		return offset, false, nil
	}
	offset, ok := l.arena.Alloc(uint64(size))
	if !ok {
		return 0, false, errNoRoom(size)
	}
	clear(l.mem.Bytes(offset, 4))
	return offset, true, nil
}

func (l *memoryLink) giveBack(offset uint64, length int, block bool) {
	if block {
		l.arena.Free(offset, uint64(length))
	}
}

func errNoRoom(size int) error {
	return fmt.Errorf("no room for %d bytes in the memory that host and worker share", size)
}

// claim takes a slot, and waits for one while all are taken.
func (l *memoryLink) claim(ctx context.Context) (int, error) {
	for {
		for i := range l.callers {
			c := &l.callers[i]
			if c.busy.Load() == 0 && c.busy.CompareAndSwap(0, 1) {
				if l.s.dead.Load() {
					l.free(i)
					return 0, ErrLost
				}
				l.running.Add(1)
				l.markUsed(int32(i) + 1)
				return i, nil
			}
		}
		if err := l.waitForSlot(ctx); err != nil {
			return 0, err
		}
	}
}

func (l *memoryLink) markUsed(n int32) {
	for used := l.used.Load(); used < n; used = l.used.Load() {
		if l.used.CompareAndSwap(used, n) {
			return
		}
	}
}

func (l *memoryLink) waitForSlot(ctx context.Context) error {
	l.waiters.Add(1)
	defer l.waiters.Add(-1)
	for i := range l.callers {
		if l.callers[i].busy.Load() == 0 {
			return nil
		}
	}
	select {
	case <-l.slotFree:
		return nil
	case <-l.s.ended:
		return ErrLost
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l *memoryLink) release(i int) {
	l.running.Add(-1)
	l.free(i)
}

func (l *memoryLink) free(i int) {
	l.callers[i].busy.Store(0)
	if l.waiters.Load() != 0 {
		select {
		case l.slotFree <- struct{}{}:
		default:
		}
	}
	if l.s.dead.Load() {
		l.unmap()
	}
}

// How long a caller looks for its answer before it goes to sleep.
const spin = 10 * time.Microsecond

var processors = runtime.NumCPU()

// exchange hands a slot to the worker and waits until it comes back. After limit,
// if it is not 0, the worker is killed, and the error is late.
func (l *memoryLink) exchange(ctx context.Context, i int, slot *channel.Slot, limit time.Duration, late error) error {
	me := &l.callers[i]
	me.calls.Add(1)
	slot.State.Store(channel.Requested)
	l.mem.Pending().Or(1 << i)
	if l.mem.Watching().Load() == 0 {
		l.wake()
	}
	// A caller that looks takes a processor from the worker unless there are
	// several, and from other callers.
	if processors > 1 && l.running.Load() == 1 {
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
	return l.wait(ctx, i, slot, limit, late)
}

// wake has a server of the worker look for requests.
func (l *memoryLink) wake() {
	l.mem.Requests().Add(1)
	channel.Wake(l.mem.Requests(), 1)
}

// wait waits for a slot without a processor.
func (l *memoryLink) wait(ctx context.Context, i int, slot *channel.Slot, limit time.Duration, late error) error {
	guard := l.s.guard(ctx, limit, late, nil)
	defer guard.end()
	me := &l.callers[i]
	select {
	case <-me.told: // of an earlier call
	default:
	}
	me.waiting.Store(true)
	for slot.State.Load() != channel.Done && !l.s.dead.Load() {
		if l.leading.CompareAndSwap(false, true) {
			l.lead(slot)
			l.leading.Store(false)
			continue
		}
		<-me.told
	}
	me.waiting.Store(false)
	// Whoever leaves sees to it that one of those who stay waits for all: the one
	// who did may have been this one, or have counted on this one.
	if !l.leading.Load() {
		l.appoint()
	}
	if slot.State.Load() == channel.Done {
		return nil
	}
	return l.s.lostCall(ctx, guard)
}

// How long the one who waits for all sleeps at most before looking whether a
// request was overlooked. The worker says when it is done; this is for one that
// does not.
const patience = 2 * time.Millisecond

// lead waits until own is done, and tells the others when theirs are: one
// thread waits in the system for any number of goroutines.
func (l *memoryLink) lead(own *channel.Slot) {
	completions, asleep := l.mem.Completions(), l.mem.HostAsleep()
	for {
		seen := completions.Load()
		told, unstarted := l.tell(own)
		if own.State.Load() == channel.Done || l.s.dead.Load() {
			return
		}
		if unstarted && l.mem.Watching().Load() == 0 {
			l.wake()
		}
		if told {
			runtime.Gosched() // those who were told come first
			continue
		}
		asleep.Store(1)
		if completions.Load() == seen && own.State.Load() != channel.Done && !l.s.dead.Load() {
			channel.Wait(completions, seen, patience)
		}
		asleep.Store(0)
	}
}

// tell wakes the callers whose slots are done.
func (l *memoryLink) tell(own *channel.Slot) (told, unstarted bool) {
	for i := range l.used.Load() {
		me, slot := &l.callers[i], l.mem.Slot(int(i))
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
func (l *memoryLink) appoint() {
	for i := range l.used.Load() {
		if c := &l.callers[i]; c.waiting.Load() {
			c.tell()
			return
		}
	}
}

// die implements link.
func (l *memoryLink) die() {
	// What the worker has started may hold its end of the socket open.
	_ = l.control.SetReadDeadline(time.Now().Add(lastWordsWait))
	l.reading.Lock()
	l.control.Close()
	l.reading.Unlock()
	for i := range l.callers {
		l.callers[i].tell()
	}
	l.lines.Lock()
	if !l.unmapped {
		l.mem.Completions().Add(1)
		channel.Wake(l.mem.Completions(), channel.Slots)
	}
	l.lines.Unlock()
	l.unmap()
}

// unmap gives the memory back when nobody can look at it any more.
func (l *memoryLink) unmap() {
	l.lines.Lock()
	defer l.lines.Unlock()
	l.mu.Lock()
	blobs := l.blobs
	l.mu.Unlock()
	if l.unmapped || blobs > 0 {
		return
	}
	for i := range l.callers {
		if l.callers[i].busy.Load() != 0 {
			return
		}
	}
	l.unmapped = true
	l.mem.Unmap()
}

// lend implements link.
func (l *memoryLink) lend(data []byte) (addr uint64, err error) {
	if !l.keepBlob() {
		return 0, ErrLost
	}
	offset, ok := l.arena.Alloc(uint64(len(data)))
	if !ok {
		l.dropBlob()
		return 0, errNoRoom(len(data))
	}
	copy(l.mem.Bytes(offset, uint64(len(data))), data)
	return l.base + offset, nil
}

// takeBack implements link.
func (l *memoryLink) takeBack(addr uint64, length int) {
	l.arena.Free(addr-l.base, uint64(length))
	l.dropBlob()
}

// keepBlob has the memory stay until dropBlob, if it is still there.
func (l *memoryLink) keepBlob() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.s.dead.Load() {
		return false
	}
	l.blobs++
	return true
}

func (l *memoryLink) dropBlob() {
	l.mu.Lock()
	l.blobs--
	l.mu.Unlock()
	if l.s.dead.Load() {
		l.unmap()
	}
}

// adopt implements link. The bytes are in the memory that the worker shares: it
// could change them, but not take them away.
func (l *memoryLink) adopt(addr, length uint64) (data []byte, release func(), err error) {
	if !l.keepBlob() {
		return nil, nil, ErrLost
	}
	if _, err := l.operate(channel.OpAdopt, addr, length); err != nil {
		l.dropBlob()
		return nil, nil, err
	}
	offset := addr - l.base
	if offset < channel.WorkerArena || offset > channel.Size || length > channel.Size-offset {
		l.dropBlob()
		return nil, nil, fmt.Errorf("%d bytes at address %#x are not in the memory that the plugin's alloc takes from", length, addr)
	}
	return l.mem.Bytes(offset, length), func() {
		_, _ = l.operate(channel.OpFree, addr, 0) // a worker that is gone has freed it
		l.dropBlob()
	}, nil
}

// operate asks the worker for something that is not a call. An error may be the
// worker's.
func (l *memoryLink) operate(op uint32, args, length uint64) (answer []byte, err error) {
	ctx := context.Background()
	i, err := l.claim(ctx)
	if err != nil {
		return nil, err
	}
	defer l.release(i)
	slot := l.mem.Slot(i)
	room, _, err := l.roomFor(i, channel.BufferSize)
	if err != nil {
		return nil, err
	}
	slot.Op, slot.Args, slot.ArgsLength = op, args, length
	slot.Room, slot.RoomLength, slot.Length = room, channel.BufferSize, 0
	if err := l.exchange(ctx, i, slot, l.s.patience(), ErrNoAnswer); err != nil {
		return nil, err
	}
	code, size := slot.Code, min(slot.Length, channel.BufferSize)
	answer = append(answer, l.mem.Bytes(room, size)...)
	if l.mem.HasLines() {
		l.drain()
	}
	if code != 0 {
		return nil, errors.New(string(answer))
	}
	return answer, nil
}

// begun implements link. It is asked when the memory is gone.
func (l *memoryLink) begun() bool { return l.loading.Load() }

// hangUp implements link.
func (l *memoryLink) hangUp() { l.control.Close() }

// lastWords implements link.
func (l *memoryLink) lastWords() {
	l.loading.Store(l.mem.Begun().Load() != 0)
	l.drain()
}

// listen waits for the worker's doorbell.
func (l *memoryLink) listen() {
	buf := make([]byte, 64)
	for {
		if _, err := l.control.Read(buf); err != nil {
			break
		}
		l.drain()
	}
	// It is ending, and how is for watch to see; or it lives, and is none without
	// its socket.
	select {
	case <-l.s.ended:
	case <-time.After(closedWait):
		if !l.s.expected.Load() {
			l.s.kill(errSocket)
		}
	}
}

// drain hands on what the plugin has logged. A worker that has written nonsense
// to the ring only loses its lines.
func (l *memoryLink) drain() {
	l.lines.Lock()
	defer l.lines.Unlock()
	if l.unmapped {
		return
	}
	if err := l.mem.ReadLines(l.s.hear); err != nil {
		l.s.plugin.config.Sink.PluginLog(abi.LogWarn, err.Error(), false)
	}
}
