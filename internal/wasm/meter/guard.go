package meter

// guardedModule is where the functions come from that are guarded.
const guardedModule = "wasi_snapshot_preview1"

// Errors of WASI that a guard answers.
const (
	errBadFile     = 8
	errInvalid     = 28
	errNameTooLong = 37
)

// Bounds of what a module gives to WASI. They are those of Linux, but for the number of a file: the engine has a table
// as long as that.
const (
	maxPath    = 4096 // bytes
	maxBuffers = 1024
	maxWaits   = 1024
	maxFile    = 1 << 14
)

// guard is a function whose numbers are looked at before it is called. The engine's own would copy what they say or
// work on it, whatever they are, and cannot be interrupted.
type guard struct {
	params string // i and l, for i32 and i64; the result is an i32
	checks []check
}

// check has a call answer err where a parameter, unsigned, is larger than most.
type check struct {
	param     uint32
	most, err int
}

func pathAt(params ...uint32) (all []check) {
	for _, p := range params {
		all = append(all, check{p, maxPath, errNameTooLong})
	}
	return all
}

var (
	buffers = []check{{2, maxBuffers, errInvalid}}

	guards = map[string]guard{
		"fd_pread":                {"iiili", buffers},
		"fd_pwrite":               {"iiili", buffers},
		"fd_read":                 {"iiii", buffers},
		"fd_renumber":             {"ii", []check{{1, maxFile, errBadFile}}},
		"fd_write":                {"iiii", buffers},
		"path_create_directory":   {"iii", pathAt(2)},
		"path_filestat_get":       {"iiiii", pathAt(3)},
		"path_filestat_set_times": {"iiiilli", pathAt(3)},
		"path_link":               {"iiiiiii", pathAt(3, 6)},
		"path_open":               {"iiiiillii", pathAt(3)},
		"path_readlink":           {"iiiiii", pathAt(2)},
		"path_remove_directory":   {"iii", pathAt(2)},
		"path_rename":             {"iiiiii", pathAt(2, 5)},
		"path_symlink":            {"iiiii", pathAt(1, 4)},
		"path_unlink_file":        {"iii", pathAt(2)},
		"poll_oneoff":             {"iiii", []check{{2, maxWaits, errInvalid}}},
	}
)

// fits reports whether a function's type is the guard's. One of another type is none of WASI's, and a host refuses it.
func (g *guard) fits(t Type) bool {
	letters := make([]byte, len(t.Params))
	for i, p := range t.Params {
		switch p {
		case 0x7f:
			letters[i] = 'i'
		case 0x7e:
			letters[i] = 'l'
		}
	}
	return string(letters) == g.params && string(t.Results) == "\x7f"
}

// guarded is an imported function that the module calls through a guard.
type guarded struct {
	guard
	function, typ uint32
}

// addGuard guards the last imported function if that is to be.
func (m *module) addGuard(from, name []byte) {
	if m.err != nil || string(from) != guardedModule {
		return
	}
	g, ok := guards[string(name)]
	function := uint32(len(m.functions) - 1)
	typ := m.functions[function]
	if !ok || !g.fits(m.kinds[typ]) {
		return
	}
	if m.guardOf == nil {
		m.guardOf = make(map[uint32]uint32)
	}
	m.guardOf[function] = uint32(len(m.guards))
	m.guards = append(m.guards, guarded{guard: g, function: function, typ: typ})
}

// writeGuard writes the function that the module calls.
func (e *emitter) writeGuard(g *guarded) {
	e.out = append(e.out, 0)
	for _, c := range g.checks {
		e.op(opLocalGet, c.param)
		e.constant(c.most)
		e.out = append(e.out, opI32GtU, opIf, void)
		e.constant(c.err)
		e.out = append(e.out, opReturn, opEnd)
	}
	for i := range g.params {
		e.op(opLocalGet, uint32(i))
	}
	e.op(opCall, g.function)
	e.out = append(e.out, opEnd)
}
