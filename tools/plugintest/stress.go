package plugintest

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
)

const (
	stressThreads = 8
	stressCalls   = 150 // of each thread
	mixCalls      = 6000
	// stressRounds are repeated because threads meet by chance.
	stressRounds = 4
)

// stressCheck calls from several threads at once.
var stressCheck = check{name: "stress", summary: "calls from several threads at once", needs: needsBoxes, run: stress}

func stress(e *env) error {
	for _, b := range e.plugin.boxes {
		if e.shared.birthBroken[b] || b.singleton {
			continue
		}
		for range stressRounds {
			if err := e.withWorker(workerOptions{plain: true}, func(w *worker) error { return concurrentBirths(w, b) }); err != nil {
				return err
			}
		}
	}
	if err := e.learn(); err != nil {
		return err
	}
	for _, b := range e.plugin.boxes {
		if e.shared.birthBroken[b] {
			continue
		}
		if err := e.withWorker(workerOptions{plain: true}, func(w *worker) error { return mixedCalls(w, b) }); err != nil {
			return err
		}
	}
	var total timings
	err := e.each(func(m *method, sample argSample) error {
		if !sample.works {
			return nil
		}
		if err := identicalCalls(e, m, sample, &total); err != nil {
			return err
		}
		return separateInstances(e, m, sample)
	})
	if len(total.calls) > 0 {
		e.line("%v", &total)
	}
	return err
}

// timings are how long concurrent calls took, each and all together.
type timings struct {
	calls []time.Duration
	total time.Duration
}

// String is the throughput and the latencies.
func (t *timings) String() string {
	slices.Sort(t.calls)
	at := func(q float64) time.Duration { return t.calls[min(len(t.calls)-1, int(q*float64(len(t.calls))))] }
	return fmt.Sprintf("%d threads: %.0f calls/s, p50 %v, p99 %v, p99.9 %v",
		stressThreads, float64(len(t.calls))/t.total.Seconds(), at(0.5), at(0.99), at(0.999))
}

// mixer makes all calls of a box at once, on an instance that all threads share and
// on some that are made and ended meanwhile. Any answer is allowed.
type mixer struct {
	*worker
	box   *box
	main  uint32 // the instance that all threads share
	steps []step // on main
	birth step
	calls atomic.Int64
}

func mixedCalls(w *worker, b *box) error {
	main, err := w.birth(b)
	if err != nil {
		return err
	}
	mix := &mixer{worker: w, box: b, main: main}
	if mix.birth, err = w.birthStep(b); err != nil {
		return err
	}
	for _, m := range b.methods {
		if w.shared.callable(m) {
			args, err := w.encode(w.shared.sample(m).values, b, main)
			if err != nil {
				return err
			}
			mix.steps = append(mix.steps, w.step(m, main, args))
		}
	}
	seeds := make([]uint64, stressThreads)
	for i := range seeds {
		seeds[i] = w.random.Uint64()
	}
	err = inParallel(func(thread int) error {
		random := rand.New(rand.NewPCG(seeds[thread], 0))
		for start := time.Now(); mix.calls.Load() < mixCalls && time.Since(start) < slowTime; {
			if err := mix.turn(random); err != nil {
				return err
			}
		}
		return nil
	})
	w.counted(int(mix.calls.Load()))
	if err != nil {
		return err
	}
	return w.finiAll()
}

// turn calls a method, on main or on an instance that is made and ended for it.
func (x *mixer) turn(random *rand.Rand) error {
	id, own := x.main, false
	if random.IntN(4) == 0 && !x.box.singleton {
		a, err := x.one(x.birth)
		if err != nil {
			return err
		}
		if a.code == abi.OK && a.length == 4 {
			id, own = binary.LittleEndian.Uint32(a.buf), true
		}
	}
	if len(x.steps) > 0 {
		s := x.steps[random.IntN(len(x.steps))]
		s.instance = id
		a, err := x.one(s)
		if err != nil {
			return err
		}
		if v, ok := a.value(); ok {
			x.takeOverBlob(s.m, v)
		}
	}
	if own {
		if _, err := x.one(x.step(x.box.fini, id, emptyMessage)); err != nil {
			return err
		}
	}
	return nil
}

func (x *mixer) one(s step) (*answer, error) {
	x.calls.Add(1)
	s.concurrent = true
	return x.invokeRetrying(s)
}

// inParallel runs f on stressThreads threads at once, and returns the first error.
func inParallel(f func(thread int) error) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var first error
	start := make(chan struct{})
	for thread := range stressThreads {
		wg.Go(func() {
			<-start
			if err := f(thread); err != nil {
				mu.Lock()
				defer mu.Unlock()
				if first == nil {
					first = err
				}
			}
		})
	}
	close(start)
	wg.Wait()
	return first
}

