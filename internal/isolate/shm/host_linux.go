package shm

import (
	"cmp"
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
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
)

// Host reaches a worker through memory that both share, and a socket for
// what is not a call.
type Host struct {
	peer    *transport.Peer
	mem     *Memory
	arena   *Arena // of what the host lends
	base    uint64 // address of the memory in the worker; its own word
	control *os.File
	loading atomic.Bool // the worker had come to that when it died
	reading sync.Mutex  // held while the answer to load is awaited

	callers  [wire.Slots]caller
	running  atomic.Int32  // requests under way, but for those that wait for their host
	serving  atomic.Int32  // calls of the plugin to its host under way
	asked    atomic.Uint64 // that there were
	used     atomic.Int32  // slots that were ever used: those above need no look
	leading  atomic.Bool   // a caller waits for all of them
	waiters  atomic.Int32  // calls that wait for a slot
	slotFree chan struct{}
	controls atomic.Int32 // requests that are not calls and wait for a slot
	ctrlFree chan struct{}

	lines    sync.Mutex // the ring has one reader
	unmapped bool       // guarded by lines

	mu      sync.Mutex
	using   int                // uses of the host's arena under way, see keep
	adopted map[uint64]adopted // blobs that the host has, by the order of adoption
	adopts  uint64             // that there were
	punched bool               // what is not adopted was given back, after the worker's end

	lanes lanes
}

// adopted is a part of the shared memory that the host uses as a blob. A worker may
// name one part twice: each adoption is counted by itself.
type adopted struct{ offset, length uint64 }

// caller is the host's side of a slot.
type caller struct {
	busy    atomic.Uint32
	waiting atomic.Bool
	told    chan struct{}
	calls   atomic.Uint64
	errors  atomic.Uint64
	began   atomic.Int64       // Unix time in ns since when the call is waited for; see busyCalls
	control transport.Deadline // of a request that is not a call
	op      wire.Op            // of such a request
	host    *transport.HostCaller
	missed  uint8 // how often in a row the plugin went on for longer than its host looked
}

// Works tells whether there is memory to share.
var Works = sync.OnceValue(func() bool {
	fd, err := unix.MemfdCreate("nyash-worker", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return false
	}
	_ = unix.Close(fd)
	return true
})

// New makes the host's end for a worker, and the files that the worker is started with.
func New(peer *transport.Peer) (transport.Transport, *transport.Files, error) {
	mem, file, err := Create()
	if err != nil {
		return nil, nil, err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		file.Close()
		mem.Unmap()
		return nil, nil, fmt.Errorf("socketpair: %w", err)
	}
	g := &transport.Files{Files: []*os.File{os.NewFile(uintptr(pair[1]), "worker's control socket"), file}, Kind: wire.KindMemory}
	// With the flag set, the runtime waits for the socket without a thread.
	if err := unix.SetNonblock(pair[0], true); err != nil {
		_ = unix.Close(pair[0])
		g.Close()
		mem.Unmap()
		return nil, nil, err
	}
	h := &Host{
		peer: peer, mem: mem,
		arena:    NewArena(HostArena, ArenaSize, mem.Drop),
		control:  os.NewFile(uintptr(pair[0]), "control socket"),
		slotFree: make(chan struct{}, wire.Slots),
		ctrlFree: make(chan struct{}, transport.ControlSlots),
		adopted:  make(map[uint64]adopted),
	}
	for i := range h.callers {
		h.callers[i].told = make(chan struct{}, 1)
	}
	return h, g, nil
}

