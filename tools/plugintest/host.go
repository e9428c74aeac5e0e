package plugintest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/calls"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/registry"
)

// host answers what the library asks of its host, in one worker. It permits what uses
// lists, answers values of the declared types (hostvalue.go), and notes what the library
// does wrong (hostfound.go). Its methods are safe for concurrent use.
type host struct {
	worker *worker
	silent bool // the worker's calls are not counted

	mu        sync.Mutex
	ready     bool // the library is loaded, and connects: calls into it belong to a chain
	turns     bool // calls of the library come one at a time
	maxDepth  int
	boxes     map[string]*hostBox
	byType    map[uint32]*hostBox
	samples   []*hostInstance // that are lent as arguments
	instances hostInstances
	own       map[ownKey]ownInstance // of the library that live
	threads   map[uint64]*asking     // calls of threads of the library's own, as they were one
	carried   map[string]*calls.Kept // what is kept for calls that the tester makes again
	keptBytes *calls.Budget          // of what is kept
	mode      hostMode

	counts  map[string]*BoxCalls
	found   []Finding
	seen    map[findingKey]bool
	missing []*missingUses
	last    []*hostRecord // the last calls
	made    int           // calls within the last call of the tester
	passed  []byte        // the message of the last call of the tester
	ending  bool          // answers that are dropped are so by the tester
}

// hostMode is how calls are answered.
type hostMode struct {
	long   bool // results of variable length are as long as one can be
	failAt int  // the number of the call, from 1 in each call of the tester, that fails; 0 for none
}

// asking is the context of a call of the tester into the library. What the library asks of
// its host meanwhile belongs to it.
type asking struct {
	context.Context
	in       *method // that is called, or a function of the library
	step     *step   // the call; nil for functions of the library, and for its own threads
	depth    int     // how many of the library's calls of its host are around it
	kept     *calls.Kept
	keeps    bool // kept has an answer
	calls    int  // that were made in it, without finis
	perCall  int  // in a batch, how many of them each of its calls makes; else 0
	answered map[answeredKey]int
	lent     []*hostInstance
}

// answeredKey is a method that was called.
type answeredKey struct{ typeID, method uint32 }

// Nested reports whether the library waits for the call itself.
func (a *asking) Nested() bool { return a.depth > 0 }

func newAsking(ctx context.Context, in *method, s *step) *asking {
	return &asking{Context: ctx, in: in, step: s, kept: new(calls.Kept)}
}

func newHost(w *worker) *host {
	h := &host{
		worker: w, silent: w.options.quiet, maxDepth: calls.MaxDepth, boxes: make(map[string]*hostBox), byType: make(map[uint32]*hostBox),
		own: make(map[ownKey]ownInstance), threads: make(map[uint64]*asking), carried: make(map[string]*calls.Kept),
		seen: make(map[findingKey]bool), counts: make(map[string]*BoxCalls),
		keptBytes: calls.NewBudget(16 * contract.DefaultMaxResult), // as the loader keeps
	}
	if w.shared.endless {
		h.maxDepth = cutDepth
	}
	for _, b := range w.plugin.boxes {
		h.add(ownHostBox(b))
	}
	if l := w.config.Library; l != nil {
		h.addOwn(l.Boxes)
		h.permit(l.Uses)
	}
	return h
}

// cutDepth is how deep calls nest at most once it is known that they have no end.
const cutDepth = 4

func (h *host) add(b *hostBox) {
	h.boxes[b.name], h.byType[b.id] = b, b
}

// addOwn adds boxes of the library that it has not described yet.
func (h *host) addOwn(boxes []*registry.Box) {
	for _, decl := range boxes {
		if h.boxes[decl.Name] != nil || decl.HasTypeID && h.byType[decl.TypeID] != nil {
			continue // nyash.toml has it, perhaps by another name
		}
		b := newHostBox(&offer{name: decl.Name, closed: true, singleton: decl.Singleton}, decl.TypeID)
		b.ofLibrary = true
		h.boxes[b.name] = b
		if !decl.HasTypeID {
			continue
		}
		h.byType[b.id] = b
		for _, m := range decl.Methods {
			if m.HasID {
				b.add(m.Name, m.ID)
			}
		}
	}
}

