package plugintest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// A method that changes nothing is called on one instance with other arguments each time. What it keeps of them,
// such as its answers, must have a bound.

const (
	// rememberCalls is how many calls a round has, and longerCalls how many times as many where memory has grown.
	rememberCalls = 250
	longerCalls   = 8
)

// storesByName are names of methods that keep what they are given, also where no other method was seen to answer it.
var storesByName = regexp.MustCompile(`(?i)^(add|put|set|insert|push|append|store|save|record|register|log|write|open|create|make|new|enqueue|learn|train|feed|define|load|import|apply|update|give|mark|note|send|subscribe|reserve|start|schedule)`)

// remembers looks at the methods of a box that change nothing.
func (x *exploration) remembers(b *box, until time.Time) {
	if x.askedOf != b {
		return
	}
	x.repeating(b)
	for _, m := range x.gen.callable(b) {
		sample := x.shared.sample(m)
		if !x.keepsNothing(m) || !sample.works {
			continue
		}
		for _, varies := range []func(tlv.Value) bool{isNumberTag, isText} {
			if x.ctx.Err() != nil || time.Now().After(until) || !slices.ContainsFunc(sample.values, varies) {
				continue
			}
			err := x.withWorker(workerOptions{plain: true, survey: true, brief: true}, func(w *worker) error {
				return (&remembering{m: m, sample: sample, varies: varies}).watch(w)
			})
			if err != nil {
				return
			}
		}
	}
}

// keepsNothing tells whether a method changes nothing, and nothing says that it keeps something.
func (x *exploration) keepsNothing(m *method) bool {
	return !x.gen.changes[m] && !x.shared.slow[m] && !storesByName.MatchString(m.name) && !meansKept(m)
}

// repeating makes the calls that tell something on one instance that is filled, again and again, and then one of them alone where
// memory grows.
func (x *exploration) repeating(b *box) {
	_, states := x.filledStates(b)
	var asked []op
	for _, r := range x.answering(b) {
		if x.keepsNothing(r.m) && !slices.ContainsFunc(r.args, func(a argument) bool { return a.ref > 0 || a.blob }) {
			asked = append(asked, r)
		}
	}
	if len(states) == 0 || len(asked) == 0 || !x.growsBy(states[0], asked, nil) {
		return
	}
	for _, r := range asked {
		if x.ctx.Err() == nil && !x.recorder.has(codeGrowth, r.m) {
			x.growsBy(states[0], []op{r}, func(w *worker, bytes, calls int) {
				s := x.shown(sequence{r}, 0)
				f := s.finding(codeGrowth, "each call leaves about %d bytes behind in its instance, and it changes nothing that others answer: after %d calls there is no end to it", bytes, calls)
				f.Expected = "nothing that is kept of a call which only tells something"
				f.Fix = "release what a call has made before it returns, or when the next one replaces it" + howToRemember
				w.add(f)
			})
		}
	}
}

// growsBy makes calls on an instance on which those of a state were made, and tells whether its memory grows without an
// end, to report as well if that is not nil.
func (x *exploration) growsBy(s sequence, asked []op, report func(w *worker, bytes, calls int)) (grows bool) {
	_ = x.withWorker(workerOptions{plain: true, survey: true, brief: true}, func(w *worker) error {
		p := newPlayer(w, nil, s, world{plain: true, keeps: true})
		if p.calls(time.Now().Add(slowTime)); w.life.Lost() || len(p.made) == 0 || p.made[0].id == 0 {
			return nil
		}
		id, next := p.made[0].id, 0
		one := func() error {
			r := asked[next%len(asked)]
			next++
			var all values
			for _, a := range r.args {
				all = append(all, a.value)
			}
			return callWith(w, r.m, id, all)
		}
		before := 0
		for step := range repeatSteps {
			calls := rememberCalls << step
			memory, err := roundsOf(w, asked[0].m, 1, calls*len(asked), one)
			if memory == nil || err != nil {
				return err
			}
			grown := memory[0] - before
			before = memory[0]
			switch {
			case step < firstSteps:
			case grown < calls*w.scale().perAddition/3 || w.runtime.mayGrow(before):
				return nil
			case step == repeatSteps-1:
				if grows = true; report != nil {
					report(w, grown/calls, next)
				}
			}
		}
		return nil
	})
	return grows
}

// repeatSteps are rounds of calls of which each has twice as many as the one before, as a list does that has no more room; the
// firstSteps of them are not counted.
const repeatSteps, firstSteps = 7, 2

// remembering is one such method on an instance.
type remembering struct {
	m      *method
	sample argSample
	varies func(tlv.Value) bool
	made   int
}

func (r *remembering) watch(w *worker) error {
	id, _, err := w.prepare(r.m, r.sample)
	if err != nil {
		return err
	}
	bytes, err := grownBy(w, r.m, func() error { return callWith(w, r.m, id, r.values()) })
	if bytes > 0 {
		r.report(w, bytes)
	}
	return err
}

// grownBy is how many bytes each call of a method leaves behind, where there are many and then many more of them; 0 where that ends.
func grownBy(w *worker, m *method, one func() error) (bytes int, err error) {
	for _, times := range []int{1, longerCalls} {
		memory, err := roundsOf(w, m, growthRounds, times*rememberCalls, one)
		if memory == nil || err != nil {
			return 0, err
		}
		grown := perRound(memory, times*rememberCalls*w.scale().perAddition)
		if grown == 0 || w.runtime.mayGrow(grown*len(memory)) {
			return 0, nil
		}
		bytes = grown / times / rememberCalls
	}
	return bytes, nil
}

// callWith makes a call, and ends the instances that it has made.
func callWith(w *worker, m *method, id uint32, list values) error {
	args, err := w.encode(list, m.box, id)
	if err != nil {
		return err
	}
	first := len(w.instances)
	if _, err := w.call(m, id, args); err != nil {
		return err
	}
	return w.finiSince(first)
}

// roundsOf are how much memory is in use after each round of calls of a method; none where they take too long.
func roundsOf(w *worker, m *method, rounds, calls int, one func() error) (memory []int, err error) {
	start := time.Now()
	for range rounds {
		for range calls {
			if err := one(); err != nil {
				return nil, err
			}
		}
		if time.Since(start) > 2*slowTime {
			return nil, nil
		}
		state, err := w.processState(m, false)
		if err != nil {
			return nil, ignoreNoState(err)
		}
		memory = append(memory, w.memoryIn(state.Now))
	}
	return memory, nil
}

// values are arguments that no call before had.
func (r *remembering) values() []tlv.Value {
	r.made++
	all := slices.Clone(r.sample.values)
	for i, v := range all {
		switch {
		case !r.varies(v):
		case isText(v):
			all[i] = textOf(v.Tag(), fmt.Sprintf("k%06d", r.made))
		default:
			all[i] = withMagnitude(v, float64(r.made))
		}
	}
	return all
}

func (r *remembering) report(w *worker, bytes int) {
	s := r.m.step(1, w.plugin.example(r.sample, r.m.box))
	f := s.finding(codeGrowth, "each call with other arguments leaves about %d bytes behind in its instance, and it changes nothing that others answer: after %d calls there is no end to it", bytes, r.made)
	f.Expected = "a bound of what is kept of earlier calls"
	f.Fix = "give what keeps answers or arguments of earlier calls a bound: drop the oldest entry for a new one" + howToRemember
	w.add(f)
}

// ignoreNoState leaves out that the state of processes is not known here.
func ignoreNoState(err error) error {
	if errors.Is(err, errNoState) {
		return nil
	}
	return err
}
