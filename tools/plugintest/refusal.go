package plugintest

import (
	"fmt"
	"slices"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// The contract has a code for each reason to refuse a call, by which hosts and programs tell a
// mistake of the caller from one of the plugin.

// reason is a reason, with the codes that say so, the first of which is the contract's.
type reason struct {
	of    string
	codes []abi.Code
}

var (
	refusesMethod   = reason{"a method that does not exist", []abi.Code{abi.ErrInvalidMethod}}
	refusesType     = reason{"a type that is none of its own", []abi.Code{abi.ErrInvalidType, abi.ErrInvalidHandle}}
	refusesInstance = reason{"an instance that does not exist", []abi.Code{abi.ErrInvalidHandle}}
	refusesMessage  = reason{"", []abi.Code{abi.ErrInvalidArgs, abi.ErrInvalidUTF8, abi.ErrVersionMismatch, abi.ErrShortBuffer}}
)

// wrong tells whether an answer refuses with a code that says something else. One that comes with a
// message explains itself.
func (r *reason) wrong(a *answer) bool {
	if a.code == abi.OK || slices.Contains(r.codes, a.code) {
		return false
	}
	_, explained := a.message()
	return !explained
}

func (r *reason) finding(s *step, a *answer) Finding {
	f := s.finding(codeRefusal, "it answered code %d to %s", int32(a.code), r.of)
	f.Expected = fmt.Sprintf("code %d", int32(r.codes[0]))
	return f
}

// checkRefusal reports a code that says something else than why a call is refused.
func (w *worker) checkRefusal(r *reason, s *step, a *answer) {
	if r.wrong(a) {
		w.add(r.finding(s, a))
	}
}

// refusesWrongly tells whether a malformed message that a method refuses gets a code that says
// something else.
func refusesWrongly(a *answer, mu *mutant) bool {
	r := refusesMessage
	if values, _ := tlv.Decode(mu.message); slices.ContainsFunc(values, isHandle) {
		return false
	}
	return mu.malformed && r.wrong(a)
}

// wrongRefusal reports a method that refuses some malformed messages as such, and this one with
// another code. What other messages have changed does not count: it is sent to a new instance.
func (h *hostile) wrongRefusal(sample argSample, mu *mutant) error {
	if h.m == h.m.box.birth || h.m == h.m.box.fini || !sample.works {
		return nil
	}
	return h.withWorker(workerOptions{}, func(w *worker) error {
		id, _, err := w.prepare(h.m, sample)
		if err != nil {
			return err
		}
		a, err := callMutant(w, h.m, id, *mu)
		if err != nil {
			return err
		}
		if refusesWrongly(a, mu) {
			r, s := refusesMessage, h.m.step(id, mu.message)
			r.of = mu.what
			w.add(r.finding(&s, a))
		}
		return w.finiAll()
	})
}
