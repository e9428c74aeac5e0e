package plugintest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
	"github.com/nyash-plugins/nyash-go/tools/plugintest/interleave"
)

type values = []tlv.Value

// script is a program for the driver while it is written, with what its calls are.
type script struct {
	*env
	program interleave.Program
	methods []*method // of each call
	boxes   []*box    // of each slot of the plan that is being written
	setup   []int     // of that plan
	lent    map[*box]int
}

func newScript(e *env) *script {
	s := &script{env: e, program: interleave.Program{Library: e.config.File}}
	for _, t := range e.plugin.own.init.Tables {
		s.program.Tables = append(s.program.Tables, abi.SymbolTypeBoxPrefix+t.Box)
	}
	s.begin()
	return s
}

// begin begins another plan.
func (s *script) begin() { s.boxes, s.setup, s.lent = nil, nil, make(map[*box]int) }

// plan is the plan that was written.
func (s *script) plan(threads [][]int, post []int) interleave.Plan {
	return interleave.Plan{Slots: len(s.boxes), Setup: s.setup, Threads: threads, Post: post}
}

func (s *script) slot(b *box) int {
	s.boxes = append(s.boxes, b)
	return len(s.boxes) - 1
}

// birth is a birth into a slot; ok is false where its arguments cannot be given here.
func (s *script) birth(slot int) (call int, ok bool) {
	b := s.boxes[slot]
	args, known := s.shared.births[b]
	if !known {
		for first := range (&worker{env: s.env}).birthValues(b) {
			args = first
			break
		}
	}
	return s.add(b.birth, interleave.KindBirth, args, slot, -1)
}

// born makes an instance before the threads begin.
func (s *script) born(b *box) (slot int, ok bool) {
	slot = s.slot(b)
	call, ok := s.birth(slot)
	s.setup = append(s.setup, call)
	return slot, ok
}

// copied is an instance that a method makes of another one, before the threads begin.
func (s *script) copied(m *method, from int) (slot int, ok bool) {
	slot = s.slot(m.box)
	call, ok := s.add(m, interleave.KindCopy, nil, slot, -1)
	if ok {
		s.program.Calls[call].From = from
		s.setup = append(s.setup, call)
	}
	return slot, ok
}

// fini ends the instance of a slot.
func (s *script) fini(slot int) int {
	call, _ := s.add(s.boxes[slot].fini, interleave.KindFini, nil, slot, -1)
	return call
}

// call is a call on an instance; other is that of the same box among its arguments. ok is
// false where they cannot be given here.
func (s *script) call(m *method, args values, on, other int) (call int, ok bool) {
	return s.add(m, interleave.KindCall, args, on, other)
}

func (s *script) add(m *method, kind interleave.Kind, args values, on, other int) (call int, ok bool) {
	c := interleave.Call{Type: m.box.typeID, Method: m.id, Slot: on, Kind: kind, Table: m.box.table}
	if ok = s.encode(&c, args, on, other); !ok {
		return 0, false
	}
	s.program.Calls, s.methods = append(s.program.Calls, c), append(s.methods, m)
	return len(s.program.Calls) - 1, true
}

// maxLentBoxes is how deep the births of lent instances may nest.
const maxLentBoxes = 8

func (s *script) encode(c *interleave.Call, args values, on, other int) bool {
	msg := slices.Clone(emptyMessage)
	for _, v := range args {
		at := len(msg) + tlv.EntryHeaderSize
		box := s.plugin.sampled(v, s.boxes[on])
		switch _, ofHost := sampleNumber(v); {
		case ofHost:
			return false
		case box != nil:
			slot := on
			if v != selfSample {
				var ok bool
				if slot, ok = s.lend(box, on, other); !ok {
					return false
				}
			}
			v = tlv.HandleValue(tlv.Handle{Type: box.typeID})
			c.Patches = append(c.Patches, interleave.Patch{Offset: at + 4, Slot: slot})
		case v.Tag() == tlv.TagBlob:
			data, ok := s.plugin.blobData(v)
			if _, length, _ := v.Blob(); !ok {
				data = blobOf(int(length))
			}
			s.program.Blobs = append(s.program.Blobs, data)
			c.Patches = append(c.Patches, interleave.Patch{Offset: at, Blob: len(s.program.Blobs)})
		}
		var err error
		if msg, err = tlv.AppendValue(msg, v); err != nil {
			return false
		}
	}
	if tlv.PatchArgc(msg, len(args)) != nil {
		return false
	}
	c.Args = msg
	return true
}

