package hostvtable

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/internal/contract"
)

// MaxTables is the number of different library files (counting a tracked and
// an untracked use of a file as two) that get a table of their own in the life
// of a process.
const MaxTables = slots - 2

// A Sink receives what a library says through its table. Its methods are
// called on the plugin's own threads, possibly on several at once and while a
// call into the plugin is under way; they must not wait for the plugin.
type Sink interface {
	// PluginLog gets valid UTF-8, already copied. own is false when the
	// message came through the shared table and may be another library's.
	PluginLog(level abi.LogLevel, text string, own bool)
	// PluginWake gets the number that the plugin passed to wake.
	PluginWake(handle uint64, own bool)
}

// Table is the host table of one library file. Tables are made by [For].
type Table struct {
	slot    int
	file    string
	tracker *tracker // nil unless the table tracks memory

	mu    sync.Mutex
	sinks atomic.Pointer[[]Sink] // the libraries in use, or the last one that was
	live  int                    // how many of sinks are attached
	calls atomic.Pointer[Calls]  // who answers what the library asks; nil when it is closed
	// unanswered counts what the library asked while nobody answered.
	unanswered atomic.Uint64
}

// One vtable for each slot, in memory that is neither moved nor freed.
var vtables [slots]abi.HostVtable

var tables struct {
	sync.Mutex
	byKey  map[tableKey]*Table
	bySlot [slots]atomic.Pointer[Table]
	shared map[bool]*Table // by tracking; when the slots have run out
	used   int

	connected int // tables that have entry points for resolve and invoke
}

type tableKey struct {
	file  string
	track bool
}

// For returns the table of a library file, which must be given by one and the
// same path every time. With track its alloc and free count blocks; a file has
// a separate table for each mode, so that a block is always freed the way it
// was allocated.
func For(file string, track bool) (*Table, error) {
	if err := start(); err != nil {
		return nil, err
	}
	tables.Lock()
	defer tables.Unlock()
	key := tableKey{file, track}
	if t := tables.byKey[key]; t != nil {
		return t, nil
	}
	if t := tables.shared[track]; t != nil {
		return t, nil
	}
	// The last two slots are the shared tables, one for each mode.
	if tables.used == slots-2 {
		return sharedTable(track), nil
	}
	t := newTable(tables.used, file, track)
	tables.used++
	if tables.byKey == nil {
		tables.byKey = make(map[tableKey]*Table)
	}
	tables.byKey[key] = t
	return t, nil
}

func sharedTable(track bool) *Table {
	slot := slots - 2
	if track {
		slot++
	}
	t := newTable(slot, "", track)
	if tables.shared == nil {
		tables.shared = make(map[bool]*Table)
	}
	tables.shared[track] = t
	return t
}

func newTable(slot int, file string, track bool) *Table {
	t := &Table{slot: slot, file: file}
	v := abi.HostVtable{
		Alloc: libc.malloc,
		Free:  libc.free,
		Wake:  entryPoint(slot, kindWake),
		Log:   entryPoint(slot, kindLog),
	}
	if track {
		t.tracker = &tracker{}
		v.Alloc = entryPoint(slot, kindAlloc)
		v.Free = entryPoint(slot, kindFree)
	}
	vtables[slot] = v
	tables.bySlot[slot].Store(t)
	return t
}

// Addr is the address of the NyashHostVtable to hand to nyash_plugin_init.
func (t *Table) Addr() uintptr { return uintptr(unsafe.Pointer(&vtables[t.slot])) }

// File is the library file that the table was made for; empty for a table that
// several files share.
func (t *Table) File() string { return t.file }

// Attach lets s receive what the library says until the returned function is
// called, once. The sink that was detached last goes on receiving what comes
// late, until another is attached. Where several are attached (two hosts use
// one library), each receives everything: the C functions do not tell for
// whom the plugin speaks.
func (t *Table) Attach(s Sink) (detach func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var next []Sink
	if t.live > 0 {
		next = append(next, *t.sinks.Load()...)
	}
	next = append(next, s)
	t.live++
	t.sinks.Store(&next)
	return func() { t.detach(s) }
}

func (t *Table) detach(s Sink) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.live--
	if t.live == 0 {
		return
	}
	var next []Sink
	for _, other := range *t.sinks.Load() {
		if other != s {
			next = append(next, other)
		}
	}
	t.sinks.Store(&next)
}

func (t *Table) log(level abi.LogLevel, msg uintptr) {
	t.say(level, message(msg))
}

// say hands a line to the sinks. A table has none until its library is about
// to be called for the first time.
func (t *Table) say(level abi.LogLevel, text string) {
	sinks := t.sinks.Load()
	if sinks == nil {
		slog.Default().Warn(contract.Printable(text), "library", t.file)
		return
	}
	for _, s := range *sinks {
		s.PluginLog(level, text, t.file != "")
	}
}

func (t *Table) wake(handle uint64) {
	sinks := t.sinks.Load()
	if sinks == nil {
		return
	}
	for _, s := range *sinks {
		s.PluginWake(handle, t.file != "")
	}
}
