package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/cmem"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
	"github.com/nyash-plugins/nyash-go/internal/isolate/worker"
)

const (
	// fenceSize is what stands before and behind a result, in bytes: a small
	// overrun is damage to see, a large one meets what cannot be touched.
	fenceSize = 64
	// alignment of room for a result, in bytes, as malloc gives it. Arguments have none: they end, or
	// begin, at the very byte.
	alignment = 16
	// guardSize is how much behind an area cannot be touched: more than the size of
	// any entry, which a plugin may skip unread.
	guardSize = 80 << 10
	// takenAway is how many areas stay reserved and cannot be touched, so that a
	// plugin that kept a pointer crashes and does not meet another call's memory.
	takenAway = 256
)

// Main is worker.Main for programs that test plugins: their workers have the hooks
// that this package's host side asks for. It must be called first thing in main.
func Main() {
	hooks := &hooks{}
	worker.MainWith(&worker.Hooks{BeforeLoad: hooks.beforeLoad, AfterLoad: hooks.afterLoad, Probe: hooks.probe, Operate: hooks.operate})
}

// hooks are a worker's, of which a process has one.
type hooks struct {
	before *Surroundings // the library was loaded
	areas  areas
	one    oneThread

	faults      *faults // nil for none
	faultsTried bool

	// What code of the library leaves; see [Left].
	compares bool
	system   *system
	thread   threadState   // that loads, before
	unloaded *processState // before the library was loaded
	loaded   *processState // after
	loading  []Change
	pinned   bool // the library has a thread for itself
	mu       sync.Mutex
	calls    []CallChange
	shutdown []Change
}

func (h *hooks) beforeLoad(load *wire.Load) {
	if load.Survey {
		h.before, _ = surroundings(true) // where that cannot be told, nothing is answered
	}
	if load.Wrapped {
		return // a debugger or the like has a process of its own around this one
	}
	if load.Stops {
		stopAtDeath()
	}
	// The runtime opens what it waits with when there is a timer.
	<-time.After(time.Microsecond)
	var err error
	if h.system, err = newSystem(); err != nil {
		return
	}
	runtime.LockOSThread() // until afterLoad
	h.thread = h.system.thread()
	h.unloaded, err = h.system.process()
	h.compares = err == nil
	if load.Guard != wire.GuardNone && load.Stops {
		guard(load.File, load.Guard == wire.GuardExact)
	}
}

// afterLoad looks at what the library's code has left while it was loaded.
func (h *hooks) afterLoad(w *worker.Worker) {
	if h.system == nil {
		return
	}
	defer runtime.UnlockOSThread()
	if !h.compares {
		return
	}
	is, own := h.system.thread(), thisThread()
	w.Library().InTurn(func() {
		if h.pinned = thisThread() != own; h.pinned {
			is = is.with(h.system.thread())
		}
	})
	h.loading = is.changes(h.thread)
	h.thread.restore()
	var err error
	if h.loaded, err = h.system.process(); err != nil {
		h.compares = false
		return
	}
	for _, c := range h.loaded.changes(h.unloaded) {
		if c.Part != Files && c.Part != Children { // they may be needed until shutdown
			h.loading = append(h.loading, c)
		}
	}
}

func (h *hooks) operate(ctx context.Context, w *worker.Worker, op wire.Op, a, b uint64) ([]byte, error) {
	switch op {
	case wire.OpShutdown:
		return nil, h.shutDown(ctx, w)
	case opLeft:
		return h.left()
	case wire.OpBatch:
		return batch(ctx, w, cmem.Memory(uintptr(a), int(b)))
	case wire.OpReload:
		return nil, w.Reload(ctx)
	case wire.OpSurroundings:
		return h.changes(a != 0)
	case wire.OpConfig:
		return configNow(w)
	case wire.OpUnanswered:
		return json.Marshal(w.Library().Unanswered())
	case opFault:
		return h.fault(w.Library().File(), a, FaultMode(b))
	case opWatch:
		return watch(ctx, w, cmem.Memory(uintptr(a), int(b)))
	}
	return nil, fmt.Errorf("operation %d is unknown to this worker", op)
}

