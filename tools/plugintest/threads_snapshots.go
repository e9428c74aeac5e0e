package plugintest

import (
	"bytes"

	"github.com/nyash-plugins/nyash-go/tools/plugintest/interleave"
)

// ofSnapshots tells whether two calls, each of which is given the other's instance, have worked with what that one held
// before the other call: many methods copy what they need of another instance, and leave its lock before they take their
// own, which no order of the two whole calls gives. Then what is of either instance is as where its call is the first one.
func (t *trial) ofSnapshots(r *interleave.Result) bool {
	if r.Status != interleave.StatusDone || !t.separate || !t.acts[0].lends || !t.acts[1].lends || len(t.orders) != 2 {
		return false
	}
	program := t.s.program
	threads := program.Plans[t.plan].Threads
	var orders [2][]interleave.Answer
	var slots [2]int
	for i, outcome := range t.orders {
		orders[i] = (&interleave.Result{Outcome: outcome}).Answers()
		slots[i] = program.Calls[threads[i][0]].Slot
	}
	have := r.Answers()
	if len(orders[0]) != len(have) || len(orders[1]) != len(have) {
		return false
	}
	for i, a := range have {
		call := program.Calls[a.Call]
		if i >= len(slots) && len(call.Patches) > 0 {
			return true // from here on the two may have to do with one another
		}
		allowed := false
		for who, slot := range slots {
			w := orders[who][i]
			same := a.Call == w.Call && a.Code == w.Code && bytes.Equal(a.Data, w.Data)
			allowed = allowed || same && call.Slot == slot
		}
		if !allowed {
			return false
		}
	}
	return true
}
