package plugintest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate"
	"github.com/nyash-plugins/nyash-go/internal/isolate/channel"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// step is a call that was made.
type step struct {
	m        *method
	typeID   uint32
	method   uint32
	instance uint32
	args     []byte
	room     int
	layout   channel.Layout
	racing   bool // others are made at the same time
}

// answer is what a call answered.
type answer struct {
	code   abi.Code
	length uint64 // *result_len
	room   []byte // all of it
	damage channel.Damage
}

// result is the part of the room that the plugin says is the result.
func (a *answer) result() []byte {
	if a.code != abi.OK || a.length == 0 || a.isVoid() {
		return nil
	}
	return a.room[:min(a.length, uint64(len(a.room)))]
}

// isVoid tells whether the plugin left buffer and length alone.
func (a *answer) isVoid() bool {
	return len(a.room) > 0 && a.length == uint64(len(a.room)) && !wrote(a.room[:min(4, len(a.room))])
}

// codeText is what the text of an answer with an error's code begins with.
const codeText = "code "

// String is the answer for a person, and for comparison.
func (a *answer) String() string {
	if a.code == abi.ErrShortBuffer {
		return fmt.Sprintf("%d, needs %d bytes", int32(a.code), a.length)
	}
	if a.code != abi.OK {
		return fmt.Sprintf("%s%d%s", codeText, int32(a.code), a.messageText())
	}
	return showMessage(a.result())
}

func (a *answer) messageText() string {
	if text, ok := a.message(); ok {
		return ": " + text
	}
	return ""
}

// roomSize is the room for ordinary results, in bytes: more than the largest
// message of one value.
const roomSize = 65_552

// plainRoom is that of calls that are to be fast; call grows it.
const plainRoom = 256

// run makes a call as it is told. The error is a *lostError.
func (r *rig) run(s step) (*answer, error) {
	s.layout |= r.options.layout
	if !r.options.plain {
		r.trace = append(r.trace, s)
	}
	r.t.check.Calls++
	a, err := r.raw(&s)
	if err != nil {
		return nil, &lostError{at: &s, err: err}
	}
	return a, nil
}

func (r *rig) raw(s *step) (*answer, error) {
	a := &answer{room: make([]byte, s.room)}
	p := &isolate.Probe{Layout: s.layout}
	if r.options.plain {
		return a, r.invoke(s, a, &p.Call)
	}
	p.TypeID, p.Method, p.Instance = s.typeID, s.method, s.instance
	p.SetArgs(s.args)
	p.SetResultBuffer(a.room)
	if err := r.ended(r.session.Probe(r.ctx, p)); err != nil {
		return nil, err
	}
	a.code, a.length, a.damage = p.Code, uint64(p.ResultLength), p.Damage
	return a, nil
}

// invoke is raw with ordinary memory.
func (r *rig) invoke(s *step, a *answer, c *abi.Call) error {
	for i := 4; i < len(a.room); i++ {
		a.room[i] = channel.Filler // as a probe does
	}
	c.TypeID, c.Method, c.Instance = s.typeID, s.method, s.instance
	c.SetArgs(s.args)
	c.SetResultBuffer(a.room)
	if err := r.ended(r.session.Invoke(r.ctx, c)); err != nil {
		return err
	}
	a.code, a.length = c.Code, uint64(c.ResultLength)
	return nil
}

// ended ends the worker under a call that the tester has given up.
func (r *rig) ended(err error) error {
	var late *isolate.AbandonedError
	if errors.As(err, &late) {
		r.session.Kill(late.Err)
		return late.Wait()
	}
	return err
}

// room is the room for results of a rig's calls, in bytes.
func (r *rig) room() int {
	if r.options.plain {
		return plainRoom
	}
	return roomSize
}

// call calls a method with ordinary room, looks after what comes back, and tells
// what is wrong with it.
func (r *rig) call(m *method, id uint32, args []byte) (*answer, error) {
	s := step{m: m, typeID: m.box.typeID, method: m.id, instance: id, args: args, room: r.room()}
	a, err := r.run(s)
	for tries := 1; err == nil && a.code == abi.ErrShortBuffer && tries <= mostTries; tries++ {
		if a.length <= uint64(s.room) || a.length > maxResult {
			r.t.judge(r, &s, a)
			return a, nil
		}
		s.room = int(a.length)
		a, err = r.run(s)
		if err == nil && a.code == abi.ErrShortBuffer && tries == mostTries {
			r.t.add(Finding{Code: codeShortLength, Box: m.box.name, Method: m.name, Call: showCall(&s), Input: hexText(args),
				Message: fmt.Sprintf("it asked for %d bytes, got them, and asked for %d", s.room, a.length)})
		}
	}
	if err != nil {
		return nil, err
	}
	r.t.judge(r, &s, a)
	r.takeOver(m, a, args)
	return a, nil
}

