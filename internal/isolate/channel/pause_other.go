//go:build !amd64 && !arm64

package channel

// Pause passes a moment.
func Pause(rounds uint32) {
	for range rounds {
	}
}
