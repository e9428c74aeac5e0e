package meter

// Interface is what a module imports and exports, as its file says it. Names are the module's: any bytes.
type Interface struct {
	Imports []Import
	Exports []Export
	// Memory is that of the module's own, or nil.
	Memory *Memory
}

// Import is one of a module's imports. Type is that of a function.
type Import struct {
	Module, Name string
	Kind         Kind
	Type         Type
}

// Export is one of a module's exports. Type is that of a function.
type Export struct {
	Name string
	Kind Kind
	Type Type
}

// Type is the type of a function: value types, as the binary format numbers them.
type Type struct{ Params, Results []byte }

// Memory is the size of a memory in pages of 64 KiB.
type Memory struct {
	Low     uint32
	High    uint32 // where Bounded
	Bounded bool
}

// Kind is what is imported or exported, as the binary format numbers it.
type Kind byte

// The kinds.
const (
	FunctionKind Kind = iota
	TableKind
	MemoryKind
	GlobalKind
)

func (k Kind) String() string {
	switch k {
	case FunctionKind:
		return "function"
	case TableKind:
		return "table"
	case MemoryKind:
		return "memory"
	}
	return "global"
}

// maxNames bounds the imports and the exports of a module whose Interface is wanted.
const maxNames = 1 << 16

// addType notes the type whose parameters and results, bytes of the file each, end at these places.
func (m *module) addType(params, between, results int) {
	if m.err == nil {
		m.kinds = append(m.kinds, Type{Params: m.data[params:between:between], Results: m.data[m.pos-results : m.pos : m.pos]})
	}
}

func (m *module) typeOf(function uint32) Type { return m.kinds[m.functions[function]] }

func (m *module) addImport(at int, from, name []byte, kind Kind) {
	of := m.options.Interface
	if of == nil || m.err != nil {
		return
	}
	if len(of.Imports) == maxNames {
		m.fail(ErrTooLarge, at, "more than %d imports", maxNames)
		return
	}
	i := Import{Module: string(from), Name: string(name), Kind: kind}
	if kind == FunctionKind {
		i.Type = m.typeOf(uint32(len(m.functions) - 1))
	}
	of.Imports = append(of.Imports, i)
}

func (m *module) addExport(at int, name []byte, kind Kind, index uint32) {
	of := m.options.Interface
	if of == nil || m.err != nil {
		return
	}
	if len(of.Exports) == maxNames {
		m.fail(ErrTooLarge, at, "more than %d exports", maxNames)
		return
	}
	e := Export{Name: string(name), Kind: kind}
	if kind == FunctionKind {
		e.Type = m.typeOf(index)
	}
	of.Exports = append(of.Exports, e)
}

func (m *module) addMemory(low, high uint32, bounded bool) {
	if of := m.options.Interface; of != nil && m.err == nil {
		of.Memory = &Memory{Low: low, High: high, Bounded: bounded}
	}
}
