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
	for _, m := range x.gen.callable(b) {
		sample := x.shared.sample(m)
		if x.askedOf != b || x.gen.changes[m] || x.shared.slow[m] || storesByName.MatchString(m.name) || meansKept(m) || !sample.works {
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
	for _, times := range []int{1, longerCalls} {
		memory, err := r.rounds(w, id, times*rememberCalls)
		if memory == nil || err != nil {
			return err
		}
		grown := perRound(memory, times*rememberCalls*w.scale().perAddition)
		if grown == 0 || w.runtime.mayGrow(grown*len(memory)) {
			return nil
		}
		if times > 1 {
			r.report(w, grown/times/rememberCalls)
		}
	}
	return nil
}

// rounds are how much memory is in use after each; none where the calls take too long.
func (r *remembering) rounds(w *worker, id uint32, calls int) (memory []int, err error) {
	start := time.Now()
	for range growthRounds {
		for range calls {
			args, err := w.encode(r.values(), r.m.box, id)
			if err != nil {
				return nil, err
			}
			if _, err := w.call(r.m, id, args); err != nil {
				return nil, err
			}
		}
		if time.Since(start) > 2*slowTime {
			return nil, nil
		}
		state, err := w.processState(r.m, false)
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
