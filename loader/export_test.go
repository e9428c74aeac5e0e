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

// LateHold has the library of a box whose worker has ended take a hold of another box, as
// the birth does that it asked for before and that is carried out after, and returns why it
// gets none.
func LateHold(caller, of *Box) error {
	_, err := caller.in.lib.lifeOfCaller(caller.in.backend).hold(of.in)
	return err
}
