package hostvtable

import (
	"fmt"
	"log/slog"
	"sync"

	"github.com/ebitengine/purego"

	"github.com/nyash-plugins/nyash-go/abi"
)

// An entry point's number is slot*kinds + kind.
const (
	kindLog = iota
	kindWake
	kindAlloc
	kindFree
	kinds
)

var libc struct{ malloc, free uintptr }

// start finds the C library's allocator and makes the one callback, once for
// the process.
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

// enter is where every entry point ends up. a and b are the C arguments; b is
// noise where the C function has only one.
func enter(a, b, number uintptr) (result uintptr) {
	// The frames above are the plugin's: a panic must not unwind into them.
	defer func() {
		if r := recover(); r != nil {
			slog.Default().Error("panic in a function that a plugin called", "panic", r)
		}
	}()
	t := tables.bySlot[number/kinds].Load()
	switch number % kinds {
	case kindLog:
		t.log(abi.LogLevel(int32(uint32(a))), b)
	case kindWake:
		t.wake(uint64(a))
	case kindAlloc:
		return t.tracker.alloc(a)
	case kindFree:
		t.tracker.free(t, a)
	}
	return 0
}

func malloc(size uintptr) uintptr {
	p, _, _ := purego.SyscallN(libc.malloc, size)
	return p
}

func free(p uintptr) { purego.SyscallN(libc.free, p) }