// Load implements [transport.Transport].
func (h *Host) Load(ctx context.Context, load *wire.Load) (answer wire.Loaded, err error) {
	// A worker may end when it has answered: the answer is read before the socket
	// is closed.
	h.reading.Lock()
	defer h.reading.Unlock()
	h.lanes.loading.Store(&ctx)
	defer h.lanes.loading.Store(nil)
	if err := wire.Send(h.control, load); err != nil {
		return answer, err
	}
	if err := wire.Receive(h.control, &answer); err != nil {
		return answer, err
	}
	if answer.Calling {
		h.hearLanes()
		answer = wire.Loaded{}
		if err := wire.Receive(h.control, &answer); err != nil {
			return answer, err
		}
	}
	h.base = answer.Base
	h.drain() // what init said
	if answer.Error == nil && answer.Config == nil {
		go h.listen()
		if answer.Description.Connects {
			h.hearLanes()
		}
	}
	return answer, nil
}

// Active implements [transport.Transport].
func (h *Host) Active() int { return int(h.running.Load() + h.serving.Load()) }

// Counts implements [transport.Transport].
func (h *Host) Counts() (calls, failed uint64) {
	for i := transport.ControlSlots; i < wire.Slots; i++ {
		calls += h.callers[i].calls.Load()
		failed += h.callers[i].errors.Load()
	}
	return calls, failed
}

// Answers implements [transport.Transport].
func (h *Host) Answers() (n uint64) {
	for i := transport.ControlSlots; i < wire.Slots; i++ {
		n += h.callers[i].calls.Load()
		if h.callers[i].busy.Load() != 0 && n > 0 {
			n--
		}
	}
	return n
}

// sentCall is a call while it is in a slot.
type sentCall struct {
	slot   int
	call   *abi.Call
	probe  *wire.Probe // holds call, or is nil
	args   block
	result block
}

// block is where a message or a result is in the shared memory. Its length is the
// host's: what the plugin says of its result is never used to give memory back.
type block struct {
	offset, length uint64
	own            bool // not the slot's, to be given back
}

// Call implements [transport.Transport].
func (h *Host) Call(ctx context.Context, c *abi.Call, p *wire.Probe) error {
	i, err := h.claim(ctx)
	if err != nil {
		return err
	}
	r := sentCall{slot: i, call: c, probe: p}
	if err := h.fill(&r); err != nil {
		h.release(i)
		return err
	}
	h.submit(i)
	state := h.spin(i, spinTime)
	if state == Done {
		h.take(ctx, &r)
		return nil
	}
	transport.Began(ctx)
	d := h.peer.CallDeadline()
	d.Start(0)
	switch h.await(ctx, ctx, i, state, &d) {
	case transport.Answered:
		h.take(ctx, &r)
		return nil
	case transport.Died:
		return h.lose(ctx, &r, &d)
	}
	late := r // r itself is to stay on the stack
	return h.peer.Abandon(ctx, &d, func(d *transport.Deadline) error {
		if h.await(context.Background(), ctx, late.slot, 0, d) == transport.Died {
			return h.lose(context.Background(), &late, d)
		}
		h.take(context.Background(), &late)
		return nil
	})
}

// fill puts a call into its slot.
func (h *Host) fill(r *sentCall) (err error) {
	slot := h.mem.Slot(r.slot)
	c, p := r.call, r.probe
	message, room := c.Message(), c.ResultBuffer()
	if r.args, err = h.place(ArgsOffset(r.slot), message); err != nil {
		return err
	}
	if r.result, err = h.roomFor(r.slot, len(room)); err != nil {
		h.giveBack(r.args)
		return err
	}
	slot.Op, slot.TypeID, slot.Method, slot.Instance = wire.OpInvoke, c.TypeID, c.Method, c.Instance
	if p != nil {
		slot.Op, slot.Layout = wire.OpProbe, p.Layout
	}
	slot.Args, slot.ArgsLength = r.args.offset, r.args.length
	slot.Room, slot.RoomLength, slot.Length = r.result.offset, r.result.length, 0
	return nil
}

