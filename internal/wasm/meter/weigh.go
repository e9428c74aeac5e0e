package meter

const (
	unseen = iota
	open
	done
)

// weigh decides what is charged where, callees before callers. A function that is found again while its callees
// are weighed closes a cycle of calls and charges for it.
func (m *module) weigh() {
	if m.err != nil {
		return
	}
	type call struct {
		function uint32
		next     int
	}
	var stack []call
	w := weigher{module: m}
	for i := range m.bodies {
		if m.bodies[i].state == unseen {
			m.bodies[i].state = open
			stack = append(stack, call{function: uint32(i)})
		}
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			f := &m.bodies[top.function]
			if top.next == len(f.callees) {
				w.weigh(int(top.function))
				f.state = done
				stack = stack[:len(stack)-1]
				continue
			}
			callee := f.callees[top.next]
			top.next++
			switch c := &m.bodies[callee]; c.state {
			case unseen:
				c.state = open
				stack = append(stack, call{function: callee})
			case open:
				c.cyclic = true
			}
		}
	}
	m.leave()
}

// unreached is the cost of a path that no control reaches.
const unreached = -1

// weigher finds the most expensive path of each region of a body in one pass over it. Everywhere, path is the
// largest cost of the current region's code since the last charge on any way to this point.
type weigher struct {
	*module
	frames  []frame
	regions []region
	path    int
}

// frame is a block that is open. Its end continues with the largest of the paths that lead to it.
type frame struct {
	op      byte
	end     int // largest path of the branches to its end
	start   int // path at its if
	regions int // regions that were open at its start
	region  bool
}

// region is the function or a loop that is charged.
type region struct {
	outer  int // path of the region around it, at its head
	loop   int
	weight int
	cut    bool // charged in the middle as well
}

func (w *weigher) weigh(i int) {
	f := &w.bodies[i]
	w.enter(i)
	w.frames = append(w.frames[:0], frame{op: opBlock, end: unreached, regions: 1})
	w.regions = append(w.regions[:0], region{loop: -1})
	w.path = 0
	nextLoop := 0
	f.leaf = true
	for len(w.frames) > 0 {
		in := w.next(f.locals)
		switch in.op {
		case opBlock, opIf:
			w.step(f, in, 1)
			w.frames = append(w.frames, frame{op: in.op, end: unreached, start: w.path, regions: len(w.regions)})
		case opLoop:
			l := &f.loops[nextLoop]
			fr := frame{op: opLoop, end: unreached, regions: len(w.regions), region: l.back && w.path != unreached}
			if fr.region {
				w.regions = append(w.regions, region{outer: w.path, loop: nextLoop})
				w.path = 0
			}
			w.frames = append(w.frames, fr)
			nextLoop++
		case opElse:
			fr := &w.frames[len(w.frames)-1]
			fr.end = max(fr.end, w.path)
			fr.op, w.path = opElse, fr.start
		case opEnd:
			w.close(f)
		case opBr:
			w.step(f, in, 1)
			w.branch(in.arg)
			w.path = unreached
		case opBrIf:
			w.step(f, in, 1)
			w.branch(in.arg)
		case opBrTable:
			w.step(f, in, 2)
			for n := uint64(0); n <= uint64(in.arg); n++ {
				w.branch(w.u32())
			}
			w.path = unreached
		case opReturn, opUnreachable:
			w.step(f, in, 1)
			w.path = unreached
		case opCall:
			cost := callWeight
			if in.arg < uint32(w.imported) {
				cost += indirectExtra
			} else {
				c := &w.bodies[in.arg-uint32(w.imported)]
				f.leaf = f.leaf && c.free && c.leaf
				if c.free {
					cost += c.weight
				}
			}
			w.step(f, in, cost)
		case opCallIndirect:
			f.leaf = false
			w.step(f, in, callWeight+indirectExtra)
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
	f.free = !f.credit && !f.cyclic && !f.indirect && len(f.points) == 0 && f.weight <= freeWeight
	f.leaf = f.leaf && !f.cyclic
	w.needPay = w.needPay || f.credit
}

// step adds the cost of an instruction, before which the path is charged if it would become too expensive.
func (w *weigher) step(f *function, in instr, cost int) {
	if w.path == unreached {
		return
	}
	r := &w.regions[len(w.regions)-1]
	if w.path+cost > maxCharge {
		f.points = append(f.points, in.at)
		r.cut = true
		w.path = 0
	}
	w.path += cost
	r.weight = max(r.weight, w.path)
}

// branch notes the path of a branch. Out of a loop it is the path that led to the outermost loop that it leaves: what
// was spent inside is charged there.
func (w *weigher) branch(depth uint32) {
	fr := &w.frames[len(w.frames)-1-int(depth)]
	if fr.op == opLoop || w.path == unreached {
		return
	}
	path := w.path
	if fr.regions < len(w.regions) {
		path = w.regions[fr.regions].outer
	}
	fr.end = max(fr.end, path)
}

// close ends the innermost block.
func (w *weigher) close(f *function) {
	fr := w.frames[len(w.frames)-1]
	w.frames = w.frames[:len(w.frames)-1]
	switch {
	case fr.op == opIf:
		w.path = max(w.path, fr.end, fr.start)
	case fr.op != opLoop:
		w.path = max(w.path, fr.end)
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
		case l.params > 0:
			l.form = loopInline
		case !l.inner && !r.cut && l.end-l.start <= unrollBytes && l.weight*l.turns() <= maxCharge:
			l.form = loopUnrolled
		}
		f.credit = true
		if w.path != unreached {
			w.path = r.outer
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
