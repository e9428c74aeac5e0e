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

// heap replaces the C library's allocator, where it is set.
var heap struct {
	alloc func(size uintptr) uintptr
	free  func(p uintptr)
	spare bool // blobs that are released are not overwritten
}

// UseHeap has tables that track memory take their blocks from elsewhere than the
// C library: from memory that another process sees, say. It comes before the
// first table is made and holds for the process. alloc returns addresses that are
// multiples of 16, or 0; both are called on the plugin's threads, several at once.
// overwrite says whether blobs are overwritten when they are released.
func UseHeap(alloc func(size uintptr) uintptr, free func(p uintptr), overwrite bool) {
	heap.alloc, heap.free, heap.spare = alloc, free, !overwrite
}

func malloc(size uintptr) uintptr {
	if heap.alloc != nil {
		return heap.alloc(size)
	}
	p, _, _ := purego.SyscallN(libc.malloc, size)
	return p
}

func free(p uintptr) {
	if heap.free != nil {
		heap.free(p)
		return
	}
	purego.SyscallN(libc.free, p)
}
