package meter

import (
	"bytes"
	"unicode/utf8"
)

// Sections, by id.
const (
	secCustom = iota
	secType
	secImport
	secFunction
	secTable
	secMemory
	secGlobal
	secExport
	secStart
	secElement
	secCode
	secData
	secDataCount
	sections
)

// signature is a function type as far as it matters here: how many values it takes and gives.
type signature struct{ params, results uint16 }

// module is what Rewrite knows of a module. The sections other than those of functions and code are rewritten while
// they are read: what precedes them in a file is all that they refer to.
type module struct {
	reader
	options Options

	types     []signature
	kinds     []Type   // as types
	functions []uint32 // type of each function, imports first
	imported  int      // functions that are imported
	globals   int      // imports included
	mutable   int      // globals that can change
	tables    int      // imports included
	memories  int      // imports included

	out   [sections][]byte // contents of the sections, without the count of elements where there is one
	count [sections]int    // elements
	has   [sections]bool
	names []byte // the name section's contents

	bodies     []function
	referenced []uint32    // functions that a table can hold
	order      []uint32    // functions, callees before callers
	components []component // of each function, and of calls through tables
	length     uint32      // 1 + what the instruction before is an i32.const of, if that is small

	// The guards of imports, and the number of an import's.
	guards  []guarded
	guardOf map[uint32]uint32

	// Helpers that function bodies need.
	needPay, needCopy, needFill bool
}

// rank is the position of a section in a file.
func rank(id byte) int {
	switch id {
	case secDataCount:
		return secElement*2 + 1
	default:
		return int(id) * 2
	}
}

func (m *module) read() {
	if !bytes.HasPrefix(m.data, []byte("\x00asm")) {
		m.fail(ErrMalformed, 0, "not a WebAssembly file: it does not start with \\0asm")
		return
	}
	if len(m.data) < 8 || !bytes.Equal(m.data[4:8], []byte{1, 0, 0, 0}) {
		if len(m.data) >= 8 && m.data[6] == 1 {
			m.fail(ErrUnsupported, 4, "a component, not a core module")
			return
		}
		m.fail(ErrMalformed, 4, "not version 1 of the binary format")
		return
	}
	m.pos = 8
	last := 0
	for m.err == nil && m.pos < len(m.data) {
		start := m.pos
		id := m.byte()
		size := m.u32()
		if m.err == nil && uint64(size) > uint64(len(m.data)-m.pos) {
			m.fail(ErrMalformed, start, "section %d of %d bytes in a file with %d left", id, size, len(m.data)-m.pos)
		}
		if m.err != nil {
			return
		}
		if id >= sections {
			kind := ErrMalformed
			if id == 13 { // tags
				kind = ErrUnsupported
			}
			m.fail(kind, start, "section %d", id)
			return
		}
		if id != secCustom {
			if rank(id) <= last {
				m.fail(ErrMalformed, start, "section %d is out of order or there twice", id)
				return
			}
			last = rank(id)
			m.has[id] = true
		}
		m.end = m.pos + int(size)
		m.section(id)
		if m.err == nil && m.pos != m.end {
			m.fail(ErrMalformed, m.pos, "section %d has %d bytes too many", id, m.end-m.pos)
		}
		m.end = len(m.data)
	}
	if m.err == nil && len(m.bodies) != len(m.functions)-m.imported {
		m.fail(ErrMalformed, m.pos, "%d functions are declared and %d defined", len(m.functions)-m.imported, len(m.bodies))
	}
}

func (m *module) section(id byte) {
	switch id {
	case secCustom:
		m.readCustom()
	case secType:
		m.each(id, "types", 3, m.readType)
	case secImport:
		m.each(id, "imports", 4, m.readImport)
	case secFunction:
		m.each(id, "functions", 1, func() { m.functions = append(m.functions, m.index("type", len(m.types))) })
	case secTable:
		m.readTables()
	case secMemory:
		m.each(id, "memories", 2, m.readMemory)
	case secGlobal:
		m.each(id, "globals", 4, m.readGlobal)
	case secExport:
		m.each(id, "exports", 3, m.readExport)
	case secStart:
		m.out[secStart] = appendU32(nil, m.shifted(m.index("function", len(m.functions))))
	case secElement:
		m.each(id, "element segments", 2, m.readElements)
	case secDataCount:
		m.copy(id, func() { m.u32() })
	case secCode:
		m.each(id, "function bodies", 2, m.readBody)
	case secData:
		m.each(id, "data segments", 2, m.readData)
	}
}

