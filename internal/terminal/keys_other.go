//go:build !linux && !darwin && !freebsd

package terminal

import "os"

// KeysAreInput does nothing: the line editor sets the mode of this system's terminals itself.
func KeysAreInput(*os.File) error { return nil }
