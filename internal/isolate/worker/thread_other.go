//go:build !linux

package worker

import "time"

// No limit asks for them here.
func currentThread() int           { return 0 }
func threadTime(int) time.Duration { return 0 }
