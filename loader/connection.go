package loader

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/calls"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/plan"
	"github.com/nyash-plugins/nyash-go/internal/suggest"
	"github.com/nyash-plugins/nyash-go/registry"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// connection answers what a library asks of its host (docs/abi.md, "Calling the host").
type connection struct {
	lib  *library
	uses map[*boxType]*use // what nyash.toml permits; not changed after Open
	kept calls.KeptByThread

	keptBytes *calls.Budget // of answers that are kept, for threads and in frames
	blobBytes *calls.Budget // of blobs that are copied

	share atomic.Int32 // how many nested slots the calls of an isolated library have

	mu     sync.Mutex
	logged map[string]bool // what was warned of, each once
}

// use is what a library may call of a box.
type use struct {
	all     bool
	methods map[string]bool
}

// maxWarnings bounds what a library that asks for names at random, or again and again, can
// have logged.
const maxWarnings = 100

// frames are for calls from threads that libraries have started, which are in no call.
var frames = sync.Pool{New: func() any { return new(calls.Frame) }}

// frame is the frame of the call in which a library calls. pooled means that it is in none,
// or in a load or shutdown, in which several threads may be: the frame is then the calling
// thread's own, and goes back to frames by [release]. Where life is not nil, the frame's
// context ends with it.
func (k *connection) frame(ctx, life context.Context) (f *calls.Frame, pooled bool) {
	outer, ok := ctx.(*calls.Frame)
	if ok && !outer.Threads {
		if life != nil {
			outer.EndWith(life)
		}
		return outer, false
	}
	f = frames.Get().(*calls.Frame)
	if ok {
		f.Reset(outer.Context, outer.Position)
	} else {
		f.Reset(k.lib.host.forced, calls.Position{Chain: calls.NewChain()})
	}
	if life != nil {
		f.EndWith(life)
	}
	return f, true
}

func release(f *calls.Frame) {
	f.Leave()
	frames.Put(f)
}

// Resolve implements [hostvtable.Calls].
func (k *connection) Resolve(ctx context.Context, box, method string) (typeID, methodID uint32, code abi.Code) {
	f, pooled := k.frame(ctx, nil)
	if pooled {
		defer release(f)
	}
	within := func() context.Context { // of a load, which is a call within the frame's
		return calls.Within(f, calls.Position{Chain: f.Chain, Depth: f.Depth + 1})
	}
	t := k.lib.host.boxTypes[box]
	if t != nil && method == abi.NameBirth && k.uses[t] != nil && !k.permitted(t, method) {
		_ = t.load(within()) // which says whether it is a singleton
	}
	if t == nil || !k.permitted(t, method) {
		k.refuse(box, method)
		return 0, 0, abi.ErrNotPermitted
	}
	methodID, ok := t.methodID(method)
	if !ok || t.lib == k.lib && !t.knowsID() {
		if err := t.load(within()); err != nil {
			k.warnOnce("load "+t.name, func() string { return fmt.Sprintf("asks for %s.%s: %v", t.name, contract.Excerpt(method), err) })
			return 0, 0, abi.ErrPlugin
		}
		p := t.typ.Load().byName(method)
		if p == nil {
			return 0, 0, abi.ErrInvalidMethod
		}
		methodID = p.ID
	}
	typeID, err := k.typeID(t)
	if err != nil {
		return 0, 0, abi.ErrPlugin
	}
	return typeID, methodID, abi.OK
}

// typeID is the id by which the library knows a box: its own, or one made for it.
func (k *connection) typeID(t *boxType) (uint32, error) {
	if t.lib != k.lib {
		return k.lib.foreign.typeID(t)
	}
	if typ := t.typ.Load(); typ != nil {
		return typ.ID, nil
	}
	return t.decl.TypeID, nil
}

// boxType is the box that a type id of the library's stands for, or nil.
func (k *connection) boxType(id uint32) *boxType {
	if t := k.lib.foreign.byID(id); t != nil {
		return t
	}
	return k.lib.boxTypeByID(id)
}

// permitted reports whether nyash.toml lets the library call a method, by its name; that of
// a method which has none is empty.
func (k *connection) permitted(t *boxType, method string) bool {
	u := k.uses[t]
	switch {
	case u == nil:
		return false
	case u.all, method == abi.NameFini: // of what the library holds
		return true
	case method == abi.NameBirth && t.isSingleton(): // which it only lends
		return true
	}
	return u.methods[method]
}

