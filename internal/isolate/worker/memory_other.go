//go:build !linux

package worker

import (
	"fmt"
	"runtime"
)

func newMemoryLink(uintptr, uintptr) (link, error) {
	return nil, fmt.Errorf("no memory can be shared on %s", runtime.GOOS)
}
