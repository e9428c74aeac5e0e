package plugintest

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/nyash-plugins/nyash-go/tlv"
)

// env is what a check works with.
type env struct {
	ctx    context.Context // of the run
	config *Config
	random *rand.Rand
	plugin *plugin
	shared *shared
	// stretch is how many times as long a timed check goes on where no time is given.
	stretch int
	*recorder
}

// whole is how long a box is explored.
func (e *env) whole() time.Duration {
	if e.config.For > 0 {
		return e.config.For
	}
	return DefaultFor * time.Duration(e.stretch)
}

// shared is the state that outlives a check: what one check finds out and later
// ones use. Nothing else passes between checks but the report.
type shared struct {
	mark    string                  // the environment of all processes of the run has it; empty for a module
	learned bool                    // samples are complete; see learn
	samples map[*method][]argSample // arguments that methods take
	// broken methods make the worker exit on ordinary calls, or do not exist; they are
	// not called again. Calls of slow ones take too long to be repeated often. Boxes in
	// birthBroken have no instances.
	broken, slow map[*method]bool
	birthBroken  map[*box]bool
	// tried methods were called while samples were looked for; refusesHandles are those that
	// answered "invalid handle" to an instance.
	tried, refusesHandles map[*method]bool
	// births are the arguments that birth takes.
	births map[*box][]tlv.Value
	// spare are arguments that births take which are known to take none: optional ones, which are described nowhere.
	spare map[*box][]tlv.Value
	// telling are calls after which most methods of a box answer something.
	telling map[*box][]setupCall
	// explained are the places of crashes that were replayed (exit.go).
	explained map[string]bool
	// endsOthers: the plugin sends signals to processes that are not its own.
	endsOthers bool
	// keepsMemory: the plugin uses memory of past calls. It is not called with
	// ordinary memory any more: it would damage other calls, and seem to have other
	// faults.
	keepsMemory bool
	// endless: the library calls itself through its host without end. Such chains are cut
	// short.
	endless bool
	heap    heapUse // the library's
	// workerExit: some worker exited because of the plugin.
	workerExit bool
	// unexercised are the methods that refused everything, until it is reported.
	unexercised []*method
	// answers are some of the values that methods have answered while samples were looked for, and words
	// what the library's file contains.
	answers []tlv.Value
	words   []string
	// failing are the methods that failed with all that they were given, until it is reported, and
	// failures what each answered first.
	failing  []*method
	failures map[*method]answerKey
	// refusesUnknown are the methods that fail on instances that never were.
	refusesUnknown map[*method]bool
	// readsElsewhere: bytes come to the library from elsewhere than its arguments.
	readsElsewhere bool
	// pace is which methods follow time; nil in the plays that find it out.
	pace *pace
	// ends are the processes that have ended in sequences.
	ends *ends
	// lookedAt counts the ends of workers that a debugger was to look at.
	lookedAt *counts
	// left is what the plugin's code leaves in its process.
	left *leftovers
	// hostCalls is how many calls of its host a method makes, as far as each call of it makes
	// as many; else it is negative.
	hostCalls map[*method]int
	// offers are the boxes that the library may find declared when it calls its host.
	offers map[string]*offer
}

func newShared(c *Config) *shared {
	return &shared{
		offers:         offersOf(c),
		heap:           heapUseOf(c.File),
		words:          wordsOf(c.File),
		refusesUnknown: make(map[*method]bool),
		failures:       make(map[*method]answerKey),
		left:           newLeftovers(),
		lookedAt:       &counts{},
		ends:           &ends{},
		pace:           &pace{known: make(map[*box]map[string]bool)},
		readsElsewhere: readsElsewhere(c.File),
		hostCalls:      make(map[*method]int),
		samples:        make(map[*method][]argSample),
		broken:         make(map[*method]bool),
		slow:           make(map[*method]bool),
		birthBroken:    make(map[*box]bool),
		tried:          make(map[*method]bool),
		refusesHandles: make(map[*method]bool),
		births:         make(map[*box][]tlv.Value),
		spare:          make(map[*box][]tlv.Value),
		telling:        make(map[*box][]setupCall),
		explained:      make(map[string]bool),
	}
}

// callable reports whether ordinary calls of a method are known that it survives.
func (s *shared) callable(m *method) bool { return !s.broken[m] && len(s.samples[m]) > 0 }

// sample is the arguments to call a method with: none where none are known.
func (s *shared) sample(m *method) argSample {
	if len(s.samples[m]) == 0 {
		return argSample{}
	}
	return s.samples[m][0]
}

// withWorker runs f with the plugin in a worker of its own. A worker that does not
// start or exits during f is a finding, and no error; neither is a birth that
// failed, which was reported when it was called.
func (e *env) withWorker(o workerOptions, f func(*worker) error) error {
	if e.ctx.Err() != nil {
		return context.Cause(e.ctx)
	}
	if o.plain && e.shared.keepsMemory {
		return nil
	}
	w, err := e.start(o)
	if w == nil || err != nil {
		return err
	}
	defer w.close()
	err = f(w)
	var exit *exitError
	if errors.As(err, &exit) {
		w.reportExit(exit.at, exit.err)
		return nil
	}
	return ignoreBirth(err)
}

// errNoBirth ends work that needs an instance; the finding is reported already.
var errNoBirth = errors.New("no instance")

// ignoreBirth drops errNoBirth.
func ignoreBirth(err error) error {
	if errors.Is(err, errNoBirth) {
		return nil
	}
	return err
}

// each calls f for every callable method, with its first sample.
func (e *env) each(f func(*method, argSample) error) error {
	if err := e.learn(); err != nil {
		return err
	}
	for _, m := range e.plugin.methods() {
		if !e.shared.callable(m) {
			continue
		}
		e.at(m)
		if err := f(m, e.shared.sample(m)); err != nil {
			return err
		}
	}
	return nil
}
