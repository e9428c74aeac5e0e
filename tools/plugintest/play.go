package plugintest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/isolate/wire"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// world is the surroundings in which a sequence is played. A plugin must answer the same in
// all of them.
type world struct {
	name   string // in scripts, and
	what   string // in sentences: "it answered X …, and Y as a host calls it"
	code   string // of the finding of one that answers otherwise
	layout layout
	plain  bool          // calls use ordinary memory
	keeps  bool          // lent blobs stay as they are after the call
	short  bool          // each call is made without room for a result first
	guard  guard         // of what the library takes with malloc
	second bool          // after a shutdown and a second init
	pause  time.Duration // before each call
}

// ordinary is the world in which faults show at once: arguments and room for the result end
// in front of memory that cannot be touched, and are taken away after the call.
// All calls come from one thread.
var ordinary = world{name: "ordinary", what: "otherwise", layout: layoutOneThread, guard: wire.GuardAligned}

// unguarded is the ordinary world without the guard.
var unguarded = world{name: ordinary.name, what: ordinary.what, layout: ordinary.layout}

// worlds are those that the ordinary one is compared with.
var worlds = []world{
	{name: "short", what: "where each call was made without room for its result first", code: codeShortEffect, layout: layoutOneThread, short: true, guard: wire.GuardAligned},
	{name: "keep", what: "where the arguments stayed in memory after the call", code: codeKeptAnswer, layout: layoutKeep | layoutOneThread, keeps: true, guard: wire.GuardAligned},
	{name: "thread", what: "where each call came from another thread", code: codeOtherThread, layout: layoutThread},
	{name: "second", what: "after a shutdown and a second init", code: codeSecondLife, layout: layoutOneThread, second: true, guard: wire.GuardAligned},
	{name: "plain", what: "in memory that held other data before", code: codeOtherMemory, plain: true},
}

// playedRoom is the room that a result is given first, in bytes: laying out the pages of a
// host's would take most of the time. One that needs more is given more.
const playedRoom = 2 << 10

// observed is what one op answered.
type observed struct {
	made  bool // the call was made
	code  abi.Code
	sum   uint64 // of the result
	text  string // of the result, shortened
	value tlv.Value
	took  time.Duration
	bytes int // of the result
	// malformed: the result is no message of one value, which is a finding of its own.
	malformed bool
	makes     *box // of a new instance that it answered
}

// otherType is how far a type id is from that of a box which is no box's.
const otherType = 1000

// unlike are two answers as a message shows them: where that would be the same of both, with the first byte in which they
// differ.
func unlike(a, b *observed) (one, other string) {
	one, other = a.String(), b.String()
	if one != other || !isText(a.value) || !isText(b.value) {
		return one, other
	}
	x, y := a.value.Data(), b.value.Data()
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("%s with %#02x at byte %d", one, x[i], i), fmt.Sprintf("%s with %#02x there", other, y[i])
		}
	}
	return one, other
}

// same tells whether two answers are the same, whatever the message of an error is.
func (o *observed) same(p *observed) bool {
	return o.made == p.made && o.code == p.code && o.sum == p.sum
}

func (o *observed) String() string {
	switch {
	case !o.made:
		return "nothing"
	case o.code != abi.OK:
		return fmt.Sprintf("code %d", int32(o.code))
	}
	return o.text
}

// played is what came of a sequence.
type played struct {
	answers  []observed
	exit     *exitError // the worker has exited, in the last op that was made
	findings []Finding  // that single answers show
	at       []int      // the op of each finding
	none     bool       // there was no worker
	calls    int
}

// player plays one sequence in one worker.
type player struct {
	*worker
	world  world
	ops    sequence
	out    *played
	report *Report    // whose new findings are those of the ops; nil for none
	noted  int        // how many of its findings are older, or in out
	made   []instance // of each op; id 0 for none
	ended  map[instance]bool
	first  map[tlv.Handle]int // the op that first answered a handle
	lent   []lentBlob
}

