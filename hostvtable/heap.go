package hostvtable

import (
	"sync/atomic"

	"github.com/ebitengine/purego"
)

// libc are the C library's allocator.
var libc struct{ malloc, free uintptr }

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

// refuse tells whether a call of alloc fails; nil where none does.
var refuse atomic.Pointer[func() bool]

// RefuseAlloc has f asked at each call of alloc from now on, in tables that track memory: where it
// returns true, the call fails as it does where memory is out. It is called on the plugin's threads,
// several at once, and holds for the process.
func RefuseAlloc(f func() bool) { refuse.Store(&f) }

func malloc(size uintptr) uintptr {
	if f := refuse.Load(); f != nil && (*f)() {
		return 0
	}
	if heap.alloc != nil {
		return heap.alloc(size)
	}
	return libcMalloc(size)
}

func libcMalloc(size uintptr) uintptr {
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