// concurrentBirths makes instances on several threads and compares their ids.
func concurrentBirths(w *worker, b *box) error {
	const births = 60
	var mu sync.Mutex
	ids := make(map[uint32]int)
	if _, err := w.birth(b); err != nil { // which finds the arguments
		return err
	}
	s, err := w.birthStep(b)
	if err != nil {
		return err
	}
	s.concurrent = true
	err = inParallel(func(int) error {
		for range births {
			a, err := w.invoke(&s)
			if err != nil {
				return err
			}
			if a.code == abi.OK && a.length == 4 {
				mu.Lock()
				ids[binary.LittleEndian.Uint32(a.buf)]++
				mu.Unlock()
			}
		}
		return nil
	})
	w.counted(stressThreads * births)
	if err != nil {
		return err
	}
	for id, n := range ids {
		if n > 1 {
			w.add(b.birth.finding(codeIDCollision, "%d births on %d threads returned the id %d %d times", stressThreads*births, stressThreads, id, n))
			return nil
		}
	}
	list := slices.Collect(maps.Keys(ids))
	return inParallel(func(thread int) error {
		for i := thread; i < len(list); i += stressThreads {
			s := w.step(b.fini, list[i], emptyMessage)
			s.concurrent = true
			if _, err := w.invoke(&s); err != nil {
				return err
			}
		}
		return nil
	})
}

// stableRounds is how often sequential calls must answer the same again before concurrent ones are
// said not to. They are made where there is such a difference, which most methods do not show.
const stableRounds = 2

// identicalCalls makes one call many times on one instance, sequentially and then
// concurrently. In any order the answers must be the same, so that a difference is
// a race. The times of concurrent calls are added to total.
func identicalCalls(e *env, m *method, sample argSample, total *timings) error {
	want, err := sequentialCalls(e, m, sample)
	if want == nil || err != nil {
		return err
	}
	for range stressRounds {
		have, times, err := concurrentCalls(e, m, sample)
		total.calls, total.total = append(total.calls, times.calls...), total.total+times.total
		if err != nil || len(have) != len(want) {
			return err
		}
		answer, n, expected := mostExcessive(have, want)
		if n <= expected {
			continue
		}
		for range stableRounds {
			if again, err := sequentialCalls(e, m, sample); err != nil || !slices.Equal(want, again) {
				return err // the answers depend on something else: the time, say
			}
		}
		s := m.step(1, e.plugin.example(sample, m.box))
		f := m.finding(codeRace, "of %d concurrent calls on one instance from %d threads %d answered %v, of as many sequential ones %d", len(have), stressThreads, n, answer, expected)
		f.Call, f.Expected = showCall(&s), "the same answers, in any order"
		e.add(f)
		return nil
	}
	return nil
}

// sequentialCalls are the sorted answers of as many calls as concurrentCalls makes;
// nil where there are fewer.
func sequentialCalls(e *env, m *method, sample argSample) (answers []answerKey, err error) {
	err = e.withWorker(workerOptions{plain: true}, func(w *worker) error {
		id, args, err := w.prepare(m, sample)
		if err != nil {
			return err
		}
		start := time.Now()
		for range stressThreads * stressCalls {
			a, err := w.call(m, id, args)
			if err != nil {
				return err
			}
			answers = append(answers, a.key())
			if time.Since(start) > slowTime {
				e.skip("%v from several threads: its calls take too long", m)
				e.shared.slow[m] = true
				return w.finiAll()
			}
		}
		return w.finiAll()
	})
	if len(answers) < stressThreads*stressCalls {
		return nil, err
	}
	slices.SortFunc(answers, compareKeys)
	return answers, err
}

// concurrentCalls are the sorted answers of calls on one instance from several
// threads.
func concurrentCalls(e *env, m *method, sample argSample) (answers []answerKey, times timings, err error) {
	err = e.withWorker(workerOptions{plain: true}, func(w *worker) error {
		id, args, err := w.prepare(m, sample)
		if err != nil {
			return err
		}
		var all [stressThreads][]*answer
		var took [stressThreads][]time.Duration
		s := w.step(m, id, args)
		s.concurrent = true
		start := time.Now()
		err = inParallel(func(thread int) error {
			for range stressCalls {
				begun := time.Now()
				a, err := w.invokeRetrying(s)
				if err != nil {
					return err
				}
				all[thread], took[thread] = append(all[thread], a), append(took[thread], time.Since(begun))
			}
			return nil
		})
		times = timings{slices.Concat(took[:]...), time.Since(start)}
		w.counted(len(times.calls))
		if err != nil {
			return err
		}
		for _, a := range slices.Concat(all[:]...) {
			answers = append(answers, a.key())
			w.takeOver(m, a, args)
		}
		return w.finiAll()
	})
	slices.SortFunc(answers, compareKeys)
	return answers, times, err
}

