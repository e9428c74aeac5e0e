package meter

// effect is how many more values an instruction leaves on the operand stack than it finds there, for those that the
// survey of the nesting does not know better: branches, blocks and calls.
func effect(in instr) int {
	switch in.op {
	case opMisc:
		return miscEffect(in.sub)
	case opVector:
		return int(vectorEffects[in.sub])
	default:
		return int(effects[in.op])
	}
}

func miscEffect(sub byte) int {
	switch sub {
	case miscMemoryInit, miscMemoryCopy, miscMemoryFill, miscTableInit, miscTableCopy, miscTableFill:
		return -3
	case miscTableGrow:
		return -1
	case miscTableSize:
		return 1
	default:
		return 0
	}
}

// span is a range of instructions with the same effect; those in no span have none.
type span struct {
	first, last byte
	effect      int8
}

func spread(spans []span) (table [256]int8) {
	for _, s := range spans {
		for op := int(s.first); op <= int(s.last); op++ {
			table[op] = s.effect
		}
	}
	return table
}

var effects = spread([]span{
	{0x1a, 0x1a, -1},                                          // drop
	{0x1b, 0x1c, -2},                                          // select
	{opLocalGet, opLocalGet, 1}, {opLocalSet, opLocalSet, -1}, // tee leaves its value
	{opGlobalGet, opGlobalGet, 1}, {opGlobalSet, opGlobalSet, -1},
	{0x26, 0x26, -2}, // table.set
	{0x36, 0x3e, -2}, // stores
	{opMemorySize, opMemorySize, 1},
	{opI32Const, 0x44, 1},
	{0x46, 0x4f, -1}, {0x51, 0x66, -1}, // comparisons
	{0x6a, 0x78, -1}, {0x7c, 0x8a, -1}, {0x92, 0x98, -1}, {0xa0, 0xa6, -1}, // operations with two operands
	{0xd0, 0xd0, 1}, {opRefFunc, opRefFunc, 1},
})

var vectorEffects = spread([]span{
	{11, 11, -2}, {12, 12, 1}, {13, 14, -1}, // store, constant, shuffle and swizzle
	{23, 23, -1}, {26, 26, -1}, {28, 28, -1}, {30, 30, -1}, {32, 32, -1}, {34, 34, -1}, // replace_lane
	{35, 76, -1}, {78, 81, -1}, {82, 82, -2}, // comparisons, bitwise, bitselect
	{84, 87, -1}, {88, 91, -2}, // loads and stores of lanes
	{101, 102, -1}, {107, 115, -1}, {118, 121, -1}, {123, 123, -1}, // 8 bits
	{130, 130, -1}, {133, 134, -1}, {139, 147, -1}, {149, 159, -1}, // 16 bits
	{171, 191, -1}, {203, 223, -1}, // 32 and 64 bits
	{228, 235, -1}, {240, 247, -1}, // floating point
})
