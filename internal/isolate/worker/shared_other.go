//go:build !linux

package worker

import (
	"fmt"
	"runtime"
)

func sharedMemory(uintptr, uintptr) (transport, error) {
	return nil, fmt.Errorf("no memory can be shared on %s", runtime.GOOS)
}
