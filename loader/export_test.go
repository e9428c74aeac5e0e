package loader

import (
	"testing"
	"time"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// SetFiniTimeout has a fini of an isolated plugin abandoned sooner, for the time of a test.
func SetFiniTimeout(t testing.TB, limit time.Duration) {
	before := finiTimeout
	finiTimeout = limit
	t.Cleanup(func() { finiTimeout = before })
}

// LateAnswer has the library of a box whose worker has ended answer a box that it held, as it
// does in the last moment, and returns what comes of it.
func LateAnswer(caller, held *Box) error {
	id, err := caller.in.lib.foreign.typeID(held.in.boxType())
	if err == nil {
		_, _, err = caller.in.namedBy(tlv.Handle{Type: id, Instance: 1}, nil)
	}
	return err
}

// LateAnswerOwn is LateAnswer for a box of the library's own, which nobody holds any more.
func LateAnswerOwn(caller *Box) error {
	in := caller.in.lib.host.newInstance(caller.in.life, caller.in.typ, 1<<20)
	in.closed.Store(true)
	_, err := in.boxAgain("")
	return err
}

// LateHold has the library of a box whose worker has ended take a hold of another box, as
// the birth does that it asked for before and that is carried out after, and returns why it
// gets none.
func LateHold(caller, of *Box) error {
	_, err := caller.in.lib.lifeOfCaller(caller.in.backend).hold(of.in)
	return err
}
