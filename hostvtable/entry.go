package hostvtable

import (
	"fmt"
	"log/slog"
	"sync"

	"github.com/nyash-plugins/nyash-go/abi"
)

// An entry point's number is slot*kinds + kind.
const (
	kindLog = iota
	kindWake
	kindAlloc
	kindFree
	kindResolve
	kindInvoke
	kinds
)

// frame is one call of an entry point. It lies on the C stack where the entry points are
// assembly, which fills in number and args and leaves the rest as it was: so no field of it
// may be a Go pointer, which a write barrier would read before it is set.
type frame struct {
	number uintptr
	result uintptr    // what the C function returns
	args   [7]uintptr // of the C function; noise behind those that it has
	call   words      // room for what Calls is given
}

// start finds the C library's allocator and readies the entry points, once for the process.
var start = sync.OnceValue(func() error {
	var err error
	if libc.malloc, err = findLibc("malloc"); err != nil {
		return fmt.Errorf("find malloc for the host table: %w", err)
	}
	if libc.free, err = findLibc("free"); err != nil {
		return fmt.Errorf("find free for the host table: %w", err)
	}
	startEntryPoints()
	return nil
})

// enter is where every entry point ends up.
func enter(f *frame) {
	kind := f.number % kinds
	// The frames above are the plugin's: a panic must not unwind into them.
	defer func() {
		if r := recover(); r != nil {
			f.panicked(kind, r)
		}
	}()
	t := tables.bySlot[f.number/kinds].Load()
	switch kind {
	case kindLog:
		t.log(abi.LogLevel(int32(uint32(f.args[0]))), f.args[1])
	case kindWake:
		t.wake(uint64(f.args[0]))
	case kindAlloc:
		f.result = t.tracker.alloc(f.args[0])
	case kindFree:
		t.tracker.free(t, f.args[0])
	case kindResolve:
		f.answer(t.resolve(f))
	case kindInvoke:
		f.answer(t.invoke(f))
	}
}

// answer has the C function return a code.
func (f *frame) answer(code abi.Code) { f.result = uintptr(uint32(code)) }

// panicked has the C function return in spite of a panic.
func (f *frame) panicked(kind uintptr, reason any) {
	slog.Default().Error("panic in a function that a plugin called", "panic", reason)
	f.result = 0
	switch kind {
	case kindResolve:
		f.answer(abi.ErrPlugin)
	case kindInvoke:
		f.answer(f.refuse(abi.ErrPlugin, "the host failed in this call; its log says how"))
	}
}
