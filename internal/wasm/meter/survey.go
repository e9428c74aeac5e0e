package meter

// function is a defined function: where its body is, what the survey found in it, and what the weighing decided.
type function struct {
	start, end   int // of the body: declarations of locals and code
	declarations int // behind the number of declarations
	code         int
	groups       uint32 // declarations
	locals       uint32 // parameters included
	callees      []uint32
	loops        []loop // in the order of their heads
	points       []int  // instructions before which the path so far is charged

	table    bool // calls through a table
	imports  bool // calls an import
	leaf     bool // it and what it calls call only free functions and imports
	free     bool // is not charged
	credit   bool // has loops that are charged
	length   bool // needs a local for the length of a bulk operation
	unrolled int  // loops that are written several times
	weight   int  // most expensive path, at most maxCharge
}

type loop struct {
	depth           int // 1 for an outermost loop
	start           int // its instruction
	end             int // the instruction that ends it
	params, results uint16
	tail            int  // the instruction before it, if that is a br_if to the head and the loop leaves no value
	back            bool // something branches to its head
	inner           bool // there is a loop in it
	form            loopForm
	weight          int
}

// loopForm is how a loop is charged.
type loopForm byte

const (
	loopPlain    loopForm = iota // not: it never comes back to its head
	loopInline                   // at its head, with the call there: loops with parameters
	loopOuter                    // with the call in a loop around it
	loopUnrolled                 // likewise, and several turns at once
)

type label struct {
	op    byte
	arity uint16 // values that a branch to it takes
	loop  int
}

// survey checks each body and finds its loops and calls.
func (m *module) survey() {
	if m.err != nil {
		return
	}
	total := uint64(0)
	var labels []label
	for i := range m.bodies {
		f := &m.bodies[i]
		m.enter(i)
		m.readLocals(f)
		if m.err != nil {
			return
		}
		if total += uint64(f.locals); total > maxTotalLocals {
			m.fail(ErrTooLarge, f.start, "more than %d locals in all functions", maxTotalLocals)
		}
		labels = m.surveyBody(f, m.types[m.functions[m.imported+i]], labels[:0])
		if m.err != nil {
			return
		}
	}
	m.leave()
}

// enter makes the reader read a body.
func (m *module) enter(i int) {
	f := &m.bodies[i]
	m.function = m.imported + i
	m.pos, m.end, m.length = f.start, f.end, 0
	if f.code > 0 {
		m.pos = f.code
	}
}

func (m *module) leave() { m.function, m.pos, m.end = -1, len(m.data), len(m.data) }

func (m *module) readLocals(f *function) {
	at := m.pos
	f.groups = uint32(m.reader.count("declarations of locals", 2))
	f.declarations = m.pos
	n := uint64(m.types[m.functions[m.function]].params)
	for range f.groups {
		if m.err != nil {
			return
		}
		n += uint64(m.u32())
		m.valueType()
	}
	if n > maxLocals {
		m.fail(ErrTooLarge, at, "%d locals, at most %d", n, maxLocals)
		return
	}
	f.code, f.locals = m.pos, uint32(n)
}

// surveyBody follows the nesting of a body. values counts what its instructions move beyond their own size, as a
// measure of what compiling them costs: a few bytes can branch with a thousand values to a thousand labels.
func (m *module) surveyBody(f *function, sig signature, labels []label) []label {
	labels = append(labels, label{op: opBlock, arity: sig.results, loop: -1})
	values, blocks, loops := uint64(0), uint64(0), 0
	branch := func(at int, depth uint32) {
		if uint64(depth) >= uint64(len(labels)) {
			m.fail(ErrMalformed, at, "branch to label %d of %d", depth, len(labels))
			return
		}
		l := &labels[len(labels)-1-int(depth)]
		values += uint64(l.arity)
		blocks++
		if l.op == opLoop {
			f.loops[l.loop].back = true
		}
	}
	innermost := -1
	tail := 0 // the instruction before, if it is a br_if to the innermost label
	for m.err == nil && len(labels) > 0 {
		in := m.next(f.locals)
		switch in.op {
		case opBlock, opIf, opLoop:
			l := label{op: in.op, arity: in.sig.results, loop: innermost}
			if in.op == opLoop {
				if innermost >= 0 {
					f.loops[innermost].inner = true
				}
				l.arity, l.loop = in.sig.params, len(f.loops)
				innermost = l.loop
				if loops++; loops > maxLoopDepth {
					m.fail(ErrTooLarge, in.at, "loops nested more than %d deep", maxLoopDepth)
				}
				f.loops = append(f.loops, loop{depth: loops, start: in.at, params: in.sig.params, results: in.sig.results})
			}
			values += uint64(in.sig.params + in.sig.results)
			blocks++
			if labels = append(labels, l); len(labels) > maxDepth {
				m.fail(ErrTooLarge, in.at, "blocks nested more than %d deep", maxDepth)
			}
		case opElse:
			if l := &labels[len(labels)-1]; l.op == opIf {
				l.op = opElse
			} else {
				m.fail(ErrMalformed, in.at, "else without if")
			}
		case opEnd:
			l := labels[len(labels)-1]
			labels = labels[:len(labels)-1]
			if l.op == opLoop {
				loops--
				f.loops[l.loop].end = in.at
				if in.at == tail+2 && f.loops[l.loop].results == 0 {
					f.loops[l.loop].tail = tail
				}
			}
			if len(labels) > 0 {
				innermost = labels[len(labels)-1].loop
			}
		case opBr, opBrIf:
			branch(in.at, in.arg)
			if in.op == opBrIf && in.arg == 0 {
				tail = in.at
			}
		case opBrTable:
			for n := uint64(0); n <= uint64(in.arg) && m.err == nil; n++ {
				branch(m.pos, m.u32())
				values++
			}
		case opReturn:
			values += uint64(sig.results)
		case opCall:
			t := m.types[m.functions[in.arg]]
			values += uint64(t.params) + uint64(t.results) + uint64(m.mutable)
			if in.arg < uint32(m.imported) {
				f.imports = true
			} else if c := in.arg - uint32(m.imported); len(f.callees) == 0 || f.callees[len(f.callees)-1] != c {
				f.callees = append(f.callees, c)
			}
		case opCallIndirect:
			t := m.types[in.arg]
			values += uint64(t.params) + uint64(t.results) + uint64(m.mutable)
			f.table = true
		case opRefFunc:
			m.refer(in.arg)
		case opMisc:
			switch in.sub {
			case miscMemoryCopy:
				m.needCopy = m.needCopy || in.arg == 0
			case miscMemoryFill:
				m.needFill = m.needFill || in.arg == 0
			case miscMemoryInit, miscTableInit, miscTableCopy, miscTableGrow, miscTableFill:
				f.length = true
			}
		}
		if values > uint64(m.options.MaxFunction) {
			m.fail(ErrTooLarge, in.at, "branches and calls move more than %d values", m.options.MaxFunction)
		}
	}
	if blocks > maxBlocks || blocks*uint64(f.locals) > maxMerges {
		m.fail(ErrTooLarge, f.start, "%d blocks and branches with %d locals", blocks, f.locals)
	}
	if m.err == nil && m.pos != m.end {
		m.fail(ErrMalformed, m.pos, "%d bytes behind the function's end", m.end-m.pos)
	}
	return labels
}
