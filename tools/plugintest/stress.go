package plugintest

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nyash-plugins/nyash-go/abi"
)

const (
	stressThreads = 8
	stressCalls   = 150 // of each thread
	mixedCalls    = 6000
	// stressRounds are so many because threads meet by chance.
	stressRounds = 4
)

// stress calls from several threads at once.
func (t *Tester) stress() error {
	for _, b := range t.boxes {
		if b.barren || b.single() {
			continue
		}
		for range stressRounds {
			if err := t.scenario(rigOptions{plain: true}, func(r *rig) error { return r.birthsAtOnce(b) }); err != nil {
				return err
			}
		}
	}
	if err := t.learn(); err != nil {
		return err
	}
	for _, b := range t.boxes {
		if b.barren {
			continue
		}
		if err := t.ignoreBirth(t.scenario(rigOptions{plain: true}, func(r *rig) error { return r.mixed(b) })); err != nil {
			return err
		}
	}
	var times []time.Duration
	var took time.Duration
	err := t.each(func(m *method, k known) error {
		if !k.works {
			return nil
		}
		spent, span, err := t.identicalCalls(m, k)
		times, took = append(times, spent...), took+span
		if err != nil {
			return err
		}
		return t.separateInstances(m, k)
	})
	if len(times) > 0 {
		slices.Sort(times)
		at := func(q float64) time.Duration { return times[min(len(times)-1, int(q*float64(len(times))))] }
		t.line("%d threads: %.0f calls/s, p50 %v, p99 %v, p99.9 %v",
			stressThreads, float64(len(times))/took.Seconds(), at(0.5), at(0.99), at(0.999))
	}
	return err
}