// configNow answers a Config.
func configNow(w *worker.Worker) ([]byte, error) {
	lib := w.Library()
	first := lib.Description().Config
	if first == nil {
		return json.Marshal(Config{})
	}
	asked, askedErr := lib.AskConfig()
	kept, keptErr := lib.KeptConfig()
	return json.Marshal(Config{Asked: difference(*first, asked, askedErr), Kept: difference(*first, kept, keptErr)})
}

// difference tells how a text differs from what it was; empty where it does not.
func difference(was, now string, err error) string {
	const shown = 40
	switch {
	case err != nil:
		return contract.Excerpt(err.Error())
	case was == now:
		return ""
	}
	at := 0
	for at < min(len(was), len(now)) && was[at] == now[at] {
		at++
	}
	return fmt.Sprintf("from byte %d on it is %q, and was %q", at, now[at:min(at+shown, len(now))], was[at:min(at+shown, len(was))])
}

// shutDown shuts the plugin down. A thread that the library has for itself ends with that.
func (h *hooks) shutDown(ctx context.Context, w *worker.Worker) (err error) {
	if h.pinned {
		return w.ShutDown(ctx)
	}
	changes := h.compare(false, func(f func()) { f() }, func() { err = w.ShutDown(ctx) })
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shutdown = append(h.shutdown, changes...)
	return err
}

// areas are the memory of past probes.
type areas struct {
	mu   sync.Mutex
	past [][]byte
}

// area is memory for what a plugin is given.
type area struct {
	whole  []byte
	usable []byte // the part of it that can be touched
	own    []byte // what the plugin is given
}

// newArea is memory for size bytes and what stands behind them; the last guardSize
// bytes of the whole cannot be touched.
func newArea(size, behind int) (a area, err error) {
	page := os.Getpagesize()
	pages := (fenceSize + size + behind + page - 1) / page
	a.whole, err = mapPages(pages*page + guardSize)
	if err != nil {
		return a, err
	}
	if err := forbid(a.whole[pages*page:]); err != nil {
		return a, err
	}
	a.fill(a.whole[:pages*page])
	start := len(a.usable) - size - behind
	a.own = a.usable[start : start+size : start+size]
	return a, nil
}

// newAreaAtStart is memory for size bytes, in front of which a page cannot be touched.
func newAreaAtStart(size int) (a area, err error) {
	page := os.Getpagesize()
	a.whole, err = mapPages(page + (size+page-1)/page*page + guardSize)
	if err != nil {
		return a, err
	}
	if err := forbid(a.whole[:page]); err != nil {
		return a, err
	}
	a.fill(a.whole[page:])
	a.own = a.usable[:size:size]
	return a, nil
}

func (a *area) fill(usable []byte) {
	a.usable = usable
	fill(usable, wire.Filler)
}

func fill(memory []byte, with byte) {
	if len(memory) == 0 {
		return
	}
	memory[0] = with
	for n := 1; n < len(memory); n *= 2 {
		copy(memory[n:], memory[:n])
	}
}

// retire takes an area away, and gives an older one back.
func (a *areas) retire(keep bool, retired ...[]byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, whole := range retired {
		if keep || whole == nil {
			continue
		}
		_ = forbid(whole)
		a.past = append(a.past, whole)
	}
	for len(a.past) > takenAway {
		unmapPages(a.past[0])
		a.past = a.past[1:]
	}
}

// argsArea is memory for arguments.
func argsArea(size, slack int, layout wire.Layout) (area, error) {
	if layout&wire.AtStart != 0 && slack == 0 {
		return newAreaAtStart(size)
	}
	return newArea(size, slack)
}

