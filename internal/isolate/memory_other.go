//go:build !linux

package isolate

import (
	"fmt"
	"runtime"
)

func memoryWorks() bool { return false }

func newMemoryLink(*Session) (link, *gift, error) {
	return nil, nil, fmt.Errorf("%w: shared memory on %s; leave the channel to be chosen, or choose pipes", ErrUnsupported, runtime.GOOS)
}