// lend is the instance of a box among arguments of a call on another.
func (s *script) lend(b *box, on, other int) (slot int, ok bool) {
	if other >= 0 && s.boxes[other] == b {
		return other, true
	}
	if slot, ok := s.lent[b]; ok {
		return slot, true
	}
	if len(s.lent) >= maxLentBoxes || s.boxes[on] == b && len(s.setup) == 0 {
		return 0, false
	}
	slot, ok = s.born(b)
	s.lent[b] = slot
	return slot, ok
}

// blobOf are the bytes of a blob of another length.
func blobOf(length int) []byte {
	return bytes.Repeat([]byte{byte('a' + length%26)}, length)
}

// varied is another value of the same type, for one of two threads.
func varied(v tlv.Value, who int) tlv.Value {
	text := strings.Repeat(string(rune('p'+who)), 5+4*who)
	switch v.Tag() {
	case tlv.TagInt32:
		return tlv.Int32(int32(3 + 2*who))
	case tlv.TagInt64:
		return tlv.Int64(int64(3 + 2*who))
	case tlv.TagFloat32:
		return tlv.Float32(float32(2*who) + 2.5)
	case tlv.TagFloat64:
		return tlv.Float64(float64(2*who) + 2.5)
	case tlv.TagBool:
		return tlv.Bool(who == 0)
	case tlv.TagString:
		return tlv.String(text)
	case tlv.TagBytes:
		return tlv.Bytes([]byte(text))
	case tlv.TagBlob:
		return tlv.Blob(0, uint64(len(text)))
	}
	return v
}

// ofSetup are argument lists with other texts than a sample's: those that the calls before it were given, as what
// it names must be there.
func ofSetup(sample values, setup []setupCall, who int) (all []values) {
	for i, v := range sample {
		if !isText(v) {
			continue
		}
		var others values
		for _, c := range setup {
			for _, other := range c.args {
				if other.Tag() == v.Tag() && other != v && !slices.Contains(others, other) {
					others = append(others, other)
				}
			}
		}
		if who < len(others) {
			one := slices.Clone(sample)
			one[i] = others[who]
			all = append(all, one)
		}
	}
	return all
}

// variations are argument lists that differ from a sample, the most different first: each
// value is another one, or only one of them.
func variations(sample values, who int) (all []values) {
	every := slices.Clone(sample)
	for i, v := range sample {
		every[i] = varied(v, who)
	}
	all = append(all, every)
	for i, v := range sample {
		one := slices.Clone(sample)
		one[i] = varied(v, who)
		all = append(all, one)
	}
	return all
}

