//go:build amd64 || arm64

package probe

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/nyash-plugins/nyash-go/internal/cmem"
)

// brush is what paintC is given, and answers.
type brush struct {
	at      uintptr // of the stack, when it was called
	words   uintptr // to paint, below the margin
	pattern uint64
}

const (
	// stackMargin is left as it is below the place where paintC was called, in bytes.
	stackMargin = 512
	// stackRest is left to the system at the far end of a thread's stack, in bytes.
	stackRest = 64 << 10
	pattern   = 0x9d3c_5ae1_70b4_f826
	wordSize  = 8
)

// cgocall is the runtime's own way into C, as in package native: on the system stack of the
// thread, where calls of the library run too.
//
//go:linkname cgocall runtime.cgocall
func cgocall(fn, arg unsafe.Pointer) int32

// painter is the address of paintC; set in assembly.
var painter unsafe.Pointer

// paintedStack is the part of a thread's stack that was painted: words of it that have
// another value were used since.
//
// The lowest is the first; there are none where it cannot be painted.
type paintedStack []uint64

// paintStack paints the stack on which the library's functions run on this thread.
func paintStack() paintedStack {
	b := &brush{pattern: pattern}
	cgocall(painter, unsafe.Pointer(b))
	end, err := stackEnd(b.at)
	if err != nil {
		return nil
	}
	size := min(stackWatched, b.at-end) - stackMargin
	b.words = size / wordSize
	cgocall(painter, unsafe.Pointer(b))
	runtime.KeepAlive(b)
	low := b.at - stackMargin - b.words*wordSize
	memory := cmem.Memory(low, int(b.words*wordSize))
	return unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(memory))), b.words)
}

// depth is how much of the stack was used, in bytes, and whether that was all; 0 where it is
// not more than the margin, or cannot be told.
func (p paintedStack) depth() (size int, all bool) {
	for i, word := range p {
		if word != pattern {
			return (len(p)-i)*wordSize + stackMargin, i == 0
		}
	}
	return 0, false
}

var errStack = errors.New("the stack's end cannot be told")

// stackEnd is the lowest address that a stack may reach which has this one in it.
func stackEnd(at uintptr) (uintptr, error) {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(maps)) {
		var s span
		if _, err := fmt.Sscanf(line, "%x-%x", &s.from, &s.to); err != nil {
			return 0, err
		}
		if !s.holds(uint64(at)) {
			continue
		}
		end := uintptr(s.from)
		if strings.HasSuffix(strings.TrimSpace(line), "[stack]") { // it grows as it is used
			var limit unix.Rlimit
			if err := unix.Getrlimit(unix.RLIMIT_STACK, &limit); err != nil {
				return 0, err
			}
			end = uintptr(s.to) - uintptr(min(limit.Cur, 2*stackWatched))
		}
		if end += stackRest; end+stackMargin+wordSize > at {
			return 0, errStack
		}
		return end, nil
	}
	return 0, errStack
}