// each reads a section that is a vector.
func (m *module) each(id byte, what string, size int, read func()) {
	m.count[id] = m.reader.count(what, size)
	for range m.count[id] {
		if m.err != nil {
			return
		}
		read()
	}
}

// copy appends what read passes over to a section.
func (m *module) copy(id byte, read func()) {
	start := m.pos
	read()
	if m.err == nil {
		m.out[id] = append(m.out[id], m.data[start:m.pos]...)
	}
}

// shifted is the index in the rewritten module of what stands for a function: the tick is the last import there, and
// the guards are the first functions.
func (m *module) shifted(f uint32) uint32 {
	if g, ok := m.guardOf[f]; ok {
		return m.tick() + 1 + g
	}
	return m.moved(f)
}

// moved is the index of a function itself.
func (m *module) moved(f uint32) uint32 {
	if f >= uint32(m.imported) {
		return f + 1 + uint32(len(m.guards))
	}
	return f
}

func (r *reader) valueType() {
	at := r.pos
	switch t := r.byte(); t {
	case 0x7f, 0x7e, 0x7d, 0x7c, 0x7b, 0x70, 0x6f:
	case 0x63, 0x64, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x71, 0x72, 0x73, 0x74:
		r.fail(ErrUnsupported, at, "value type %#x", t)
	default:
		r.fail(ErrMalformed, at, "value type %#x", t)
	}
}

func (r *reader) refType() {
	at := r.pos
	switch t := r.byte(); t {
	case 0x70, 0x6f:
	case 0x63, 0x64, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x71, 0x72, 0x73, 0x74, 0x40:
		r.fail(ErrUnsupported, at, "reference type %#x", t)
	default:
		r.fail(ErrMalformed, at, "reference type %#x", t)
	}
}

func (r *reader) limits() (low, high uint32, bounded bool) {
	at := r.pos
	switch f := r.byte(); {
	case f == 0:
		return r.u32(), 0, false
	case f == 1:
		return r.u32(), r.u32(), true
	case f <= 7:
		r.fail(ErrUnsupported, at, "limits %#x: shared, or of 64 bits", f)
	default:
		r.fail(ErrMalformed, at, "limits %#x", f)
	}
	return 0, 0, false
}

func (m *module) readType() {
	m.copy(secType, func() {
		at := m.pos
		switch form := m.byte(); form {
		case 0x60:
		case 0x4e, 0x4f, 0x50, 0x5e, 0x5f:
			m.fail(ErrUnsupported, at, "type form %#x", form)
		default:
			m.fail(ErrMalformed, at, "type form %#x", form)
		}
		params := m.readTypes("parameters")
		between := m.pos
		results := m.readTypes("results")
		m.types = append(m.types, signature{params: params, results: results})
		m.addType(between-int(params), between, int(results))
	})
}

func (m *module) readTypes(what string) uint16 {
	at := m.pos
	n := m.reader.count(what, 1)
	if n > maxArity {
		m.fail(ErrTooLarge, at, "%d %s, at most %d", n, what, maxArity)
	}
	for range n {
		if m.err != nil {
			return 0
		}
		m.valueType()
	}
	return uint16(n)
}

func (m *module) readImport() {
	m.copy(secImport, func() {
		at := m.pos
		from := m.bytes(m.u32())
		if string(from) == m.options.Module {
			m.fail(ErrMalformed, at, "import from the reserved module %s", m.options.Module)
		}
		name := m.bytes(m.u32())
		at = m.pos
		kind := m.byte()
		switch {
		case m.err != nil:
		case kind == 0:
			m.functions = append(m.functions, m.index("type", len(m.types)))
			m.imported++
			m.addGuard(from, name)
		case kind == 1:
			m.refType()
			m.limits()
			m.tables++
		case kind == 2:
			m.limits()
			m.memories++
		case kind == 3:
			m.valueType()
			m.readMutable()
		case kind == 4:
			m.fail(ErrUnsupported, at, "import of a tag (exceptions)")
		default:
			m.fail(ErrMalformed, at, "import kind %#x", kind)
		}
		m.addImport(at, from, name, Kind(kind))
	})
}

