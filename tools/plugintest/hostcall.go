package plugintest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/hostvtable"
	"github.com/nyash-plugins/nyash-go/internal/calls"
	"github.com/nyash-plugins/nyash-go/internal/contract"
	"github.com/nyash-plugins/nyash-go/internal/isolate/transport"
	"github.com/nyash-plugins/nyash-go/internal/plan"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// hostCall is a call that the library makes.
type hostCall struct {
	*host
	in     *asking
	call   *abi.Call
	from   hostvtable.Caller
	room   []byte // of the library, for the result
	box    *hostBox
	method *plan.Plan
	inside bool // the library itself is to answer
	record *hostRecord
}

// Invoke implements [hostvtable.Calls].
func (h *host) Invoke(ctx context.Context, c *abi.Call, from hostvtable.Caller) {
	n := &hostCall{host: h, call: c, from: from, room: c.ResultBuffer()}
	h.mu.Lock()
	n.in = h.callOf(ctx, from.Thread())
	if a := n.in.kept.Take(c, c.Message()); a != nil {
		n.in.keeps = false
		h.mu.Unlock()
		n.deliver(a)
		return
	}
	a := n.answer()
	h.mu.Unlock()
	if n.inside {
		a = n.callInside()
	}
	h.mu.Lock()
	n.ended(a.Code)
	h.mu.Unlock()
	n.deliver(a)
}

// begin finds out what is called, and records it.
func (n *hostCall) begin() {
	c := n.call
	n.record = &hostRecord{in: n.in.in, depth: n.in.depth + 1, what: fmt.Sprintf("type %d", c.TypeID), instance: c.Instance}
	method := fmt.Sprintf("method %d", c.Method)
	if n.box = n.byType[c.TypeID]; n.box != nil {
		n.record.what = n.box.name
		n.method = n.box.byID[c.Method]
	}
	switch {
	case n.box != nil && c.Method == abi.MethodBirth:
		n.method = n.box.birthPlan
		method = abi.NameBirth
	case c.Method == abi.MethodFini:
		method = abi.NameFini
	case n.method != nil:
		method = n.method.Name
	}
	n.record.what += "." + method
	n.remember(n.record)
	n.calledBack(n.in, "calls", n.record.what)
}

// ended notes the end of the call.
func (n *hostCall) ended(code abi.Code) {
	n.record.ended, n.record.code = true, code
	n.record.held, n.record.lent = n.instances.held, n.instances.lent
	if n.box != nil {
		n.count(n.box.name, code)
	}
}

// refusal is the answer of a call that fails.
func refusal(code abi.Code, format string, args ...any) *calls.Answer {
	text := tlv.AppendHeader(nil)
	text, err := tlv.AppendString(text, contract.Excerpt(fmt.Sprintf(format, args...)))
	if err != nil || tlv.PatchArgc(text, 1) != nil {
		text = nil
	}
	return &calls.Answer{Code: code, Message: text}
}

// answer answers the call, or sets inside. The caller holds mu.
func (n *hostCall) answer() *calls.Answer {
	n.begin()
	c := n.call
	if n.in.depth >= n.maxDepth {
		n.nestedTooDeep(n.in)
		return refusal(abi.ErrPlugin, "calls are nested more than %d deep", n.maxDepth)
	}
	if n.box == nil {
		return refusal(abi.ErrInvalidType, "no box has type id %d for this library: resolve tells the ids", c.TypeID)
	}
	if c.Method != abi.MethodFini {
		if n.in.next(); n.mode.failAt == n.in.calls {
			return refusal(abi.ErrPlugin, "the tester has this call fail")
		}
	}
	switch c.Method {
	case abi.MethodBirth:
		return n.birth()
	case abi.MethodFini:
		return n.fini()
	}
	return n.invoke()
}

func (n *hostCall) birth() *calls.Answer {
	if !n.box.permits(abi.NameBirth) {
		n.refuse(n.in, n.box.name, abi.NameBirth)
		return n.notPermitted(abi.NameBirth)
	}
	if n.call.Instance != 0 {
		return refusal(abi.ErrInvalidArgs, "birth is called with instance 0")
	}
	if n.box.ofLibrary {
		return n.goInside()
	}
	if a := n.checkArgs(); a != nil {
		return a
	}
	i := n.instances.hold(n.box, n.in.in)
	return n.holding(i, binary.LittleEndian.AppendUint32(nil, i.id))
}

// holding is an answer that gives a hold.
func (n *hostCall) holding(i *hostInstance, message []byte) *calls.Answer {
	return &calls.Answer{Message: message, Drop: func() {
		n.instances.giveUp(i)
		n.dropped()
	}}
}

func (n *hostCall) notPermitted(method string) *calls.Answer {
	entry := entryOf(n.box.name, method)
	return refusal(abi.ErrNotPermitted, "the library may not call %s: add %q to its uses in nyash.toml", entry, entry.String())
}