// findActs finds what threads can do with the box: its calls, with arguments of each thread's
// own where there are some that work, births and finis.
func (x *meetings) findActs() error {
	s := newScript(x.env)
	type try struct {
		a    *act
		v    variant
		args values
	}
	var tries []try
	var runs []interleave.Run
	for _, m := range x.box.methods {
		if !x.shared.callable(m) || x.shared.slow[m] {
			continue
		}
		sample := x.shared.sample(m)
		given := x.withOthers(sample.values)
		a := &act{m: m, setup: sample.setup, args: [3]values{given, given, given}}
		for _, v := range given {
			a.lends = a.lends || v != selfSample && x.plugin.sampled(v, x.box) == x.box
		}
		if _, ok := x.single(s, a, given); !ok {
			continue
		}
		x.acts = append(x.acts, a)
		for _, v := range []variant{ofFirst, ofSecond} {
			for _, args := range append(variations(given, int(v-ofFirst)), ofSetup(given, sample.setup, int(v-ofFirst))...) {
				if plan, ok := x.single(s, a, args); ok {
					runs = append(runs, interleave.Run{Plan: len(s.program.Plans), Order: []int{0}, Fresh: true})
					s.program.Plans = append(s.program.Plans, plan)
					tries = append(tries, try{a, v, args})
				}
			}
		}
	}
	s.program.Runs = runs
	results, err := x.run(s)
	if err != nil {
		return err
	}
	found := make(map[string]bool)
	for i, t := range tries {
		key := fmt.Sprint(t.a.m, t.v)
		if answers := results[i].Answers(); len(answers) == 1 && answers[0].Code == abi.OK && !found[key] {
			found[key] = true
			t.a.args[t.v] = t.args
		}
	}
	for _, a := range x.acts {
		if len(a.args[alike]) > 0 {
			x.warm = append(x.warm, a)
		}
	}
	// What takes more is likelier to add something, and comes last.
	slices.SortStableFunc(x.warm, func(a, b *act) int { return len(a.args[alike]) - len(b.args[alike]) })
	if err := x.findReaders(); err != nil {
		return err
	}
	// What answers texts puts them together somewhere, which may be one place for all threads: there is not time
	// for all meetings everywhere.
	slices.SortStableFunc(x.acts, func(a, b *act) int { return boolRank(b.m.answersText()) - boolRank(a.m.answersText()) })
	if !x.box.singleton {
		x.acts = append(x.acts, &act{m: x.box.birth, kind: interleave.KindBirth}, &act{m: x.box.fini, kind: interleave.KindFini})
	}
	return nil
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// answersText tells whether a method is declared to answer a string or bytes.
func (m *method) answersText() bool {
	return m.declared != nil && (m.declared.Returns.Tag == tlv.TagString || m.declared.Returns.Tag == tlv.TagBytes)
}

// withOthers has another instance of the box where a sample has the one that is called.
func (x *meetings) withOthers(sample values) values {
	if x.box.singleton {
		return sample
	}
	all := slices.Clone(sample)
	for i, v := range all {
		if v == selfSample {
			all[i] = boxSample(slices.Index(x.plugin.boxes, x.box))
		}
	}
	return all
}

// single is one call, on a new instance.
func (x *meetings) single(s *script, a *act, args values) (interleave.Plan, bool) {
	s.begin()
	on, other, ok := x.instances(s, a)
	if !ok {
		return interleave.Plan{}, false
	}
	call, ok := s.call(a.m, args, on, other)
	return s.plan([][]int{{call}}, nil), ok
}

// prepared are two instances, each of which is prepared for one act alone.
func (x *meetings) prepared(s *script, acts [2]*act) (on, other int, ok bool) {
	on, ok = s.born(x.box)
	if other, ok2 := s.born(x.box); ok && ok2 {
		for i, slot := range []int{on, other} {
			for _, setup := range acts[i].setup {
				call, ok := s.call(setup.m, setup.args, slot, on+other-slot)
				if !ok {
					return 0, 0, false
				}
				s.setup = append(s.setup, call)
			}
		}
		return on, other, true
	}
	return 0, 0, false
}

// instances are two instances, on which the acts are prepared; for a singleton it is one.
func (x *meetings) instances(s *script, acts ...*act) (on, other int, ok bool) {
	if on, ok = s.born(x.box); !ok {
		return 0, 0, false
	}
	other = on
	if !x.box.singleton {
		if other, ok = s.born(x.box); !ok {
			return 0, 0, false
		}
	}
	for i, a := range acts {
		for k, setup := range a.setup {
			// What two acts need is there once: of two that take the last one only one can.
			before := slices.ContainsFunc(acts[:i], func(b *act) bool { return times(b.setup, setup) >= times(a.setup[:k+1], setup) })
			if before {
				continue
			}
			for _, slot := range slices.Compact([]int{on, other}) {
				call, ok := s.call(setup.m, setup.args, slot, on+other-slot)
				if !ok {
					return 0, 0, false
				}
				s.setup = append(s.setup, call)
			}
		}
	}
	return on, other, true
}

// times is how often a call is among some.
func times(calls []setupCall, c setupCall) (n int) {
	for _, have := range calls {
		if have.m == c.m && slices.Equal(have.args, c.args) {
			n++
		}
	}
	return n
}

// drawn is how often all acts are made, one after the other, to find those whose answers are of chance.
const drawn = 10

// findReaders finds the acts that change no answers: those of all others are the same before
// and after, both on instances that all acts have filled, where many are refused, and on those that are prepared for the act
// alone. Acts whose answers differ from process to process are left out: of these it is not known what they
// should be.
func (x *meetings) findReaders() error {
	s := newScript(x.env)
	// Those for one act alone are looked at without it among what follows, which it may set once more.
	watch := func(first *act, prepared ...*act) bool {
		s.begin()
		on, other, ok := x.instances(s, prepared...)
		if !ok {
			return false
		}
		if len(prepared) > 1 {
			x.fill(s, on, other, nil)
		}
		var calls []int
		order := []int{}
		for i, a := range append([]*act{first}, x.acts...) {
			if a == nil || i > 0 && len(prepared) == 1 && a == prepared[0] {
				continue
			}
			call, ok := s.call(a.m, a.args[alike], on, other)
			if !ok {
				return false
			}
			calls, order = append(calls, call), append(order, 0)
		}
		s.program.Runs = append(s.program.Runs, interleave.Run{Plan: len(s.program.Plans), Order: order, Fresh: true})
		s.program.Plans = append(s.program.Plans, s.plan([][]int{calls}, nil))
		return true
	}
	if !watch(nil, x.acts...) {
		return nil
	}
	for _, a := range x.acts {
		if !watch(a, x.acts...) {
			return nil
		}
	}
	alone := len(s.program.Runs)
	for _, a := range x.acts {
		if !watch(nil, a) || !watch(a, a) {
			return nil
		}
	}
	ones := len(s.program.Runs)
	for range drawn {
		s.program.Runs = append(s.program.Runs, s.program.Runs[0])
	}
	results, err := x.run(s)
	if err != nil {
		return err
	}
	same := func(a, b interleave.Answer) bool { return a.Code == b.Code && bytes.Equal(a.Data, b.Data) }
	want := results[0].Answers()
	copied := binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(nil, x.box.typeID), interleave.NoSlot)
	for i, a := range x.acts {
		if x.copier == nil && i < len(want) && want[i].Code == abi.OK && bytes.Equal(want[i].Data, copied) && len(a.args[alike]) == 0 {
			x.copier = a.m
		}
	}
	var steady []*act
	for i, a := range x.acts {
		unchanged := func(without, with []interleave.Answer) bool {
			return len(without) > 0 && len(with) == len(without)+1 && slices.EqualFunc(with[1:], without, same)
		}
		a.reads = unchanged(want, results[1+i].Answers()) && unchanged(results[alone+2*i].Answers(), results[alone+2*i+1].Answers())
		if !slices.ContainsFunc(results[ones:], func(r interleave.Result) bool {
			again := r.Answers()
			return i < len(want) && i < len(again) && !same(want[i], again[i])
		}) {
			steady = append(steady, a)
		}
	}
	x.acts = steady
	return nil
}

