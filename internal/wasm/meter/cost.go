package meter

import (
	"math"
	"slices"
)

// The work of the engine's passes, in nanoseconds as measured on a server of the year 2020.
const (
	// maxWork bounds what a function's compilation takes beyond what is proportional to its size: about a second,
	// and about 200 MB for the values that live in its blocks.
	maxWork = 1e9
	// maxTotalWork bounds the sum over the functions of a module, without what is in proportion to their size.
	maxTotalWork = 1e10
	byteWork     = 2000 // for each byte of a function; compilers' code is below

	liveWork   = 80
	walkWork   = 10
	phiWork    = 6
	moveWork   = 4000
	mergeShare = 8 // one in so many parameters that are taken away again is as expensive as one that stays

	maxHops = 1 << 26
)

// estimator estimates what the engine's compiler does with a function that is more than proportional to its size. It
// follows the code as it is written, with the blocks of the charges.
type estimator struct {
	*module
	function *function
	frames   []scope
	serial   int
	sets     []int // by scope, how many locals are set in it
	hops     int   // their sum
	locals   []extent
	events   []event
	active   int // locals that may hold a value that is used later
	height   int // of the operand stack
	depth    int // of the block in the tree of dominators, at most
	dead     bool
	cost     cost
	total    float64
}

// cost is counted in steps of the compiler's passes.
type cost struct {
	live int // a value that is live in a block, twice if it is a local
	walk int // a block between another one and the entry, for each edge
	phi  int // an argument of an edge, for each parameter of the block that the edge leads to
	move int // a value that differs from edge to edge of a block
}

func (c cost) work() float64 {
	return float64(c.live)*liveWork + float64(c.walk)*walkWork + float64(c.phi)*phiWork + float64(c.move)*moveWork
}

// scope is a block that is open.
type scope struct {
	op      byte
	serial  int // changes at else
	index   int // of sets
	at      int
	loop    int // of function.loops, -1 for other blocks
	height  int // below its parameters
	params  int
	results int
	start   int // depth at its if
	depth   int // the least of the branches to its end
	preds   int
	times   int // how often what is in it is written
	loops   int // around it
	dead    bool
}

// extent is the part of a function in which a local may hold a value that is used later.
type extent struct {
	first, last int
	seen        int // when it was last set
	set         int // when it was set, in a block that is still open
	level       int // of that block
	serial      int
}

type event struct {
	at     int
	effect int
}

// estimate refuses functions, and modules, of which the compilation takes too long or too much memory.
func (m *module) estimate() {
	if m.err != nil {
		return
	}
	e := estimator{module: m}
	for i := range m.bodies {
		f := &m.bodies[i]
		e.function = f
		m.enter(i)
		e.extents()
		if m.err != nil {
			return
		}
		m.enter(i)
		e.count()
		work := e.cost.work()
		e.total += max(0, work-float64(f.end-f.start)*byteWork)
		switch {
		case m.err != nil:
			return
		case work > maxWork:
			m.fail(ErrTooLarge, f.start, "blocks, loops and the values that live in them cost %.1f times the bound to compile", work/maxWork)
			return
		case e.total > maxTotalWork:
			m.fail(ErrTooLarge, f.start, "the functions up to this one cost too much to compile together")
			return
		}
	}
	m.leave()
}