// fini gives up a hold.
func (n *hostCall) fini() *calls.Answer {
	if n.box.ofLibrary {
		if n.host.own[ownKey{n.call.TypeID, n.call.Instance}].held == 0 {
			return n.noInstance()
		}
		return n.goInside()
	}
	i := n.instances.byID[n.call.Instance]
	if i == nil || i.box != n.box {
		return n.noInstance()
	}
	if len(i.held) == 0 {
		n.finiUnheld(n.in, i)
		return n.noInstance()
	}
	n.instances.giveUp(i)
	return &calls.Answer{}
}

func (n *hostCall) noInstance() *calls.Answer {
	return refusal(abi.ErrInvalidHandle, "the library neither holds nor is lent a %s %d", n.box.name, n.call.Instance)
}

// invoke answers a method.
func (n *hostCall) invoke() *calls.Answer {
	c := n.call
	lent := false
	if n.box.ofLibrary {
		if _, lives := n.host.own[ownKey{c.TypeID, c.Instance}]; !lives {
			return n.noInstance()
		}
	} else {
		i := n.instances.byID[c.Instance]
		if i == nil || i.box != n.box {
			return n.noInstance()
		}
		if !i.usable() {
			n.misused(n.in, i, "called")
			return n.noInstance()
		}
		lent = i.lent > 0
	}
	method := ""
	if n.method != nil {
		method = n.method.Name
	}
	if !n.box.permits(method) {
		// What is lent may be a box that the method does not expect: the tester's mistake.
		if !lent && !n.box.ofLibrary {
			n.refuse(n.in, n.box.name, method)
		}
		return n.notPermitted(method)
	}
	if n.method == nil {
		return refusal(abi.ErrInvalidMethod, "%s has no method %d", n.box.name, c.Method)
	}
	if n.box.ofLibrary {
		return n.goInside()
	}
	if a := n.checkArgs(); a != nil {
		return a
	}
	return n.result()
}

// checkArgs checks the message as hosts do, and returns their answer where it is wrong.
func (n *hostCall) checkArgs() *calls.Answer {
	d := tlv.NewDecoder(n.call.Message())
	count := 0
	for e, ok := d.Next(); ok; e, ok = d.Next() {
		if err := n.method.CheckWire(count, e); err != nil {
			n.wrongArgs(n, err)
			return refusal(abi.ErrInvalidArgs, "%v", err)
		}
		if handle, err := e.Value().Handle(); err == nil {
			if a := n.checkHandle(count, handle); a != nil {
				return a
			}
		}
		count++
	}
	err := d.Err()
	if err == nil {
		err = n.method.CheckCount(count)
	}
	if err != nil {
		n.wrongArgs(n, err)
		return refusal(abi.ErrInvalidArgs, "%v", err)
	}
	return nil
}

// checkHandle checks a handle among the arguments.
func (n *hostCall) checkHandle(at int, handle tlv.Handle) *calls.Answer {
	b := n.byType[handle.Type]
	if b != nil && b.ofLibrary && handle.Instance != 0 {
		return nil
	}
	i := n.instances.byID[handle.Instance]
	if b != nil && i != nil && i.box == b {
		if i.usable() {
			return nil
		}
		n.misused(n.in, i, "passed to "+n.box.name+"."+n.method.Name)
	}
	return refusal(abi.ErrInvalidHandle, "argument %d: the library neither holds nor is lent a box of type id %d, instance %d", at+1, handle.Type, handle.Instance)
}

// result is a plausible result.
func (n *hostCall) result() *calls.Answer {
	returns := n.method.Returns
	key := answeredKey{n.box.id, n.method.ID}
	if n.in.answered == nil {
		n.in.answered = make(map[answeredKey]int)
	}
	before := n.in.answered[key]
	n.in.answered[key]++
	switch returns.Tag {
	case tlv.TagHandle:
		b := n.box
		if returns.Box != "" {
			b = n.named(returns.Box)
		}
		if b.ofLibrary { // there is none that another library could name
			return &calls.Answer{}
		}
		i := n.instances.hold(b, n.in.in)
		return n.holding(i, message(tlv.HandleValue(tlv.Handle{Type: b.id, Instance: i.id})))
	case tlv.TagBlob:
		data := plausibleBlob(before, n.mode.long)
		return &calls.Answer{Message: message(tlv.Blob(0, uint64(len(data)))), Blob: data, HasBlob: true, Drop: n.dropped}
	}
	v, ok := plausible(returns.Tag, before, n.mode.long)
	if !ok {
		return &calls.Answer{}
	}
	return &calls.Answer{Message: message(v), Drop: n.dropped}
}

// message is a value as a message.
func message(v tlv.Value) []byte {
	out, err := tlv.Encode(v)
	if err != nil {
		panic(fmt.Sprintf("encode a result: %v", err)) // which is the tester's own
	}
	return out
}

// blobAddress is where a message of one Blob has its address.
const blobAddress = tlv.HeaderSize + tlv.EntryHeaderSize

