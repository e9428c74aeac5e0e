package meter

// The indexes of what is added.

func (m *module) budget() uint32   { return uint32(m.globals) }
func (m *module) tick() uint32     { return uint32(m.imported) }
func (m *module) typeNone() uint32 { return uint32(len(m.types)) }
func (m *module) typeBulk() uint32 { return uint32(len(m.types)) + 1 }

// pay is the helper that takes credit for a loop; it is the first one.
func (m *module) pay() uint32 { return m.moved(uint32(len(m.functions))) }

// helper is the one that does memory.copy or memory.fill in pieces.
func (m *module) helper(sub byte) uint32 {
	index := m.pay()
	if m.needPay {
		index++
	}
	if sub == miscMemoryFill && m.needCopy {
		index++
	}
	return index
}

// write assembles the rewritten module.
func (m *module) write() []byte {
	code, helpers := m.writeCode()
	out := make([]byte, 0, len(m.data)+len(code)/8+1024)
	out = append(out, m.data[:8]...)
	for _, id := range []byte{secType, secImport, secFunction, secTable, secMemory, secGlobal, secExport, secStart,
		secElement, secDataCount, secCode, secData} {
		count := uint32(m.count[id])
		body := m.out[id]
		switch id {
		case secType:
			body = append(body, 0x60, 0, 0, 0x60, 3, 0x7f, 0x7f, 0x7f, 0)
			count += 2
		case secImport:
			body = appendName(appendName(body, m.options.Module), m.options.Name)
			body = appendU32(append(body, 0), m.typeNone())
			count++
		case secFunction:
			for i := range m.guards {
				body = appendU32(body, m.guards[i].typ)
			}
			for _, t := range m.functions[m.imported:] {
				body = appendU32(body, t)
			}
			for _, t := range helpers {
				body = appendU32(body, t)
			}
			count += uint32(len(m.guards) + len(helpers))
		case secGlobal:
			body = append(body, 0x7f, 1, opI32Const)
			body = append(appendS32(body, Budget), opEnd)
			count++
		case secCode:
			body = code
			count += uint32(len(m.guards) + len(helpers))
		case secStart, secDataCount:
			if m.has[id] {
				out = appendSection(out, id, nil, body)
			}
			continue
		}
		if count > 0 || m.has[id] {
			out = appendSection(out, id, appendU32(nil, count), body)
		}
	}
	if len(m.names) > 0 {
		out = appendSection(out, secCustom, appendName(nil, "name"), m.names)
	}
	return out
}

func appendName(b []byte, name string) []byte {
	return append(appendU32(b, uint32(len(name))), name...)
}

func appendSection(b []byte, id byte, head, body []byte) []byte {
	b = appendU32(append(b, id), uint32(len(head)+len(body)))
	return append(append(b, head...), body...)
}

// writeCode returns the bodies with their sizes, and the types of the helpers behind them.
func (m *module) writeCode() (code []byte, helpers []uint32) {
	e := &emitter{module: m}
	done := func() {
		code = appendU32(code, uint32(len(e.out)))
		code = append(code, e.out...)
		e.out = e.out[:0]
	}
	code = make([]byte, 0, len(m.data)+len(m.data)/8)
	e.function = &function{}
	for i := range m.guards {
		e.writeGuard(&m.guards[i])
		done()
	}
	for i := range m.bodies {
		e.emit(i)
		done()
	}
	m.leave()
	e.function = &function{}
	if m.needPay {
		e.out = append(e.out, 0)
		e.charge(credit)
		e.out = append(e.out, opEnd)
		helpers = append(helpers, m.typeNone())
		done()
	}
	if m.needCopy {
		e.pieces([]byte{opMisc, miscMemoryCopy, 0, 0}, true)
		helpers = append(helpers, m.typeBulk())
		done()
	}
	if m.needFill {
		e.pieces([]byte{opMisc, miscMemoryFill, 0}, false)
		helpers = append(helpers, m.typeBulk())
		done()
	}
	return code, helpers
}

// pieces writes the helper for memory.copy or memory.fill: the same three operands, any length. What is out of bounds
// is given to the instruction whole, so that it traps before it writes anything. A copy to higher addresses goes
// from the end, as the two may overlap.
func (e *emitter) pieces(instruction []byte, copies bool) {
	const to, from, length = 0, 1, 2
	whole := func() {
		e.op(opLocalGet, to)
		e.op(opLocalGet, from)
		e.op(opLocalGet, length)
		e.out = append(e.out, instruction...)
	}
	piece := func() {
		e.constant(chunk)
		e.out = append(e.out, instruction...)
	}
	get := func(local uint32) { e.op(opLocalGet, local) }
	advance := func(local uint32, op byte) {
		get(local)
		e.constant(chunk)
		e.out = append(e.out, op)
		e.op(opLocalSet, local)
	}
	outside := func(local uint32) { // local + length > the memory's size, in 64 bits
		get(local)
		e.out = append(e.out, opI64ExtendU)
		get(length)
		e.out = append(e.out, opI64ExtendU, opI64Add, opMemorySize, 0, opI64ExtendU, opI64Const, 16, opI64Shl, opI64GtU)
	}
	again := func() { // the rest of a loop's turn: charge, and repeat while more than a piece is left
		e.charge(chunk >> bulkShift)
		get(length)
		e.constant(chunk)
		e.out = append(e.out, opI32GtU)
		e.op(opBrIf, 0)
		e.out = append(e.out, opEnd)
	}

	e.out = append(e.out, 0)
	get(length)
	e.constant(chunk)
	e.out = append(e.out, opI32LeU, opIf, void)
	{
		e.op(opGlobalGet, e.budget())
		get(length)
		e.constant(bulkShift)
		e.out = append(e.out, opI32ShrU, opI32Sub)
		e.op(opGlobalSet, e.budget())
		e.look()
		whole()
		e.out = append(e.out, opReturn)
	}
	e.out = append(e.out, opEnd)
	outside(to)
	if copies {
		outside(from)
		e.out = append(e.out, 0x72) // i32.or
	}
	e.out = append(e.out, opIf, void)
	whole()
	e.out = append(e.out, opReturn, opEnd)
	if copies {
		get(to)
		get(from)
		e.out = append(e.out, opI32GtU, opIf, void, opLoop, void)
		advance(length, opI32Sub)
		for _, local := range []uint32{to, from} {
			get(local)
			get(length)
			e.out = append(e.out, opI32Add)
		}
		piece()
		again()
		whole()
		e.out = append(e.out, opReturn, opEnd)
	}
	e.out = append(e.out, opLoop, void)
	get(to)
	get(from)
	piece()
	advance(to, opI32Add)
	if copies {
		advance(from, opI32Add)
	}
	advance(length, opI32Sub)
	again()
	whole()
	e.out = append(e.out, opEnd)
}