// take takes the answer out of a slot that was seen to be done, and frees it. Each
// number is read once: the worker could change them at any time.
func (h *Host) take(ctx context.Context, r *sentCall) {
	slot, c, room := h.mem.Slot(r.slot), r.call, r.call.ResultBuffer() // its length is still the host's
	code, length := slot.Code, slot.Length
	if r.probe == nil {
		copy(room, h.mem.Bytes(r.result.offset, min(length, r.result.length)))
	} else {
		copy(room, h.mem.Bytes(r.result.offset, r.result.length))
		r.probe.Damage = slot.Damage
	}
	c.Code, c.ResultLength = abi.Code(code), uintptr(length)
	if code != 0 {
		h.callers[r.slot].errors.Add(1)
	}
	h.finishCall(ctx, r)
}

// lose ends a call whose worker has died.
func (h *Host) lose(ctx context.Context, r *sentCall, d *transport.Deadline) error {
	h.peer.Lost.Add(1)
	h.finishCall(ctx, r)
	return h.peer.LostCall(d)
}

func (h *Host) finishCall(ctx context.Context, r *sentCall) {
	h.giveBack(r.args)
	h.giveBack(r.result)
	h.finish(ctx, r.slot)
}

// finish ends the use of a slot by calls.
func (h *Host) finish(ctx context.Context, i int) {
	// What the plugin logged during the call is delivered when the call returns.
	if h.mem.HasLines() {
		h.drain()
	}
	h.release(i)
	h.peer.Flush(ctx)
}

// place puts a message where the worker sees it: into the slot, or into a block of
// its own.
func (h *Host) place(slots uint64, message []byte) (b block, err error) {
	b = block{offset: slots, length: uint64(len(message))}
	if len(message) > BufferSize {
		var ok bool
		if b.offset, ok = h.arena.Alloc(b.length); !ok {
			return b, errNoRoom(len(message))
		}
		b.own = true
	}
	copy(h.mem.Bytes(b.offset, b.length), message)
	return b, nil
}

// roomFor finds room for a result. In a slot it ends where the guarded page
// begins, but for what keeps its beginning aligned.
func (h *Host) roomFor(i, size int) (b block, err error) {
	const alignment = 8
	b = block{length: uint64(size)}
	if size <= BufferSize {
		b.offset = GuardOffset(i) - uint64((size+alignment-1)&^(alignment-1))
		clear(h.mem.Bytes(b.offset, uint64(min(size, 4)))) // a plugin that writes nothing shows by these bytes
		return b, nil
	}
	var ok bool
	if b.offset, ok = h.arena.Alloc(b.length); !ok {
		return b, errNoRoom(size)
	}
	b.own = true
	clear(h.mem.Bytes(b.offset, 4))
	return b, nil
}

func (h *Host) giveBack(b block) {
	if b.own {
		h.arena.Free(b.offset, b.length)
	}
}

func errNoRoom(size int) error {
	return fmt.Errorf("no room for %d bytes in the memory that host and worker share", size)
}

// claim takes a slot for a call, and waits for one while all are taken, or while
// too many calls were abandoned. A nested call does not wait; some slots are kept for such.
func (h *Host) claim(ctx context.Context) (int, error) {
	first := transport.ControlSlots
	if h.peer.Nested && !transport.Nested(ctx) {
		first += transport.NestedSlots
	}
	for {
		if !h.peer.Full() {
			if i, ok := h.pick(first, wire.Slots); ok {
				return h.claimed(i)
			}
		}
		if transport.Nested(ctx) {
			return 0, transport.ErrNoSlot
		}
		if err := h.waitForSlot(ctx, first); err != nil {
			return 0, err
		}
	}
}

// claimControl takes a slot for what is not a call.
func (h *Host) claimControl(ctx context.Context) (int, error) {
	for {
		if i, ok := h.pick(0, transport.ControlSlots); ok {
			return h.claimed(i)
		}
		if err := h.waitForControl(ctx); err != nil {
			return 0, err
		}
	}
}

// pick takes a free slot of a range.
func (h *Host) pick(from, to int) (i int, ok bool) {
	for i := from; i < to; i++ {
		if c := &h.callers[i]; c.busy.Load() == 0 && c.busy.CompareAndSwap(0, 1) {
			return i, true
		}
	}
	return 0, false
}