func (m *module) readMutable() {
	at := m.pos
	switch v := m.byte(); v {
	case 1:
		m.mutable++
	case 0:
	default:
		m.fail(ErrMalformed, at, "mutability %#x", v)
	}
	m.globals++
}

// readTables reads all tables and gives each a maximum, so that together they stay within MaxTable.
func (m *module) readTables() {
	type table struct {
		kind      byte
		low, high uint32
	}
	at := m.pos
	n := m.reader.count("tables", 3)
	if n > maxTables {
		m.fail(ErrTooLarge, at, "%d tables, at most %d", n, maxTables)
	}
	var tables []table
	total := uint64(0)
	for range n {
		at = m.pos
		m.refType()
		if m.err != nil {
			return
		}
		kind := m.data[m.pos-1]
		low, high, bounded := m.limits()
		if bounded && high < low {
			m.fail(ErrMalformed, at, "table of at least %d and at most %d elements", low, high)
		}
		if !bounded {
			high = 1<<32 - 1
		}
		if total += uint64(low); total > uint64(m.options.MaxTable) {
			m.fail(ErrTooLarge, at, "tables of %d elements together, at most %d", total, m.options.MaxTable)
		}
		tables = append(tables, table{kind, low, high})
	}
	if m.err != nil || n == 0 {
		return
	}
	m.tables += n
	m.count[secTable] = n
	spare := (uint64(m.options.MaxTable) - total) / uint64(n)
	for _, t := range tables {
		high := min(uint64(t.high), uint64(t.low)+spare)
		out := append(m.out[secTable], t.kind, 1)
		out = appendU32(out, t.low)
		m.out[secTable] = appendU32(out, uint32(high))
	}
}

func (m *module) readMemory() {
	at := m.pos
	m.copy(secMemory, func() { m.addMemory(m.limits()) })
	if m.memories++; m.memories > 1 {
		m.fail(ErrUnsupported, at, "more than one memory")
	}
}

func (m *module) readGlobal() {
	m.copy(secGlobal, func() { m.valueType(); m.readMutable() })
	m.constant(secGlobal)
}

// constant reads a constant expression and appends it to a section.
func (m *module) constant(id byte) {
	for m.err == nil {
		at := m.pos
		op := m.byte()
		if op == 0xd2 {
			m.out[id] = append(m.out[id], op)
			m.out[id] = appendU32(m.out[id], m.shifted(m.reference()))
			continue
		}
		switch op {
		case 0x41:
			m.signed(32)
		case 0x42:
			m.signed(64)
		case 0x43:
			m.skip(4)
		case 0x44:
			m.skip(8)
		case 0x23:
			m.index("global", m.globals)
		case 0xd0:
			m.refType()
		case 0xfd:
			if m.byte() != 0x0c {
				m.fail(ErrMalformed, at, "instruction %#x in a constant expression", op)
			}
			m.skip(16)
		case 0x0b:
		case 0x6a, 0x6b, 0x6c, 0x7c, 0x7d, 0x7e:
			m.fail(ErrUnsupported, at, "instruction %#x in a constant expression", op)
		default:
			m.fail(ErrMalformed, at, "instruction %#x in a constant expression", op)
		}
		if m.err != nil {
			return
		}
		m.out[id] = append(m.out[id], m.data[at:m.pos]...)
		if op == 0x0b {
			return
		}
	}
}

func (m *module) readExport() {
	var name []byte
	m.copy(secExport, func() { name = m.bytes(m.u32()) })
	at := m.pos
	kind := m.byte()
	var index uint32
	switch kind {
	case 0:
		index = m.index("function", len(m.functions))
		m.addExport(at, name, FunctionKind, index)
		index = m.shifted(index)
	case 1:
		index = m.index("table", m.tables)
	case 2:
		index = m.index("memory", m.memories)
	case 3:
		index = m.index("global", m.globals)
	case 4:
		m.fail(ErrUnsupported, at, "export of a tag (exceptions)")
	default:
		m.fail(ErrMalformed, at, "export kind %#x", kind)
	}
	if kind != 0 {
		m.addExport(at, name, Kind(kind), index)
	}
	m.out[secExport] = appendU32(append(m.out[secExport], kind), index)
}