// mixed calls everything at once, on an instance that all share and on some that
// are made and ended meanwhile. Any answer will do, as long as there is one.
func (r *rig) mixed(b *box) error {
	type work struct {
		m    *method
		args []byte
	}
	var all []work
	shared, err := r.born(b)
	if err != nil {
		return err
	}
	for _, m := range b.methods {
		if len(m.known) > 0 && !m.broken {
			all = append(all, work{m, r.encode(m.known[0].values, b, shared)})
		}
	}
	seeds := make([]uint64, stressThreads)
	for i := range seeds {
		seeds[i] = r.t.random.Uint64()
	}
	var calls atomic.Int64
	err = together(func(thread int) error {
		random := rand.New(rand.NewPCG(seeds[thread], 0))
		one := func(s step) (*answer, error) {
			calls.Add(1)
			s.racing = true
			return r.fitting(s)
		}
		for start := time.Now(); calls.Load() < mixedCalls && time.Since(start) < growthTime; {
			id, own := shared, false
			if random.IntN(4) == 0 && !b.single() {
				a, err := one(r.birth(b))
				if err != nil {
					return err
				}
				if a.code == abi.OK && a.length == 4 {
					id, own = binary.LittleEndian.Uint32(a.room), true
				}
			}
			if len(all) > 0 {
				w := all[random.IntN(len(all))]
				a, err := one(step{m: w.m, typeID: b.typeID, method: w.m.id, instance: id, args: w.args, room: r.room()})
				if err != nil {
					return err
				}
				if v, ok := a.value(); ok {
					r.takeBlob(w.m, v)
				}
			}
			if own {
				if _, err := one(step{m: b.fini, typeID: b.typeID, method: abi.MethodFini, instance: id, args: emptyMessage, room: r.room()}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	r.t.check.Calls += int(calls.Load())
	if err != nil {
		return err
	}
	return r.finiAll()
}

// together runs f on several threads at once, and returns the first loss.
func together(f func(thread int) error) error {
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

// birthsAtOnce makes instances on several threads and compares their ids.
func (r *rig) birthsAtOnce(b *box) error {
	const births = 60
	var mu sync.Mutex
	ids := make(map[uint32]int)
	s := r.birth(b)
	s.racing = true
	err := together(func(int) error {
		for range births {
			a, err := r.raw(&s)
			if err != nil {
				return &lostError{&s, err}
			}
			if a.code == abi.OK && a.length == 4 {
				mu.Lock()
				ids[binary.LittleEndian.Uint32(a.room)]++
				mu.Unlock()
			}
		}
		return nil
	})
	r.t.check.Calls += stressThreads * births
	if err != nil {
		return err
	}
	for id, n := range ids {
		if n > 1 {
			r.t.add(Finding{Code: codeIDCollision, Box: b.name, Method: abi.NameBirth, Message: fmt.Sprintf("%d births on %d threads gave the id %d %d times", stressThreads*births, stressThreads, id, n)})
			return nil
		}
	}
	list := make([]uint32, 0, len(ids))
	for id := range ids {
		list = append(list, id)
	}
	return together(func(thread int) error {
		for i := thread; i < len(list); i += stressThreads {
			s := step{m: b.fini, typeID: b.typeID, method: abi.MethodFini, instance: list[i], args: emptyMessage, room: r.room(), racing: true}
			if _, err := r.raw(&s); err != nil {
				return &lostError{&s, err}
			}
		}
		return nil
	})
}

// identicalCalls makes one call many times on one instance, one after another and
// then at once. In whatever order they happen, the answers are the same ones,
// unless they get in each other's way.
func (t *Tester) identicalCalls(m *method, k known) (times []time.Duration, took time.Duration, err error) {
	reference, err := t.oneAfterAnother(m, k)
	if reference == nil || err != nil {
		return nil, 0, err
	}
	again, err := t.oneAfterAnother(m, k)
	if err != nil || !slices.Equal(reference, again) {
		return nil, 0, err // its answers depend on something else
	}
	for range stressRounds {
		answers, spent, span, err := t.atOnce(m, k)
		times, took = append(times, spent...), took+span
		if err != nil || len(answers) != len(reference) {
			return times, took, err
		}
		if answer, have, want := mostOften(answers, reference); have > want {
			if again, err := t.oneAfterAnother(m, k); err != nil || !slices.Equal(reference, again) {
				return times, took, err // it has changed meanwhile by itself: the time, say
			}
			t.add(Finding{Code: codeRace, Box: m.box.name, Method: m.name,
				Call:     showCall(&step{m: m, typeID: m.box.typeID, instance: 1, args: (&rig{t: t}).encode(k.plain(), m.box, 1), room: roomSize}),
				Message:  fmt.Sprintf("of %d calls on one instance from %d threads %d answered %s, of as many one after another %d", len(answers), stressThreads, have, answer, want),
				Expected: "the same answers, in any order"})
			return times, took, nil
		}
	}
	return times, took, nil
}

// atOnce calls a method on one instance from several threads, and returns the
// sorted answers.
func (t *Tester) atOnce(m *method, k known) (answers []string, times []time.Duration, took time.Duration, err error) {
	err = t.scenario(rigOptions{plain: true}, func(r *rig) error {
		id, args, err := r.ready(m, k)
		if err != nil {
			return err
		}
		var all [stressThreads][]*answer
		var each [stressThreads][]time.Duration
		start := time.Now()
		err = together(func(thread int) error {
			s := step{m: m, typeID: m.box.typeID, method: m.id, instance: id, args: args, room: r.room(), racing: true}
			for range stressCalls {
				begun := time.Now()
				a, err := r.fitting(s)
				if err != nil {
					return err
				}
				all[thread], each[thread] = append(all[thread], a), append(each[thread], time.Since(begun))
			}
			return nil
		})
		took = time.Since(start)
		times = slices.Concat(each[:]...)
		t.check.Calls += len(times)
		if err != nil {
			return err
		}
		for _, a := range slices.Concat(all[:]...) {
			answers = append(answers, a.comparable())
			r.takeOver(m, a, args)
		}
		return r.finiAll()
	})
	slices.Sort(answers)
	return answers, times, took, t.ignoreBirth(err)
}

// mostOften is an answer that came more often than it should have.
func mostOften(answers, reference []string) (answer string, have, want int) {
	counts := make(map[string]int)
	for _, a := range answers {
		counts[a]++
	}
	wanted := make(map[string]int)
	for _, a := range reference {
		wanted[a]++
	}
	for _, a := range answers {
		if strings.HasPrefix(a, codeText) {
			continue // a plugin may refuse to do two things at once
		}
		if counts[a]-wanted[a] > have-want {
			answer, have, want = a, counts[a], wanted[a]
		}
	}
	return answer, have, want
}

func firstOther(have, want []string) (string, string) {
	for i := range have {
		if have[i] != want[i] {
			return have[i], want[i]
		}
	}
	return "", ""
}

// oneAfterAnother are the sorted answers of as many calls as identicalCalls makes.
func (t *Tester) oneAfterAnother(m *method, k known) (answers []string, err error) {
	err = t.scenario(rigOptions{plain: true}, func(r *rig) error {
		id, args, err := r.ready(m, k)
		if err != nil {
			return err
		}
		start := time.Now()
		for range stressThreads * stressCalls {
			a, err := r.call(m, id, args)
			if err != nil {
				return err
			}
			answers = append(answers, a.comparable())
			if time.Since(start) > growthTime {
				t.skip("%s.%s from several threads: its calls take too long", m.box.name, m.name)
				m.slow = true
				return r.finiAll()
			}
		}
		return r.finiAll()
	})
	if len(answers) < stressThreads*stressCalls {
		return nil, t.ignoreBirth(err)
	}
	slices.Sort(answers)
	return answers, t.ignoreBirth(err)
}

// separateInstances calls a method on an instance for each thread. What they
// answer one after another, and in turns, they must answer at once.
func (t *Tester) separateInstances(m *method, k known) error {
	if m.box.single() || m.slow {
		return nil
	}
	reference, err := t.onInstances(m, k, oneByOne)
	if reference == nil || err != nil {
		return err
	}
	// Where the order makes a difference, they share what is meant to be shared.
	for _, order := range []order{inTurns, backwards} {
		other, err := t.onInstances(m, k, order)
		if err != nil || !equalAll(reference, other) {
			return err
		}
	}
	together, err := t.onInstances(m, k, atOnce)
	if together == nil || err != nil {
		return err
	}
	again, err := t.onInstances(m, k, oneByOne)
	if err != nil || !equalAll(reference, again) {
		return err // it has changed meanwhile by itself
	}
	for thread := range together {
		if have, want := firstOther(together[thread], reference[thread]); have != want && !strings.HasPrefix(have, codeText) {
			t.add(Finding{Code: codeRace, Box: m.box.name, Method: m.name,
				Message:  fmt.Sprintf("called on %d instances from a thread each, it answered %s where one after another it answers %s", stressThreads, have, want),
				Expected: "what each instance answers alone"})
			return nil
		}
	}
	return nil
}

// order is how calls on several instances follow each other.
type order int

const (
	oneByOne  order = iota
	inTurns         // one call on each, and again
	backwards       // in turns, the last instance first
	atOnce
)

func equalAll(a, b [][]string) bool {
	return slices.EqualFunc(a, b, func(x, y []string) bool { return slices.Equal(x, y) })
}

// onInstances are the answers of each instance; nil where there was none.
func (t *Tester) onInstances(m *method, k known, o order) (answers [][]string, err error) {
	err = t.scenario(rigOptions{plain: true}, func(r *rig) error {
		answers = nil
		all := make([][]string, stressThreads)
		steps := make([]step, stressThreads)
		for i := range steps {
			id, args, err := r.ready(m, k)
			if err != nil {
				return err
			}
			steps[i] = step{m: m, typeID: m.box.typeID, method: m.id, instance: id, args: args, room: r.room(), racing: o == atOnce}
		}
		var mu sync.Mutex
		var calls atomic.Int64
		one := func(i int) error {
			a, err := r.fitting(steps[i])
			if err != nil {
				return err
			}
			calls.Add(1)
			all[i] = append(all[i], a.comparable())
			mu.Lock()
			defer mu.Unlock()
			r.takeOver(m, a, steps[i].args)
			return nil
		}
		var err error
		switch o {
		case atOnce:
			err = together(func(i int) error { return repeat(func() error { return one(i) }) })
		case inTurns:
			err = repeat(func() error { return eachInstance(one) })
		case backwards:
			err = repeat(func() error { return eachInstance(func(i int) error { return one(stressThreads - 1 - i) }) })
		default:
			err = eachInstance(func(i int) error { return repeat(func() error { return one(i) }) })
		}
		t.check.Calls += int(calls.Load())
		if err != nil {
			return err
		}
		answers = all
		return r.finiAll()
	})
	return answers, t.ignoreBirth(err)
}

// repeat does something as often as a thread does it.
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