// mayBear is permitted for birth. Whether a box is a singleton may be for its library to say,
// which is loaded then.
func (n *nestedCall) mayBear(t *boxType) bool {
	if n.permitted(t, abi.NameBirth) {
		return true
	}
	return n.uses[t] != nil && t.typ.Load() == nil && t.load(n.within()) == nil && n.permitted(t, abi.NameBirth)
}

// permittedByAnother reports whether the library may call a method by another name of it.
func (k *connection) permittedByAnother(t *boundType, id uint32) bool {
	u := k.uses[t.of]
	return u != nil && slices.ContainsFunc(t.Methods, func(m registry.Method) bool { return m.ID == id && u.methods[m.Name] })
}

// refuse logs that a library asks for what it may not call, once.
func (k *connection) refuse(box, method string) {
	box, method = contract.Excerpt(box), contract.Excerpt(method)
	k.warnOnce(box+"."+method, func() string { return k.notPermitted(box, method) })
}

// warnOnce logs a warning about what a library asks for, the first time and as one of
// [maxWarnings].
func (k *connection) warnOnce(about string, text func() string) {
	k.mu.Lock()
	known := k.logged[about] || len(k.logged) == maxWarnings
	if !known {
		if k.logged == nil {
			k.logged = make(map[string]bool)
		}
		k.logged[about] = true
	}
	k.mu.Unlock()
	if !known {
		k.lib.host.options.logger.Warn(text(), "plugin", k.lib.name)
	}
}

// notPermitted says which line nyash.toml lacks.
func (k *connection) notPermitted(box, method string) string {
	what := box
	t := k.lib.host.boxTypes[box]
	if method != "" && (method != abi.NameBirth || k.uses[t] != nil) {
		what += "." + method
	}
	if t == nil {
		return fmt.Sprintf("%s may not call %s, which nobody provides%s", k.lib.name, what, suggest.DidYouMean(box, k.lib.host.names))
	}
	return fmt.Sprintf("%s may not call %s: add %q to uses of %s in %s", k.lib.name, what, what, k.lib.name, k.lib.host.config.Path)
}

// Invoke implements [hostvtable.Calls].
func (k *connection) Invoke(ctx context.Context, c *abi.Call, from hostvtable.Caller) {
	f, pooled := k.frame(ctx, from.Life())
	n := nestedCall{
		connection: k, frame: f, at: calls.Position{Chain: f.Chain, Depth: f.Depth + 1},
		call: c, from: from, room: c.ResultBuffer(), byThread: pooled, isolated: from.Life() != nil,
	}
	if outer, ok := ctx.(*calls.Frame); ok {
		n.phase = outer.Threads
	}
	n.serve()
	if pooled {
		release(f)
	}
}

func (n *nestedCall) serve() {
	if a := n.keptAnswer(); a != nil {
		n.deliver(a)
		return
	}
	if err := n.make(); err != nil {
		n.fail(err)
	}
}

// nestedCall is a call that a library makes.
type nestedCall struct {
	*connection
	life     *life
	frame    *calls.Frame // of the call in which it is made, or of the thread
	at       calls.Position
	call     *abi.Call
	from     hostvtable.Caller
	room     []byte // of the library, for the result
	isolated bool   // the library is in a worker
	phase    bool   // it is made in connect, init or shutdown
	byThread bool   // answers are kept for the thread, and not for the frame
	target   *boxType
	plan     *plan.Plan // nil before the method is known
}

func (n *nestedCall) keptAnswer() *calls.Answer {
	if !n.byThread {
		return n.frame.Kept.Take(n.call, n.call.Message())
	}
	if !n.kept.Any() {
		return nil
	}
	return n.kept.Take(n.from.Thread(), n.call, n.call.Message())
}

// make makes the call, and answers it where the error is nil.
func (n *nestedCall) make() error {
	n.life = n.lib.lifeOfCaller(n.from.Session())
	t := n.boxType(n.call.TypeID)
	if t == nil {
		return codeErrorf(abi.ErrInvalidType, "no box has type id %d for %s: resolve tells the ids", n.call.TypeID, n.lib.name)
	}
	n.target = t
	if n.call.Method == abi.MethodFini {
		return n.fini() // also when the time is over: what is held must be given up
	}
	if n.at.Depth > calls.MaxDepth {
		return codeErrorf(abi.ErrPlugin, "calls are nested more than %d deep", calls.MaxDepth)
	}
	if n.frame.Err() != nil {
		return codeErrorf(abi.ErrPlugin, "the time of the call is over: %v", context.Cause(n.frame))
	}
	if n.call.Method == abi.MethodBirth {
		if !n.mayBear(t) {
			return codeErrorf(abi.ErrNotPermitted, "%s", n.notPermitted(t.name, abi.NameBirth))
		}
		escaping := *n // or else each call would be made on the heap
		return escaping.birth()
	}
	in, err := n.instance()
	if err != nil {
		return err
	}
	n.plan = in.typ.byID(n.call.Method)
	name := ""
	if n.plan != nil {
		name = n.plan.Name
	}
	if !n.permitted(t, name) && !n.permittedByAnother(in.typ, n.call.Method) {
		return codeErrorf(abi.ErrNotPermitted, "%s", n.notPermitted(t.name, name))
	}
	if n.plan == nil {
		return codeErrorf(abi.ErrInvalidMethod, "%s has no method %d", t.name, n.call.Method)
	}
	s, err := in.runNested(n)
	if err != nil {
		return err
	}
	return n.answer(in, s)
}