// extents finds the extent of each local. A local whose use is not behind an assignment in the same block or in one
// around it keeps its value from one turn of the loops around it to the next.
func (e *estimator) extents() {
	f := e.function
	e.locals = slices.Grow(e.locals[:0], int(f.locals))[:f.locals]
	params := int(e.types[e.functions[e.module.function]].params)
	for i := range e.locals {
		e.locals[i] = extent{first: -1, set: -1}
		if i < params {
			e.locals[i].first, e.locals[i].last = f.code, f.code
		}
	}
	e.frames = append(e.frames[:0], scope{loop: -1})
	e.serial, e.sets, e.hops = 0, append(e.sets[:0], 0), 0
	next := 0
	for len(e.frames) > 0 && e.err == nil {
		in := e.next(f.locals)
		switch in.op {
		case opBlock, opIf, opLoop:
			e.serial++
			e.sets = append(e.sets, 0)
			s := scope{op: in.op, serial: e.serial, loop: -1, at: in.at, index: e.serial}
			if in.op == opLoop {
				s.loop = next
				next++
			}
			e.frames = append(e.frames, s)
		case opElse:
			e.serial++
			e.sets = append(e.sets, 0)
			e.frames[len(e.frames)-1].serial = e.serial
		case opEnd:
			e.frames = e.frames[:len(e.frames)-1]
		case opBrTable:
			for n := uint64(0); n <= uint64(in.arg); n++ {
				e.u32()
			}
		case opLocalSet, opLocalTee:
			x := &e.locals[in.arg]
			if x.first < 0 {
				x.first = in.at
			}
			x.last = max(x.last, in.at)
			for j := len(e.frames) - 1; j >= 0 && x.seen < e.frames[j].at; j-- {
				e.sets[e.frames[j].index]++
				e.hops++
			}
			x.seen = in.at
			if e.hops > maxHops {
				e.fail(ErrTooLarge, in.at, "more than %d locals set in nested blocks", maxHops)
				return
			}
			if x.set < 0 || x.level >= len(e.frames) || e.frames[x.level].serial != x.serial {
				x.set, x.level, x.serial = in.at, len(e.frames)-1, e.frames[len(e.frames)-1].serial
			}
		case opLocalGet:
			x := &e.locals[in.arg]
			x.last = max(x.last, in.at)
			from := 0
			if x.set >= 0 && x.level < len(e.frames) && e.frames[x.level].serial == x.serial {
				from = x.level + 1
			} else if x.first < 0 {
				x.first = f.code
			}
			for _, s := range e.frames[from:] {
				if s.loop >= 0 {
					l := &f.loops[s.loop]
					x.last = max(x.last, l.end)
					if from == 0 {
						x.first = min(x.first, l.start)
					}
					break
				}
			}
		}
	}
	e.events = e.events[:0]
	for _, x := range e.locals {
		if x.first >= 0 {
			e.events = append(e.events, event{x.first, 1}, event{x.last + 1, -1})
		}
	}
	slices.SortFunc(e.events, func(a, b event) int { return a.at - b.at })
}

func (e *estimator) top() *scope { return &e.frames[len(e.frames)-1] }

// block begins blocks of the compiler.
func (e *estimator) block(n int) {
	e.cost.live += n * e.top().times * (2*e.active + e.height + 3)
}

// edge is one to a block that was begun.
func (e *estimator) edge(n int) {
	e.cost.walk += n * e.top().times * e.depth
}

// merge is a block with several edges to it, with the parameters that it has for certain and the locals for which it
// may have one. Those that turn out to be the same on all edges are taken away again, from the inside of loops outwards.
func (e *estimator) merge(edges, values, set, loops int) {
	edges *= e.top().times
	values += min(set, e.active)
	e.cost.move += edges * values
	e.cost.phi += edges * (loops + 2) * (values*values + e.active*e.active/mergeShare)
}

// head is a loop's: its parameters are not known until its end is reached, and thus are all that may be used in it.
func (e *estimator) head(edges int, s *scope) {
	edges *= e.top().times
	values := e.active + s.params
	e.cost.move += edges * (min(e.sets[s.index], e.active) + s.params)
	e.cost.phi += edges * (s.loops + 1) * values * values
}

// look is a call on the cold side.
func (e *estimator) look() {
	e.block(3)
	e.edge(4)
	e.depth++
	e.merge(2, 1, 0, 0)
}

func (e *estimator) pop(n int) {
	e.height = max(e.height-n, e.top().height)
}

func (e *estimator) branch(depth uint32) {
	s := &e.frames[len(e.frames)-1-int(depth)]
	e.edge(1)
	if s.op != opLoop {
		s.depth = min(s.depth, e.depth)
		s.preds++
		return
	}
	e.head(1, s)
}

