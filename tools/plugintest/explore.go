package plugintest

import (
	"context"
	"errors"
	"math/bits"
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// exploreCheck makes random sequences of calls, and compares what they answer in different
// surroundings.
var exploreCheck = check{name: "explore", summary: "random sequences of calls with values of every size, answered the same in different surroundings", needs: needsBoxes, timed: true, run: explore}

const (
	// DefaultFor is how long explore takes at most for a box.
	DefaultFor = 20 * time.Second
	// idle is how long it goes on without anything new, unless it is told how long to go on.
	idle = 2 * time.Second
	// firstRounds is how long random sequences are made before all else.
	firstRounds = 2 * time.Second
	// leaksAfter is after how long sequences are looked at for leaks: most of what is new shows soon.
	leaksAfter = 5 * time.Second
	// agreeing is how often a sequence must answer the same in the same surroundings before
	// a difference counts.
	agreeing = 3
	// maxCorpus is how many sequences are kept that showed something new.
	maxCorpus = 200
	// longestSeen is how long answers are, in bytes, that calls are given again.
	longestSeen = 200
	// enough is after how many faults of one method it is left alone.
	enough = 2
)

// exploration is one run of explore.
type exploration struct {
	*env
	gen          *generator
	corpus       []sequence
	features     map[feature]bool
	shortest     map[outcome]sequence
	until        time.Time
	news         time.Time // when something new was seen last
	played       int
	exits        map[*method]int
	done         map[findingKey]bool // findings that were made sure of, or that did not repeat
	slowest      map[*method]time.Duration
	byName       map[*method]bool // sharesByName
	bornNamed    map[*box]bool    // takesName
	roomiest     map[*box][]tlv.Value
	fulls        map[*method]bool // tryFull was tried
	names        int              // that were used for that
	turn         int              // of the worlds
	bench, plain bench            // of onBench and onPlain
	// asked is what askable finds for a box.
	askedOf *box
	asked   []op
}

// feature is what an op has shown.
type feature struct {
	m, before *method
	code      abi.Code
	size      int // the number of bits of the result's size
}

func explore(e *env) error {
	defer func() {
		if errors.Is(context.Cause(e.ctx), errUntil) {
			return // there was no time for them
		}
		e.reportUnexercised()
		e.reportFailing()
		e.reportOnce()
	}()
	if e.config.Replay != "" {
		return replayScript(e)
	}
	whole := e.whole()
	// What was found is made sure of after its time, and not for ever.
	ctx, cancel := context.WithTimeoutCause(e.ctx, time.Duration(1+len(e.plugin.boxes))*(2*whole+beyond), errExplored)
	defer cancel()
	bounded := *e
	bounded.ctx = ctx
	err := (&bounded).explore(whole)
	if e.ctx.Err() == nil && ctx.Err() != nil {
		e.skip("sequences: there was no time to make all of them: the plugin has many methods, or takes long")
		err = nil
	}
	return err
}

// beyond is what explore may take for a box beyond twice its time, and errExplored why it ends.
const beyond = 15 * time.Second

var errExplored = errors.New("exploring has taken too long")

func (e *env) explore(whole time.Duration) error {
	if err := e.learn(); err != nil {
		return err
	}
	x := newExploration(e)
	if len(x.gen.boxes) == 0 || len(x.gen.shapes) == 0 {
		e.skip("sequences: no method is known that can be called; give valid calls with --call, and arguments of births with --birth")
		return nil
	}
	if err := x.learnUnknown(); err != nil {
		return err
	}
	x.wrongHandles()
	for _, b := range x.gen.boxes {
		if len(x.gen.callable(b)) == 0 {
			continue
		}
		e.at(b.birth)
		x.news = time.Now()
		watched := time.Now().Add(whole)
		for _, p := range x.parts() {
			p.do(b, time.Now().Add(min(max(whole/p.share, leastPart), p.most)))
		}
		rest := watched
		if x.watches() {
			rest = watched.Add(-whole / 4)
		}
		x.rounds(b, later(rest, time.Now().Add(whole/20)))
		x.endBench()
		if err := x.underValgrind(b, watched); err != nil {
			return err
		}
	}
	e.line("%s, %s with something new", plural(x.played, "sequence"), plural(len(x.corpus), "sequence"))
	return nil // run says what ended it, if something has
}

// part is one of the ways to explore a box, and the time that it has: one in so many of the whole, and so much at most.
type part struct {
	do    func(b *box, until time.Time)
	share time.Duration
	most  time.Duration
}

// leastPart is the least time of a part, where the whole is short.
const leastPart = 80 * time.Millisecond

// parts are those before the last random sequences, in their order: most faults show in the first of these, and
// most of the others begin in the states that askable finds.
func (x *exploration) parts() []part {
	return []part{
		{x.rounds, 10, firstRounds},
		{func(b *box, _ time.Time) { x.askable(b) }, 1, 0}, // which takes what it takes
		{x.roundTrips, 12, time.Hour},
		{x.crosstalk, 24, time.Second},
		{x.twins, 24, time.Second},
		{x.corners, 24, time.Second},
		{x.sizes, 24, time.Second},
		{x.wide, 24, time.Second},
		{x.inside, 12, 2 * time.Second},
		{x.keys, 24, time.Second},
		{x.nuls, 24, time.Second},
		{x.opaque, 24, time.Second},
		{x.large, 16, time.Hour},
		{x.words, 24, time.Second},
		{x.nested, 24, time.Second},
		{x.severalLarge, 24, time.Second},
		{x.fill, 16, time.Hour},
		{x.damage, 20, 2 * time.Second},
		{x.pairs, 10, time.Hour},
		{x.rounds, 16, leaksAfter},
		{x.stale, 16, 3 * time.Second},
		{x.copies, 12, 2 * time.Second},
		{x.dumps, 24, time.Second},
		{x.halfDone, 24, 2 * time.Second},
		{x.refusals, 24, 2 * time.Second},
		{x.refusedCalls, 16, 2 * time.Second},
		{x.refusedNames, 24, time.Second},
		{x.edges, 24, 2 * time.Second},
		{x.sums, 24, time.Second},
		{x.signs, 24, time.Second},
		{x.orders, 24, 2 * time.Second},
		{x.wrapped, 24, time.Second},
		{x.squared, 24, time.Second},
		{x.doubled, 24, time.Second},
		{x.remembers, 8, 4 * time.Second},
		{x.forgets, 24, 2 * time.Second},
		{x.leaks, 10, time.Hour},
	}
}

// least is the least time of a part of the exploration.
func (x *exploration) least(part time.Duration) time.Duration {
	if x.config.For == 0 {
		return part
	}
	return min(part, max(x.config.For/2, time.Second))
}

func newExploration(e *env) *exploration {
	return &exploration{
		env: e, gen: newGenerator(e), features: make(map[feature]bool), shortest: make(map[outcome]sequence), exits: make(map[*method]int), done: make(map[findingKey]bool),
		slowest: make(map[*method]time.Duration), byName: make(map[*method]bool), bornNamed: make(map[*box]bool), roomiest: make(map[*box][]tlv.Value), fulls: make(map[*method]bool),
	}
}

// rounds plays random sequences until a time, or until they show nothing new.
func (x *exploration) rounds(b *box, until time.Time) {
	x.until, x.news = until, time.Now()
	for x.goesOn() {
		x.round(b)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (x *exploration) goesOn() bool {
	now := time.Now()
	return x.ctx.Err() == nil && now.Before(x.until) && (x.config.For > 0 || now.Sub(x.news) < idle)
}

// learnUnknown finds the methods that fail on instances that never were.
func (x *exploration) learnUnknown() error {
	return x.each(func(m *method, sample argSample) error {
		if !sample.works || m.box.singleton {
			return nil
		}
		own, _ := x.alone()
		w, err := own.start(workerOptions{})
		if w == nil || err != nil {
			return err
		}
		defer w.close()
		_, args, err := w.prepare(m, sample)
		if err != nil {
			return nil //nolint:nilerr // it stays unknown
		}
		refused := true
		for _, id := range unknownIDs {
			a, err := w.do(m.step(id, args))
			if err != nil || a.code == abi.OK {
				refused = false
				break
			}
		}
		x.shared.refusesUnknown[m] = refused
		return nil
	})
}

// roundOps is how many calls a round makes, about: it takes as long to start and end the two
// workers of a round as to make some hundreds of calls in them.
const roundOps = 500

// slowGuarded is how long a round takes that is better made without a guard.
const slowGuarded = 3 * time.Second

// draw makes sequences for one round.
func (x *exploration) draw(b *box, apart bool) (all []sequence) {
	for ops := 0; ops < roundOps; {
		var old sequence
		if !apart && len(x.corpus) > 0 && x.random.IntN(2) == 0 {
			if old = x.corpus[x.random.IntN(len(x.corpus))]; len(old) > longest {
				old = nil
			}
		}
		s := x.gen.new(old, b, apart)
		all = append(all, s)
		if ops += len(s); apart || ops == 0 {
			break
		}
	}
	return all
}

// round plays sequences, one after the other, in the ordinary world and in another.
func (x *exploration) round(b *box) {
	apart := x.random.IntN(3) == 0 && !b.singleton
	parts := x.draw(b, apart)
	ops, starts := joined(parts)
	var base, other *played
	start := time.Now()
	in := worlds[x.turn%len(worlds)]
	if x.turn++; apart {
		base = x.env.play(ops, ordinary)
	} else {
		base, other = x.env.playBoth(ops, in)
	}
	if time.Since(start) > slowGuarded {
		x.shared.heap.own = false // it takes much memory, and a guard would take all of the time
	}
	if x.played += len(parts); base.none {
		return
	}
	if base.exit == nil || !isSlow(base.exit.err) { // else it would take long each time
		for i, s := range parts {
			if from := starts[i]; from < len(base.answers) {
				x.learnFrom(s, base.answers[from:min(from+len(s), len(base.answers))])
			}
		}
	}
	switch {
	case x.faults(ops, base):
	case apart:
		x.compareAlone(ops, base)
	case in.layout&layoutThread == 0 || !x.plugin.module:
		x.compare(ops, base, other, in)
	}
}

// learnFrom keeps a sequence that has shown something new, and what it answered.
func (x *exploration) learnFrom(ops sequence, answers []observed) {
	found := false
	var before *method
	for i := range answers {
		a, m := &answers[i], ops[i].m
		if !a.made {
			continue
		}
		if a.code == abi.OK {
			is := func(have *method) bool { return have == m }
			x.shared.unexercised = slices.DeleteFunc(x.shared.unexercised, is)
			x.shared.failing = slices.DeleteFunc(x.shared.failing, is)
			x.gen.keep(&ops[i])
		}
		if a.makes != nil {
			x.gen.makes[m] = a.makes
		}
		x.keepShortest(outcome{m, a.code}, ops[:i+1])
		f := feature{m: m, before: before, code: a.code, size: bits.Len(uint(a.bytes))}
		if !x.features[f] {
			x.features[f], found = true, true
		}
		before = m
		if a.code == abi.OK && a.value.Len() > 0 && a.value.Len() < longestSeen && len(x.gen.seen) < 1000 {
			x.gen.seen = append(x.gen.seen, a.value)
		}
		x.slowFrom(&ops[i], a)
	}
	if !found {
		return
	}
	x.news = time.Now()
	if ops = ops.without(func(i int) bool { return i >= len(answers) }); len(x.corpus) < maxCorpus {
		x.corpus = append(x.corpus, ops)
	} else {
		x.corpus[x.random.IntN(maxCorpus)] = ops
	}
}

// outcome is a method and what it has answered.
type outcome struct {
	m    *method
	code abi.Code
}

// keepShortest keeps a sequence if it is the shortest that ends so.
func (x *exploration) keepShortest(as outcome, ops sequence) {
	if have, known := x.shortest[as]; !known || len(ops) < len(have) {
		x.shortest[as] = slices.Clone(ops)
	}
}

// slowCall is from what time on a call with a large number among its arguments is one that
// takes the time that it is told to.
const slowCall = 30 * time.Millisecond

// slowFrom leaves numbers out that a method takes long for: to wait so many seconds is no
// fault.
func (x *exploration) slowFrom(o *op, a *observed) {
	if a.took < slowCall {
		return
	}
	most := 0.0
	for _, arg := range o.args {
		most = max(most, magnitude(arg.value))
	}
	if most > 1 {
		if have, known := x.gen.caps[o.m]; !known || most/2 < have {
			x.gen.caps[o.m] = most / 2
		}
		return
	}
	if x.slowest[o.m] += a.took; x.slowest[o.m] > 2*time.Second {
		x.gen.avoid[o.m] = true // it would take all of the time
	}
}

// report adds a finding with its sequence.
func (x *exploration) report(f Finding, ops sequence, in world, answers []observed) {
	f.Sequence, f.Steps = scriptOf(&f, ops, in, answers), stepsOf(&f, ops, in, answers)
	x.news = time.Now()
	before := len(x.recorder.report.Findings)
	if x.add(f); len(x.recorder.report.Findings) > before { // else its script stays that of the first
		x.save(&f)
	}
}

// shown is the step of an op, for a finding.
func (x *exploration) shown(ops sequence, i int) step {
	o := &ops[i]
	list, ok := literal(o.args)
	if !ok {
		list = ops.likeness(o.args)
	}
	s := o.m.step(1, encode(list))
	s.likeness = !ok
	return s
}

// maxShownBlob is up to what size the bytes of a blob stand for it.
const maxShownBlob = 4 << 10

// likeness are arguments as people see them: instances by their order, and blobs as their bytes.
func (s sequence) likeness(args []argument) (list []tlv.Value) {
	for _, a := range args {
		v := a.value
		switch {
		case a.ref > 0 && s[a.ref-1].made != nil:
			h := tlv.Handle{Type: s[a.ref-1].made.typeID}
			for _, o := range s[:a.ref] {
				if o.made == s[a.ref-1].made {
					h.Instance++
				}
			}
			v = tlv.HandleValue(h)
		case a.blob && v.Len() > maxShownBlob:
			v = tlv.Blob(0, uint64(v.Len()))
		}
		list = append(list, v)
	}
	return list
}
