package meter

// emitter writes one body with its charges. level is how many labels are open at this point of what is written, with
// the function's own; a label of the original is known by the level that a branch to it goes to.
type emitter struct {
	*module
	function *function
	index    uint32
	out      []byte
	copied   int // what of the original is written
	level    int
	targets  []target
	loop     int // the next of function.loops
	point    int // the next of function.points
}

type target struct {
	level int
	ends  int // labels that its end closes
}

// emit appends a body, without its size.
func (e *emitter) emit(i int) {
	f := &e.bodies[i]
	e.enter(i)
	*e = emitter{module: e.module, function: f, index: uint32(i), out: e.out, level: 1, targets: append(e.targets[:0], target{1, 1})}
	added := uint32(0)
	if f.credit {
		added++
	}
	if f.length {
		added++
	}
	groups := f.groups
	if added > 0 {
		groups++
	}
	e.out = appendU32(e.out, groups)
	e.out = append(e.out, e.data[f.declarations:f.code]...)
	if added > 0 {
		e.out = append(appendU32(e.out, added), 0x7f)
	}
	cost := f.weight
	if f.credit {
		cost += firstCredit
	}
	switch {
	case f.free:
	case f.leaf:
		e.take(cost)
	default:
		e.charge(cost)
	}
	if f.credit {
		e.constant(firstCredit)
		e.op(opLocalSet, f.locals)
	}
	e.copied = f.code
	e.body(f.end)
}

// flush writes the original up to an offset.
func (e *emitter) flush(to int) {
	e.out = append(e.out, e.data[e.copied:to]...)
	e.copied = to
}

func (e *emitter) op(op byte, index uint32) { e.out = appendU32(append(e.out, op), index) }

func (e *emitter) constant(v int) { e.out = appendS32(append(e.out, opI32Const), int32(v)) }

func (e *emitter) branch(op byte, level int) { e.op(op, uint32(e.level-level)) }

// take takes units from the budget.
func (e *emitter) take(units int) {
	e.op(opGlobalGet, e.budget())
	e.constant(units)
	e.out = append(e.out, opI32Sub)
	e.op(opGlobalSet, e.budget())
}

// look calls the tick if the budget is used up. The usual way is the first arm, because wazero places the second one
// behind the function's code.
func (e *emitter) look() {
	e.op(opGlobalGet, e.budget())
	e.constant(0)
	e.out = append(e.out, opI32GeS, opIf, void, opElse)
	e.op(opCall, e.tick())
	e.constant(Budget)
	e.op(opGlobalSet, e.budget())
	e.out = append(e.out, opEnd)
}

func (e *emitter) charge(units int) {
	e.take(units)
	e.look()
}

// chargeLength charges a bulk operation by the length on top of the stack, which it leaves there. The shift keeps an
// absurd length from turning the budget into credit.
func (e *emitter) chargeLength() {
	local := e.function.locals
	if e.function.credit {
		local++
	}
	e.op(opLocalTee, local)
	e.op(opGlobalGet, e.budget())
	e.op(opLocalGet, local)
	e.constant(bulkShift)
	e.out = append(e.out, opI32ShrU, opI32Sub)
	e.op(opGlobalSet, e.budget())
	e.look()
}

// spend counts a loop's turn and leaves whether its credit held on the stack.
func (e *emitter) spend(units int, test byte) {
	credit := e.function.locals
	e.op(opLocalGet, credit)
	e.constant(units)
	e.out = append(e.out, opI32Sub)
	e.op(opLocalTee, credit)
	e.constant(0)
	e.out = append(e.out, test)
}

// refill pays for credit, of which some is already spent.
func (e *emitter) refill(spent int) {
	e.op(opCall, e.pay())
	e.constant(credit - spent)
	e.op(opLocalSet, e.function.locals)
}

// drop gives up the credit after a deep call: the functions that wait for such calls could have much of it together.
func (e *emitter) drop(callee uint32) {
	if e.function.credit && e.deep(e.index, callee) {
		e.constant(0)
		e.op(opLocalSet, e.function.locals)
	}
}