func (h *Host) claimed(i int) (int, error) {
	// Asked when the slot is taken: the memory stays mapped while one is.
	if h.peer.Dead.Load() {
		h.vacate(i)
		return 0, transport.ErrLost
	}
	h.running.Add(1)
	h.markUsed(int32(i) + 1)
	return i, nil
}

func (h *Host) markUsed(n int32) {
	for used := h.used.Load(); used < n; used = h.used.Load() {
		if h.used.CompareAndSwap(used, n) {
			return
		}
	}
}

// Queue implements [transport.Transport].
func (h *Host) Queue() int { return int(h.waiters.Load()) }

func (h *Host) waitForSlot(ctx context.Context, first int) error {
	h.waiters.Add(1)
	defer h.waiters.Add(-1)
	// Looked at again now that those who leave know of this one.
	if !h.peer.Full() && h.anyFree(first, wire.Slots) {
		return nil
	}
	return h.waitFor(ctx, h.slotFree)
}

func (h *Host) waitForControl(ctx context.Context) error {
	h.controls.Add(1)
	defer h.controls.Add(-1)
	if h.anyFree(0, transport.ControlSlots) {
		return nil
	}
	return h.waitFor(ctx, h.ctrlFree)
}

func (h *Host) anyFree(from, to int) bool {
	for i := from; i < to; i++ {
		if h.callers[i].busy.Load() == 0 {
			return true
		}
	}
	return false
}