// introduced is called with the library's text, before it is connected.
func (h *host) introduced(own *registry.Description) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.addOwn(own.Boxes)
	h.permit(own.Uses)
}

// permit adds what nyash.toml permits, or what the library asks for in its text.
func (h *host) permit(uses []registry.Use) {
	for _, u := range uses {
		b := h.named(u.Box)
		if next := sampleHandle(len(h.samples)); b.id == next.Type && len(h.samples) < maxHostSamples {
			h.samples = append(h.samples, h.instances.add(b, next.Instance))
		}
		b.permit(u)
	}
}

// named finds or makes the box of a name.
func (h *host) named(name string) *hostBox {
	if b := h.boxes[name]; b != nil {
		return b
	}
	o := h.worker.shared.offers[name]
	if o == nil {
		o = &offer{name: name}
	}
	id := uint32(firstHostType)
	for h.byType[id] != nil {
		id++
	}
	b := newHostBox(o, id)
	h.add(b)
	return b
}

// connected is called when the library was loaded.
func (h *host) connected(d abi.Description, threads registry.Threads) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ready, h.turns = d.Connects, threads != registry.ThreadsFree
}

func (h *host) setMode(m hostMode) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mode = m
}

// enter begins a call of the tester's into the library; nil where that does not call its
// host. What is among the arguments is lent until leave.
func (h *host) enter(ctx context.Context, s *step) *asking {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.ready {
		return nil
	}
	a := newAsking(ctx, s.m, s)
	h.lend(a, s.args)
	h.passed = s.args
	if kept := h.carried[carryKey(s)]; kept != nil {
		delete(h.carried, carryKey(s))
		a.kept, a.keeps = kept, true
	}
	return a
}

// enterBatch begins the calls of a batch, each of which makes so many calls of its host.
func (h *host) enterBatch(s *step, perCall int) *asking {
	a := h.enter(context.Background(), s)
	if a != nil {
		a.perCall = perCall
	}
	return a
}

// next is called before a call of the host. Where that is in another call of a batch, what
// was answered before does not count.
func (a *asking) next() {
	if a.perCall > 0 && a.calls%a.perCall == 0 {
		clear(a.answered)
	}
	a.calls++
}

// leave ends a call with its answer; nil where there is none.
func (h *host) leave(a *asking, answer *answer) {
	if a == nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if answer != nil {
		h.take(a, a.step, answer)
	}
	h.instances.takeBack(a.lent)
	switch {
	case !a.keeps:
	case answer != nil && answer.code == abi.ErrShortBuffer:
		// For a host, the call that it makes again is the same.
		h.carried[carryKey(a.step)] = a.kept
	default:
		a.kept.Drop()
	}
	h.made = a.calls
}

// carryKey is equal for calls that are the same but for their result buffers.
func carryKey(s *step) string {
	return fmt.Sprintf("%d/%d/%d/%s", s.typeID, s.method, s.instance, s.args)
}

// leaveBatch ends the calls of a batch.
func (h *host) leaveBatch(a *asking, b *batch) {
	if a == nil {
		return
	}
	for i := range b.Calls {
		if b.Calls[i].Code != unwritten {
			h.mu.Lock()
			h.take(a, a.step, batchAnswer(&b.Calls[i]))
			h.mu.Unlock()
		}
	}
	h.leave(a, nil)
}

// around runs a function of the library, or several, and reports what they ask as made in
// there.
func (h *host) around(ctx context.Context, in string, run func(context.Context)) {
	a := newAsking(ctx, libraryFunc(in), nil)
	run(a)
	h.mu.Lock()
	defer h.mu.Unlock()
	a.kept.Drop()
}

func (h *host) within(in string, run func(context.Context) error) (err error) {
	h.around(context.Background(), in, func(ctx context.Context) { err = run(ctx) })
	return err
}

