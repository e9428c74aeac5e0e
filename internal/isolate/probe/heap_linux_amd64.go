package probe

import (
	"runtime"
	"unsafe"

	"github.com/nyash-plugins/nyash-go/internal/native"
)

// mallinfo2 is glibc's structure of that name. A function that returns it is given its address as
// the first argument, on amd64.
type mallinfo2 struct {
	arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost uint64
}

// heapInUse is how many bytes malloc has handed out, the ends of blocks included; 0 where glibc
// is too old to say.
func heapInUse() uint64 {
	fn := native.System("mallinfo2")
	if fn == 0 {
		return 0
	}
	m := new(mallinfo2)
	var pin runtime.Pinner
	pin.Pin(m)
	defer pin.Unpin()
	native.CallSystem(fn, uintptr(unsafe.Pointer(m)))
	return m.uordblks + m.hblkhd
}