// body writes the original up to an offset. It is called again for the body of a loop that is repeated.
func (e *emitter) body(to int) {
	f := e.function
	for e.pos < to {
		in := e.next(f.locals)
		for e.point < len(f.points) && f.points[e.point] == in.at {
			e.flush(in.at)
			e.charge(maxCharge)
			e.point++
		}
		switch in.op {
		case opBlock, opIf:
			e.open(1)
		case opLoop:
			e.flush(in.at)
			l := &f.loops[e.loop]
			e.loop++
			e.head(l, e.data[in.at:e.pos])
		case opEnd:
			e.flush(in.at)
			e.shut()
			e.copied = e.pos
		case opBr, opBrIf:
			e.flush(in.at)
			e.branch(in.op, e.targetOf(in.arg))
			e.copied = e.pos
		case opBrTable:
			e.flush(in.at)
			e.op(opBrTable, in.arg)
			for n := uint64(0); n <= uint64(in.arg); n++ {
				e.out = appendU32(e.out, uint32(e.level-e.targetOf(e.u32())))
			}
			e.copied = e.pos
		case opCall, opRefFunc:
			e.flush(in.at)
			e.op(in.op, e.shifted(in.arg))
			e.copied = e.pos
			if in.op == opCall && in.arg >= uint32(e.imported) {
				e.drop(in.arg - uint32(e.imported))
			}
		case opCallIndirect:
			e.flush(e.pos)
			e.drop(uint32(len(e.bodies)))
		case opMemoryGrow:
			e.flush(in.at)
			e.charge(growCharge)
		case opMisc:
			e.bulk(in)
		}
	}
	e.flush(to)
}

func (e *emitter) targetOf(depth uint32) int { return e.targets[len(e.targets)-1-int(depth)].level }

// open notes labels that were written, of which the innermost is the original's.
func (e *emitter) open(labels int) {
	e.level += labels
	e.targets = append(e.targets, target{e.level, labels})
}

// shut ends the innermost label of the original, with those around it that were added.
func (e *emitter) shut() {
	last := len(e.targets) - 1
	for range e.targets[last].ends {
		e.out = append(e.out, opEnd)
	}
	e.level -= e.targets[last].ends
	e.targets = e.targets[:last]
}

// head writes a loop's start; loop is the original's. doc.go shows the forms.
func (e *emitter) head(l *loop, loop []byte) {
	e.copied = e.pos
	switch l.form {
	case loopPlain:
		e.out = append(e.out, loop...)
		e.open(1)
	case loopInline:
		e.out = append(e.out, loop...)
		e.open(1)
		e.spend(l.weight, opI32LtS)
		e.out = append(e.out, opIf, void)
		e.refill(l.weight)
		e.out = append(e.out, opEnd)
	case loopOuter:
		e.twoLoops(loop, l.weight)
		e.open(2)
	case loopUnrolled:
		e.out = append(append(e.out, opBlock), loop[1:]...)
		e.level++
		exit := e.level
		times := l.turns()
		e.twoLoops(loop, l.weight*times)
		e.level += 2
		inner := e.level
		start := e.pos
		for turn := range times {
			e.pos, e.copied, e.length = start, start, 0
			if turn == times-1 {
				e.targets = append(e.targets, target{inner, 3})
				break // the rest is written as usual, up to the end of all three
			}
			if l.tail > 0 { // the usual end of a loop: the turns that follow each other need no jump
				e.targets = append(e.targets, target{inner, 0})
				e.body(l.tail)
				e.next(e.function.locals)
				e.out = append(e.out, opIf, void, opElse)
				e.level++
				e.branch(opBr, exit)
				e.shut()
				e.level--
				e.out = append(e.out, opEnd)
				continue
			}
			e.out = append(e.out, opBlock, void)
			e.open(1)
			e.body(l.end)
			e.branch(opBr, exit)
			e.shut()
		}
	}
}

// twoLoops writes the heads of two loops, the outer one of which pays for credit.
func (e *emitter) twoLoops(loop []byte, units int) {
	e.out = append(e.out, loop...)
	e.op(opLocalGet, e.function.locals)
	e.constant(0)
	e.out = append(e.out, opI32LtS, opIf, void)
	e.refill(0)
	e.out = append(e.out, opEnd)
	e.out = append(e.out, loop...)
	e.spend(units, opI32GeS)
	e.out = append(e.out, opIf, void, opElse)
	e.op(opBr, 2)
	e.out = append(e.out, opEnd)
}

// bulk charges a bulk operation, or replaces it by the helper that does it in pieces.
func (e *emitter) bulk(in instr) {
	switch in.sub {
	case miscMemoryCopy, miscMemoryFill:
		if in.arg > 0 { // its length is in its weight
			return
		}
		e.flush(in.at)
		e.op(opCall, e.helper(in.sub))
		e.copied = e.pos
	case miscMemoryInit, miscTableInit, miscTableCopy, miscTableGrow, miscTableFill:
		e.flush(in.at)
		e.chargeLength()
	}
}
