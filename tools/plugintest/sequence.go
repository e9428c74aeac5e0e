package plugintest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// sequence is calls in their order, on instances that some of them make.
type sequence []op

// op is one call of a sequence. Ops refer to instances by the op that made them.
type op struct {
	m    *method
	on   int // the op that made the instance; -1 for a birth
	args []argument
	idle time.Duration // the call is not made, and this time passes instead; 0 for one that is
	made *box          // the box of the instance that it makes, or is expected to; nil for none
}

// argument is one of an op.
type argument struct {
	value tlv.Value // unless it is one of the following
	ref   int       // from 1: the op, by its number from 1, that made the instance
	other bool      // the instance's number with the type id of no box
	blob  bool      // value is Bytes, which are lent as a blob
	from  int       // from 1: the op, by its number from 1, whose answer it is if that is text; value is what it was once. 0 for none
}

func (o *op) isBirth() bool { return o.m.isBirth() }
func (o *op) isFini() bool  { return o.m == o.m.box.fini }

// shape is an argument list that a method takes: its types, and values of a sample.
type shape []tlv.Value

// generator makes sequences.
type generator struct {
	*valueMaker
	env    *env
	boxes  []*box
	shapes map[*method][]shape
	makes  map[*method]*box         // methods that were seen to answer instances of a box
	avoid  map[*method]bool         // they have shown enough faults
	worked map[*method][][]argument // arguments of calls that succeeded, in sequences
	// calls and states are those of filledStates, when they are known, of a box.
	filledOf *box
	calls    []op
	states   []sequence
	changes  map[*method]bool // of that box, methods that change what others answer
}

const (
	maxInstances = 4   // of a sequence and box
	minLength    = 20  // of a new sequence
	maxLength    = 120 // the same
	longest      = 300 // of one that others were added to
	maxShapes    = 6
	maxWorked    = 6 // argument lists of a method that are kept
)

func newGenerator(e *env) *generator {
	g := &generator{
		valueMaker: &valueMaker{random: rand.New(rand.NewPCG(e.random.Uint64(), 1)), words: wordsOf(e.config.File), caps: make(map[*method]float64)},
		env:        e, shapes: make(map[*method][]shape), makes: make(map[*method]*box), avoid: make(map[*method]bool), worked: make(map[*method][][]argument),
	}
	for _, b := range e.plugin.boxes {
		for _, m := range b.methods {
			if !e.shared.broken[m] {
				g.shapes[m] = g.shapesOf(m)
			}
		}
		if !e.shared.birthBroken[b] {
			g.boxes = append(g.boxes, b)
		}
	}
	return g
}

// shapesOf are those of the samples, and of the declared types.
func (g *generator) shapesOf(m *method) (all []shape) {
	for _, sample := range g.env.shared.samples[m] {
		all = append(all, sample.values)
	}
	if m.declared == nil || !m.declared.ArgsDeclared {
		return all
	}
	most := len(all) + maxShapes
	for values := range product(g.env.plugin.declaredChoices(m.declared.Args)) {
		if len(all) >= most {
			break
		}
		all = append(all, values)
	}
	return all
}

// callable are methods with arguments that they take.
func (g *generator) callable(b *box) (all []*method) {
	for _, m := range b.methods {
		if len(g.shapes[m]) > 0 && !g.avoid[m] && !g.env.shared.broken[m] {
			all = append(all, m)
		}
	}
	return all
}

// drawing is one sequence that is being made.
type drawing struct {
	*generator
	ops     sequence
	alive   []int // ops whose instances are alive
	ended   []int
	methods map[*box][]*method
	mild    int              // of ten values, how many are small and ordinary
	ofFew   *box             // few of whose methods are called
	apart   bool             // no two instances are given the same texts
	given   map[int]int64    // bytes of the texts that an instance was given, by the op that made it
	names   map[int][]string // some of those texts
}

// new makes a sequence, or adds to an old one. Some methods are left out of each, so that the
// others are called more: one that empties a box hides what only a full one shows.
// With apart no two instances are given the same texts.
func (g *generator) new(old sequence, focus *box, apart bool) sequence {
	d := g.drawing(old, apart)
	if g.random.IntN(4) == 0 {
		d.few(focus)
	}
	for range minLength + g.random.IntN(maxLength-minLength) {
		d.add(focus)
	}
	return d.ops
}

// maxFew is how many methods are called where few are.
const maxFew = 4

// few leaves most methods of a box alone, so that the others are called more: what takes two connections, say,
// shows where many calls connect.
func (d *drawing) few(b *box) {
	all := slices.Clone(d.callable(b))
	if len(d.changes) > 0 && d.random.IntN(4) > 0 {
		all = slices.DeleteFunc(all, func(m *method) bool { return !d.changes[m] })
	}
	d.random.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
	d.methods[b] = all[:min(len(all), 1+d.random.IntN(maxFew))]
	d.ofFew = b
}