// fill calls, on both instances, what may fill them, but for some methods. What they are filled
// with differs, and how much that is, as what one answers is not to be taken for the other's.
func (x *meetings) fill(s *script, on, other int, but []*act) {
	for _, a := range x.warm {
		if slices.Contains(but, a) {
			continue
		}
		for _, slot := range slices.Compact([]int{on, other}) {
			variants := []variant{alike}
			if slot != on {
				variants = []variant{ofFirst, ofSecond}
			}
			for _, v := range variants {
				if call, ok := s.call(a.m, a.args[v], slot, on+other-slot); ok {
					s.setup = append(s.setup, call)
				}
			}
		}
	}
}

// maxObservers is how many calls look at what a meeting has left.
const maxObservers = 24

// plan is a meeting for the driver.
func (x *meetings) plan(s *script, m *meeting) (interleave.Plan, bool) {
	s.begin()
	prepare := func() (int, int, bool) { return x.instances(s, m.acts[:]...) }
	if m.apart {
		prepare = func() (int, int, bool) { return x.prepared(s, m.acts) }
	}
	on, other, ok := prepare()
	if !ok {
		return interleave.Plan{}, false
	}
	if m.warm {
		x.fill(s, on, other, m.acts[:])
	}
	another := func() (slot int, ok bool) { return s.born(x.box) }
	if m.copied {
		another = func() (slot int, ok bool) { return s.copied(x.copier, on) }
		if other, ok = another(); !ok {
			return interleave.Plan{}, false
		}
	}
	var threads [][]int
	var made []int
	for i, a := range m.acts {
		var call int
		var ok bool
		switch a.kind {
		case interleave.KindBirth:
			slot := s.slot(x.box)
			call, ok = s.birth(slot)
			made = append(made, slot)
		case interleave.KindFini:
			var slot int
			if slot, ok = another(); ok && m.before {
				ok = s.before(m.acts[0], slot)
			}
			if ok {
				call = s.fini(slot)
			}
		default:
			slot := on
			if m.separate && i == 1 {
				if slot = other; m.before && !s.before(m.acts[0], slot) {
					return interleave.Plan{}, false
				}
			}
			call, ok = s.call(a.m, a.args[m.variants[i]], slot, on+other-slot)
		}
		if !ok {
			return interleave.Plan{}, false
		}
		threads = append(threads, []int{call})
	}
	return s.plan(threads, x.observers(s, m, on, other, made)), true
}

