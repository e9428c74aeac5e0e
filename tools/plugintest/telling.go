package plugintest

import (
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
	"github.com/nyash-plugins/nyash-go/tlv"
)

// Many methods answer nothing of an instance on which little was done: an empty list, 0, false. What they
// do wrong shows where they have something to tell. So calls are looked for after which most methods
// do: one after the other is added, that first after which the most tell something.

const (
	maxTelling  = 8  // calls that prepare an instance so
	maxTellings = 40 // calls that are tried for each of them
	// tellingTime is what it may take for a box.
	tellingTime = 2 * time.Second
)

// tellingSearch looks for such calls, for one box.
type tellingSearch struct {
	*worker
	silent []silentCall
	until  time.Time
}

// silentCall is a call of a method with its sample that answers nothing yet.
type silentCall struct {
	m      *method
	values []tlv.Value
}

// learnTelling finds calls after which methods answer something that do not with their samples, and has those
// calls be made before these. The calls after which the most do are kept.
func (e *env) learnTelling(b *box) error {
	if b.singleton || e.shared.birthBroken[b] {
		return nil // what is left in it from the tries before cannot be told apart
	}
	return e.withWorker(workerOptions{}, func(w *worker) error {
		t := &tellingSearch{worker: w, until: time.Now().Add(tellingTime)}
		return t.learn(b)
	})
}

func (t *tellingSearch) learn(b *box) error {
	var calls []setupCall
	for _, m := range b.methods {
		if t.shared.broken[m] || t.shared.slow[m] {
			continue
		}
		for i, s := range t.shared.samples[m] {
			if !s.works {
				continue
			}
			if !slices.ContainsFunc(s.values, func(v tlv.Value) bool { return isHandle(v) || isBlob(v) }) && len(calls) < maxTellings {
				calls = append(calls, setupCall{m, s.values})
			}
			if i > 0 {
				continue
			}
			a, err := t.answer(m, s.setup, s.values)
			if err != nil {
				return err
			}
			if a != nil && a.code == abi.OK && isSilent(a) {
				t.silent = append(t.silent, silentCall{m, s.values})
				for _, names := range [][2]string{{"w", "a"}, {"a", "w"}} { // of two that are the same there may be nothing to tell
					if values, ok := withNames(s.values, names); ok {
						t.silent = append(t.silent, silentCall{m, values})
					}
				}
			}
		}
	}
	state := t.shared.setup(b.methods...)
	have, err := t.tell(state)
	if err != nil {
		return err
	}
	for len(state) < maxTelling && len(have) < len(t.silent) && time.Now().Before(t.until) {
		var best []setupCall
		for _, c := range calls {
			s := append(slices.Clone(state), c)
			some, err := t.tell(s)
			if err != nil {
				return err
			}
			if len(some) > len(have) {
				best, have = s, some
			}
		}
		if best == nil {
			break
		}
		state = best
	}
	t.shared.telling[b] = state
	preferred := make(map[*method]bool)
	for _, c := range have {
		if preferred[c.m] {
			continue
		}
		preferred[c.m] = true
		if err := t.prefer(&c, state); err != nil {
			return err
		}
	}
	return t.finiAll()
}

// tell are the silent calls that answer something after others.
func (t *tellingSearch) tell(state []setupCall) (some []silentCall, err error) {
	for _, c := range t.silent {
		if time.Now().After(t.until) {
			return nil, nil // of some it is not known
		}
		yes, err := t.tells(&c, state)
		if err != nil {
			return nil, err
		}
		if yes {
			some = append(some, c)
		}
	}
	return some, nil
}

func (t *tellingSearch) tells(c *silentCall, state []setupCall) (bool, error) {
	a, err := t.answer(c.m, state, c.values)
	return err == nil && a != nil && a.code == abi.OK && !isSilent(a) && len(a.result()) > 0, err
}

// isSilent tells whether a call that succeeded answered a value that tells nothing. One that answers no value
// never tells anything.
func isSilent(a *answer) bool {
	v, ok := a.value()
	return ok && !v.IsVoid() && !isHandle(v) && !isTelling(v)
}

// answer is what a call answers after others on a new instance.
func (t *tellingSearch) answer(m *method, setup []setupCall, values []tlv.Value) (*answer, error) {
	id, err := t.another(m, setup)
	if err != nil {
		return nil, err
	}
	args, err := t.encode(values, m.box, id)
	if err != nil {
		return nil, ignoreBirth(err)
	}
	a, err := t.call(m, id, args)
	if err != nil {
		t.shared.broken[m] = true
	}
	return a, err
}

// prefer makes the fewest of the calls after which a method answers something what is called before its first
// sample.
func (t *tellingSearch) prefer(c *silentCall, state []setupCall) error {
	for i := 0; i < len(state); {
		less := slices.Delete(slices.Clone(state), i, i+1)
		yes, err := t.tells(c, less)
		if err != nil {
			return err
		}
		if yes {
			state = less
			continue
		}
		i++
	}
	t.shared.samples[c.m] = append([]argSample{{c.values, true, state}}, t.shared.samples[c.m]...)
	return nil
}