func (n *hostCall) keep(a *calls.Answer) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.in.keeps = n.in.kept.Keep(n.call, n.call.Message(), a, n.keptBytes)
	if !n.in.keeps && a.Drop != nil {
		defer func(ending bool) { n.ending = ending }(n.ending)
		n.ending = true // it is no fault of the library's
		a.Drop()
	}
	return n.in.keeps
}

// deliver answers, or keeps the answer where the library's buffer is too small for it.
func (n *hostCall) deliver(a *calls.Answer) {
	c := n.call
	c.Code, c.ResultLength = a.Code, 0
	switch {
	case a.Code != abi.OK:
		if len(a.Message) <= len(n.room) {
			c.ResultLength = uintptr(copy(n.room, a.Message))
		}
		return
	case len(a.Message) > len(n.room):
		c.Code, c.ResultLength = abi.ErrShortBuffer, uintptr(len(a.Message))
		if !n.keep(a) {
			n.deliver(refusal(abi.ErrOutOfMemory, "the answers that were not fetched have more than %d bytes", n.keptBytes.Most()))
		}
		return
	}
	if a.HasBlob {
		addr, err := n.from.Place(a.Blob)
		if err != nil {
			n.deliver(refusal(abi.ErrOutOfMemory, "the library's alloc has no %d bytes: %v", len(a.Blob), err))
			return
		}
		binary.LittleEndian.PutUint64(a.Message[blobAddress:], addr)
	}
	c.ResultLength = uintptr(copy(n.room, a.Message))
}

// goInside has the library itself answer.
func (n *hostCall) goInside() *calls.Answer {
	switch {
	case n.box.own == nil || !n.ready:
		return refusal(abi.ErrPlugin, "the init of %s has not returned", n.box.name)
	case n.turns:
		return refusal(abi.ErrPlugin, "the call would wait for itself: calls of %s come one at a time", n.box.name)
	}
	n.inside = true
	return nil
}

// callInside calls the library. The caller does not hold mu.
func (n *hostCall) callInside() *calls.Answer {
	c, w := n.call, n.worker
	m := n.box.own.methodByID(c.Method)
	s := w.step(m, c.Instance, append([]byte(nil), c.Message()...))
	inner := newAsking(w.callCtx, m, &s)
	inner.depth = n.in.depth + 1
	a, err := w.invokeNested(inner, &s)
	for shorts := 1; err == nil && shorts < contract.MaxShortBuffers && asksForMore(&s, a); shorts++ {
		s.resultSize = int(a.length)
		a, err = w.invokeNested(inner, &s)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if inner.keeps {
		inner.kept.Drop()
	}
	switch {
	case errors.Is(err, transport.ErrNoSlot):
		if inner.depth >= endlessDepth {
			n.nestedTooDeep(n.in)
		}
		return refusal(abi.ErrPlugin, "too many calls are under way in %s", n.box.name)
	case err != nil:
		return refusal(abi.ErrPlugin, "%v", err)
	case a.code == abi.ErrShortBuffer: // would have the library ask again
		return refusal(abi.ErrPlugin, "%s keeps asking for a larger buffer", n.record.what)
	case a.code != abi.OK:
		if text, ok := a.message(); ok {
			return refusal(a.code, "%s", text)
		}
		return &calls.Answer{Code: a.code}
	}
	return n.givenInside(a)
}

// endlessDepth is how deep calls must be nested that have no end where a worker has no place
// for more.
const endlessDepth = 48

// givenInside is what the library has answered itself, which may give it a hold.
func (n *hostCall) givenInside(a *answer) *calls.Answer {
	given := &calls.Answer{Message: append([]byte(nil), a.written()...), Drop: n.dropped}
	if a.isVoid() {
		given.Message = nil
	}
	switch n.call.Method {
	case abi.MethodBirth:
		id, err := contract.ParseBirth(a.written(), n.call.TypeID)
		if err != nil {
			return refusal(abi.ErrPlugin, "%v", err)
		}
		n.holdOwn(n.call.TypeID, id, 0, 1)
		given.Message = binary.LittleEndian.AppendUint32(nil, id)
	case abi.MethodFini:
		n.holdOwn(n.call.TypeID, n.call.Instance, 0, -1)
		given.Message = nil
	default:
		if v, ok := a.value(); ok {
			if h, err := v.Handle(); err == nil && n.byType[h.Type] != nil && n.byType[h.Type].ofLibrary && h.Instance != 0 {
				n.holdOwn(h.Type, h.Instance, 0, 1)
			}
		}
	}
	return given
}

// methodByID finds a method, which need not be described.
func (b *box) methodByID(id uint32) *method {
	switch id {
	case abi.MethodBirth:
		return b.birth
	case abi.MethodFini:
		return b.fini
	}
	for _, m := range b.methods {
		if m.id == id {
			return m
		}
	}
	return &method{box: b, name: fmt.Sprintf("method %d", id), id: id}
}