func (h *Host) waitFor(ctx context.Context, freed <-chan struct{}) error {
	select {
	case <-freed:
		return nil
	case <-h.peer.Ended:
		return transport.ErrLost
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Admit implements [transport.Transport].
func (h *Host) Admit() {
	for range wire.Slots {
		transport.Signal(h.slotFree)
	}
}

func (h *Host) release(i int) {
	h.running.Add(-1)
	h.vacate(i)
}

func (h *Host) vacate(i int) {
	h.callers[i].busy.Store(0)
	switch {
	case i < transport.ControlSlots && h.controls.Load() != 0:
		transport.Signal(h.ctrlFree)
	case i >= transport.ControlSlots && h.waiters.Load() != 0:
		transport.Signal(h.slotFree)
	}
	if h.peer.Dead.Load() {
		h.reclaim()
	}
}

// How long a caller looks for its answer before it goes to sleep.
const spinTime = 10 * time.Microsecond

var processors = runtime.NumCPU()

// submit hands a slot to the worker.
func (h *Host) submit(i int) {
	h.callers[i].calls.Add(1)
	h.mem.Slot(i).State.Store(Requested)
	h.mem.Pending().Or(1 << i)
	// Where others have requests there, a server may be about to answer, and takes this one
	// sooner than another one wakes up: spin sees to that.
	if h.running.Load() == 1 || processors < 2 {
		h.wakeServer()
	}
}

// wakeServer has a server of the worker look for requests, if none does.
func (h *Host) wakeServer() {
	if h.mem.Watching().Load() == 0 {
		h.wake()
	}
}

// untaken is for how long a request is left to the servers that are awake.
const untaken = 4 * time.Microsecond

// spin looks for a while whether a slot is done or calling, and returns which; 0 is
// neither. It sees to it that a server takes the request.
func (h *Host) spin(i int, most time.Duration) uint32 {
	if processors < 2 {
		return 0 // the worker needs it
	}
	const looks = 16 // between two looks at the clock
	slot := h.mem.Slot(i)
	var start time.Time
	for round, left := 1, false; ; round++ {
		state := slot.State.Load()
		if isHosts(state) {
			return state
		}
		// A caller that looks takes a processor from the worker: where there are none to
		// spare, all callers look on the same, each in its turn.
		if int(h.running.Load()) < processors {
			Pause(4)
			if round%looks != 0 {
				continue
			}
		} else {
			runtime.Gosched()
			if round%2 != 0 {
				continue
			}
		}
		if start.IsZero() {
			start = time.Now()
			continue
		}
		past := time.Since(start)
		if state == Requested && !left && past > min(untaken, most) {
			left = true
			h.wakeServer()
		}
		if past > most {
			return 0
		}
	}
}

// isHosts tells whether a slot in this state is the host's. Any number may stand there.
func isHosts(state uint32) bool { return state == Done || state == Calling }

// wake has a server of the worker look for requests.
func (h *Host) wake() {
	h.mem.Requests().Add(1)
	Wake(h.mem.Requests(), 1)
}

// wait waits for a slot without a processor. That a slot was done is asked once:
// the worker could change its state again.
func (h *Host) wait(ctx context.Context, i int, d *transport.Deadline) (o transport.Outcome) {
	me, slot := &h.callers[i], h.mem.Slot(i)
	select {
	case <-me.told: // of an earlier call
	default:
	}
	me.began.CompareAndSwap(0, time.Now().UnixNano())
	me.waiting.Store(true)
	var timer *time.Timer
	for {
		state := slot.State.Load()
		if state == Done {
			o = transport.Answered
			break
		}
		if h.peer.Dead.Load() {
			o = transport.Died
			break
		}
		if ctx.Err() != nil {
			o = transport.Ended
			break
		}
		if state == Calling {
			o = transport.Calling
			break
		}
		d.CheckMoved(uint64(slot.Made.Load()))
		if h.leading.CompareAndSwap(false, true) {
			h.lead(ctx, slot, d)
			h.leading.Store(false)
			continue
		}
		timer = h.sleep(ctx, me, timer, d.Left())
	}
	if timer != nil {
		timer.Stop()
	}
	me.waiting.Store(false)
	if o == transport.Answered || o == transport.Died {
		me.began.Store(0)
	}
	// Leader hand-off. At most one waiter, the leader, sleeps in the futex for all of
	// them. A waiter that leaves while there is no leader must wake another one, so
	// that it can take over; otherwise the rest would sleep for ever.
	if !h.leading.Load() {
		h.appoint()
	}
	return o
}

// sleep waits until a leader says that something has changed, or for at most left
// if that is not negative. It returns the timer that it may have made.
func (h *Host) sleep(ctx context.Context, me *caller, timer *time.Timer, left time.Duration) *time.Timer {
	if left < 0 && ctx.Done() == nil {
		<-me.told
		return timer
	}
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
func (h *Host) lead(ctx context.Context, own *Slot, d *transport.Deadline) {
	completions, asleep := h.mem.Completions(), h.mem.HostAsleep()
	for {
		seen := completions.Load()
		told := h.tell(own)
		if isHosts(own.State.Load()) || h.peer.Dead.Load() || ctx.Err() != nil || d.Left() == 0 {
			return
		}
		if h.mem.Pending().Load() != 0 {
			h.wakeServer()
		}
		if told {
			runtime.Gosched() // those who were told come first
			continue
		}
		asleep.Store(1)
		if completions.Load() == seen && !isHosts(own.State.Load()) && !h.peer.Dead.Load() {
			Wait(completions, seen, leaderPoll)
		}
		asleep.Store(0)
	}
}

// tell wakes the callers whose slots are done or calling.
func (h *Host) tell(own *Slot) (told bool) {
	for i := range h.used.Load() {
		me, slot := &h.callers[i], h.mem.Slot(int(i))
		if me.waiting.Load() && slot != own && isHosts(slot.State.Load()) {
			told = me.tell() || told
		}
	}
	return told
}

func (c *caller) tell() bool {
	return transport.Signal(c.told)
}

// appoint has one of those who wait look for answers, who does the same when it leaves: one
// whose own is there, as it is told of that in any case, or else the first.
func (h *Host) appoint() {
	var first *caller
	for i := range h.used.Load() {
		c := &h.callers[i]
		if !c.waiting.Load() {
			continue
		}
		if isHosts(h.mem.Slot(int(i)).State.Load()) {
			c.tell()
			return
		}
		if first == nil {
			first = c
		}
	}
	if first != nil {
		first.tell()
	}
}

// Close implements [transport.Transport].
func (h *Host) Close() {
	// What the worker has started may hold its end of the socket open.
	_ = h.control.SetReadDeadline(time.Now().Add(transport.DrainWait))
	h.reading.Lock()
	h.control.Close()
	h.reading.Unlock()
	for i := range h.callers {
		h.callers[i].tell()
	}
	h.lines.Lock()
	if !h.unmapped {
		h.mem.Completions().Add(1)
		Wake(h.mem.Completions(), wire.Slots)
		h.wakeListeners()
	}
	h.lines.Unlock()
	h.reclaim()
}

// reclaim gives the memory of a dead worker back when nobody can look at it any
// more: all of it, or all but the blobs that the host still has. What was lent to the
// worker is not kept: with it, the lending has ended.
func (h *Host) reclaim() {
	h.lines.Lock()
	defer h.lines.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.unmapped || h.using > 0 || h.lanes.listeners > 0 || h.anyBusy() {
		return
	}
	if len(h.adopted) > 0 {
		h.punch()
		return
	}
	h.unmapped = true
	h.mem.Unmap()
}

func (h *Host) anyBusy() bool {
	for i := range h.callers {
		if h.callers[i].busy.Load() != 0 {
			return true
		}
	}
	return false
}

// punch gives the pages between the adopted blobs back to the system, with mu held.
func (h *Host) punch() {
	if h.punched {
		return
	}
	h.punched = true
	at := uint64(0)
	all := slices.SortedFunc(maps.Values(h.adopted), func(a, b adopted) int { return cmp.Compare(a.offset, b.offset) })
	for _, a := range all {
		from := a.offset &^ (PageSize - 1)
		if from > at {
			h.mem.Drop(at, from-at)
		}
		at = max(at, from+Pages(a.offset-from+a.length))
	}
	h.mem.Drop(at, Size-at)
}

// Lend implements [transport.Transport].
func (h *Host) Lend(_ context.Context, data []byte) (addr uint64, err error) {
	if !h.keep() {
		return 0, transport.ErrLost
	}
	defer h.letGo()
	offset, ok := h.arena.Alloc(uint64(len(data)))
	if !ok {
		return 0, errNoRoom(len(data))
	}
	copy(h.mem.Bytes(offset, uint64(len(data))), data)
	return h.base + offset, nil
}

// TakeBack implements [transport.Transport].
func (h *Host) TakeBack(addr uint64, length int) {
	if !h.keep() {
		return // all of it is given back, or was
	}
	defer h.letGo()
	h.arena.Free(addr-h.base, uint64(length))
}

// keep has the memory stay mapped until letGo, unless the worker is dead.
func (h *Host) keep() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.peer.Dead.Load() {
		return false
	}
	h.using++
	return true
}

func (h *Host) letGo() {
	h.mu.Lock()
	h.using--
	h.mu.Unlock()
	if h.peer.Dead.Load() {
		h.reclaim()
	}
}

// Adopt implements [transport.Transport]. The bytes are in the memory that the worker shares: it
// could change them, but not take them away.
func (h *Host) Adopt(ctx context.Context, addr, length uint64) (data []byte, release func(), err error) {
	offset := addr - h.base
	inArena := inWorkerArena(offset, length)
	h.mu.Lock()
	if h.peer.Dead.Load() {
		h.mu.Unlock()
		return nil, nil, transport.ErrLost
	}
	h.adopts++
	id := h.adopts
	if inArena {
		// Before the worker is asked: should it die meanwhile, the bytes stay.
		h.adopted[id] = adopted{offset, length}
	}
	h.mu.Unlock()
	_, err = h.Operate(ctx, wire.OpAdopt, addr, length)
	if err == nil && !inArena {
		err = fmt.Errorf("%d bytes at address %#x are not in the memory that the plugin's alloc takes from", length, addr)
	}
	if err != nil {
		h.forget(id)
		return nil, nil, err
	}
	return h.mem.Bytes(offset, length), func() {
		h.freeBlob(addr)
		h.forget(id)
	}, nil
}

// inWorkerArena reports whether a blob can be where a worker says. Its first byte is
// in the arena even if it is empty: what the host keeps of the memory for a blob is
// counted in pages from there.
func inWorkerArena(offset, length uint64) bool {
	return offset >= WorkerArena && offset < Size && length <= Size-offset
}

// freeBlob has the worker free a blob that was adopted. One that is gone has freed it.
func (h *Host) freeBlob(addr uint64) {
	_, _ = h.Operate(context.Background(), wire.OpFree, addr, 0)
}

// forget ends the use of an adopted blob.
func (h *Host) forget(id uint64) {
	h.mu.Lock()
	delete(h.adopted, id)
	h.mu.Unlock()
	if h.peer.Dead.Load() {
		h.reclaim()
	}
}

// Discard implements [transport.Transport].
func (h *Host) Discard(addr, length uint64) {
	go func() {
		if _, release, err := h.Adopt(context.Background(), addr, length); err == nil {
			release()
		}
	}()
}

// Operate implements [transport.Transport]. An error may be the
// worker's. A blob that is adopted only after ctx has ended is freed.
func (h *Host) Operate(ctx context.Context, op wire.Op, args, length uint64) (answer []byte, err error) {
	i, err := h.claimControl(ctx)
	if err != nil {
		return nil, err
	}
	slot := h.mem.Slot(i)
	room := ResultOffset(i)
	h.callers[i].op = op
	slot.Op, slot.Args, slot.ArgsLength = op, args, length
	slot.Room, slot.RoomLength, slot.Length = room, BufferSize, 0
	h.submit(i)
	d := &h.callers[i].control
	*d = h.peer.ControlDeadline(op)
	d.Start(0)
	if state := h.spin(i, spinTime); state != Done {
		switch h.await(ctx, ctx, i, state, d) {
		case transport.Died:
			err := h.peer.LostCall(d)
			h.release(i)
			return nil, err
		case transport.Ended:
			go func() {
				done := h.await(context.Background(), ctx, i, 0, d) == transport.Answered && slot.Code == 0
				h.release(i)
				if done && op == wire.OpAdopt {
					h.freeBlob(args)
				}
			}()
			return nil, context.Cause(ctx)
		}
	}
	code, size := slot.Code, min(slot.Length, BufferSize)
	answer = append(answer, h.mem.Bytes(room, size)...)
	if h.mem.HasLines() {
		h.drain()
	}
	h.release(i)
	if code != 0 {
		return nil, transport.Refusal(answer)
	}
	return answer, nil
}

// Begun implements [transport.Transport]. It is asked when the memory is gone.
func (h *Host) Begun() bool { return h.loading.Load() }

// HangUp implements [transport.Transport].
func (h *Host) HangUp() { h.control.Close() }

// Drain implements [transport.Transport].
func (h *Host) Drain() {
	h.loading.Store(h.mem.Begun().Load() != 0)
	h.drain()
}

// listen hears the worker's doorbell.
func (h *Host) listen() {
	answerBell(h.control, h.drain, rest)
	// It is ending, and how is for watch to see; or it lives, and is none without
	// its socket.
	select {
	case <-h.peer.Ended:
	case <-time.After(transport.CloseWait):
		if !h.peer.Expected.Load() {
			h.peer.Kill(transport.ErrHungUp)
		}
	}
}

// drain hands on what the plugin has logged. A worker that has written nonsense
// to the ring only loses its lines. some tells that there were any, and that they
// were not too many.
func (h *Host) drain() (some bool) {
	h.lines.Lock()
	defer h.lines.Unlock()
	if h.unmapped {
		return false
	}
	err := h.mem.ReadLines(func(kind uint32, text []byte) {
		if h.peer.Line(kind, text) {
			some = true
		}
	})
	if err != nil {
		h.peer.Complain(err.Error())
	}
	return some
}