// instance is the one that the call names: the library's own, or one that it holds or is
// lent. One that was lost is returned with an error.
func (n *nestedCall) instance() (*instance, error) {
	id := n.call.Instance
	if n.target.lib == n.lib {
		if in := n.own(tlv.Handle{Type: n.call.TypeID, Instance: id}); in != nil {
			return in, nil
		}
	} else if in, ok := n.life.handles.Find(id); ok && in.boxType() == n.target {
		if in.backend.Lost() {
			return in, codeErrorf(abi.ErrInvalidHandle, "%s %d: %v", n.target.name, id, in.lib.errLost())
		}
		return in, nil
	}
	if n.target.lib.closed.Load() {
		return nil, codeErrorf(abi.ErrPlugin, "the library of %s is closed", n.target.name)
	}
	if n.lib.host.isClosing() {
		return nil, errClosing
	}
	return nil, codeErrorf(abi.ErrInvalidHandle, "%s neither holds nor is lent a %s %d (a plugin cannot keep boxes that it was lent)", n.lib.name, n.target.name, id)
}

// own is the live instance of the library that calls, or nil.
func (n *nestedCall) own(handle tlv.Handle) *instance {
	h := n.lib.host
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.live[liveKey{n.life.backend(), handle}]
}

// argument is what a handle among the call's arguments stands for.
func (n *nestedCall) argument(i int, v tlv.Value) (a boxArg, err error) {
	handle, err := v.Handle()
	if err != nil {
		return a, err
	}
	a.index = i
	if t := n.lib.boxTypeByID(handle.Type); t != nil && handle.Instance != 0 {
		if a.in = n.own(handle); a.in == nil {
			// The library has not told the host of it, and ends it itself.
			a.in, a.guest = n.lib.host.newInstance(n.life, t.typ.Load(), handle.Instance), true
		}
		return a, nil
	}
	in, ok := n.life.handles.Find(handle.Instance)
	if !ok || n.lib.foreign.byID(handle.Type) != in.boxType() {
		return a, codeErrorf(abi.ErrInvalidHandle, "argument %d: %s neither holds nor is lent a box of type id %d, instance %d", i+1, n.lib.name, handle.Type, handle.Instance)
	}
	a.in = in
	return a, nil
}

// errClosing answers what a host that closes does not do any more: it makes no instances,
// and has ended those that it had.
var errClosing = codeErrorf(abi.ErrPlugin, "the host is closing")

// codeError is an error with the code that a plugin gets.
type codeError struct {
	code abi.Code
	text string
}

func (e *codeError) Error() string { return e.text }

func codeErrorf(code abi.Code, format string, args ...any) error {
	return &codeError{code, fmt.Sprintf(format, args...)}
}

// fail answers with an error: its code, and a message where the caller has room for it.
func (n *nestedCall) fail(err error) {
	code, text := abi.ErrPlugin, err.Error()
	var own *codeError
	var call *CallError
	switch {
	case errors.As(err, &own):
		code = own.code
	case errors.As(err, &call) && call.Code != abi.OK:
		code, text = call.Code, call.Message
	case errors.Is(err, ErrInstanceLost), errors.Is(err, ErrClosed) && n.target != nil && !n.target.lib.closed.Load():
		code = abi.ErrInvalidHandle
	case errors.Is(err, abi.ErrInvalidArgs):
		code = abi.ErrInvalidArgs
	}
	if code == abi.ErrShortBuffer { // would have the caller repeat the call
		code = abi.ErrPlugin
	}
	n.call.Code, n.call.ResultLength = code, 0
	if text != "" {
		n.call.ResultLength = uintptr(contract.WriteMessage(n.room, contract.Excerpt(text)))
	}
}