// grow adds calls on the first instance to a sequence.
func (g *generator) grow(old sequence, focus *box, calls int) sequence {
	d := g.drawing(old, false)
	d.few(focus)
	for range calls {
		d.call(focus, 0)
	}
	return d.ops
}

// drawing begins with an old sequence.
func (g *generator) drawing(old sequence, apart bool) *drawing {
	d := &drawing{generator: g, apart: apart, methods: make(map[*box][]*method), given: make(map[int]int64), names: make(map[int][]string), mild: []int{10, 9, 7, 4}[g.random.IntN(4)]}
	for _, b := range g.env.plugin.boxes {
		all := g.callable(b)
		some := slices.DeleteFunc(slices.Clone(all), func(*method) bool { return g.random.IntN(3) == 0 })
		if len(some) == 0 {
			some = all
		}
		d.methods[b] = some
	}
	for _, o := range old {
		if d.push(o); o.isFini() {
			d.end(o.on)
		}
	}
	return d
}

func (d *drawing) end(made int) {
	d.alive = slices.DeleteFunc(d.alive, func(i int) bool { return i == made })
	d.ended = append(d.ended, made)
}

func (d *drawing) of(b *box) (all []int) {
	for _, i := range d.alive {
		if d.ops[i].made == b {
			all = append(all, i)
		}
	}
	return all
}

// livingOthers are the instances of one box that has no births.
func (d *drawing) livingOthers() (all []int) {
	for _, i := range d.alive {
		if b := d.ops[i].made; d.env.shared.birthBroken[b] && (len(all) == 0 || d.ops[all[0]].made == b) {
			all = append(all, i)
		}
	}
	return all
}

func (d *drawing) add(focus *box) {
	r := d.random
	b := focus
	if r.IntN(6) == 0 {
		b = d.boxes[r.IntN(len(d.boxes))]
	}
	live := d.of(b)
	if others := d.livingOthers(); len(others) > 0 && r.IntN(4) == 0 { // of boxes without births
		live = others
		b = d.ops[live[0]].made
	}
	switch {
	case len(live) == 0 || !b.singleton && len(live) < maxInstances && r.IntN(8) == 0 && !d.env.shared.birthBroken[b]:
		d.birth(b)
		return
	case !b.singleton && r.IntN(24) == 0:
		i := live[r.IntN(len(live))]
		d.ops = append(d.ops, op{m: b.fini, on: i})
		d.end(i)
		return
	}
	on := live[len(live)-1]
	if r.IntN(2) == 0 {
		on = live[r.IntN(len(live))]
	}
	if len(d.ended) > 0 && r.IntN(20) == 0 {
		if i := d.ended[r.IntN(len(d.ended))]; d.ops[i].made == b {
			on = i
		}
	}
	d.call(b, on)
}

// call adds a call on an instance.
func (d *drawing) call(b *box, on int) {
	r := d.random
	methods := d.methods[b]
	if len(methods) == 0 {
		return
	}
	if b == d.filledOf && b != d.ofFew && len(d.calls) > 0 && !d.apart && r.IntN(3) == 0 {
		c := d.calls[r.IntN(len(d.calls))]
		d.push(op{m: c.m, on: on, args: c.args})
		return
	}
	m := methods[r.IntN(len(methods))]
	shapes := d.shapes[m]
	o := op{m: m, on: on}
	shape := shapes[r.IntN(len(shapes))]
	var worked []argument
	if all := d.worked[m]; len(all) > 0 && r.IntN(3) > 0 && !d.apart {
		worked = all[r.IntN(len(all))]
	}
	one := -1 // of arguments that worked one is another, or none
	if len(worked) == len(shape) && len(worked) > 0 && r.IntN(2) == 0 {
		one = r.IntN(len(worked))
	}
	for i, sample := range shape {
		if i != one && len(worked) == len(shape) && worked[i].value.Tag() == sample.Tag() {
			o.args = append(o.args, worked[i])
			continue
		}
		a, ok := d.argument(m, sample, on)
		if !ok {
			return
		}
		o.args = append(o.args, a)
	}
	d.push(o)
	if r.IntN(4) == 0 { // the same once more
		d.push(o)
	}
}

// keep keeps the arguments of a call that succeeded, where no instances are among them.
func (g *generator) keep(o *op) {
	if len(o.args) == 0 || slices.ContainsFunc(o.args, func(a argument) bool { return a.ref > 0 || isHandle(a.value) || a.value.Len() > 64 }) {
		return
	}
	have := g.worked[o.m]
	switch {
	case slices.ContainsFunc(have, func(args []argument) bool { return slices.Equal(args, o.args) }):
	case len(have) < maxWorked:
		g.worked[o.m] = append(have, o.args)
	default:
		have[g.random.IntN(maxWorked)] = o.args
	}
}