// readElements reads one element segment. Its first number has three bits: not active; with a table index, or
// declared; made of expressions.
func (m *module) readElements() {
	at := m.pos
	flags := m.u32()
	if flags > 7 {
		m.fail(ErrMalformed, at, "element segment kind %d", flags)
	}
	m.out[secElement] = appendU32(m.out[secElement], flags)
	if flags&1 == 0 {
		if flags&2 != 0 {
			m.copy(secElement, func() { m.index("table", m.tables) })
		}
		m.constant(secElement)
	}
	if flags&3 != 0 {
		m.copy(secElement, func() {
			if flags&4 != 0 {
				m.refType()
			} else if at := m.pos; m.byte() != 0 {
				m.fail(ErrMalformed, at, "element kind other than function")
			}
		})
	}
	n := m.reader.count("elements", 1)
	m.out[secElement] = appendU32(m.out[secElement], uint32(n))
	for range n {
		if m.err != nil {
			return
		}
		if flags&4 != 0 {
			m.constant(secElement)
			continue
		}
		m.out[secElement] = appendU32(m.out[secElement], m.shifted(m.reference()))
	}
}

// reference reads the index of a function that a table can hold.
func (m *module) reference() uint32 {
	f := m.index("function", len(m.functions))
	m.refer(f)
	return f
}

func (m *module) refer(f uint32) {
	if m.err == nil && f >= uint32(m.imported) {
		m.referenced = append(m.referenced, f-uint32(m.imported))
	}
}

func (m *module) readData() {
	at := m.pos
	var flags uint32
	m.copy(secData, func() { flags = m.u32() })
	switch flags {
	case 0, 1:
	case 2:
		m.copy(secData, func() { m.index("memory", 1) })
	default:
		m.fail(ErrMalformed, at, "data segment kind %d", flags)
	}
	if flags != 1 {
		m.constant(secData)
	}
	m.copy(secData, func() { m.skip(m.u32()) })
}

func (m *module) readBody() {
	at := m.pos
	size := m.u32()
	if size > uint32(min(m.options.MaxFunction, 1<<30)) {
		m.fail(ErrTooLarge, at, "function body of %d bytes, at most %d", size, m.options.MaxFunction)
	}
	start := m.pos
	m.skip(size)
	m.bodies = append(m.bodies, function{start: start, end: m.pos})
}

// readCustom keeps the names of the module and its functions, if they can be read, and drops the rest.
func (m *module) readCustom() {
	at := m.pos
	name := m.bytes(m.u32())
	if !utf8.Valid(name) {
		m.fail(ErrMalformed, at, "name of a custom section is not UTF-8")
	}
	rest := m.pos
	m.skip(uint32(m.end - m.pos))
	if m.err != nil || string(name) != "name" {
		return
	}
	r := reader{data: m.data, pos: rest, end: m.end, function: -1}
	var out []byte
	for r.err == nil && r.pos < r.end {
		id := r.byte()
		size := r.u32()
		if r.err != nil || uint64(size) > uint64(r.end-r.pos) {
			return
		}
		sub := reader{data: m.data, pos: r.pos, end: r.pos + int(size), function: -1}
		r.pos = sub.end
		if id == 0 { // the module's
			from := sub.pos
			if name := sub.bytes(sub.u32()); sub.err != nil || sub.pos != sub.end || !utf8.Valid(name) {
				return
			}
			out = append(appendU32(append(out, 0), size), m.data[from:sub.end]...)
		}
		if id != 1 {
			continue
		}
		n := sub.count("names", 2)
		names := appendU32(nil, uint32(n))
		for range n {
			names = appendU32(names, m.moved(sub.index("function", len(m.functions))))
			from := sub.pos
			if name := sub.bytes(sub.u32()); sub.err != nil || !utf8.Valid(name) {
				return
			}
			names = append(names, m.data[from:sub.pos]...)
		}
		if sub.pos != sub.end {
			return
		}
		out = appendU32(append(out, 1), uint32(len(names)))
		out = append(out, names...)
	}
	if r.err == nil {
		m.names = out
	}
}
