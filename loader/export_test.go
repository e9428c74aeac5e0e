package loader

import (
	"testing"
	"time"
)

// SetFiniTimeout has a fini of an isolated plugin abandoned sooner, for the time of a test.
func SetFiniTimeout(t testing.TB, limit time.Duration) {
	before := finiTimeout
	finiTimeout = limit
	t.Cleanup(func() { finiTimeout = before })
}
