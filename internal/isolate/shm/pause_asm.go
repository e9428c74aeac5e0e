//go:build amd64 || arm64

package shm

// Pause tells the processor, rounds times, that this is a loop which waits for
// another one. rounds is not 0.
func Pause(rounds uint32)
