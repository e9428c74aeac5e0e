//go:build !amd64 && !arm64

package shm

// Pause passes a moment.
func Pause(rounds uint32) {
	for range rounds {
	}
}