// before makes an act on an instance before the threads begin.
func (s *script) before(a *act, slot int) bool {
	if slices.ContainsFunc(a.args[alike], isHandle) {
		return false
	}
	for _, c := range append(slices.Clone(a.setup), setupCall{a.m, a.args[alike]}) {
		call, ok := s.call(c.m, c.args, slot, -1)
		if !ok {
			return false
		}
		s.setup = append(s.setup, call)
	}
	return true
}

// observers are calls that look at what a meeting has left: first those that change nothing.
func (x *meetings) observers(s *script, m *meeting, on, other int, made []int) (post []int) {
	add := func(a *act, v variant, slot int) {
		if len(post) < maxObservers {
			if call, ok := s.call(a.m, a.args[v], slot, on+other-slot); ok {
				post = append(post, call)
			}
		}
	}
	slots := append([]int{on}, made...)
	if m.separate || m.acts[0].lends || m.acts[1].lends {
		slots = append(slots, other)
	}
	for _, reads := range []bool{true, false} {
		for _, a := range x.acts {
			if a.kind != interleave.KindCall || a.reads != reads {
				continue
			}
			for _, slot := range slots {
				seen := []variant{alike}
				if len(a.args[alike]) > 0 && m.variants != [2]variant{} && reads {
					seen = []variant{ofFirst, ofSecond}
				}
				for _, v := range seen {
					if slot != on && slot != other {
						s.observe(a, slot, &post)
						break
					}
					add(a, v, slot)
				}
			}
		}
	}
	return post
}

// observe calls an act on an instance that a thread has made, without others among the
// arguments.
func (s *script) observe(a *act, slot int, post *[]int) {
	if len(*post) < maxObservers && !slices.ContainsFunc(a.args[alike], isHandle) && len(a.setup) == 0 {
		if call, ok := s.call(a.m, a.args[alike], slot, -1); ok {
			*post = append(*post, call)
		}
	}
}