func compareKeys(a, b answerKey) int {
	return cmp.Or(cmp.Compare(a.code, b.code), cmp.Compare(a.text, b.text))
}

// mostExcessive is the answer that came most often beyond what is expected. Errors
// do not count: a plugin may refuse concurrent calls.
func mostExcessive(have, want []answerKey) (answer answerKey, n, expected int) {
	counts, wanted := countKeys(have), countKeys(want)
	for _, a := range have {
		if !failed(a.code) && counts[a]-wanted[a] > n-expected {
			answer, n, expected = a, counts[a], wanted[a]
		}
	}
	return answer, n, expected
}

func countKeys(answers []answerKey) map[answerKey]int {
	counts := make(map[answerKey]int)
	for _, a := range answers {
		counts[a]++
	}
	return counts
}

// separateInstances calls a method on an instance for each thread. The answers of
// concurrent calls must be those of sequential ones.
func separateInstances(e *env, m *method, sample argSample) error {
	if m.box.singleton || e.shared.slow[m] || e.plugin.module {
		return nil
	}
	want, err := callInstances(e, m, sample, oneByOne)
	if want == nil || err != nil {
		return err
	}
	have, err := callInstances(e, m, sample, concurrently)
	if have == nil || err != nil {
		return err
	}
	got, expected, differ := differentInstance(have, want)
	if !differ {
		return nil
	}
	// Instances whose answers depend on the order share state on purpose, and those that differ
	// in the same order depend on something else.
	for _, o := range []order{inTurns, backwards, oneByOne} {
		other, err := callInstances(e, m, sample, o)
		if err != nil || !equalAll(want, other) {
			return err
		}
	}
	f := m.finding(codeRace, "called concurrently on %d instances, one from each thread, it answered %v; sequentially it answers %v", stressThreads, got, expected)
	f.Expected = "the answers of each instance alone"
	e.add(f)
	return nil
}

// differentInstance is the first answer of an instance that differs, and is no error: a plugin may
// refuse concurrent calls.
func differentInstance(have, want [][]answerKey) (got, expected answerKey, differ bool) {
	for i := range have {
		if got, expected, differ = firstDifferent(have[i], want[i]); differ && !failed(got.code) {
			return got, expected, true
		}
	}
	return answerKey{}, answerKey{}, false
}

func firstDifferent(have, want []answerKey) (_, _ answerKey, differ bool) {
	for i := range have {
		if have[i] != want[i] {
			return have[i], want[i], true
		}
	}
	return answerKey{}, answerKey{}, false
}

// order is how calls on several instances follow each other.
type order int

const (
	oneByOne     order = iota // all calls on one instance, then on the next
	inTurns                   // one call on each instance, and again
	backwards                 // in turns, the last instance first
	concurrently              // a thread for each instance
)

func equalAll(a, b [][]answerKey) bool {
	return slices.EqualFunc(a, b, func(x, y []answerKey) bool { return slices.Equal(x, y) })
}

// callInstances are the answers of each instance; nil where there are none.
func callInstances(e *env, m *method, sample argSample, o order) (answers [][]answerKey, err error) {
	err = e.withWorker(workerOptions{plain: true}, func(w *worker) error {
		answers = nil
		all := make([][]answerKey, stressThreads)
		steps := make([]step, stressThreads)
		for i := range steps {
			id, args, err := w.prepare(m, sample)
			if err != nil {
				return err
			}
			steps[i] = w.step(m, id, args)
			steps[i].concurrent = o == concurrently
		}
		var mu sync.Mutex
		var calls atomic.Int64
		err := o.run(func(i int) error {
			a, err := w.invokeRetrying(steps[i])
			if err != nil {
				return err
			}
			calls.Add(1)
			all[i] = append(all[i], a.key())
			mu.Lock()
			defer mu.Unlock()
			w.takeOver(m, a, steps[i].args)
			return nil
		})
		w.counted(int(calls.Load()))
		if err != nil {
			return err
		}
		answers = all
		return w.finiAll()
	})
	return answers, err
}

// run calls one stressCalls times for each instance, in this order.
func (o order) run(one func(instance int) error) error {
	switch o {
	case concurrently:
		return inParallel(func(i int) error { return repeat(func() error { return one(i) }) })
	case inTurns:
		return repeat(func() error { return eachInstance(one) })
	case backwards:
		return repeat(func() error { return eachInstance(func(i int) error { return one(stressThreads - 1 - i) }) })
	}
	return eachInstance(func(i int) error { return repeat(func() error { return one(i) }) })
}

// repeat runs f as often as a thread makes a call.
func repeat(f func() error) error {
	for range stressCalls {
		if err := f(); err != nil {
			return err
		}
	}
	return nil
}

func eachInstance(f func(int) error) error {
	for i := range stressThreads {
		if err := f(i); err != nil {
			return err
		}
	}
	return nil
}
