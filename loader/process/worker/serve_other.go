//go:build !linux

package worker

import (
	"fmt"
	"runtime"
)

func serve() error { return fmt.Errorf("workers are not supported on %s", runtime.GOOS) }
