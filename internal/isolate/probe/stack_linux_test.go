//go:build amd64 || arm64

package probe

import (
	"runtime"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
)

// TestPaintedStack_Depth finds out how much of the stack something has used that is called on
// it: the painter, with another colour.
func TestPaintedStack_Depth(t *testing.T) {
	tests := map[string]struct {
		words uintptr
		all   bool
	}{
		"nothing":           {0, false},
		"64 KiB":            {8 << 10, false},
		"200 KiB":           {25 << 10, false},
		"all that is there": {(stackWatched - stackMargin) / wordSize, true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			done := make(chan struct{})
			go func() {
				defer close(done)
				runtime.LockOSThread() // for good: the thread ends with the goroutine
				stack := paintStack()
				if !assert.NotEmpty(t, stack) {
					return
				}
				cgocall(painter, unsafe.Pointer(&brush{words: tt.words, pattern: ^uint64(pattern)}))
				size, all := stack.depth()
				used := int(tt.words * wordSize)
				assert.GreaterOrEqual(t, size, used)
				assert.Less(t, size, used+16<<10, "what the runtime itself uses")
				assert.Equal(t, tt.all, all)
			}()
			<-done
		})
	}
}
