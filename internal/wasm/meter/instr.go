package meter

// Instructions that matter here by more than their immediates.
const (
	opUnreachable  = 0x00
	opBlock        = 0x02
	opLoop         = 0x03
	opIf           = 0x04
	opElse         = 0x05
	opEnd          = 0x0b
	opBr           = 0x0c
	opBrIf         = 0x0d
	opBrTable      = 0x0e
	opReturn       = 0x0f
	opCall         = 0x10
	opCallIndirect = 0x11
	opLocalGet     = 0x20
	opLocalSet     = 0x21
	opLocalTee     = 0x22
	opGlobalGet    = 0x23
	opGlobalSet    = 0x24
	opMemorySize   = 0x3f
	opMemoryGrow   = 0x40
	opI32Const     = 0x41
	opI64Const     = 0x42
	opI32LtS       = 0x48
	opI32GtU       = 0x4b
	opI32LeU       = 0x4d
	opI32GeS       = 0x4e
	opI64GtU       = 0x56
	opI32Add       = 0x6a
	opI32Sub       = 0x6b
	opI32ShrU      = 0x76
	opI64Add       = 0x7c
	opI64Shl       = 0x86
	opI64ExtendU   = 0xad
	opRefFunc      = 0xd2
	opMisc         = 0xfc
	opVector       = 0xfd

	miscMemoryInit = 8
	miscMemoryCopy = 10
	miscMemoryFill = 11
	miscTableInit  = 12
	miscTableCopy  = 14
	miscTableGrow  = 15
	miscTableSize  = 16
	miscTableFill  = 17

	void = 0x40 // the block type without parameters and results
)

// instr is an instruction of a body. For br_table, arg is the number of labels without the last one, and the reader is
// left before them: the caller reads arg+1 labels.
type instr struct {
	at  int
	op  byte
	sub byte      // of opMisc and opVector
	arg uint32    // label, local, function, type of an indirect call, or 1 + the length of a bulk operation if it is small
	sig signature // of a block
}

// next decodes and checks an instruction. Each index that the rewriter could make valid by what it adds is checked:
// functions, types, globals, locals. Encodings that a lenient decoder could read as something else are errors.
func (m *module) next(locals uint32) instr {
	in := instr{at: m.pos}
	in.op = m.byte()
	length := m.length
	m.length = 0
	switch op := in.op; {
	case op >= 0x45 && op <= 0xc4: // numeric
	case op >= opLocalGet && op <= opLocalTee:
		in.arg = m.index("local", int(locals))
	case op == opI32Const:
		if v := m.signed(32); v >= 0 && v <= smallBulk {
			m.length = uint32(v) + 1
		}
	case op >= 0x28 && op <= 0x3e:
		m.memoryArgument()
	case op >= opBlock && op <= opIf:
		in.sig = m.blockType()
	case op == opBr || op == opBrIf:
		in.arg = m.u32()
	case op == opBrTable:
		in.arg = uint32(m.reader.count("labels", 1))
	case op == opCall || op == opRefFunc:
		in.arg = m.index("function", len(m.functions))
	case op == opCallIndirect:
		in.arg = m.index("type", len(m.types))
		m.index("table", m.tables)
	case op == opGlobalGet || op == opGlobalSet:
		m.index("global", m.globals)
	case op == 0x25 || op == 0x26: // table.get, table.set
		m.index("table", m.tables)
	case op == opMemorySize || op == opMemoryGrow:
		m.zero()
	case op == opI64Const:
		m.signed(64)
	case op == 0x43: // f32.const
		m.skip(4)
	case op == 0x44: // f64.const
		m.skip(8)
	case op == 0x1c: // select with a type
		if at := m.pos; m.byte() != 1 {
			m.fail(ErrMalformed, at, "select of other than one value")
		}
		m.valueType()
	case op == 0xd0: // ref.null
		m.refType()
	case op == opMisc:
		if in.sub = m.misc(); in.sub == miscMemoryCopy || in.sub == miscMemoryFill {
			in.arg = length
		}
	case op == opVector:
		in.sub = m.vector()
	case op <= 0x01, op == opElse, op == opEnd, op == opReturn, op == 0x1a, op == 0x1b, op == 0xd1:
	case op >= 0x06 && op <= 0x0a, op >= 0x12 && op <= 0x19, op == 0x1f, op >= 0xd3 && op <= 0xd6, op == 0xfb, op == 0xfe:
		m.fail(ErrUnsupported, in.at, "instruction %#x (exceptions, tail calls, typed references or threads)", op)
	default:
		m.fail(ErrMalformed, in.at, "instruction %#x", op)
	}
	return in
}

func (m *module) blockType() signature {
	at := m.pos
	switch t := m.signed(33); {
	case m.err != nil:
	case t >= 0 && t < int64(len(m.types)):
		return m.types[t]
	case t >= 0:
		m.fail(ErrMalformed, at, "type %d of %d", t, len(m.types))
	case m.pos != at+1: // engines differ in what they read here
		m.fail(ErrMalformed, at, "block type in more than one byte")
	case m.data[at] != void:
		m.pos = at
		m.valueType()
		return signature{results: 1}
	}
	return signature{}
}

func (m *module) memoryArgument() {
	at := m.pos
	if align := m.u32(); align >= 1<<6 && align < 1<<7 {
		m.fail(ErrUnsupported, at, "memory index (multiple memories)")
	} else if align >= 32 {
		m.fail(ErrMalformed, at, "alignment of 2^%d", align)
	}
	m.u32()
}

// zero reads the index of the only memory.
func (m *module) zero() {
	at := m.pos
	if m.byte() != 0 {
		m.fail(ErrUnsupported, at, "memory index (multiple memories)")
	}
}

func (m *module) misc() byte {
	at := m.pos
	sub := m.u32()
	switch sub {
	case 0, 1, 2, 3, 4, 5, 6, 7: // saturating truncations
	case miscMemoryInit:
		m.u32()
		m.zero()
	case miscMemoryCopy:
		m.zero()
		m.zero()
	case miscMemoryFill:
		m.zero()
	case miscTableInit:
		m.u32()
		m.index("table", m.tables)
	case miscTableCopy:
		m.index("table", m.tables)
		m.index("table", m.tables)
	case 9, 13: // data.drop, elem.drop
		m.u32()
	case miscTableGrow, miscTableSize, miscTableFill:
		m.index("table", m.tables)
	default:
		m.fail(ErrUnsupported, at, "instruction 0xfc %#x", sub)
	}
	return byte(sub)
}

// vector reads a SIMD instruction. Its number is one byte below 128 and that byte and a 1 from there on; other
// encodings of it are refused, because wazero reads the first byte alone and takes the 1 for a nop.
func (m *module) vector() byte {
	at := m.pos
	sub := m.byte()
	if sub >= 0x80 {
		if high := m.byte(); high != 1 {
			m.fail(ErrUnsupported, at, "instruction 0xfd %#x %#x", sub, high)
		}
		return sub
	}
	switch {
	case sub <= 11, sub == 92, sub == 93: // loads and v128.store
		m.memoryArgument()
	case sub == 12, sub == 13: // v128.const, i8x16.shuffle
		m.skip(16)
	case sub >= 21 && sub <= 34: // lanes
		m.byte()
	case sub >= 84 && sub <= 91: // loads and stores of lanes
		m.memoryArgument()
		m.byte()
	}
	return sub
}