// probe makes a call with memory that is laid out for it, and copies the result
// into the call's own room.
func (h *hooks) probe(ctx context.Context, w *worker.Worker, c *abi.Call, layout wire.Layout) (damage wire.Damage) {
	message, room := c.Message(), c.ResultBuffer()
	slack := 0
	if layout&wire.Slack != 0 {
		slack = wire.SlackSize
	}
	argsArea, err := argsArea(len(message), slack, layout)
	if err != nil {
		c.Code = abi.ErrOutOfMemory
		return 0
	}
	args := argsArea.own
	if slack > 0 { // what looks for the end of a string has to find one
		_, behind := around(argsArea.usable, args)
		clear(behind)
	}
	behindRoom := fenceSize + slack
	behindRoom += -(len(room) + behindRoom) & (alignment - 1)
	resultArea, err := newArea(len(room), behindRoom)
	if err != nil {
		c.Code = abi.ErrOutOfMemory
		h.areas.retire(false, argsArea.whole)
		return 0
	}
	result := resultArea.own
	copy(args, message)
	given := message
	var blobs []lentBlob
	if layout&wire.OwnBlobs != 0 {
		blobs = layOutBlobs(args, slack, layout)
		given = bytes.Clone(args)
	}
	clear(result[:min(len(result), 4)])
	c.SetArgs(args)
	c.SetResultBuffer(result)
	if len(args) == 0 && layout&wire.NullArgs != 0 {
		c.Args = nil
	}
	if len(result) == 0 && layout&wire.NullResult != 0 {
		c.Result = nil
	}
	var left []Change
	call := func() { left = h.compare(layout&wire.Watch != 0, w.Library().InTurn, func() { w.Invoke(ctx, c) }) }
	switch {
	case layout&wire.OtherThread != 0:
		onOtherThread(call)
	case layout&wire.OneThread != 0:
		h.one.run(call)
	default:
		call()
	}
	damage |= h.noteCall(c.TypeID, c.Method, left)
	if !bytes.Equal(args, given) || slices.ContainsFunc(blobs, func(b lentBlob) bool { return !bytes.Equal(b.own, b.from) }) {
		damage |= wire.ArgsWritten
	}
	before, behind := around(resultArea.usable, result)
	if !filled(before) {
		damage |= wire.BeforeResult
	}
	if !filled(behind) {
		damage |= wire.BehindResult
	}
	copy(room, result)
	h.areas.retire(layout&wire.Keep != 0, argsArea.whole, resultArea.whole)
	for _, b := range blobs {
		h.areas.retire(layout&wire.Keep != 0, b.whole)
	}
	return damage
}

// onOtherThread runs f on a thread of the system that ends with it.
func onOtherThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocks it
		f()
	}()
	<-done
}

// oneThread runs functions on one thread of the system, one after another.
type oneThread struct {
	once sync.Once
	work chan func()
	done chan struct{}
}

func (t *oneThread) run(f func()) {
	t.once.Do(func() {
		t.work, t.done = make(chan func()), make(chan struct{})
		go func() {
			runtime.LockOSThread()
			for f := range t.work {
				f()
				t.done <- struct{}{}
			}
		}()
	})
	t.work <- f
	<-t.done
}

// batch makes the calls of a Batch, and answers it.
func batch(ctx context.Context, w *worker.Worker, request []byte) ([]byte, error) {
	var b Batch
	if err := json.Unmarshal(request, &b); err != nil {
		return nil, err
	}
	calls := make([]abi.Call, len(b.Calls))
	rooms := make([][]byte, len(b.Calls))
	for i, c := range b.Calls {
		rooms[i] = bytes.Repeat([]byte{wire.Filler}, c.Room+fenceSize)
		clear(rooms[i][:min(c.Room, 4)])
		calls[i] = abi.Call{TypeID: c.TypeID, Method: c.Method, Instance: c.Instance, Code: abi.Code(Unwritten)}
		calls[i].SetArgs(c.Args)
		calls[i].SetResultBuffer(rooms[i][:c.Room])
	}
	var err error
	if b.Made, err = w.Library().InvokeBatch(ctx, calls); err != nil {
		return nil, err
	}
	for i := range calls {
		own := &b.Calls[i]
		own.Code, own.Length, own.Result = int32(calls[i].Code), uint64(calls[i].ResultLength), rooms[i][:own.Room]
		own.Args = nil
		if !filled(rooms[i][own.Room:]) {
			b.Damage |= wire.BehindResult
		}
	}
	return json.Marshal(b)
}

// around is what stands before and behind part in whole.
func around(whole, part []byte) (before, behind []byte) {
	at := int(cmem.Address(part) - cmem.Address(whole))
	return whole[:at], whole[at+len(part):]
}

func filled(memory []byte) bool {
	for _, b := range memory {
		if b != wire.Filler {
			return false
		}
	}
	return true
}

func (h *hooks) changes(threads bool) ([]byte, error) {
	if h.before == nil {
		return json.Marshal(Changes{})
	}
	now, err := surroundings(threads)
	if err != nil {
		return nil, err
	}
	return json.Marshal(Changes{Before: *h.before, Now: *now})
}
