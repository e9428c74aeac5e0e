package isolate

import (
	"context"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/channel"
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

	callers  [channel.Slots]caller
	running  atomic.Int32 // requests under way
	used     atomic.Int32 // slots that were ever used: those above need no look
	leading  atomic.Bool  // a caller waits for all of them
	waiters  atomic.Int32 // calls that wait for a slot
	slotFree chan struct{}
	controls atomic.Int32 // requests that are not calls and wait for a slot
	ctrlFree chan struct{}

	lines    sync.Mutex // the ring has one reader
	unmapped bool       // guarded by lines

	mu      sync.Mutex
	lent    int               // blobs of the host that were not taken back
	adopted map[uint64]uint64 // blobs that the host has: length by offset
	punched bool              // what is not adopted was given back, after the worker's end
}

// caller is the host's side of a slot.
type caller struct {
	busy    atomic.Uint32
	waiting atomic.Bool
	told    chan struct{}
	calls   atomic.Uint64
	errors  atomic.Uint64
	began   atomic.Int64 // Unix time in ns since when the call is waited for; see busyCalls
	control deadline     // of a request that is not a call
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
		ctrlFree: make(chan struct{}, controlSlots),
		adopted:  make(map[uint64]uint64),
	}
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
	for i := controlSlots; i < channel.Slots; i++ {
		calls += l.callers[i].calls.Load()
		failed += l.callers[i].errors.Load()
	}
	return calls, failed
}

func (l *memoryLink) answers() (n uint64) {
	for i := controlSlots; i < channel.Slots; i++ {
		n += l.callers[i].calls.Load()
		if l.callers[i].busy.Load() != 0 && n > 0 {
			n--
		}
	}
	return n
}

// sentCall is a call while it is in a slot.
type sentCall struct {
	slot      int
	call      *abi.Call
	probe     *Probe // holds call, or is nil
	args      uint64
	argsOwn   bool // a block of its own, to be given back
	result    uint64
	resultOwn bool
}

// call implements link.
func (l *memoryLink) call(ctx context.Context, c *abi.Call, p *Probe) error {
	i, err := l.claim(ctx)
	if err != nil {
		return err
	}
	r := sentCall{slot: i, call: c, probe: p}
	if err := l.fill(&r); err != nil {
		l.release(i)
		return err
	}
	l.submit(i)
	if l.spin(i) {
		l.take(&r)
		return nil
	}
	d := l.s.ofCall()
	switch l.wait(ctx, i, &d) {
	case answered:
		l.take(&r)
		return nil
	case died:
		return l.lose(&r, &d)
	}
	late := r // r itself is to stay on the stack
	return l.s.abandon(ctx, &d, func(d *deadline) error {
		if l.wait(context.Background(), late.slot, d) == died {
			return l.lose(&late, d)
		}
		l.take(&late)
		return nil
	})
}

// fill puts a call into its slot.
func (l *memoryLink) fill(r *sentCall) (err error) {
	slot := l.mem.Slot(r.slot)
	c, p := r.call, r.probe
	message, room := c.Message(), c.ResultBuffer()
	if r.args, r.argsOwn, err = l.place(channel.ArgsOffset(r.slot), message); err != nil {
		return err
	}
	if r.result, r.resultOwn, err = l.roomFor(r.slot, len(room)); err != nil {
		l.giveBack(r.args, len(message), r.argsOwn)
		return err
	}
	slot.Op, slot.TypeID, slot.Method, slot.Instance = channel.OpInvoke, c.TypeID, c.Method, c.Instance
	if p != nil {
		slot.Op, slot.Layout = channel.OpProbe, p.Layout
	}
	slot.Args, slot.ArgsLength = r.args, uint64(len(message))
	slot.Room, slot.RoomLength, slot.Length = r.result, uint64(len(room)), 0
	return nil
}

// take takes the answer out of a slot that was seen to be done, and frees it. Each
// number is read once: the worker could change them at any time.
func (l *memoryLink) take(r *sentCall) {
	slot, c, room := l.mem.Slot(r.slot), r.call, r.call.ResultBuffer()
	code, length := slot.Code, slot.Length
	if r.probe == nil {
		copy(room, l.mem.Bytes(r.result, min(length, uint64(len(room)))))
	} else {
		copy(room, l.mem.Bytes(r.result, uint64(len(room))))
		r.probe.Damage = slot.Damage
	}
	c.Code, c.ResultLength = abi.Code(code), uintptr(length)
	if code != 0 {
		l.callers[r.slot].errors.Add(1)
	}
	l.finish(r)
}