type lentBlob struct {
	addr uint64
	size int
}

func newPlayer(w *worker, report *Report, ops sequence, in world) *player {
	p := &player{worker: w, world: in, ops: ops, out: &played{}, report: report}
	if report != nil {
		p.noted = len(report.Findings)
	}
	w.gaveBytes = w.gaveBytes || ops.givesBytes()
	p.forget()
	return p
}

// forget forgets the instances.
func (p *player) forget() {
	p.made, p.ended, p.first = make([]instance, len(p.ops)), make(map[instance]bool), make(map[tlv.Handle]int)
}

// play plays a sequence in a new worker, whose report is its own.
func (e *env) play(ops sequence, in world) *played {
	out := e.playUncounted(ops, in)
	e.counted(out.calls)
	return out
}

// playBoth plays a sequence in the ordinary world and in another, at the same time where the
// library does not call its host: starting and ending workers takes most of the time.
func (e *env) playBoth(ops sequence, in world) (base, other *played) {
	if e.plugin.own.init.Connects || e.plugin.module {
		return e.play(ops, ordinary), e.play(ops, in)
	}
	done := make(chan *played)
	go func() { done <- e.playUncounted(ops, in) }()
	base = e.play(ops, ordinary)
	other = <-done
	e.counted(other.calls)
	return base, other
}

// playUncounted is play for another goroutine.
func (e *env) playUncounted(ops sequence, in world) (out *played) {
	own, report := e.alone()
	w, err := own.start(workerOptions{plain: in.plain, brief: true, unseen: true, guard: e.guardOf(in)})
	if w == nil || err != nil {
		return &played{none: true}
	}
	p := newPlayer(w, report, ops, in)
	out = p.out
	defer func() {
		out.calls = own.check.Calls
		p.note()
	}()
	defer w.close()
	if in.second {
		if err := p.secondLife(); err != nil {
			out.none = true
			return out
		}
	}
	p.run()
	return out
}

// run makes the calls, and ends the instances that are left.
func (p *player) run() {
	if p.calls(time.Time{}) {
		_ = errors.As(ignoreBirth(p.finiAll()), &p.out.exit)
	}
	p.shared.ends.note(p.out.exit)
	p.note()
}

// calls makes the calls in their order, until a time where there is one; false if the worker has exited.
func (p *player) calls(until time.Time) bool {
	for i := range p.ops {
		if i%16 == 15 && !until.IsZero() && time.Now().After(until) {
			break
		}
		o, err := p.op(i)
		p.out.answers = append(p.out.answers, o)
		if errors.As(err, &p.out.exit) {
			return false
		}
		p.note()
	}
	return true
}

// alone is the environment with a report of its own.
func (e *env) alone() (*env, *Report) {
	report := &Report{Library: e.report.Library}
	config := *e.config
	config.Progress, config.Only, config.Until = nil, nil, ""
	shared := *e.shared
	shared.explained, shared.left = make(map[string]bool), newLeftovers()
	shared.births, shared.birthBroken, shared.broken = maps.Clone(shared.births), maps.Clone(shared.birthBroken), maps.Clone(shared.broken)
	shared.hostCalls = maps.Clone(shared.hostCalls)
	own := *e
	own.config, own.shared = &config, &shared
	own.recorder = &recorder{config: &config, report: report, runtime: e.runtime, check: &CheckReport{Name: e.check.Name}, seen: newSeen(), silent: true}
	return &own, report
}

// note notes which op the new findings of the report are of.
func (p *player) note() {
	for ; p.report != nil && p.noted < len(p.report.Findings); p.noted++ {
		p.out.findings = append(p.out.findings, p.report.Findings[p.noted])
		p.out.at = append(p.out.at, len(p.out.answers)-1)
	}
}