// push adds an op, and the instance that it makes.
func (d *drawing) push(o op) {
	if o.made == nil {
		o.made = d.makes[o.m]
	}
	if o.made != nil {
		d.alive = append(d.alive, len(d.ops))
	}
	for _, a := range o.args {
		if o.on >= 0 && isText(a.value) {
			d.given[o.on] += int64(a.value.Len())
			d.name(o.on, a.value.Data())
		}
	}
	d.ops = append(d.ops, o)
}

// maxNames is how many texts are kept that an instance was given, and maxName how long they are.
const maxNames, maxName = 8, 32

// name keeps a text that an instance was given: other calls may have to name the same.
func (d *drawing) name(on int, text string) {
	have := d.names[on]
	if text == "" || len(text) > maxName || len(have) >= maxNames || slices.Contains(have, text) {
		return
	}
	d.names[on] = append(have, text)
}

func (d *drawing) birth(b *box) {
	o := op{m: b.birth, on: -1, made: b}
	given := d.env.shared.births[b]
	if spare := d.env.shared.spare[b]; spare != nil && d.random.IntN(3) == 0 {
		given = slices.Clone(spare)
		for i, v := range given {
			if isInteger(v) {
				given[i] = withMagnitude(v, float64(1+d.random.IntN(4))) // soon full
			}
		}
	}
	for _, v := range given {
		a := argument{value: v}
		if v.Tag() != tlv.TagHandle && !isBlob(v) && d.random.IntN(3) == 0 {
			a, _ = d.argument(b.birth, v, -1)
		}
		o.args = append(o.args, a)
	}
	d.push(o)
	if d.random.IntN(2) == 0 && !d.apart {
		d.prepare(b, len(d.ops)-1)
	}
}

// prepare makes the calls on an instance that some method needs before its own: most methods fail on one
// that is empty.
func (d *drawing) prepare(b *box, on int) {
	if b == d.filledOf && len(d.states) > 0 && d.random.IntN(2) == 0 {
		for _, o := range d.states[d.random.IntN(min(len(d.states), pairStates))][1:] { // without its birth
			d.push(op{m: o.m, on: on, args: o.args})
		}
		return
	}
	var needs []*method
	for _, m := range d.callable(b) {
		if len(d.env.shared.setup(m)) > 0 {
			needs = append(needs, m)
		}
	}
	if len(needs) == 0 {
		return
	}
	for _, c := range d.env.shared.setup(needs[d.random.IntN(len(needs))]) {
		d.push(op{m: c.m, on: on, args: literals(c.args)})
	}
}

// argument is one like a sample's.
func (d *drawing) argument(m *method, sample tlv.Value, on int) (a argument, ok bool) {
	r := d.random
	mild := r.IntN(10) < d.mild
	switch {
	case isBlob(sample):
		if data, ok := d.again(); ok && r.IntN(3) == 0 {
			return argument{value: tlv.Bytes([]byte(data)), blob: true}, true
		}
		if data, ok := d.env.plugin.blobData(sample); ok && sample != blobSample && r.IntN(2) == 0 {
			return argument{value: tlv.Bytes(data), blob: true}, true
		}
		return argument{value: tlv.Bytes([]byte(d.blob(mild))), blob: true}, true
	case sample.Tag() == tlv.TagHandle:
		return d.handle(m, sample, on)
	case r.IntN(4) == 0 && (!d.apart || !isText(sample)):
		return argument{value: sample}, true
	case isText(sample) && len(d.names[on]) > 0 && r.IntN(3) > 0:
		v := textOf(sample.Tag(), d.names[on][r.IntN(len(d.names[on]))])
		return argument{value: v}, v.Tag() != tlv.TagString || utf8.ValidString(v.Data())
	}
	v := d.valueMaker.of(sample.Tag(), mild)
	if first := numbersOf(sample.Tag(), []int64{0, 1}, nil); len(first) > 0 && r.IntN(2) == 0 && len(d.worked[m]) == 0 && d.env.shared.failsAlways(m) {
		v = first[r.IntN(len(first))] // the first of what was added
	}
	if size := d.given[on]; size > 0 && r.IntN(4) == 0 {
		// Places in what is stored are near its size.
		if near := numbersOf(sample.Tag(), []int64{size, size - 1, size / 2}, nil); len(near) > 0 {
			v = near[r.IntN(len(near))]
		}
	}
	if most, known := d.caps[m]; known && magnitude(v) > most {
		v = sample
	}
	if d.apart && isText(v) {
		v = textOf(v.Tag(), fmt.Sprintf("%d.%s", on, v.Data()[:min(v.Len(), tlv.MaxPayload-8)]))
		if v.Tag() == tlv.TagString && !utf8.ValidString(v.Data()) {
			v = tlv.String(fmt.Sprint(on))
		}
	}
	return argument{value: v}, true
}

