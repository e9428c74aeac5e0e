package meter

// Version is that of what Rewrite makes of a module: what was made by another one is made anew.
const Version = 2

// The units of the budget. Changing one changes the invariant that doc.go states; the tests hold it.
const (
	// Budget is how many units a module may use from one tick to the next. 2¹⁸ units are 50 to 150 microseconds of
	// usual code and stay below 100 milliseconds where each instruction misses the caches.
	Budget = 1 << 18

	maxCharge     = 256  // the most that is charged at once for a path
	freeWeight    = 128  // the most expensive path of a function that is not charged
	callWeight    = 8    // a call, besides what the callee is charged
	indirectExtra = 128  // an indirect or imported call may reach a free function
	firstCredit   = 256  // credit of a function's loops that is paid with its entry
	credit        = 2048 // credit that a loop takes when its own is used up
	growCharge    = 1 << 14
	chunk         = 1 << 16 // bytes of memory.fill and memory.copy at a time
	bulkShift     = 5       // 2⁵ bytes or elements of a bulk operation are one unit

	maxHeight = 64   // frames of a chain of calls that may each have paid for what they do after it
	maxTail   = 8    // units that any other frame may have paid for
	smallBulk = 1024 // a constant length that is charged with the path

	// A loop whose body has at most this many bytes is repeated this often, and twice as often if it has at most half as many.
	unrollBytes = 64
	unrollTimes = 4
	// Loops of a function that has more of them, and loops that are nested deeper, take the form with the fewest blocks.
	manyLoops   = 256
	deepLoops   = 16
	maxUnrolled = 32 // in a function, because compiling takes time with the square of its blocks
)

// Interval bounds the units between two ticks: the budget, the most that is taken from it at once before it is looked
// at, what the leaves use that are called while a loop lives on its credit, and what frames on the stack have paid for
// earlier. To it come maxTail units for each frame of a deep recursion that returns, of which the engine's stack bounds
// the number, and one bulk operation on a table or a segment, whose length Options bound.
const Interval = Budget + growCharge + (credit+maxCharge)/callWeight*(maxCharge+firstCredit) +
	maxHeight*(credit+maxCharge)

// Fixed bounds; the first three are those of the WebAssembly JavaScript interface.
const (
	maxArity  = 1000
	maxLocals = 50_000
	maxDepth  = 10_000
	maxTables = 100
	// What follows bounds the time that an engine needs to compile a function, which grows with the square of the
	// blocks, and with blocks times locals. Compilers stay far below.
	maxLoopDepth = 64
	maxBlocks    = 1 << 15
	maxMerges    = 1 << 23
	// maxTotalLocals holds for all functions of a module together: six bytes declare maxLocals of them.
	maxTotalLocals = 1 << 22
)

// Defaults of Options.
const (
	DefaultMaxFile     = 64 << 20
	DefaultMaxFunction = 1 << 20
	DefaultMaxTable    = 1 << 20
	DefaultModule      = "nyash_meter"
	DefaultName        = "tick"
)

// Options are the bounds of a module and the name of the tick. Zero values stand for the defaults.
type Options struct {
	// MaxFile bounds the module, in bytes.
	MaxFile int
	// MaxFunction bounds each function's body in bytes, and how many values its branches and calls move.
	MaxFunction int
	// MaxTable bounds the elements of all tables of the module together. A table that declares a larger maximum, or
	// none, is given a smaller one: table.grow then answers -1, as it may at any time.
	MaxTable int
	// Module and Name are the import that the rewritten module calls: a function without parameters and results.
	Module, Name string
	// Interface takes what the module imports and exports, where it is not nil: what comes before the fault also of
	// a module that is refused.
	Interface *Interface
}

func (o *Options) defaults() {
	if o.MaxFile <= 0 {
		o.MaxFile = DefaultMaxFile
	}
	if o.MaxFunction <= 0 {
		o.MaxFunction = DefaultMaxFunction
	}
	if o.MaxTable <= 0 {
		o.MaxTable = DefaultMaxTable
	}
	if o.Module == "" {
		o.Module = DefaultModule
	}
	if o.Name == "" {
		o.Name = DefaultName
	}
}

// Rewrite returns the module with charges and the tick in it. The given bytes are not changed and not kept. An error
// is an *Error of kind ErrMalformed, ErrUnsupported or ErrTooLarge.
//
// Rewrite does not check types: the engine does that with the result, and what Rewrite makes of a module that is not
// valid is not valid either. Custom sections are dropped, because the addresses of debugging information would be
// wrong and the engine reads no other, except for the names of the
// module and its functions, which stack traces show.
//
// It is safe for concurrent use.
func Rewrite(wasm []byte, o Options) ([]byte, error) {
	o.defaults()
	if len(wasm) > o.MaxFile {
		return nil, &Error{Kind: ErrTooLarge, Offset: o.MaxFile, Function: -1, Reason: "file is larger than its bound"}
	}
	m := &module{options: o, reader: reader{data: wasm, end: len(wasm), function: -1}}
	m.read()
	m.survey()
	m.callGraph()
	m.weigh()
	m.estimate()
	if m.err != nil {
		return nil, m.err
	}
	return m.write(), nil
}