// secondLife has the plugin make its calls, its shutdown and its init before.
func (p *player) secondLife() error {
	if !p.calls(time.Time{}) {
		return p.out.exit
	}
	if err := p.finiAll(); err != nil {
		return err
	}
	if err := p.reload(); err != nil {
		return err
	}
	p.instances, p.out.answers = nil, nil
	p.forget()
	return p.emptyDir()
}

// op makes one call. The error is an *exitError.
func (p *player) op(i int) (observed, error) {
	o := &p.ops[i]
	if wait := o.idle + p.world.pause; wait > 0 {
		select {
		case <-p.callCtx.Done():
		case <-time.After(wait):
		}
	}
	if o.idle > 0 {
		return observed{}, nil
	}
	var on instance
	if o.on >= 0 {
		if on = p.made[o.on]; on.id == 0 {
			return observed{}, nil
		}
	}
	if o.isFini() && p.ended[on] {
		return observed{}, nil
	}
	args, ok := p.encodeArgs(o, on.id)
	if !ok {
		return observed{}, nil
	}
	s := p.step(o.m, on.id, args)
	s.layout, s.resultSize = p.world.layout, min(s.resultSize, playedRoom)
	if on.box != nil {
		s.typeID = on.box.typeID
	}
	a, took, err := p.call(s)
	p.takeBlobsBack()
	if err != nil {
		return observed{made: true, text: pick(isHang(err), "it does not return", "the process ends")}, err
	}
	return p.answered(i, on, &s, a, took), nil
}

func (p *player) encodeArgs(o *op, id uint32) (args []byte, ok bool) {
	list := make([]tlv.Value, len(o.args))
	for k, a := range o.args {
		list[k] = a.value
		if a.from > 0 && a.from <= len(p.out.answers) && isText(p.out.answers[a.from-1].value) {
			a.value = p.out.answers[a.from-1].value
			list[k] = textOf(list[k].Tag(), a.value.Data())
		}
		switch {
		case a.ref > 0:
			of := p.made[a.ref-1]
			if of.id == 0 {
				return nil, false
			}
			h := tlv.Handle{Type: of.box.typeID, Instance: of.id}
			if a.other {
				h.Type += otherType
			}
			list[k] = tlv.HandleValue(h)
		case a.blob:
			data := []byte(a.value.Data())
			addr := uint64(0)
			if len(data) > 0 {
				var err error
				if addr, err = p.lendBlob(data); err != nil {
					return nil, false
				}
				p.lent = append(p.lent, lentBlob{addr, len(data)})
			}
			list[k] = tlv.Blob(addr, uint64(len(data)))
		}
	}
	args, err := p.encode(list, o.m.box, id)
	return args, err == nil
}

// takeBlobsBack ends the lending of blobs, and has their memory hold something else.
func (p *player) takeBlobsBack() {
	for _, b := range p.lent {
		if p.world.keeps || p.life.Lost() {
			break
		}
		p.takeBack(b.addr, b.size)
		if addr, err := p.lendBlob(slices.Repeat([]byte{filler}, b.size)); err == nil {
			p.takeBack(addr, b.size)
		}
	}
	p.lent = p.lent[:0]
}

// call makes a call as the world has it.
func (p *player) call(s step) (a *answer, took time.Duration, err error) {
	special := s.m == s.m.box.birth || s.m == s.m.box.fini
	if p.world.short && !special {
		s.resultSize = 0
	}
	start := time.Now()
	a, err = p.do(s)
	if err == nil && p.world.short && asksForMore(&s, a) && a.length > 1 && !p.plugin.own.init.Connects {
		s.resultSize = int(a.length) - 1 // and with one byte less than it asks for
		a, err = p.do(s)
	}
	if err == nil && !asksForMore(&s, a) {
		return a, time.Since(start), nil
	}
	if err == nil { // perhaps it has only said how much it needs
		start = time.Now()
		a, err = retry(&s, a, p.do)
	}
	return a, time.Since(start), err
}