// mostTries is how often a host makes more room for a result; one may grow
// between two calls.
const mostTries = 8

// fitting makes a call, and makes it again with the room that it asks for.
func (r *rig) fitting(s step) (*answer, error) {
	a, err := r.raw(&s)
	for tries := 0; err == nil && a.code == abi.ErrShortBuffer && a.length > uint64(s.room) && a.length <= maxResult && tries < mostTries; tries++ {
		s.room = int(a.length)
		a, err = r.raw(&s)
	}
	if err != nil {
		return nil, &lostError{&s, err}
	}
	return a, nil
}

// maxResult is the largest result that a host makes room for, in bytes.
const maxResult = 16 << 20

// takeOver keeps account of what a result has given to the host.
// A handle that was among the arguments was lent and stays whose it is.
func (r *rig) takeOver(m *method, a *answer, args []byte) {
	value, ok := a.value()
	if !ok {
		return
	}
	if h, err := value.Handle(); err == nil {
		if lent, err := tlv.Decode(args); err == nil && slices.Contains(lent, value) {
			return
		}
		if h.Instance == 0 {
			r.t.add(Finding{Code: codeMalformed, Box: m.box.name, Method: m.name, Message: "it returned a handle of instance 0, which is none"})
			return
		}
		for _, have := range r.owned {
			if have.id == h.Instance && have.box.typeID == h.Type {
				return
			}
		}
		if b := r.t.boxOf(h.Type); b != nil {
			r.owned = append(r.owned, instance{b, h.Instance})
		}
		return
	}
	r.takeBlob(m, value)
}

// takeBlob takes over a blob, and frees it.
func (r *rig) takeBlob(m *method, value tlv.Value) {
	if addr, length, err := value.Blob(); err == nil {
		_, release, err := r.session.Adopt(r.ctx, addr, length)
		if err != nil {
			if !r.session.Lost() {
				r.t.add(Finding{Code: codeBlob, Box: m.box.name, Method: m.name, Message: err.Error()})
			}
			return
		}
		release()
	}
}

func (t *Tester) boxOf(typeID uint32) *box {
	for _, b := range t.boxes {
		if b.typeID == typeID {
			return b
		}
	}
	return nil
}

// born makes an instance.
func (r *rig) born(b *box) (uint32, error) {
	if b.single() {
		// A host makes one, and a plugin may refuse another.
		for _, have := range r.owned {
			if have.box == b {
				return have.id, nil
			}
		}
	}
	a, err := r.run(r.birth(b))
	if err != nil {
		return 0, err
	}
	id, ok := r.t.judgeBirth(r, b, a)
	if !ok {
		return 0, errNoBirth
	}
	r.owned = append(r.owned, instance{b, id})
	return id, nil
}

// birth is the call that makes an instance, with values of the types that
// nyash.toml declares for it.
func (r *rig) birth(b *box) step {
	args := emptyMessage
	if b.conf != nil && b.conf.Birth != nil {
		for values := range product(declaredChoices(b.conf.Birth.Args)) {
			args = r.encode(values, b, 0)
			break
		}
	}
	return step{m: b.birth, typeID: b.typeID, method: abi.MethodBirth, args: args, room: r.room()}
}

// errNoBirth ends a scenario that cannot go on; the finding is there already.
var errNoBirth = errors.New("no instance")

// fini ends an instance.
func (r *rig) fini(b *box, id uint32) error {
	a, err := r.run(step{m: b.fini, typeID: b.typeID, method: abi.MethodFini, instance: id, args: emptyMessage, room: r.room()})
	if err != nil {
		return err
	}
	for i, have := range r.owned {
		if have.box == b && have.id == id {
			r.owned = append(r.owned[:i:i], r.owned[i+1:]...)
			break
		}
	}
	r.t.judgeFini(r, b, a)
	return nil
}

// finiAll ends all instances that the rig has.
func (r *rig) finiAll() error {
	for len(r.owned) > 0 {
		last := r.owned[len(r.owned)-1]
		if err := r.fini(last.box, last.id); err != nil {
			return err
		}
	}
	return nil
}

// emptyMessage is the message of a call without arguments.
var emptyMessage = []byte{1, 0, 0, 0}