// lose ends a call whose worker has died.
func (l *memoryLink) lose(r *sentCall, d *deadline) error {
	l.s.plugin.lostCalls.Add(1)
	l.finish(r)
	return l.s.lostCall(d)
}

func (l *memoryLink) finish(r *sentCall) {
	l.giveBack(r.args, len(r.call.Message()), r.argsOwn)
	l.giveBack(r.result, len(r.call.ResultBuffer()), r.resultOwn)
	// What the plugin said during the call is heard when the call returns.
	if l.mem.HasLines() {
		l.drain()
	}
	l.release(r.slot)
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

// claim takes a slot for a call, and waits for one while all are taken, or while
// too many calls were abandoned.
func (l *memoryLink) claim(ctx context.Context) (int, error) {
	for {
		if l.s.abandoned.Load() < maxAbandoned {
			if i, ok := l.pick(controlSlots, channel.Slots); ok {
				return l.claimed(i)
			}
		}
		if err := l.waitForSlot(ctx); err != nil {
			return 0, err
		}
	}
}

// claimControl takes a slot for what is not a call.
func (l *memoryLink) claimControl(ctx context.Context) (int, error) {
	for {
		if i, ok := l.pick(0, controlSlots); ok {
			return l.claimed(i)
		}
		if err := l.waitForControl(ctx); err != nil {
			return 0, err
		}
	}
}

// pick takes a free slot of a range.
func (l *memoryLink) pick(from, to int) (i int, ok bool) {
	for i := from; i < to; i++ {
		if c := &l.callers[i]; c.busy.Load() == 0 && c.busy.CompareAndSwap(0, 1) {
			return i, true
		}
	}
	return 0, false
}

func (l *memoryLink) claimed(i int) (int, error) {
	// Asked when the slot is taken: the memory stays mapped while one is.
	if l.s.dead.Load() {
		l.vacate(i)
		return 0, ErrLost
	}
	l.running.Add(1)
	l.markUsed(int32(i) + 1)
	return i, nil
}

func (l *memoryLink) markUsed(n int32) {
	for used := l.used.Load(); used < n; used = l.used.Load() {
		if l.used.CompareAndSwap(used, n) {
			return
		}
	}
}

func (l *memoryLink) queue() int { return int(l.waiters.Load()) }

func (l *memoryLink) waitForSlot(ctx context.Context) error {
	l.waiters.Add(1)
	defer l.waiters.Add(-1)
	// Looked at again now that those who leave know of this one.
	if l.s.abandoned.Load() < maxAbandoned && l.anyFree(controlSlots, channel.Slots) {
		return nil
	}
	return l.waitFor(ctx, l.slotFree)
}

func (l *memoryLink) waitForControl(ctx context.Context) error {
	l.controls.Add(1)
	defer l.controls.Add(-1)
	if l.anyFree(0, controlSlots) {
		return nil
	}
	return l.waitFor(ctx, l.ctrlFree)
}

func (l *memoryLink) anyFree(from, to int) bool {
	for i := from; i < to; i++ {
		if l.callers[i].busy.Load() == 0 {
			return true
		}
	}
	return false
}

func (l *memoryLink) waitFor(ctx context.Context, freed <-chan struct{}) error {
	select {
	case <-freed:
		return nil
	case <-l.s.ended:
		return ErrLost
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// admit implements link.
func (l *memoryLink) admit() {
	for range channel.Slots {
		signal(l.slotFree)
	}
}

func (l *memoryLink) release(i int) {
	l.running.Add(-1)
	l.vacate(i)
}

func (l *memoryLink) vacate(i int) {
	l.callers[i].busy.Store(0)
	switch {
	case i < controlSlots && l.controls.Load() != 0:
		signal(l.ctrlFree)
	case i >= controlSlots && l.waiters.Load() != 0:
		signal(l.slotFree)
	}
	if l.s.dead.Load() {
		l.reclaim()
	}
}

// How long a caller looks for its answer before it goes to sleep.
const spinTime = 10 * time.Microsecond

var processors = runtime.NumCPU()

// submit hands a slot to the worker.
func (l *memoryLink) submit(i int) {
	l.callers[i].calls.Add(1)
	l.mem.Slot(i).State.Store(channel.Requested)
	l.mem.Pending().Or(1 << i)
	if l.mem.Watching().Load() == 0 {
		l.wake()
	}
}

// spin looks for the answer for a while, and reports whether it came.
func (l *memoryLink) spin(i int) bool {
	// A caller that looks takes a processor from the worker unless there are
	// several, and from other callers.
	if processors < 2 || l.running.Load() != 1 {
		return false
	}
	slot := l.mem.Slot(i)
	for start, round := time.Now(), 0; ; round++ {
		if slot.State.Load() == channel.Done {
			return true
		}
		channel.Pause(4)
		if round%16 == 15 && time.Since(start) > spinTime {
			return false
		}
	}
}

// wake has a server of the worker look for requests.
func (l *memoryLink) wake() {
	l.mem.Requests().Add(1)
	channel.Wake(l.mem.Requests(), 1)
}

// wait waits for a slot without a processor. That a slot was done is asked once:
// the worker could change its state again.
func (l *memoryLink) wait(ctx context.Context, i int, d *deadline) (o outcome) {
	me, slot := &l.callers[i], l.mem.Slot(i)
	select {
	case <-me.told: // of an earlier call
	default:
	}
	me.began.CompareAndSwap(0, time.Now().UnixNano())
	me.waiting.Store(true)
	var timer *time.Timer
	for {
		if slot.State.Load() == channel.Done {
			o = answered
			break
		}
		if l.s.dead.Load() {
			o = died
			break
		}
		if ctx.Err() != nil {
			o = gaveUp
			break
		}
		d.passed()
		if l.leading.CompareAndSwap(false, true) {
			l.lead(ctx, slot, d)
			l.leading.Store(false)
			continue
		}
		timer = l.sleep(ctx, me, timer, d.left())
	}
	if timer != nil {
		timer.Stop()
	}
	me.waiting.Store(false)
	if o != gaveUp {
		me.began.Store(0)
	}
	// Leader hand-off. At most one waiter, the leader, sleeps in the futex for all of
	// them. A waiter that leaves while there is no leader must wake another one, so
	// that it can take over; otherwise the rest would sleep for ever.
	if !l.leading.Load() {
		l.appoint()
	}
	return o
}

// sleep waits until a leader says that something has changed, or for at most left
// if that is not negative. It returns the timer that it may have made.
func (l *memoryLink) sleep(ctx context.Context, me *caller, timer *time.Timer, left time.Duration) *time.Timer {
	if left < 0 {
		select {
		case <-me.told:
		case <-ctx.Done():
		}
		return timer
	}
	if timer == nil {
		timer = time.NewTimer(left)
	} else {
		timer.Reset(left)
	}
	select {
	case <-me.told:
	case <-ctx.Done():
	case <-timer.C:
	}
	return timer
}

// leaderPoll is how long the leader sleeps at most before it looks whether a
// request was overlooked, its context has ended or its time is over. The worker
// says when it is done; this is for one that does not.
const leaderPoll = 2 * time.Millisecond

// lead waits until own is done, and tells the others when theirs are: one
// thread waits in the system for any number of goroutines.
func (l *memoryLink) lead(ctx context.Context, own *channel.Slot, d *deadline) {
	completions, asleep := l.mem.Completions(), l.mem.HostAsleep()
	for {
		seen := completions.Load()
		told, unstarted := l.tell(own)
		if own.State.Load() == channel.Done || l.s.dead.Load() || ctx.Err() != nil || d.left() == 0 {
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
			channel.Wait(completions, seen, leaderPoll)
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
	return signal(c.told)
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
	l.reclaim()
}

// reclaim gives the memory of a dead worker back when no call can look at it any
// more: all of it, or all but the blobs that the host still has.
func (l *memoryLink) reclaim() {
	l.lines.Lock()
	defer l.lines.Unlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unmapped || l.anyBusy() {
		return
	}
	if len(l.adopted) > 0 || l.lent > 0 {
		l.punch()
		return
	}
	l.unmapped = true
	l.mem.Unmap()
}

func (l *memoryLink) anyBusy() bool {
	for i := range l.callers {
		if l.callers[i].busy.Load() != 0 {
			return true
		}
	}
	return false
}

// punch gives the pages between the adopted blobs back to the system, with mu held.
func (l *memoryLink) punch() {
	if l.punched {
		return
	}
	l.punched = true
	at := uint64(0)
	for _, offset := range slices.Sorted(maps.Keys(l.adopted)) {
		from := offset &^ (channel.PageSize - 1)
		if from > at {
			l.mem.Drop(at, from-at)
		}
		at = max(at, from+channel.Pages(offset-from+l.adopted[offset]))
	}
	l.mem.Drop(at, channel.Size-at)
}

// lend implements link.
func (l *memoryLink) lend(_ context.Context, data []byte) (addr uint64, err error) {
	if !l.keep() {
		return 0, ErrLost
	}
	offset, ok := l.arena.Alloc(uint64(len(data)))
	if !ok {
		l.letGo()
		return 0, errNoRoom(len(data))
	}
	copy(l.mem.Bytes(offset, uint64(len(data))), data)
	return l.base + offset, nil
}

// takeBack implements link.
func (l *memoryLink) takeBack(addr uint64, length int) {
	l.arena.Free(addr-l.base, uint64(length))
	l.letGo()
}

// keep has the memory stay mapped until letGo, if it is still there.
func (l *memoryLink) keep() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.s.dead.Load() {
		return false
	}
	l.lent++
	return true
}

func (l *memoryLink) letGo() {
	l.mu.Lock()
	l.lent--
	l.mu.Unlock()
	if l.s.dead.Load() {
		l.reclaim()
	}
}

// adopt implements link. The bytes are in the memory that the worker shares: it
// could change them, but not take them away.
func (l *memoryLink) adopt(ctx context.Context, addr, length uint64) (data []byte, release func(), err error) {
	offset := addr - l.base
	inArena := offset >= channel.WorkerArena && offset <= channel.Size && length <= channel.Size-offset
	l.mu.Lock()
	if l.s.dead.Load() {
		l.mu.Unlock()
		return nil, nil, ErrLost
	}
	if inArena {
		// Before the worker is asked: should it die meanwhile, the bytes stay.
		l.adopted[offset] = max(l.adopted[offset], length)
	}
	l.mu.Unlock()
	_, err = l.operate(ctx, channel.OpAdopt, addr, length)
	if err == nil && !inArena {
		err = fmt.Errorf("%d bytes at address %#x are not in the memory that the plugin's alloc takes from", length, addr)
	}
	if err != nil {
		l.forget(offset)
		return nil, nil, err
	}
	return l.mem.Bytes(offset, length), func() {
		l.freeBlob(addr)
		l.forget(offset)
	}, nil
}

// freeBlob has the worker free a blob that was adopted. One that is gone has freed it.
func (l *memoryLink) freeBlob(addr uint64) {
	_, _ = l.operate(context.Background(), channel.OpFree, addr, 0)
}

// forget ends the use of an adopted blob.
func (l *memoryLink) forget(offset uint64) {
	l.mu.Lock()
	delete(l.adopted, offset)
	l.mu.Unlock()
	if l.s.dead.Load() {
		l.reclaim()
	}
}

// discard implements link.
func (l *memoryLink) discard(addr, length uint64) {
	go func() {
		if _, release, err := l.adopt(context.Background(), addr, length); err == nil {
			release()
		}
	}()
}

// operate implements link. An error may be the
// worker's. A blob that is adopted only after ctx has ended is freed.
func (l *memoryLink) operate(ctx context.Context, op uint32, args, length uint64) (answer []byte, err error) {
	i, err := l.claimControl(ctx)
	if err != nil {
		return nil, err
	}
	slot := l.mem.Slot(i)
	room := channel.ResultOffset(i)
	slot.Op, slot.Args, slot.ArgsLength = op, args, length
	slot.Room, slot.RoomLength, slot.Length = room, channel.BufferSize, 0
	l.submit(i)
	d := &l.callers[i].control
	*d = l.s.within(l.s.controlLimit(), ErrNoAnswer)
	if !l.spin(i) {
		switch l.wait(ctx, i, d) {
		case died:
			err := l.s.lostCall(d)
			l.release(i)
			return nil, err
		case gaveUp:
			go func() {
				done := l.wait(context.Background(), i, d) == answered && slot.Code == 0
				l.release(i)
				if done && op == channel.OpAdopt {
					l.freeBlob(args)
				}
			}()
			return nil, context.Cause(ctx)
		}
	}
	code, size := slot.Code, min(slot.Length, channel.BufferSize)
	answer = append(answer, l.mem.Bytes(room, size)...)
	if l.mem.HasLines() {
		l.drain()
	}
	l.release(i)
	if code != 0 {
		return nil, refusal(answer)
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

// listen hears the worker's doorbell.
func (l *memoryLink) listen() {
	answerBell(l.control, l.drain, rest)
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
// to the ring only loses its lines. some tells that there were any.
func (l *memoryLink) drain() (some bool) {
	l.lines.Lock()
	defer l.lines.Unlock()
	if l.unmapped {
		return false
	}
	some = l.mem.HasLines()
	if err := l.mem.ReadLines(l.s.hear); err != nil {
		l.s.say(abi.LogWarn, err.Error(), false)
	}
	return some
}