// ownThread stands for the method in which a thread of the library's own calls.
const ownThread = "own thread"

// maxThreads is how many threads of the library's own are told apart.
const maxThreads = 1000

// callOf finds the call in which the library asks.
func (h *host) callOf(ctx context.Context, thread uint64) *asking {
	if a, ok := ctx.(*asking); ok {
		return a
	}
	a := h.threads[thread]
	if a == nil {
		if len(h.threads) >= maxThreads {
			clear(h.threads)
		}
		a = newAsking(h.worker.callCtx, libraryFunc(ownThread), nil)
		h.threads[thread] = a
	}
	return a
}

// usesThreads tells whether threads of the library's own have called.
func (h *host) usesThreads() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.threads) > 0
}

// countHostCalls notes how many calls of its host a call of a method has made.
func (s *shared) countHostCalls(m *method, calls int, first bool) {
	switch known := s.hostCalls[m]; {
	case first && known >= 0:
		s.hostCalls[m] = calls
	case known != calls:
		s.hostCalls[m] = -1
	}
}

// callsWithin is how many calls the library made within the last call of the tester's.
func (h *host) callsWithin() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.made
}

// Resolve implements [hostvtable.Calls].
func (h *host) Resolve(ctx context.Context, box, method string) (typeID, methodID uint32, code abi.Code) {
	h.mu.Lock()
	defer h.mu.Unlock()
	in := h.callOf(ctx, 0)
	h.calledBack(in, "resolves", box+"."+method)
	b := h.boxes[box]
	if b == nil || !b.permits(method) {
		if h.refuse(in, box, method) {
			h.count(box, abi.ErrNotPermitted)
		}
		return 0, 0, abi.ErrNotPermitted
	}
	if b.ofLibrary && b.own == nil && (h.byType[b.id] != b || b.byName[method] == nil) {
		return 0, 0, abi.ErrPlugin // its ids come from its init
	}
	methodID, ok := b.method(method)
	if !ok {
		return 0, 0, abi.ErrInvalidMethod
	}
	return b.id, methodID, abi.OK
}

var _ hostvtable.Calls = (*host)(nil)

// maxCounted is how many boxes' calls are counted.
const maxCounted = 100

// count counts a call, or a name that was asked for in vain.
func (h *host) count(box string, code abi.Code) {
	box = contract.Excerpt(box)
	c := h.counts[box]
	if c == nil {
		if len(h.counts) >= maxCounted {
			return
		}
		c = &BoxCalls{Box: box}
		h.counts[box] = c
	}
	c.Calls++
	if code == abi.ErrNotPermitted {
		c.Refused++
	}
}

// hostRecord is a call that the library made.
type hostRecord struct {
	in         *method
	depth      int
	what       string // box and method
	instance   uint32
	ended      bool
	code       abi.Code
	held, lent int // instances, when it ended
}

// maxRecords is how many of the last calls a finding shows.
const maxRecords = 8

// String writes the call for people.
func (r *hostRecord) String() string {
	text := fmt.Sprintf("%v: %s", r.in, r.what)
	if r.instance != 0 {
		text += fmt.Sprintf(" on instance %d", r.instance)
	}
	if r.depth > 1 {
		text += fmt.Sprintf(", %d calls deep", r.depth)
	}
	switch {
	case !r.ended:
		return text
	case r.code != abi.OK:
		text += ", " + r.code.Error()
	}
	return fmt.Sprintf("%s; %d held, %d lent", text, r.held, r.lent)
}

// remember keeps the record of a call.
func (h *host) remember(r *hostRecord) {
	if len(h.last) == maxRecords {
		h.last = slices.Delete(h.last, 0, 1)
	}
	h.last = append(h.last, r)
}

// lastCalls are the last calls that the library made.
func (h *host) lastCalls() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.records()
}

func (h *host) records() []string {
	all := make([]string, len(h.last))
	for i, r := range h.last {
		all[i] = r.String()
	}
	return all
}