func (e *estimator) count() {
	f := e.function
	sig := e.types[e.functions[e.module.function]]
	e.frames = append(e.frames[:0], scope{op: opBlock, loop: -1, results: int(sig.results), depth: math.MaxInt, times: 1})
	e.serial = 0
	e.height, e.depth, e.dead, e.cost, e.active = 0, 0, false, cost{}, 1
	next, point, change := 0, 0, 0
	e.look()
	for len(e.frames) > 0 && e.err == nil {
		in := e.next(f.locals)
		for ; change < len(e.events) && e.events[change].at <= in.at; change++ {
			e.active += e.events[change].effect
		}
		for ; point < len(f.points) && f.points[point] <= in.at; point++ {
			e.look()
		}
		switch in.op {
		case opBlock, opIf, opLoop:
			var l *loop
			if in.op == opLoop {
				l = &f.loops[next]
				next++
			}
			e.enterBlock(in, l, next-1)
		case opElse:
			s := e.top()
			if !e.dead {
				s.depth = min(s.depth, e.depth)
				s.preds++
			}
			e.serial++
			s.op, e.dead, e.height, e.depth = opElse, s.dead, s.height+s.params, s.start+1
			if !e.dead {
				e.block(1)
				e.edge(1)
			}
		case opEnd:
			e.closeBlock()
		case opBr:
			if !e.dead {
				e.branch(in.arg)
			}
			e.dead = true
		case opBrIf:
			if !e.dead {
				e.pop(1)
				e.branch(in.arg)
				e.depth++
				e.block(1)
				e.edge(1)
			}
		case opBrTable:
			for n := uint64(0); n <= uint64(in.arg); n++ {
				if l := e.u32(); !e.dead {
					e.branch(l)
					e.block(1) // critical edges are split
				}
			}
			e.dead = true
		case opReturn, opUnreachable:
			e.dead = true
		case opCall:
			t := e.types[e.functions[in.arg]]
			e.pop(int(t.params))
			e.height += int(t.results)
		case opCallIndirect:
			t := e.types[in.arg]
			e.pop(int(t.params) + 1)
			e.height += int(t.results)
		default:
			if e.dead {
				continue
			}
			if in.op == opMisc && in.sub >= miscMemoryInit || in.op == opMemoryGrow {
				e.look()
			}
			if n := effect(in); n < 0 {
				e.pop(-n)
			} else {
				e.height += n
			}
		}
	}
}

func (e *estimator) enterBlock(in instr, l *loop, index int) {
	if in.op == opIf && !e.dead {
		e.pop(1)
	}
	outer := e.top()
	e.serial++
	s := scope{op: in.op, loop: -1, index: e.serial, params: int(in.sig.params), results: int(in.sig.results), start: e.depth,
		depth: math.MaxInt, times: outer.times, loops: outer.loops, dead: e.dead}
	s.height = max(e.height-s.params, outer.height)
	if l != nil {
		s.loop = index
		s.loops++
		if l.form == loopUnrolled {
			s.times *= l.turns()
		}
	}
	e.frames = append(e.frames, s)
	if e.dead {
		return
	}
	switch {
	case in.op == opIf:
		e.depth++
		e.block(1)
		e.edge(1)
	case l != nil:
		e.depth++
		e.top().times = outer.times
		e.block(2)
		e.edge(2)
		e.head(1, &s)
		if l.form != loopPlain {
			e.look()
		}
		if l.form == loopOuter || l.form == loopUnrolled {
			e.block(4)
			e.edge(5)
			e.depth += 2
			e.head(3, &s)
		}
		e.top().times = s.times
		if s.times > outer.times { // each turn ends with a branch and a block
			e.block(2)
			e.edge(2)
			e.depth += 2 * s.times
		}
	}
}

func (e *estimator) closeBlock() {
	s := e.frames[len(e.frames)-1]
	if !e.dead {
		s.depth = min(s.depth, e.depth)
		s.preds++
		e.edge(1)
	}
	if s.op == opIf && !s.dead {
		s.depth = min(s.depth, s.start)
		s.preds++
	}
	e.frames = e.frames[:len(e.frames)-1]
	if len(e.frames) == 0 {
		return
	}
	e.height = s.height + s.results
	e.dead = s.preds == 0
	if e.dead {
		return
	}
	if s.op == opLoop {
		return // continues in the same block
	}
	e.depth = s.depth + 1
	e.block(1)
	if s.preds > 1 {
		e.merge(s.preds, s.results, e.sets[s.index], s.loops)
	}
}