// answered takes over what a call answered, and looks at it.
func (p *player) answered(i int, on instance, s *step, a *answer, took time.Duration) observed {
	o := &p.ops[i]
	out := observed{made: true, code: a.code, took: took}
	switch {
	case o.isBirth() && a.code != abi.OK:
		return out // with such arguments it may refuse
	case o.isBirth():
		id, ok := p.checkBirth(o.m.box, a)
		if ok {
			p.makes(i, instance{o.m.box, id})
			p.instances = append(p.instances, p.made[i])
		}
		return out
	case o.isFini():
		p.checkFini(o.m.box, a)
		p.ended[on] = true
		delete(p.first, tlv.Handle{Type: on.box.typeID, Instance: on.id})
		p.instances = slices.DeleteFunc(p.instances, func(have instance) bool { return have == on })
		return out
	}
	if !p.world.short {
		p.checkAnswer(s, a)
		p.checkRefusedText(s, a)
	}
	if a.code != abi.OK {
		return out
	}
	if p.ended[on] && !slices.Contains(p.instances, on) && p.shared.refusesUnknown[o.m] {
		f := s.finding(codeUseAfterFini, "it answered %v on an instance that was ended", a)
		p.add(f)
	}
	v, ok := a.value()
	if !ok {
		out.bytes, out.malformed = len(a.result()), len(a.result()) > 0
		out.sum, out.text = sumOf(a.result()), showMessage(a.result())
		return out
	}
	out.value, out.bytes = v, v.Len()
	if h, err := v.Handle(); err == nil {
		p.handle(i, h, a, s, &out)
		return out
	}
	if addr, length, err := v.Blob(); err == nil {
		p.blob(s, addr, length, &out)
		return out
	}
	out.sum, out.text = sumOf(a.result()), showValue(v)
	return out
}

// makes notes the instance that an op has made. One of the same id that has ended cannot be called any more.
func (p *player) makes(i int, made instance) {
	for k, have := range p.made[:i] {
		if have == made {
			p.made[k] = instance{}
		}
	}
	p.made[i] = made
	delete(p.ended, made)
}

// handle notes the instance that an op answered, by which op did so first.
func (p *player) handle(i int, h tlv.Handle, a *answer, s *step, out *observed) {
	p.takeOver(s.m, a, s.args)
	made := instance{p.plugin.boxOf(h.Type), h.Instance}
	at := -1
	if made.box != nil && !p.ended[made] { // else the id may be that of another one now
		at = slices.Index(p.made[:i], made)
	}
	known := at >= 0
	if !known {
		if at, known = p.first[h]; !known {
			at, p.first[h] = i, i
		}
	}
	if made.box != nil && !known && slices.Contains(p.instances, made) {
		p.makes(i, made)
		out.makes = made.box
	}
	out.text = fmt.Sprintf("a handle of type %d", h.Type)
	out.sum = uint64(h.Type) << 32
	if h.Type < firstHostType { // what is the host's is lent to several ops, and first answered by any
		out.sum |= uint64(at)
	}
}

// blob notes the content of a blob that an op answered, and frees it.
func (p *player) blob(s *step, addr, length uint64, out *observed) {
	data, release, err := p.life.Adopt(p.callCtx, addr, length)
	if err != nil {
		if !p.life.Lost() {
			p.add(s.finding(codeBlob, "%v", err))
		}
		return
	}
	defer release()
	out.bytes, out.text = len(data), fmt.Sprintf("a blob of %d bytes", len(data))
	out.sum = sumOf(data)
	if len(data) <= tlv.MaxPayload {
		out.value = tlv.Bytes(data)
	}
}

func sumOf(data []byte) uint64 {
	h := fnv.New64a()
	var length [8]byte
	binary.LittleEndian.PutUint64(length[:], uint64(len(data)))
	_, _ = h.Write(length[:])
	_, _ = h.Write(data)
	return h.Sum64()
}