// handle is an instance: of the box that a sample stands for, mostly.
func (d *drawing) handle(m *method, sample tlv.Value, on int) (a argument, ok bool) {
	r := d.random
	if _, ofHost := sampleNumber(sample); ofHost {
		return argument{value: sample}, true
	}
	b := d.env.plugin.sampled(sample, m.box)
	if b == nil {
		return argument{value: sample}, true
	}
	live := d.of(b)
	if len(live) == 0 || len(live) == 1 && live[0] == on && r.IntN(3) > 0 && !b.singleton {
		if d.env.shared.birthBroken[b] {
			return a, false
		}
		d.birth(b)
		live = d.of(b)
	}
	i := live[r.IntN(len(live))]
	switch n := r.IntN(24); {
	case n == 0 && len(d.ended) > 0:
		i = d.ended[r.IntN(len(d.ended))]
	case n == 1:
		return argument{ref: i + 1, other: true}, true
	case n == 2 && len(d.alive) > 0:
		i = d.alive[r.IntN(len(d.alive))]
	case n < 6 && on >= 0 && d.ops[on].made == b:
		i = on // itself
	}
	return argument{ref: i + 1}, true
}

// magnitude is how large a number is; 0 for what is none.
func magnitude(v tlv.Value) float64 {
	if n, err := v.Int(); err == nil {
		return math.Abs(float64(n))
	}
	if f, err := v.Float(); err == nil {
		return math.Abs(f)
	}
	return 0
}

// joined are sequences one after the other, with fini for what each leaves alive, and where each
// begins.
func joined(parts []sequence) (all sequence, starts []int) {
	if len(parts) == 1 {
		return parts[0], []int{0}
	}
	for _, part := range parts {
		from := len(all)
		starts = append(starts, from)
		ended := make(map[int]bool)
		for _, o := range part {
			if o.on >= 0 {
				o.on += from
			}
			o.args = slices.Clone(o.args)
			for k := range o.args {
				if o.args[k].ref > 0 {
					o.args[k].ref += from
				}
			}
			if o.isFini() {
				ended[o.on] = true
			}
			all = append(all, o)
		}
		for i := from; i < from+len(part); i++ {
			if b := all[i].made; b != nil && !b.singleton && !ended[i] {
				all = append(all, op{m: b.fini, on: i})
			}
		}
	}
	return all, starts
}

// and is a sequence, and another one on instances of its own, which refers to none of them among its arguments.
func (s sequence) and(other sequence) sequence {
	ops := slices.Clone(s)
	for _, o := range other {
		if o.on >= 0 {
			o.on += len(s)
		}
		ops = append(ops, o)
	}
	return ops
}

// related is the sequence without what has nothing to do with an op.
func (s sequence) related(at int) sequence {
	of := s.relatedTo(at)
	return s.without(func(i int) bool { return !of(i) })
}

// relatedTo tells which ops have to do with one: not the calls on instances that neither it nor
// those calls have among their arguments.
func (s sequence) relatedTo(at int) func(i int) bool {
	of := make([]int, len(s)) // for each op that makes an instance, one of those it belongs together with
	for i := range of {
		of[i] = i
	}
	find := func(i int) int {
		for of[i] != i {
			i = of[i]
		}
		return i
	}
	for i, o := range s {
		if o.on >= 0 {
			of[find(i)] = find(o.on)
		}
		for _, a := range o.args {
			if a.ref > 0 {
				of[find(i)] = find(a.ref - 1)
			}
		}
	}
	return func(i int) bool { return find(i) == find(at) }
}

// without is the sequence without some ops, and without those that need what they made.
func (s sequence) without(drop func(i int) bool) sequence {
	at := make([]int, len(s)) // the new number of each op, -1 for one that is gone
	var out sequence
	for i, o := range s {
		at[i] = -1
		if drop(i) || o.on >= 0 && at[o.on] < 0 || slices.ContainsFunc(o.args, func(a argument) bool { return a.ref > 0 && at[a.ref-1] < 0 }) {
			continue
		}
		at[i] = len(out)
		if o.on >= 0 {
			o.on = at[o.on]
		}
		o.args = slices.Clone(o.args)
		for k := range o.args {
			if o.args[k].ref > 0 {
				o.args[k].ref = at[o.args[k].ref-1] + 1
			}
			if o.args[k].from > 0 {
				o.args[k].from = at[o.args[k].from-1] + 1 // 0 where it is gone
			}
		}
		out = append(out, o)
	}
	return out
}