// place is where a thread is stopped.
type place struct {
	pc, skip uint32
	fresh    bool // it is passed only by the first call in a process
	locks    bool // it takes a lock, and others have been taken before
	calls    bool // there is a call of another library, which may be of a lock
	static   bool // it uses a variable of the library
	updates  bool // an instruction reads, changes and writes memory that others may use
}

// maxFresh is how many places are tried that only the first call in a process passes.
const maxFresh = 60

// places are some of the instructions that a call runs: about most of those that it always
// runs, and some of those that only the first call in a process does.
func places(first, later []interleave.Step, most int) []place {
	known := make(map[uint32]bool)
	for _, s := range later {
		known[s.Address] = true
	}
	return slices.Concat(spreadSteps(later, most, func(interleave.Step) bool { return true }, false),
		spreadSteps(first, min(most, maxFresh), func(s interleave.Step) bool { return !known[s.Address] }, true))
}

// spreadSteps takes up to most places of a trace: instructions that use memory which other
// threads may use, and calls of other libraries, which may be of locks. Between them it does
// not matter where a thread stops. Each comes once, and then some a second time.
func spreadSteps(trace []interleave.Step, most int, wanted func(interleave.Step) bool, fresh bool) []place {
	times := make(map[uint32]int)
	var once, again []place
	for i, s := range trace {
		calls := i+1 < len(trace) && trace[i+1].Returned
		if !wanted(s) || !s.Meets && !calls {
			continue
		}
		times[s.Address]++
		switch times[s.Address] {
		case 1:
			once = append(once, place{pc: s.Address, fresh: fresh, calls: calls, static: s.Static, updates: s.Updates})
		case 2:
			again = append(again, place{pc: s.Address, skip: 1, fresh: fresh, calls: calls, static: s.Static, updates: s.Updates})
		}
	}
	updates, others := parted(once, func(at place) bool { return at.updates })
	once = spread(updates, most)
	once = append(once, spread(others, most-len(once))...)
	return append(once, spread(again, most-len(once))...)
}

// leastUpdates is in how many instructions that update memory a call is stopped, however little time there is: two of them are
// seldom meant to meet. leastStatic is that of instructions that use the library's variables, where that is asked for.
const (
	leastUpdates = 8
	leastStatic  = 16
	leastLocks   = 4 // of the calls that take a lock while another is held
)

// few are up to n of the places, and leastUpdates: a third of them at instructions that update memory, and half of
// the others at calls of other libraries; before these some at variables of the library, where that is asked for.
func few(stops []place, n int, static bool) []place {
	if len(stops) <= n {
		return stops
	}
	held, others := parted(stops, func(at place) bool { return at.locks })
	updates, others := parted(others, func(at place) bool { return at.updates })
	out := slices.Concat(spread(held, leastLocks), spread(updates, max(n/3, leastUpdates)))
	n -= min(n/3, len(out))
	if static {
		var variables []place
		variables, others = parted(others, func(at place) bool { return at.static })
		out = append(out, spread(variables, leastStatic)...)
	}
	atCalls, others := parted(others, func(at place) bool { return at.calls })
	half := max(n/2, n-len(others))
	return slices.Concat(out, spread(atCalls, half), spread(others, n-min(half, len(atCalls))))
}

// parted are the places of which something is so, and the others.
func parted(list []place, is func(place) bool) (those, others []place) {
	for _, at := range list {
		if is(at) {
			those = append(those, at)
		} else {
			others = append(others, at)
		}
	}
	return those, others
}

// spread is up to n of a list, evenly.
func spread(list []place, n int) []place {
	if len(list) <= n {
		return list
	}
	out := make([]place, 0, max(0, n))
	for i := range n {
		out = append(out, list[i*len(list)/n])
	}
	return out
}
