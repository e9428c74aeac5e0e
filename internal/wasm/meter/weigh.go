package meter

// weigh decides what is charged where, callees before callers.
func (m *module) weigh() {
	if m.err != nil {
		return
	}
	w := weigher{module: m}
	for _, i := range m.order {
		w.weigh(i)
	}
	m.leave()
}

// path is the largest cost of the current region's code on any way to a point.
type path struct {
	units int // since the last charge; unreached if no control gets here
	tail  int // since a deep call returned and the budget was not looked at since; none if there was no such call
}

const (
	unreached = -1
	none      = -1
)

var nowhere = path{unreached, none}

func (p path) join(q path) path { return path{max(p.units, q.units), max(p.tail, q.tail)} }

// weigher finds the most expensive path of each region of a body in one pass over it.
type weigher struct {
	*module
	frames  []frame
	regions []region
	path    path
}

// frame is a block that is open. Its end continues with the largest of the paths that lead to it.
type frame struct {
	op      byte
	end     path // of the branches to its end
	start   path // at its if
	regions int  // regions that were open at its start
	region  bool
}

// region is the function or a loop that is charged.
type region struct {
	outer  int // units of the region around it, at its head
	loop   int
	weight int
	cut    bool // charged in the middle as well
}

func (w *weigher) weigh(i uint32) {
	f := &w.bodies[i]
	w.enter(int(i))
	w.frames = append(w.frames[:0], frame{op: opBlock, end: nowhere, regions: 1})
	w.regions = append(w.regions[:0], region{loop: -1})
	w.path = path{0, none}
	nextLoop := 0
	f.leaf = true
	for len(w.frames) > 0 {
		in := w.next(f.locals)
		switch in.op {
		case opBlock, opIf:
			w.step(f, in, 1)
			w.frames = append(w.frames, frame{op: in.op, end: nowhere, start: w.path, regions: len(w.regions)})
		case opLoop:
			l := &f.loops[nextLoop]
			fr := frame{op: opLoop, end: nowhere, regions: len(w.regions), region: l.back && w.path.units != unreached}
			if fr.region {
				w.regions = append(w.regions, region{outer: w.path.units, loop: nextLoop})
				w.path = path{0, none} // after a deep call there is no credit: the head looks
			}
			w.frames = append(w.frames, fr)
			nextLoop++
		case opElse:
			fr := &w.frames[len(w.frames)-1]
			fr.end = fr.end.join(w.path)
			fr.op, w.path = opElse, fr.start
		case opEnd:
			w.close(f)
		case opBr:
			w.step(f, in, 1)
			w.branch(in.arg)
			w.path = nowhere
		case opBrIf:
			w.step(f, in, 1)
			w.branch(in.arg)
		case opBrTable:
			w.step(f, in, 2)
			for n := uint64(0); n <= uint64(in.arg); n++ {
				w.branch(w.u32())
			}
			w.path = nowhere
		case opReturn, opUnreachable:
			w.step(f, in, 1)
			w.path = nowhere
		case opCall:
			w.call(f, in, i)
		case opCallIndirect:
			f.leaf = false
			w.step(f, in, callWeight+indirectExtra)
			if w.path.units != unreached && w.deep(i, uint32(len(w.bodies))) {
				w.path.tail = 0
			}
		case opRefFunc:
			w.step(f, in, callWeight)
		case opMisc:
			w.step(f, in, callWeight+int(in.arg>>bulkShift))
		default:
			w.step(f, in, 1)
		}
	}
	f.weight = w.regions[0].weight
	if w.regions[0].cut {
		f.weight = maxCharge
	}
	f.free = !f.credit && !w.components[i].cycle && !f.table && !f.imports && len(f.points) == 0 && f.weight <= freeWeight
	f.leaf = f.leaf && !w.components[i].cycle
	w.needPay = w.needPay || f.credit
}

// step adds the cost of an instruction, before which the path is charged if it would become too expensive.
func (w *weigher) step(f *function, in instr, cost int) {
	if w.path.units == unreached {
		return
	}
	if w.path.units+cost > maxCharge || w.path.tail != none && w.path.tail+cost > maxTail {
		f.points = append(f.points, in.at)
		w.regions[len(w.regions)-1].cut = true
		w.path = path{0, none}
	}
	w.add(cost)
}

func (w *weigher) add(cost int) {
	r := &w.regions[len(w.regions)-1]
	w.path.units += cost
	if w.path.tail != none {
		w.path.tail += cost
	}
	r.weight = max(r.weight, w.path.units)
}

// call adds a direct call. A function that is neither free nor a leaf looks at the budget when it is entered.
func (w *weigher) call(f *function, in instr, caller uint32) {
	if in.arg < uint32(w.imported) {
		w.step(f, in, callWeight+indirectExtra)
		return
	}
	callee := in.arg - uint32(w.imported)
	c := &w.bodies[callee]
	f.leaf = f.leaf && c.free && c.leaf
	cost := callWeight
	switch {
	case c.free:
		cost += c.weight
	case !c.leaf:
		w.path.tail = none
	}
	w.step(f, in, cost)
	if w.path.units != unreached && w.deep(caller, callee) {
		w.path.tail = 0
	}
}

// branch notes the path of a branch. Out of a loop it is the path that led to the outermost loop that it leaves: what
// was spent inside is charged there.
func (w *weigher) branch(depth uint32) {
	fr := &w.frames[len(w.frames)-1-int(depth)]
	if fr.op == opLoop || w.path.units == unreached {
		return
	}
	p := w.path
	if fr.regions < len(w.regions) {
		p.units = w.regions[fr.regions].outer
	}
	fr.end = fr.end.join(p)
}

// close ends the innermost block.
func (w *weigher) close(f *function) {
	fr := w.frames[len(w.frames)-1]
	w.frames = w.frames[:len(w.frames)-1]
	switch {
	case fr.op == opIf:
		w.path = w.path.join(fr.end).join(fr.start)
	case fr.op != opLoop:
		w.path = w.path.join(fr.end)
	case fr.region:
		r := w.regions[len(w.regions)-1]
		w.regions = w.regions[:len(w.regions)-1]
		l := &f.loops[r.loop]
		l.weight = r.weight
		l.form = loopOuter
		if r.cut {
			l.weight = maxCharge
		}
		switch {
		case l.params > 0 || len(f.loops) > manyLoops || l.depth > deepLoops:
			l.form = loopInline
		case !l.inner && !r.cut && f.unrolled < maxUnrolled && l.end-l.start <= unrollBytes && l.weight*l.turns() <= maxCharge:
			l.form = loopUnrolled
			f.unrolled++
		}
		f.credit = true
		if w.path.units != unreached {
			w.path.units = r.outer
		}
	}
}

// turns is how often the body of a loop that is repeated is written.
func (l *loop) turns() int {
	if l.end-l.start <= unrollBytes/2 {
		return 2 * unrollTimes
	}
	return unrollTimes
}
